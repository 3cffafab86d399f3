import fc from "fast-check";
import { expect, test } from "vitest";
import { answerDigest, answerPart, answerWanted, digestOf } from "../../../src/cluster/membership/exchange.ts";
import { hashText } from "../../../src/cluster/membership/hash.ts";
import { News } from "../../../src/cluster/membership/news.ts";
import { Intervals } from "../../../src/cluster/membership/phi.ts";
import { type Place, Ring } from "../../../src/cluster/membership/ring.ts";
import { Table } from "../../../src/cluster/membership/table.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import type { GossipUpdates, SignedRecord, Verdict } from "../../../src/protocol/mod.ts";

function recordOf(peer: string, incarnation: number, state: "alive" | "leaving" | "left" = "alive"): SignedRecord {
  const versions = { version: "0.1.0", protocolMin: 1, protocolMax: 1 };
  const size = { slots: 1, memoryBytes: 1, voter: "auto" as const };
  const record = { peer: peer as PeerId, name: peer, addresses: [], ...versions, ...size, incarnation, state };
  return { record, bytes: new Uint8Array(300), signature: new Uint8Array(64) };
}

function verdictOf(peer: string, incarnation: number, state: Verdict["state"] = "dead"): Verdict {
  return { peer: peer as PeerId, incarnation, state, by: "judge" as PeerId, confirmedBy: [] };
}

function tableOf(...records: readonly SignedRecord[]): Table {
  const table = new Table({ changed: () => {}, forgotten: () => {}, phi: () => 0 });
  for (const record of records) table.put(record, null);
  return table;
}

test("phi is low while heartbeats come as usual, and rises without end when they stop", () => {
  const intervals = new Intervals(500);
  for (let count = 0; count < 100; count++) intervals.add(450 + (count % 11) * 10);
  expect(intervals.phi(500, 0)).toBeLessThan(0.5);
  expect(intervals.phi(1_300, 0)).toBeGreaterThan(8);
  let last = 0;
  for (let silentMs = 0; silentMs < 1e7; silentMs = silentMs * 1.1 + 1) {
    const phi = intervals.phi(silentMs, 1_000);
    expect(Number.isFinite(phi) && phi >= last).toBe(true);
    last = phi;
  }
});

test("phi waits longer for a member whose heartbeats come irregularly", () => {
  const regular = new Intervals(500);
  const irregular = new Intervals(500);
  for (let count = 0; count < 64; count++) {
    regular.add(500);
    irregular.add(count % 3 === 0 ? 1_500 : 250);
  }
  expect(irregular.phi(1_400, 0)).toBeLessThan(regular.phi(1_400, 0) / 4);
});

test("an outage is no interval: phi is as sharp after it as before", () => {
  const intervals = new Intervals(500);
  for (let count = 0; count < 64; count++) intervals.add(500);
  intervals.add(600_000);
  expect(intervals.phi(1_400, 0)).toBeGreaterThan(8);
});

test("each member of a ring watches whom it is a watcher of, in any order of coming and going", () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 40 });
  const property = fc.property(names, fc.integer({ min: 1, max: 6 }), (peers, count) => {
    const places = peers.map((peer): Place => ({ peer: peer as PeerId, hash: hashText(peer) }));
    const ring = new Ring<Place>();
    for (const place of places) ring.add(place);
    for (const place of places.slice(20)) ring.remove(place);
    const present = places.slice(0, 20);
    for (const place of present) {
      const watchers = ring.successors(place, count);
      expect(watchers).toHaveLength(Math.min(count, present.length - 1));
      expect(new Set(watchers).size).toBe(watchers.length);
      for (const watcher of watchers) expect(ring.predecessors(watcher, count)).toContain(place);
    }
  });
  fc.assert(property);
});

test("a node that is not on the ring has successors all the same", () => {
  const ring = new Ring<Place>();
  const places = ["a", "b", "c"].map((peer): Place => ({ peer: peer as PeerId, hash: hashText(peer) }));
  for (const place of places) ring.add(place);
  expect(new Set(ring.successors({ peer: "x" as PeerId, hash: hashText("x") }, 4))).toEqual(new Set(places));
});

test("news goes out as often as asked, the newest first, and then no more", () => {
  const news = new News();
  for (const peer of ["a", "b", "c"]) news.addRecord(recordOf(peer, 1));
  const taken: string[] = [];
  while (news.size > 0) taken.push(...news.take(450, 3).records.map(({ record }) => record.peer));
  expect(taken.slice(0, 3)).toEqual(["c", "b", "a"]);
  expect(taken.sort().join("")).toBe("aaabbbccc");
});

test("newer news replaces older news about the same member", () => {
  const news = new News();
  news.addRecord(recordOf("a", 1));
  news.addVerdict(verdictOf("a", 1));
  news.addRecord(recordOf("a", 2));
  const { records, verdicts } = news.take(10_000, 1);
  expect(records.map(({ record }) => record.incarnation)).toEqual([2]);
  expect(verdicts).toEqual([]);
  expect(news.size).toBe(0);
});

test("a message of news keeps to its bytes however much waits, but always carries something", () => {
  const news = new News();
  for (let count = 0; count < 2_000; count++) news.addVerdict(verdictOf(`p${count}`, 1));
  const sizes: number[] = [];
  while (news.size > 0) sizes.push(news.take(1_000, 2).verdicts.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(12);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(4_000);
  news.addRecord(recordOf("big", 1));
  expect(news.take(10, 1).records).toHaveLength(1);
});

test("a verdict counts for the incarnation that it names, and dead stays dead until a newer record", () => {
  const table = tableOf(recordOf("a", 5));
  const healthOf = (): string | undefined => table.get("a" as PeerId)?.health;
  expect([4, 6].map((incarnation) => table.judge(verdictOf("a", incarnation)))).toEqual([false, false]);
  expect(table.judge(verdictOf("a", 5, "suspect"))).toBe(true);
  expect(healthOf()).toBe("suspect");
  expect(table.judge(verdictOf("a", 5))).toBe(true);
  expect(table.judge(verdictOf("a", 5, "suspect"))).toBe(false);
  expect(table.put(recordOf("a", 5), null)).toBeNull();
  expect(healthOf()).toBe("dead");
  expect(table.ring.size).toBe(0);
  table.put(recordOf("a", 6), null);
  expect(healthOf()).toBe("alive");
  table.put(recordOf("a", 7, "left"), null);
  expect(table.judge(verdictOf("a", 7))).toBe(false);
  expect(healthOf()).toBe("left");
});

/** Lets `one` begin exchanges with `other` until both are silent; gives how many messages it took. */
function exchange(one: Table, other: Table, chance: () => number): number {
  const allow = (): boolean => true;
  const learn = (table: Table, { records, verdicts }: GossipUpdates): void => {
    for (const record of records) table.put(record, verdicts.find(({ peer }) => peer === record.record.peer) ?? null);
    for (const verdict of verdicts) table.judge(verdict);
  };
  let messages = 0;
  for (let round = 0; round < 1_000; round++) {
    let [asking, answering] = [one, other];
    let answer = answerDigest(answering, digestOf(asking), chance());
    messages++;
    if (answer?.kind === "digest") {
      [asking, answering] = [other, one];
      answer = answerDigest(answering, answer, chance());
    }
    if (answer === null) return messages;
    if (answer.kind === "digest") throw new Error("two nodes send each other digests for ever");
    const reply = answerPart(asking, answer, { chance: chance(), allow });
    if (reply === null) throw new Error("hashes differ but entries do not");
    learn(answering, reply.updates);
    const last = answerWanted(answering, reply.wanted);
    if (last !== null) learn(asking, last.updates);
    messages += 3;
  }
  throw new Error("no end");
}

test("two nodes that exchange know the same in the end, whatever each knew before", () => {
  const entry = fc.record({
    peer: fc.integer({ min: 0, max: 400 }),
    incarnation: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom("alive", "dead"),
  });
  const list = fc.array(entry, { maxLength: 300 });
  const property = fc.property(list, list, fc.double({ min: 0, max: 0.999, noNaN: true }), (ours, theirs, chance) => {
    const make = (entries: typeof ours): Table => {
      const table = tableOf(...entries.map(({ peer, incarnation }) => recordOf(`p${peer}`, incarnation)));
      for (const { peer, incarnation, kind } of entries) {
        if (kind === "dead") table.judge(verdictOf(`p${peer}`, incarnation));
      }
      return table;
    };
    const [one, other] = [make(ours), make(theirs)];
    exchange(one, other, () => chance);
    const list = (table: Table): string[] =>
      Array.from(table.values(), ({ peer, health, signed }) => `${peer} ${health} ${signed.record.incarnation}`).sort();
    expect(list(one)).toEqual(list(other));
    expect(digestOf(one)).toEqual(digestOf(other));
  });
  fc.assert(property, { numRuns: 60 });
});

test("two nodes that know the same need one message, and one difference among 1,000 needs few short ones", () => {
  const records = Array.from({ length: 1_000 }, (_, index) => recordOf(`p${index}`, 1));
  const [one, other] = [tableOf(...records), tableOf(...records)];
  expect(exchange(one, other, () => 0)).toBe(1);
  one.judge(verdictOf("p77", 1));
  const part = answerDigest(other, digestOf(one), 0.5);
  expect(part?.kind === "digest-part" && part.entries.length < 20).toBe(true);
  expect(exchange(one, other, () => 0.5)).toBe(5);
  expect(other.get("p77" as PeerId)?.health).toBe("dead");
});

test("a node that knows nobody learns 1,000 members in few exchanges", () => {
  const records = Array.from({ length: 1_000 }, (_, index) => recordOf(`p${index}`, 1));
  const [one, other] = [tableOf(recordOf("new", 1)), tableOf(...records)];
  expect(exchange(one, other, () => 0.3)).toBeLessThan(150);
  expect(one.size).toBe(1_001);
});

test("digests and parts of an impossible shape are passed over", () => {
  const table = tableOf(recordOf("a", 1));
  for (const bytes of [0, 1, 6, 12, 2_048]) {
    expect(answerDigest(table, { kind: "digest", buckets: new Uint8Array(bytes) }, 0)).toBeNull();
  }
  const options = { chance: 0, allow: (): boolean => true };
  for (const bucketCount of [0, 3, 512, 0.5, Number.NaN]) {
    expect(answerPart(table, { kind: "digest-part", bucketCount, buckets: [0], entries: [] }, options)).toBeNull();
  }
  const beyond = { kind: "digest-part", bucketCount: 4, buckets: [4, 9, -1, 0.5], entries: [] } as const;
  expect(answerPart(table, beyond, options)).toBeNull();
});
