import type { PeerId } from "../../kernel/mod.ts";
import { type GossipUpdates, NO_UPDATES, type SignedRecord, type Verdict } from "../../protocol/mod.ts";

interface Item {
  readonly record: SignedRecord | null;
  readonly verdict: Verdict | null;
  readonly bytes: number;
  sentCount: number;
  /** Something newer has replaced it. */
  isOld: boolean;
}

/** Bytes on the wire, at most: texts, and what the encoding adds. */
export function recordBytes(signed: SignedRecord): number {
  return signed.bytes.length + signed.signature.length + 40;
}

export function verdictBytes(verdict: Verdict): number {
  let bytes = verdict.peer.length + verdict.by.length + 80;
  for (const peer of verdict.confirmedBy) bytes += peer.length + 3;
  return bytes;
}

/**
 * News to pass on. Each goes out a number of times that grows with the logarithm of the cluster (SWIM §4.1), the
 * newest first, then in turn. Taking costs what is taken, never the length of the queue.
 */
export class News {
  #fresh: Item[] = [];
  #again: Item[] = [];
  #againStart = 0;
  readonly #records = new Map<PeerId, Item>();
  readonly #verdicts = new Map<PeerId, Item>();

  get size(): number {
    return this.#records.size + this.#verdicts.size;
  }

  addRecord(record: SignedRecord): void {
    this.drop(record.record.peer);
    this.#add(this.#records, record.record.peer, { record, verdict: null, bytes: recordBytes(record) });
  }

  addVerdict(verdict: Verdict): void {
    this.#retire(this.#verdicts, verdict.peer);
    this.#add(this.#verdicts, verdict.peer, { record: null, verdict, bytes: verdictBytes(verdict) });
  }

  /** Forgets all news about `peer`. */
  drop(peer: PeerId): void {
    this.#retire(this.#records, peer);
    this.#retire(this.#verdicts, peer);
  }

  /** Up to `bytesMax` of news; each is given `sendsMax` times in all. */
  take(bytesMax: number, sendsMax: number): GossipUpdates {
    if (this.size === 0) return NO_UPDATES;
    const taken: Item[] = [];
    let left = bytesMax;
    for (let item = this.#peek(); item !== undefined; item = this.#peek()) {
      if (!item.isOld && item.bytes > left && taken.length > 0) break;
      this.#shift();
      if (item.isOld) continue;
      left -= item.bytes;
      taken.push(item);
    }
    for (const item of taken) this.#putBack(item, sendsMax);
    const records = taken.flatMap(({ record }) => record ?? []);
    return { records, verdicts: taken.flatMap(({ verdict }) => verdict ?? []) };
  }

  #add(map: Map<PeerId, Item>, peer: PeerId, news: Pick<Item, "record" | "verdict" | "bytes">): void {
    const item: Item = { ...news, sentCount: 0, isOld: false };
    map.set(peer, item);
    this.#fresh.push(item);
  }

  #retire(map: Map<PeerId, Item>, peer: PeerId): void {
    const item = map.get(peer);
    if (item === undefined) return;
    item.isOld = true;
    map.delete(peer);
  }

  #peek(): Item | undefined {
    return this.#fresh.at(-1) ?? this.#again[this.#againStart];
  }

  #shift(): void {
    if (this.#fresh.length > 0) {
      this.#fresh.pop();
      return;
    }
    this.#againStart++;
    if (this.#againStart < 64 || this.#againStart * 2 < this.#again.length) return;
    this.#again = this.#again.slice(this.#againStart);
    this.#againStart = 0;
  }

  #putBack(item: Item, sendsMax: number): void {
    item.sentCount++;
    if (item.sentCount < sendsMax) {
      this.#again.push(item);
      return;
    }
    if (item.record !== null) this.#retire(this.#records, item.record.record.peer);
    if (item.verdict !== null) this.#retire(this.#verdicts, item.verdict.peer);
  }
}
