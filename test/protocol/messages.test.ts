import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { gossipMessage, gossipToWire } from "../../src/protocol/gossip_schema.ts";
import {
  decodeMemberRecord,
  decodeValue,
  encodeMemberRecord,
  encodeValue,
  type GossipMessage,
  NO_UPDATES,
  type Post,
  PostCodec,
  ProtocolError,
  parse,
  type VersionRange,
} from "../../src/protocol/mod.ts";
import { raftMessage, raftToWire } from "../../src/protocol/raft_schema.ts";
import { type Message } from "../../src/raft/mod.ts";
import { METHODS, POST_KINDS, wireOf } from "./samples.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

function range(min: number, max: number): VersionRange {
  return { min, max, software: `sage 0.${max}.0` };
}

const codec = new PostCodec(range(1, 1));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return "none";
}

/** A message as the schema reads it, and as it would be written again. */
function read(kind: "raft" | "gossip", wire: unknown): { post: Post; again: unknown } {
  if (kind === "raft") {
    const message: Message = parse(raftMessage, wire, "message");
    return { post: { kind, message }, again: raftToWire(message) };
  }
  const message: GossipMessage = parse(gossipMessage, wire, "message");
  return { post: { kind, message }, again: gossipToWire(message) };
}

test("all message kinds of raft and gossip are covered", () => {
  expect(POST_KINDS.map(({ names }) => names.length)).toEqual([13, 9]);
  expect(METHODS.length).toBeGreaterThanOrEqual(21);
});

for (const { kind, messages, names } of POST_KINDS) {
  for (const [at, message] of messages.entries()) {
    test(`${kind} ${names[at]} comes back as it was (SEED=${seed})`, () => {
      fc.assert(
        fc.property(message, (wire) => {
          const { post, again } = read(kind, wire);
          expect(again).toStrictEqual(wire);
          const received = codec.decode(codec.encode(post));
          expect(received.post).toStrictEqual(post);
          expect(received.from).toEqual(range(1, 1));
        }),
        { seed, numRuns: 25 },
      );
    });
  }
}

for (const { name, request, reply, item } of METHODS) {
  test(`${name}: request and answer come back as they were (SEED=${seed})`, () => {
    for (const schema of [request, reply, item]) {
      if (schema === undefined || schema === "bytes") continue;
      fc.assert(
        fc.property(wireOf(schema), (wire) => {
          expect(parse(schema as v.GenericSchema, decodeValue(encodeValue(wire)), name)).toStrictEqual(wire);
        }),
        { seed, numRuns: 12 },
      );
    }
  });
}

test("a member record keeps the signed bytes when it is passed on, with fields that are not known here", () => {
  const record = {
    peer: "peerX" as any,
    name: "x",
    addresses: ["/ip4/127.0.0.1/tcp/1" as any],
    version: "0.2.0",
    protocolMin: 1,
    protocolMax: 2,
    slots: 4,
    memoryBytes: 2 ** 40,
    voter: "auto" as const,
    incarnation: 3,
    state: "alive" as const,
  };
  expect(decodeMemberRecord(encodeMemberRecord(record))).toEqual(record);
  const newer = encodeValue({ purpose: "sage member record", ...record, colour: "green" });
  const news: GossipMessage = {
    kind: "news",
    updates: { records: [{ record, bytes: newer, signature: new Uint8Array(64) }], verdicts: [] },
  };
  const { post } = codec.decode(codec.encode({ kind: "gossip", message: news }));
  const [got] = (post.message as typeof news).updates.records;
  expect(got?.record).toEqual(record);
  expect(got?.bytes).toEqual(newer);
  // Bytes that were signed for another purpose are no record.
  const other = encodeValue({ ...record, purpose: "something else" });
  expect(codeOf(() => decodeMemberRecord(other))).toBe("schema");
});

test("a post refers to nothing of the bytes it came in", () => {
  const message: Message = {
    kind: "append",
    term: 1,
    prevIndex: 0,
    prevTerm: 0,
    entries: [{ kind: "data", index: 1, term: 1, data: Uint8Array.of(1, 2, 3) }],
    commit: 0,
  };
  const bytes = codec.encode({ kind: "raft", message });
  const { post } = codec.decode(bytes);
  bytes.fill(0xff);
  expect(post.message).toEqual(message);
});

test("neighbouring versions read each other's posts; strangers are told which side to upgrade", () => {
  const post: Post = { kind: "gossip", message: { kind: "news", updates: NO_UPDATES } };
  const [v1, v12, v23, v34] = [range(1, 1), range(1, 2), range(2, 3), range(3, 4)].map((own) => new PostCodec(own));
  if (v1 === undefined || v12 === undefined || v23 === undefined || v34 === undefined) throw new Error();
  expect(v12.decode(v23.encode(post, range(1, 2))).version).toBe(2);
  expect(v23.decode(v12.encode(post, range(2, 3))).version).toBe(2);
  // Who does not know its reader writes its lowest version.
  expect(v12.decode(v23.encode(post))).toEqual({ post, version: 2, from: range(2, 3) });
  expect(codeOf(() => v23.decode(v12.encode(post)))).toBe("unknown-version");
  expect(() => v23.decode(v12.encode(post))).toThrow(/should write in a version that both speak/);
  expect(() => v34.decode(v12.encode(post))).toThrow(/Upgrade the other side/);
  expect(() => v1.decode(v34.encode(post))).toThrow(/Upgrade this side/);
  expect(() => v12.encode(post, range(3, 4))).toThrow(/Upgrade this side/);
});

test("a post over the limit is refused where it is made and where it comes", () => {
  const entries = [1, 2, 3].map((index) => ({
    kind: "data" as const,
    index,
    term: 1,
    data: new Uint8Array(512 << 10),
  }));
  const message: Message = { kind: "append", term: 1, prevIndex: 0, prevTerm: 0, entries, commit: 0 };
  expect(codeOf(() => codec.encode({ kind: "raft", message }))).toBe("too-large");
  expect(codeOf(() => codec.decode(new Uint8Array((1 << 20) + 1)))).toBe("too-large");
});

test("a wrong field is named", () => {
  const bytes = codec.encode({ kind: "raft", message: { kind: "timeoutNow", term: -1 } });
  try {
    codec.decode(bytes);
    expect.unreachable();
  } catch (error) {
    expect((error as ProtocolError).code).toBe("schema");
    expect((error as ProtocolError).path).toBe("term");
  }
});
