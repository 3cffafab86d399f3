import type { MachineSettings } from "./facts.ts";
import { isLive, type TaskRecord } from "./task_record.ts";

/** Which tasks are in slots, which have come or gone, and when time alone changes something. */
export class LiveTasks {
  readonly #settings: MachineSettings;
  readonly #live = new Set<TaskRecord>();
  /** Of the live ones: may take only so long. */
  readonly #timed = new Set<TaskRecord>();
  /** They wait for a moment, or did. */
  readonly #delayed = new Set<TaskRecord>();
  #moved = new Set<TaskRecord>();

  constructor(settings: MachineSettings) {
    this.#settings = settings;
  }

  /** Those that are in a slot. */
  get all(): ReadonlySet<TaskRecord> {
    return this.#live;
  }

  /** They may have come into a slot, or out of one, since `takeMoved`. */
  get moved(): ReadonlySet<TaskRecord> {
    return this.#moved;
  }

  takeMoved(): ReadonlySet<TaskRecord> {
    const moved = this.#moved;
    this.#moved = new Set();
    return moved;
  }

  /** The task has another status, or the same since now. */
  changed(record: TaskRecord, nowMs: number): void {
    const isInSlot = isLive(record);
    if (isInSlot || this.#live.has(record)) this.#moved.add(record);
    if (isInSlot) this.#live.add(record);
    else this.#live.delete(record);
    if (this.dueMs(record) === null) this.#timed.delete(record);
    else this.#timed.add(record);
    if (record.status === "waiting" && record.notBeforeMs > nowMs) this.#delayed.add(record);
  }

  /** When the task has taken too long; null when it may take any time. */
  dueMs({ status, sinceMs }: TaskRecord): number | null {
    if (status === "deployed") return sinceMs + this.#settings.deployTimeoutMs;
    return status === "cancelling" ? sinceMs + this.#settings.cancelTimeoutMs : null;
  }

  /** Null: nothing changes by itself. */
  nextDueMs(nowMs: number): number | null {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const record of this.#timed) nextMs = Math.min(nextMs, this.dueMs(record) ?? nextMs);
    for (const record of this.#delayed) {
      if (record.notBeforeMs <= nowMs) this.#delayed.delete(record);
      else if (record.status === "waiting") nextMs = Math.min(nextMs, record.notBeforeMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
  }
}
