import { SageError } from "../../kernel/mod.ts";
import { systemClock, type Terminal } from "../../platform/mod.ts";
import { clusterStatus, watch } from "../../protocol/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chooseOutput, jsonLine, jsonText } from "./output.ts";
import { frameText } from "./screen.ts";
import { type AskContext, withClient } from "./session.ts";
import { type Status, statusKey, statusText } from "./status_text.ts";

/** Events come in bursts: shown at most this often. */
const REDRAW_MS = 200;
/** Without events, ages and loads still change. */
const REFRESH_MS = 2_000;
const RETRY_MS = 500;

export function showStatus(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const isWatched = parsed.flags.has("watch");
  return withClient(on, parsed, async (context) => {
    const ask = () => context.client.call(clusterStatus, {}, { timeoutMs: context.timeoutMs });
    const status = await ask();
    if (isWatched) {
      const view = on.out.isTerminal && output === "table" ? screenView(on) : lineView(on, output);
      await view.show(status);
      await follow(context, ask, view);
    } else await on.out.write(output === "json" ? jsonText(status) : plainText(on, status));
    return EXIT.ok;
  });
}

function plainText({ out }: Terminal, status: Status): string {
  return statusText(status, { paint: paintFor(out), width: out.columns });
}

interface View {
  show(status: Status): Promise<void>;
  /** The cluster cannot be asked now. */
  trouble(message: string): Promise<void>;
}

/** On a terminal: drawn over what was there. */
function screenView(on: Terminal): View {
  let last = "";
  let isFirst = true;
  const draw = async (text: string) => {
    await on.out.write(frameText(text, { rows: on.out.rows, isFirst }));
    isFirst = false;
  };
  return {
    show: (status) => {
      last = plainText(on, status);
      return draw(last);
    },
    trouble: (message) => draw(`${paintFor(on.out).red(message)}\n${last}`),
  };
}

/** Elsewhere: printed again when something has changed. */
function lineView(on: Terminal, output: "table" | "json"): View {
  let lastKey = "";
  let lastTrouble = "";
  return {
    async show(status) {
      const key = statusKey(status);
      lastTrouble = "";
      if (key === lastKey) return;
      const gap = lastKey === "" ? "" : "\n";
      lastKey = key;
      await on.out.write(output === "json" ? jsonLine(status) : gap + plainText(on, status));
    },
    async trouble(message) {
      if (message === lastTrouble) return;
      lastTrouble = message;
      await on.err.write(`${message}\n`);
    },
  };
}

/** Shows it again after each event, until Ctrl-C ends the process. */
async function follow({ client, signal }: AskContext, ask: () => Promise<Status>, view: View): Promise<void> {
  while (!signal.aborted) {
    try {
      const events = client.stream(watch, { topics: ["members", "leader"] }, { signal });
      let next = nextOf(events);
      for (;;) {
        const came = await Promise.race([next, pause(REFRESH_MS)]);
        if (came === "end") break;
        if (came === "event") {
          next = nextOf(events);
          await pause(REDRAW_MS);
        }
        await view.show(await ask());
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SageError && error.retryable)) throw error;
      await view.trouble(`${error.message.split("\n")[0]} Trying again until Ctrl-C.`);
      await pause(RETRY_MS);
    }
  }
}

function nextOf(events: AsyncGenerator<unknown>): Promise<"event" | "end"> {
  const next = events.next().then(({ done }) => (done === true ? ("end" as const) : ("event" as const)));
  next.catch(() => undefined); // who waits for it may have failed before
  return next;
}

/** Keeps the process alive, as nothing else may while no node is there. */
function pause(forMs: number): Promise<"time"> {
  return new Promise((resolve) => void systemClock.wake(forMs, () => resolve("time")));
}
