import { expect, test } from "vitest";
import { type Command, encodeCommand, FORMAT_MAX, StateError } from "../../../src/cluster/mod.ts";
import { encodeValue } from "../../../src/protocol/mod.ts";
import { actor, Replica, START_MS, started } from "./support.ts";

const set = (value: string): Command => ({ kind: "setting.set", key: "a", value, expectedVersion: null });

function entry(value: unknown, format = FORMAT_MAX): Uint8Array {
  return Uint8Array.of(format, ...encodeValue(value));
}
const header = (sequence: number): unknown[] => ["peer-x", "x", "admin", START_MS, "session-x", sequence, 0, 0];

test("an entry of a newer format stops the replica and changes nothing", () => {
  const replica = started();
  const before = replica.state.digest();
  const bytes = Uint8Array.from(replica.encode(set("x")));
  bytes[0] = FORMAT_MAX + 1;
  expect(() => replica.state.apply(2, bytes)).toThrow(StateError);
  expect(() => replica.state.apply(2, bytes)).toThrow(
    /Cannot follow the cluster: .* format 2.* up to 1\. Stop this node/,
  );
  expect(replica.state.digest()).toBe(before);
});

const damaged: readonly (readonly [string, Uint8Array, boolean])[] = [
  ["nothing", new Uint8Array(0), false],
  ["format 0", entry(null, 0), false],
  ["no msgpack", Uint8Array.of(1, 0xc1, 0xff), false],
  ["no list", entry({ kind: "setting.set" }), false],
  ["a header of wrong fields", entry([...header(1).slice(0, 7), "x", set("x")]), false],
  ["an unknown kind", entry([...header(1), { kind: "setting.smash" }]), true],
  ["a kind of every object", entry([...header(1), { kind: "toString" }]), true],
  ["a command without its fields", entry([...header(1), { kind: "setting.set" }]), true],
  ["a setting with a control character", entry([...header(1), { ...set("x"), key: "a\n" }]), true],
  ["a setting that is too long", entry([...header(1), set("x".repeat(65_537))]), true],
  ["a number with a fraction", entry([...header(1), { ...set("x"), expectedVersion: 1.5 }]), true],
];

test.each(damaged)("%s is refused by all replicas alike", (_, bytes, isHeaderRead) => {
  const [one, two] = [started(), started()];
  for (const { state } of [one, two]) {
    const result = state.apply(2, bytes);
    expect(result.outcome).toMatchObject({ ok: false, code: "malformed" });
    expect(result.request !== null).toBe(isHeaderRead);
    expect(state.audit({ limit: 1 })).toMatchObject([{ index: 2, outcome: "malformed" }]);
  }
  expect(one.state.digest()).toBe(two.state.digest());
});

test("what would be refused as malformed is not even encoded", () => {
  const replica = started();
  expect(() => replica.encode({ ...set("x"), key: "" } as Command)).toThrow(StateError);
  const envelope = { by: actor(), atMs: -1, request: { session: "session-1", sequence: 1, answeredTo: 0, since: 0 } };
  expect(() => encodeCommand({ ...envelope, command: set("x") }, 1)).toThrow(/bad-command|Cannot propose/);
});

test("a retried request is applied once and answered alike", () => {
  const replica = started();
  const bytes = replica.encode(set("x"), { request: { sequence: 7 } });
  const first = replica.append(bytes);
  replica.try(set("y"), { request: { sequence: 8, answeredTo: 0 } });
  const again = replica.append(bytes);
  expect(first).toMatchObject({ isRepeated: false, outcome: { value: { version: 2 } } });
  expect(again).toMatchObject({ isRepeated: true, outcome: first.outcome });
  expect(replica.state.settings.get("a")).toMatchObject({ value: "y", version: 3 });
});

test("requests of one session that are on their way together may arrive in any order", () => {
  const replica = started();
  const entries = [12, 10, 11, 10, 12].map((sequence) =>
    replica.encode({ ...set("x"), key: `k${sequence}` } as Command, {
      request: { session: "session-2", sequence, answeredTo: 9 },
    }),
  );
  expect(entries.map((bytes) => replica.append(bytes).isRepeated)).toEqual([false, false, false, true, true]);
  expect([...replica.state.settings.keys()].sort()).toEqual(["k10", "k11", "k12"]);
});

test("a request older than its session's window is refused, since it may have been applied", () => {
  const replica = started();
  const old = replica.encode(set("old"), { request: { session: "session-2", sequence: 1, answeredTo: 0 } });
  replica.append(old);
  for (let sequence = 2; sequence <= 66; sequence++) {
    replica.propose(set("new"), { request: { session: "session-2", sequence, answeredTo: 0 } });
  }
  expect(replica.append(old).outcome).toMatchObject({ ok: false, code: "session-expired" });
  expect(replica.state.settings.get("a")?.value).toBe("new");
});

test("a forgotten session's retry is refused, and a session that began later is not", () => {
  const replica = started();
  const old = replica.encode(set("old"), { request: { session: "session-old", sequence: 1, since: 1 } });
  replica.append(old);
  for (let i = 0; i < 4_096; i++) {
    replica.propose({ ...set("n"), key: "b" } as Command, {
      request: { session: `session-n${i}`, sequence: 1, since: 1 },
    });
  }
  expect(replica.append(old).outcome).toMatchObject({ code: "session-expired" });
  const late = { session: "session-late", sequence: 1, since: replica.state.appliedIndex };
  expect(replica.propose(set("late"), { request: late }).outcome.ok).toBe(true);
  const copy = new Replica();
  copy.state.restore(replica.state.snapshot());
  expect(copy.state.apply(9_000, old).outcome).toMatchObject({ code: "session-expired" });
});

test("the audit tells who did what with which outcome, newest first, and is bounded", () => {
  const replica = started();
  replica.propose(set("x"), { by: actor("admin", "alice") });
  replica.propose(set("x"), { by: actor("read", "bob") });
  expect(replica.state.audit({ limit: 2 })).toMatchObject([
    { index: 3, name: "bob", role: "read", kind: "setting.set", subject: "a", outcome: "forbidden" },
    { index: 2, name: "alice", role: "admin", kind: "setting.set", subject: "a", outcome: "ok", atMs: START_MS },
  ]);
  for (let i = 0; i < 10_010; i++) replica.propose(set("y"));
  const all = replica.state.audit({ limit: 20_000 });
  expect([all.length, all[0]?.index, all.at(-1)?.index]).toEqual([10_000, 10_013, 14]);
  expect(replica.state.audit({ limit: 2, beforeIndex: 100 }).map(({ index }) => index)).toEqual([99, 98]);
});
