import type { PeerId } from "../../kernel/mod.ts";
import { NO_UPDATES, type ProbeRequest } from "../../protocol/mod.ts";
import type { DetectorPorts } from "./detector.ts";
import { HELPS_MAX } from "./timings.ts";

/** One probe made for another node. */
interface Help {
  readonly requester: PeerId;
  readonly request: ProbeRequest;
  startMs: number;
  nextTryMs: number;
  tryCount: number;
  /** Null while probing. */
  isReachable: boolean | null;
  doneMs: number;
}

/** How long an answer is kept for a requester that missed it. */
const KEPT_MS = 10_000;

/** The probes that this node makes for others; a repeated request gets the same answer again. */
export class Helps {
  readonly #ports: Pick<DetectorPorts, "self" | "table" | "timings" | "random" | "send">;
  readonly #helps = new Map<string, Help>();
  #probingCount = 0;

  constructor(ports: Pick<DetectorPorts, "self" | "table" | "timings" | "random" | "send">) {
    this.#ports = ports;
  }

  get isBusy(): boolean {
    return this.#probingCount > 0;
  }

  /** A full or unknowing node stays silent, so that somebody else is asked. */
  asked(from: PeerId, request: ProbeRequest, nowMs: number): void {
    const key = `${from} ${request.probe} ${request.target}`;
    const known = this.#helps.get(key);
    if (known !== undefined) {
      if (known.isReachable !== null) this.#answer(known);
      return;
    }
    const { table, self } = this.#ports;
    if (this.#helps.size >= HELPS_MAX || request.target === self || table.get(request.target) === undefined) return;
    const start = { startMs: nowMs, nextTryMs: nowMs, tryCount: 0, isReachable: null, doneMs: 0 };
    this.#helps.set(key, { requester: from, request, ...start });
    this.#probingCount++;
    this.tick(nowMs, 1);
  }

  heard(peer: PeerId, nowMs: number): void {
    if (this.#probingCount === 0) return;
    for (const help of this.#helps.values()) {
      if (help.request.target === peer && help.isReachable === null) this.#finish(help, true, nowMs);
    }
  }

  /** This process was stopped: probes under way begin anew. */
  restart(nowMs: number): void {
    for (const help of this.#helps.values()) {
      help.startMs = nowMs;
      help.nextTryMs = nowMs;
      help.tryCount = 0;
    }
  }

  tick(nowMs: number, factor: number): void {
    const { timings, random, send } = this.#ports;
    for (const [key, help] of this.#helps) {
      if (help.isReachable !== null) {
        if (nowMs >= help.doneMs + KEPT_MS) this.#helps.delete(key);
      } else if (nowMs >= help.startMs + timings.probeMs * factor) {
        this.#finish(help, false, nowMs);
      } else if (nowMs >= help.nextTryMs && help.tryCount < timings.probeTries) {
        help.tryCount++;
        help.nextTryMs = nowMs + timings.probeEveryMs * factor * (0.8 + 0.4 * random());
        const { probe, target } = help.request;
        send(target, { kind: "probe", probe, target, updates: NO_UPDATES });
      }
    }
  }

  #finish(help: Help, isReachable: boolean, nowMs: number): void {
    help.isReachable = isReachable;
    help.doneMs = nowMs;
    this.#probingCount--;
    this.#answer(help);
  }

  #answer(help: Help): void {
    const { probe, target, incarnation } = help.request;
    const isReachable = help.isReachable === true;
    this.#ports.send(help.requester, { kind: "probe-result", probe, target, isReachable, incarnation });
  }
}
