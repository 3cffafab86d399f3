import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { gossipMessage } from "../../src/protocol/gossip_schema.ts";
import { hotGossipMessage, hotRaftMessage } from "../../src/protocol/hot_messages.ts";
import { raftMessage } from "../../src/protocol/raft_schema.ts";

const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

const number = fc.oneof(fc.nat(), fc.constantFrom(0, -1, 0.5, Number.NaN, Infinity, 2 ** 53, Number.MAX_SAFE_INTEGER));
const odd = fc.constantFrom(null, undefined, true, "1", 1n, [], {}, new Uint8Array(3), "heartbeat");
const bytes = fc.uint8Array({ maxLength: 8 });
const rarely = <T>(usual: fc.Arbitrary<T>) => fc.oneof({ weight: 40, arbitrary: usual }, { weight: 1, arbitrary: odd });
const whole = rarely(fc.oneof({ weight: 20, arbitrary: fc.nat() }, { weight: 1, arbitrary: number }));
const zero = rarely(fc.constantFrom(0, 0, 0, 1));
const entry = rarely(fc.oneof(fc.tuple(whole, whole, rarely(bytes)), fc.tuple(whole, whole, fc.constant(null))));

const FIELDS: Readonly<Record<string, Record<string, fc.Arbitrary<unknown>>>> = {
  heartbeat: { term: whole, commit: whole, round: whole },
  heartbeatResponse: { term: whole, round: whole },
  append: { term: whole, prevIndex: whole, prevTerm: whole, commit: whole, entries: rarely(fc.array(entry)) },
  appendResponse: {
    term: whole,
    index: whole,
    isRejected: rarely(fc.boolean()),
    hintIndex: whole,
    hintTerm: whole,
  },
  propose: { term: zero, proposal: whole, data: rarely(bytes) },
  read: { term: zero, read: whole },
};
const gossip = fc.record(
  {
    kind: fc.constant("heartbeat"),
    sequence: whole,
    incarnation: whole,
    load: rarely(number),
    updates: rarely(fc.record({ records: rarely(fc.constant([])), verdicts: rarely(fc.constant([])) })),
  },
  { noNullPrototype: true },
);

function judged(schema: v.GenericSchema, value: unknown): unknown {
  const result = v.safeParse(schema, value);
  return result.success ? result.output : null;
}

for (const [kind, fields] of Object.entries(FIELDS)) {
  test(`a ${kind} judged by hand is what the schema makes of it, and is accepted when it is usual (SEED=${seed})`, () => {
    let accepted = 0;
    const message = fc.record(
      { kind: fc.constant(kind), ...fields, unknown: fc.constant(1) },
      { noNullPrototype: true, requiredKeys: ["kind"] },
    );
    fc.assert(
      fc.property(
        fc.oneof(message, fc.record({ kind: fc.constant(kind), ...fields }, { noNullPrototype: true })),
        (wire) => {
          const hot = hotRaftMessage(wire);
          if (hot === null) return;
          accepted++;
          expect(hot).toStrictEqual(judged(raftMessage, wire));
        },
      ),
      { seed, numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
}

test(`a heartbeat of gossip judged by hand is what the schema makes of it (SEED=${seed})`, () => {
  let accepted = 0;
  fc.assert(
    fc.property(gossip, (wire) => {
      const hot = hotGossipMessage(wire);
      if (hot === null) return;
      accepted++;
      expect(hot).toStrictEqual(judged(gossipMessage, wire));
    }),
    { seed, numRuns: 400 },
  );
  expect(accepted).toBeGreaterThan(100);
});

test("what is no message at all is left to the schema", () => {
  for (const value of [null, 1, "x", [], new Uint8Array(2), { kind: "heartbeat" }, new Map()]) {
    expect(hotRaftMessage(value)).toBeNull();
    expect(hotGossipMessage(value)).toBeNull();
  }
});
