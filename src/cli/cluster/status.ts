import type * as v from "valibot";
import type { Terminal } from "../../platform/mod.ts";
import { clusterStatus, type MemberStatus, watch } from "../../protocol/mod.ts";
import { EXIT } from "../error.ts";
import { type Paint, paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { bytesText } from "../quantity.ts";
import { chooseOutput, jsonText } from "./output.ts";
import { type AskContext, withClient } from "./session.ts";
import { ageText, type Cell, columns } from "./table.ts";

type Status = v.InferOutput<typeof clusterStatus.reply>;

/** Events come in bursts: shown at most this often. */
const REDRAW_MS = 200;
/** Without events, ages and loads still change. */
const REFRESH_MS = 2_000;
const CLEAR = "\u001b[2J\u001b[H";

export function showStatus(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const print = (status: Status) =>
    output === "json" ? jsonText(status) : statusText(status, { paint: paintFor(on.out), width: on.out.columns });
  return withClient(on, parsed, async (context) => {
    const { client, timeoutMs } = context;
    const ask = () => client.call(clusterStatus, {}, { timeoutMs });
    await on.out.write(print(await ask()));
    if (parsed.flags.has("watch")) await follow(on, context, async () => on.out.write(clear(on) + print(await ask())));
    return EXIT.ok;
  });
}

function clear({ out }: Terminal): string {
  return out.isTerminal ? CLEAR : "";
}

/** Shows it again after each event, until Ctrl-C. */
async function follow(on: Terminal, { client, signal }: AskContext, show: () => Promise<void>): Promise<void> {
  const pause = (forMs: number) => new Promise<"time">((resolve) => void on.schedule(forMs, () => resolve("time")));
  while (!signal.aborted) {
    const events = client.stream(watch, { topics: ["members", "leader"] }, { signal });
    try {
      let next = events.next();
      for (;;) {
        const came = await Promise.race([next, pause(REFRESH_MS)]);
        if (came !== "time" && came.done) break;
        if (came !== "time") {
          next = events.next();
          await pause(REDRAW_MS);
        }
        await show();
      }
    } catch (error) {
      if (signal.aborted) return;
      const isPassing = error instanceof Error && "retryable" in error && error.retryable === true;
      if (!isPassing) throw error;
      await pause(REDRAW_MS);
    }
  }
}

const MARKS: Readonly<Record<MemberStatus["health"], string>> = {
  alive: "●",
  suspect: "◐",
  dead: "✕",
  leaving: "◌",
  left: "○",
  unknown: "?",
};

export function statusText(
  status: Status,
  { paint, width }: { readonly paint: Paint; readonly width: number },
): string {
  const { cluster, name, leader, term, commitIndex, members, freshness } = status;
  const alive = members.filter(({ health }) => health === "alive").length;
  const voters = members.filter(({ isVoter }) => isVoter);
  const leaderName = members.find(({ peer }) => peer === leader)?.name;
  const lines = [
    `${paint.bold(`cluster ${name}`)} ${paint.dim(cluster)}`,
    `${alive} of ${members.length} nodes alive, ${voters.length} voters, term ${term}, commit ${commitIndex}`,
    leaderName === undefined
      ? paint.red("no leader known: a majority of the voters may be out of reach")
      : `leader ${paint.green(leaderName)}`,
  ];
  const staleMs = freshness.staleMs;
  if (staleMs === null || staleMs > 5_000) {
    lines.push(
      paint.yellow(`the asked node is behind the leader since ${staleMs === null ? "its start" : ageText(staleMs)}`),
    );
  }
  const isNarrow = width > 0 && width < 100;
  const heads = ["node", "health", "role", "slots", "load", ...(isNarrow ? [] : ["memory", "version", "seen", "id"])];
  const rows = members.map((member) => memberCells(member, { paint, isNarrow }));
  return `${lines.join("\n")}\n\n${columns(heads, rows, paint)}`;
}

function memberCells(
  member: MemberStatus,
  { paint, isNarrow }: { readonly paint: Paint; readonly isNarrow: boolean },
): Cell[] {
  const { health, raftRole, name, slots, load, memoryBytes, version, lastHeardMs, peer } = member;
  const color = { alive: paint.green, suspect: paint.yellow, dead: paint.red }[health as "alive"] ?? paint.dim;
  const role = raftRole ?? "–";
  const cells: Cell[] = [
    { text: name },
    { text: `${MARKS[health]} ${health}`, paint: color },
    { text: role, ...(role === "leader" ? { paint: paint.bold } : {}) },
    { text: String(slots), isRight: true },
    { text: load === null ? "–" : `${Math.round(load * 100)} %`, isRight: true },
  ];
  if (isNarrow) return cells;
  return [
    ...cells,
    { text: bytesText(memoryBytes), isRight: true },
    { text: version ?? "–" },
    { text: ageText(lastHeardMs), isRight: true },
    { text: peer, paint: paint.dim },
  ];
}
