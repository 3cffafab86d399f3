/** Makes values for any boundary schema, so that every message is covered without being listed. */
import fc from "fast-check";
import type * as v from "valibot";
import { gossipMessage, signedRecord } from "../../src/protocol/gossip_schema.ts";
import * as protocol from "../../src/protocol/mod.ts";
import { encodeMemberRecord, type MemberRecord } from "../../src/protocol/mod.ts";
import { entry, raftMessage } from "../../src/protocol/raft_schema.ts";

type Method = {
  readonly name: string;
  readonly request: v.GenericSchema;
  readonly reply?: v.GenericSchema;
  readonly item?: v.GenericSchema | "bytes";
};

/** Every method that the protocol defines. */
export const METHODS: readonly Method[] = Object.values(protocol).filter(
  (one): one is any => typeof one === "object" && one !== null && "request" in one && "minRole" in one,
);

const peer = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const count = fc.maxSafeNat();
const membership = fc.record(
  { voters: fc.array(peer, { maxLength: 5 }), learners: fc.array(peer, { maxLength: 5 }) },
  { noNullPrototype: true },
);
const memberRecord = fc.record(
  {
    peer,
    name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 }),
    addresses: fc.array(
      fc.string({ maxLength: 20 }).map((text) => `/${text}`),
      { maxLength: 4 },
    ),
    version: fc.string({ maxLength: 10 }),
    protocolMin: fc.integer({ min: 1, max: 255 }),
    protocolMax: fc.integer({ min: 1, max: 255 }),
    slots: fc.nat({ max: 1_000 }),
    memoryBytes: count,
    voter: fc.constantFrom("auto", "yes", "no"),
    incarnation: count,
    state: fc.constantFrom("alive", "leaving", "left"),
  },
  { noNullPrototype: true },
);

/** Schemas whose input cannot be read off them. */
const SPECIAL = new Map<unknown, fc.Arbitrary<unknown>>([
  [
    signedRecord,
    fc.tuple(
      memberRecord.map((record) => encodeMemberRecord(record as unknown as MemberRecord)),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
    ),
  ],
  [entry, fc.tuple(count, count, fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 300 }), membership))],
]);

/** Values that the schema takes. */
export function wireOf(schema: any): fc.Arbitrary<any> {
  const special = SPECIAL.get(schema);
  if (special !== undefined) return special;
  switch (schema.type) {
    case "object": {
      const fields = Object.entries(schema.entries).map(([key, field]: [string, any]) => [key, wireOf(field)]);
      const requiredKeys = Object.entries(schema.entries).flatMap(([key, field]: [string, any]) =>
        field.type === "optional" ? [] : [key],
      );
      return fc.record(Object.fromEntries(fields), { requiredKeys, noNullPrototype: true } as any);
    }
    case "optional":
      return wireOf(schema.wrapped);
    case "nullable":
      return fc.option(wireOf(schema.wrapped), { freq: 3 });
    case "variant":
      return fc.oneof(...schema.options.map(wireOf));
    case "picklist":
      return fc.constantFrom(...schema.options);
    case "literal":
      return fc.constant(schema.literal);
    case "boolean":
      return fc.boolean();
    case "unknown":
      return fc.constantFrom(null, 1, "text", { a: [1, 2] });
    case "custom": // bytes: nothing else is
      return fc.uint8Array({ maxLength: 64 });
    case "array":
      return fc.array(wireOf(schema.item), { maxLength: Math.min(5, limit(schema, "max_length", 5)) });
    case "string":
      return textOf(schema);
    case "number":
      return numberOf(schema);
    default:
      throw new Error(`no values for a schema of type ${schema.type}`);
  }
}

/** Also those of a schema that another one wraps in a pipe of its own. */
function actionsOf(schema: any): any[] {
  return (schema.pipe ?? []).flatMap((part: any) =>
    part === schema || part.pipe === undefined ? [part] : actionsOf(part),
  );
}

function limit(schema: any, type: string, fallback: number): number {
  return actionsOf(schema).find((action) => action.type === type)?.requirement ?? fallback;
}

function textOf(schema: any): fc.Arbitrary<string> {
  const pattern = limit(schema, "regex", 0) as unknown as RegExp | 0;
  if (pattern !== 0) return fc.stringMatching(pattern);
  const start = limit(schema, "starts_with", "" as any) as unknown as string;
  return fc
    .string({
      unit: "grapheme-ascii",
      minLength: limit(schema, "min_length", 0),
      maxLength: Math.min(20, limit(schema, "max_length", 20)),
    })
    .map((text) => start + text);
}

function numberOf(schema: any): fc.Arbitrary<number> {
  const min = limit(schema, "min_value", -1e6);
  const max = limit(schema, "max_value", 1e6);
  const isInteger = actionsOf(schema).some((action) => action.type === "safe_integer");
  return isInteger ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true }).map((number) => number + 0);
}

/** What posts consist of, as they lie in one. */
export const POST_KINDS: readonly { kind: "raft" | "gossip"; messages: fc.Arbitrary<any>[]; names: string[] }[] = [
  { kind: "raft" as const, schema: raftMessage as any },
  { kind: "gossip" as const, schema: gossipMessage as any },
].map(({ kind, schema }) => ({
  kind,
  messages: schema.options.map(wireOf),
  names: schema.options.map((option: any) => option.entries.kind.literal),
}));
