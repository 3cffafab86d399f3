/** Which agents have, or may have, something of which job, and how they are rid of it. */
import type { JobRecord } from "../../cluster/mod.ts";
import { isEnded, type JobOutline } from "../../jobs/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";
import { agentRelease } from "../../protocol/mod.ts";
import type { Agents, Inventory } from "./agents.ts";

export interface HoldersOptions {
  readonly term: number;
  readonly agents: Agents;
  /** The job as the log has it; null: deleted. */
  readonly record: (jobId: string) => JobRecord | null;
  readonly outlineOf: (jobId: string) => Promise<JobOutline | null>;
  readonly isStopped: () => boolean;
}

/** Where rows for a client lie of a run of an earlier JobManager's. */
export interface KeptRun {
  readonly peer: PeerId;
  readonly attempt: number;
  readonly jobAttempt: number;
}

export class Holders {
  readonly #options: HoldersOptions;
  readonly #peers = new Map<string, Set<PeerId>>();
  /** By job, then by `fragment.index`. */
  readonly #kept = new Map<string, Map<string, KeptRun>>();

  constructor(options: HoldersOptions) {
    this.#options = options;
  }

  add(jobId: string, peer: PeerId): void {
    const peers = this.#peers.get(jobId);
    if (peers === undefined) this.#peers.set(jobId, new Set([peer]));
    else peers.add(peer);
  }

  of(jobId: string): readonly PeerId[] {
    return [...(this.#peers.get(jobId) ?? [])];
  }

  keptRun(jobId: string, name: string): KeptRun | null {
    return this.#kept.get(jobId)?.get(name) ?? null;
  }

  release(
    jobId: string,
    how: {
      readonly upToAttempt: number;
      readonly keepResults: boolean;
      readonly sinkPaths: readonly string[];
      /** Runs of its tasks were lost, or may have been. */
      readonly isDisturbed: boolean;
    },
  ): void {
    const { agents, term, record } = this.#options;
    const { upToAttempt, keepResults, sinkPaths, isDisturbed } = how;
    const holders = this.of(jobId);
    // Who wrote may be gone, now or before it has cleaned up. Another one looks as well: the disk may be one that all see.
    const hasLeft = sinkPaths.length > 0 && (isDisturbed || !holders.some((peer) => agents.isPresent(peer)));
    const others = hasLeft ? agents.present.filter((peer) => !holders.includes(peer)).slice(0, 1) : [];
    for (const peer of [...holders, ...others]) {
      const body = { term, jobId, upToAttempt, keepResults, sinkPaths: [...sinkPaths] };
      agents.order(peer, agentRelease, body);
    }
    if (!keepResults) this.#kept.delete(jobId);
    if (record(jobId) === null) this.#peers.delete(jobId);
  }

  /** The agent has something of a job that has ended, or that nobody knows. */
  sweep(jobId: string, peer: PeerId): void {
    const { agents, term, outlineOf, isStopped } = this.#options;
    const record = this.#options.record(jobId);
    const keepResults = record?.state === "finished";
    const upToAttempt = record?.attempt ?? Number.MAX_SAFE_INTEGER;
    const release = (sinkPaths: readonly string[]): void => {
      const body = { term, jobId, upToAttempt, keepResults, sinkPaths: [...sinkPaths] };
      if (!isStopped()) agents.order(peer, agentRelease, body);
    };
    outlineOf(jobId).then(
      (known) => release(known?.sinkPaths ?? []),
      () => release([]),
    );
  }

  /** Rows of the job for its client are with the agent. */
  keep(
    peer: PeerId,
    jobId: string,
    of: { readonly jobAttempt: number; readonly runs: Inventory["results"][number]["runs"] },
  ): void {
    const record = this.#options.record(jobId);
    if (
      record === null ||
      (isEnded(record.state) && (record.state !== "finished" || record.attempt !== of.jobAttempt))
    ) {
      return this.sweep(jobId, peer);
    }
    this.add(jobId, peer);
    const kept = this.#kept.get(jobId) ?? new Map<string, KeptRun>();
    this.#kept.set(jobId, kept);
    for (const { task, attempt } of of.runs) {
      const name = `${task.fragment}.${task.index}`;
      const known = kept.get(name);
      if (known === undefined || known.attempt <= attempt) kept.set(name, { peer, attempt, jobAttempt: of.jobAttempt });
    }
  }
}
