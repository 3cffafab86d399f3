import { BoundedQueue } from "../../kernel/mod.ts";
import { type ClusterEvent, onStream, type Served, watch } from "../../protocol/mod.ts";

type Topic = "members" | "leader" | "settings" | "jobs";

const TOPICS: Readonly<Record<ClusterEvent["kind"], Topic | null>> = {
  member: "members",
  "member-removed": "members",
  leader: "leader",
  setting: "settings",
  job: "jobs",
  missed: null,
  other: null,
};

/** Events that one watcher has not taken yet; beyond it the oldest are dropped, and it is told how many. */
const WAITING_MAX = 1_024;
const WATCHERS_MAX = 256;

interface Watcher {
  readonly topics: ReadonlySet<Topic> | null;
  readonly queue: BoundedQueue<ClusterEvent>;
  missedCount: number;
  wake: (() => void) | null;
}

/** What happens at this node, for those who watch. */
export class Events {
  readonly #watchers = new Set<Watcher>();

  emit(event: ClusterEvent): void {
    const topic = TOPICS[event.kind];
    for (const watcher of this.#watchers) {
      if (watcher.topics !== null && topic !== null && !watcher.topics.has(topic)) continue;
      if (!watcher.queue.push(event)) watcher.missedCount++;
      watcher.wake?.();
      watcher.wake = null;
    }
  }

  services(): Served[] {
    return [onStream(watch, ({ topics }, { signal }) => this.#follow(topics ?? null, signal))];
  }

  async *#follow(topics: readonly Topic[] | null, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
    if (this.#watchers.size >= WATCHERS_MAX) {
      yield { kind: "missed", count: 0 };
      return;
    }
    const watcher: Watcher = {
      topics: topics === null ? null : new Set(topics),
      queue: new BoundedQueue(WAITING_MAX),
      missedCount: 0,
      wake: null,
    };
    const wake = () => watcher.wake?.();
    signal.addEventListener("abort", wake);
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted) {
        const event = this.#next(watcher);
        if (event !== null) yield event;
        else await new Promise<void>((resolve) => (watcher.wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", wake);
      this.#watchers.delete(watcher);
    }
  }

  #next(watcher: Watcher): ClusterEvent | null {
    const event = watcher.queue.shift();
    if (event !== undefined) return event;
    if (watcher.missedCount === 0) return null;
    const count = watcher.missedCount;
    watcher.missedCount = 0;
    return { kind: "missed", count };
  }
}
