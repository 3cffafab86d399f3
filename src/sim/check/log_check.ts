/**
 * What holds all the time, seen from outside: one leader a term; an entry that some node applied is what every node
 * applies at that index, for ever; equal logs make equal states; what a client was told is in the log.
 */
import type { ApplyResult, Command } from "../../cluster/mod.ts";
import type { SimNode } from "../nodes/sim_node.ts";
import type { Violation, ViolationKind } from "./violation.ts";

/** States are compared at every such index; a digest costs as much as a snapshot. */
const DIGEST_EVERY = 512;

/** A command as the first node that applied it saw it. */
export interface Applied {
  readonly index: number;
  readonly atMs: number;
  readonly isOk: boolean;
}

interface First {
  readonly host: string;
  readonly data: Uint8Array;
}

export class LogCheck {
  readonly #nowMs: () => number;
  readonly #leaders = new Map<number, string>();
  readonly #entries = new Map<number, First>();
  readonly #digests = new Map<number, { readonly host: string; readonly digest: string }>();
  readonly #commands = new Map<string, Applied>();
  readonly violations: Violation[] = [];
  readonly acknowledgedNames: string[] = [];
  appliedCount = 0;
  restoredCount = 0;
  lastIndex = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get termCount(): number {
    return this.#leaders.size;
  }

  fail(kind: ViolationKind, text: string): void {
    this.violations.push({ kind, atMs: this.#nowMs(), text });
  }

  elected(host: string, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== host)
      this.fail("two-leaders", `${other} and ${host} both lead in term ${term}`);
    this.#leaders.set(term, host);
  }

  applied(node: SimNode, result: ApplyResult, data: Uint8Array): void {
    const { index, outcome, command, isRepeated } = result;
    this.appliedCount++;
    const first = this.#entries.get(index);
    if (first === undefined) {
      this.#entries.set(index, { host: node.name, data });
      this.lastIndex = Math.max(this.lastIndex, index);
      const name = command === null || isRepeated ? null : nameOf(command);
      // A refused one may be asked for again under the same name: what counts is that it was done.
      if (name !== null && this.#commands.get(name)?.isOk !== true) {
        this.#commands.set(name, { index, atMs: this.#nowMs(), isOk: outcome.ok });
      }
    } else if (!areEqual(first.data, data)) {
      this.fail("entry-changed", `${node.name} applies another entry at ${index} than ${first.host} did`);
    }
    const state = node.node?.replica.state;
    if (index % DIGEST_EVERY === 0 && state !== undefined) this.digest(node.name, index, state.digest());
  }

  /** The state of a node at an index. */
  digest(host: string, index: number, digest: string): void {
    const first = this.#digests.get(index);
    if (first === undefined) this.#digests.set(index, { host, digest });
    else if (first.digest !== digest) {
      this.fail("state-differs", `the states of ${host} and ${first.host} differ at ${index}`);
    }
  }

  /** A command that some node has applied, by its name. */
  find(name: string): Applied | null {
    return this.#commands.get(name) ?? null;
  }

  /** A client was told that its command was done. */
  acknowledged(name: string): void {
    this.acknowledgedNames.push(name);
    if (this.find(name)?.isOk !== true) this.fail("acknowledged-lost", `${name} was acknowledged but never applied`);
  }
}

/** A name for a command that no other one of the workload has; null for what is not of the workload. */
export function nameOf(command: Command): string | null {
  switch (command.kind) {
    case "setting.set":
      return `set ${command.key}=${command.value}`;
    case "job.create":
      return `create ${command.jobId}`;
    case "job.move":
      return `move ${command.jobId}: ${command.reason}`;
    case "blob.commit":
      return `blob ${command.hash}`;
    default:
      return null;
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
