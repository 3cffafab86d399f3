import * as v from "valibot";
import { expect, test } from "vitest";
import { SageError } from "../../src/kernel/mod.ts";
import {
  CALLS_MAX,
  defineMethod,
  encodeFrame,
  encodeValue,
  FRAME_BYTES_MAX,
  HELLO_TIMEOUT_MS,
  methodTable,
  on,
  onStream,
  ProtocolError,
  RemoteError,
  type Role,
  RpcSession,
  type Served,
  type VersionRange,
} from "../../src/protocol/mod.ts";
import { type LoopbackOptions, loopback, ManualClock, RealClock, randomOf } from "../support/loopback.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

const add = defineMethod({
  name: "test.add",
  request: v.object({ a: v.number(), b: v.number() }),
  reply: v.object({ sum: v.number() }),
  minRole: "read",
});
const echo = defineMethod({
  name: "test.echo",
  request: v.object({ data: v.instance(Uint8Array) }),
  reply: v.object({ data: v.instance(Uint8Array) }),
  minRole: "read",
});
const wait = defineMethod({ name: "test.wait", request: v.object({}), reply: v.object({}), minRole: "read" });
const fail = defineMethod({
  name: "test.fail",
  request: v.object({ how: v.string() }),
  reply: v.object({}),
  minRole: "read",
});
const rule = defineMethod({ name: "test.rule", request: v.object({}), reply: v.object({}), minRole: "admin" });
const newer = defineMethod({
  name: "test.newer",
  request: v.object({}),
  reply: v.object({}),
  minRole: "read",
  since: 3,
});
const count = defineMethod({
  name: "test.count",
  request: v.object({ to: v.number() }),
  item: v.object({ at: v.number() }),
  minRole: "read",
});
const chunks = defineMethod({
  name: "test.chunks",
  request: v.object({ sizes: v.array(v.number()) }),
  item: "bytes",
  minRole: "read",
});

/** What the handlers have seen. */
class Seen {
  produced = 0;
  aborted: unknown[] = [];
  returned = 0;
  waiting = 0;
}

function handlers(seen: Seen): Served[] {
  return [
    on(add, ({ a, b }) => ({ sum: a + b })),
    on(echo, ({ data }) => ({ data })),
    on(rule, () => ({})),
    on(newer, () => ({})),
    on(wait, (_, { signal }) => {
      seen.waiting++;
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          seen.aborted.push(signal.reason);
          reject(signal.reason as Error);
        });
      });
    }),
    on(fail, ({ how }) => {
      if (how === "bug") throw new TypeError("secret detail");
      throw new SageError(how, `it failed: ${how}`, { retryable: how === "busy" });
    }),
    onStream(count, async function* ({ to }) {
      try {
        for (let at = 0; at < to; at++) {
          seen.produced++;
          yield { at };
        }
      } finally {
        seen.returned++;
      }
    }),
    onStream(chunks, async function* ({ sizes }) {
      for (const size of sizes) yield new Uint8Array(size).fill(size & 0xff);
    }),
  ];
}

interface PairOptions extends LoopbackOptions {
  readonly clock?: RealClock;
  readonly role?: Role;
  readonly versions?: readonly [VersionRange, VersionRange];
}

function range(min: number, max: number): VersionRange {
  return { min, max, software: `sage 0.${max}.0` };
}

function pair(options: PairOptions = {}) {
  const [left, right] = loopback(options);
  const clock = options.clock ?? new RealClock();
  const [ofA, ofB] = options.versions ?? [range(1, 1), range(1, 1)];
  const role = () => options.role ?? ("node" as Role);
  const closedA: ProtocolError[] = [];
  const logged: unknown[] = [];
  const log = { write: (...line: unknown[]) => void logged.push(line) };
  const a = new RpcSession(left, { clock, versions: ofA, role, closed: (error) => closedA.push(error) });
  const b = new RpcSession(right, { clock, versions: ofB, role, log });
  const seenA = new Seen();
  const seenB = new Seen();
  a.serve(methodTable(handlers(seenA)));
  b.serve(methodTable(handlers(seenB)));
  return { a, b, left, right, seenA, seenB, clock, closedA, logged };
}

async function failure(promise: Promise<unknown>): Promise<SageError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SageError) return error;
  throw new Error(`expected a SageError, got ${String(error)}`);
}

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("both ends call each other over one channel", async () => {
  const { a, b } = pair();
  const sums = await Promise.all([
    a.call(add, { a: 1, b: 2 }),
    b.call(add, { a: 3, b: 4 }),
    a.call(add, { a: 5, b: 6 }),
  ]);
  expect(sums).toEqual([{ sum: 3 }, { sum: 7 }, { sum: 11 }]);
  expect(a.version).toBe(1);
  expect(b.peerVersions).toEqual(range(1, 1));
});

test(`calls and streams come through however the bytes are cut (SEED=${seed})`, async () => {
  const random = randomOf(seed);
  const { a, b } = pair({ random, windowBytes: 3_000 });
  const jobs: Promise<void>[] = [];
  for (let i = 0; i < 200; i++) {
    const [from, size] = [i % 2 === 0 ? a : b, Math.floor(random() ** 4 * 100_000)];
    const data = new Uint8Array(size).fill(i);
    jobs.push(from.call(echo, { data }).then((reply) => expect(Buffer.compare(reply.data, data)).toBe(0)));
  }
  for (const session of [a, b]) {
    jobs.push(
      (async () => {
        let at = 0;
        for await (const item of session.stream(count, { to: 1_000 })) expect(item.at).toBe(at++);
        expect(at).toBe(1_000);
      })(),
    );
  }
  await Promise.all(jobs);
});

test("a stream of bytes keeps its pieces, from empty to the largest", async () => {
  const { a } = pair({ windowBytes: 1 << 20 });
  const sizes = [0, 1, 20_000, 0, (1 << 24) - 4, 5];
  const got: number[] = [];
  for await (const piece of a.stream(chunks, { sizes }, { window: 2 })) {
    expect(piece.constructor).toBe(Uint8Array);
    expect(piece.every((byte) => byte === (piece.length & 0xff))).toBe(true);
    got.push(piece.length);
  }
  expect(got).toEqual(sizes);
});

test("an error of a handler crosses with code, message and whether to retry", async () => {
  const { a, logged } = pair();
  const busy = await failure(a.call(fail, { how: "busy" }));
  expect(busy).toBeInstanceOf(RemoteError);
  expect([busy.code, busy.message, busy.retryable]).toEqual(["busy", "it failed: busy", true]);
  expect((await failure(a.call(fail, { how: "no" }))).retryable).toBe(false);
  expect(logged).toEqual([]);
  const bug = await failure(a.call(fail, { how: "bug" }));
  expect(bug.code).toBe("internal");
  expect(bug.message).not.toContain("secret");
  expect(JSON.stringify(logged)).toContain("secret detail");
});

test("a request of the wrong shape is answered with the path of the field", async () => {
  const { a } = pair();
  const wrong = await failure(a.call(add, { a: 1, b: "2" } as any));
  expect(wrong).toBeInstanceOf(ProtocolError);
  expect(wrong.code).toBe("schema");
  expect((wrong as ProtocolError).path).toBe("b");
  expect(wrong.message).toContain("test.add");
  expect(await a.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
});

test("fields that a side does not know are ignored", async () => {
  const { a } = pair();
  expect(await a.call(add, { a: 1, b: 2, carry: true } as any)).toEqual({ sum: 3 });
});

test("an unknown method is answered, and so is one that is a stream there", async () => {
  const { a } = pair();
  const unknown = defineMethod({ name: "test.none", request: v.object({}), reply: v.object({}), minRole: "read" });
  expect((await failure(a.call(unknown, {}))).code).toBe("unknown-method");
  const confused = defineMethod({ name: "test.count", request: v.object({}), reply: v.object({}), minRole: "read" });
  expect((await failure(a.call(confused, {}))).code).toBe("unknown-method");
});

test("a role that does not reach is refused with what to do", async () => {
  const { a } = pair({ role: "submit" });
  const refused = await failure(a.call(rule, {}));
  expect(refused.code).toBe("forbidden");
  expect(refused.message).toContain("sage token create --role admin");
  expect(await a.call(add, { a: 1, b: 1 })).toEqual({ sum: 2 });
});

test("a cancelled call ends at once on both sides", async () => {
  const { a, seenB } = pair();
  const controller = new AbortController();
  const call = failure(a.call(wait, {}, { signal: controller.signal }));
  await turns();
  expect(seenB.waiting).toBe(1);
  controller.abort();
  expect((await call).code).toBe("cancelled");
  await turns();
  expect(seenB.aborted).toHaveLength(1);
  expect(a.pendingCount).toBe(0);
  expect((await failure(a.call(add, { a: 1, b: 2 }, { signal: controller.signal }))).code).toBe("cancelled");
});

test("a deadline ends the call on both sides, and only one wake of the clock waits for all of them", async () => {
  const clock = new ManualClock();
  const { a, seenB } = pair({ clock });
  const short = failure(a.call(wait, {}, { deadlineMs: 100 }));
  const long = failure(a.call(wait, {}, { deadlineMs: 300 }));
  await turns();
  expect(seenB.waiting).toBe(2);
  expect(clock.wakeCount).toBe(2);
  clock.advance(100);
  expect((await short).code).toBe("deadline");
  await turns();
  expect(seenB.aborted).toHaveLength(1);
  expect(a.pendingCount).toBe(1);
  clock.advance(200);
  expect((await long).code).toBe("deadline");
  await turns();
  expect(seenB.aborted).toHaveLength(2);
});

test("a slow reader of a stream holds the producer back", async () => {
  const { a, seenB } = pair();
  const stream = a.stream(count, { to: 100_000 }, { window: 10 });
  expect((await stream.next()).value).toEqual({ at: 0 });
  await turns(50);
  expect(seenB.produced).toBeLessThanOrEqual(12);
  for (let at = 1; at < 500; at++) expect((await stream.next()).value).toEqual({ at });
  await turns();
  expect(seenB.produced).toBeLessThanOrEqual(511);
  await stream.return?.();
  await turns();
  expect(seenB.returned).toBe(1);
  expect(a.pendingCount).toBe(0);
});

test("leaving a loop over a stream stops the producer", async () => {
  const { a, seenB } = pair();
  for await (const item of a.stream(count, { to: Number.MAX_SAFE_INTEGER })) if (item.at === 100) break;
  await turns();
  expect(seenB.returned).toBe(1);
  expect(seenB.produced).toBeLessThan(200);
});

test("streams wait while the channel is full", async () => {
  const { a, left, seenB } = pair({ windowBytes: 1 << 16 });
  const pieces = a.stream(chunks, { sizes: Array(64).fill(1 << 20) }, { window: 64 });
  const first = pieces.next();
  await turns(5);
  left.pause();
  await turns(50);
  expect(left.other.unreadBytes).toBeLessThan(4 << 20);
  left.resume();
  let got = (await first).value?.length ?? 0;
  for await (const piece of pieces) got += piece.length;
  expect(got).toBe(64 << 20);
  expect(seenB.returned).toBe(0);
});

test("calls over the limit are refused as overloaded, on the caller's side and on the server's", async () => {
  const { a, b, left, seenB } = pair();
  const waiting = Array.from({ length: CALLS_MAX }, () => failure(a.call(wait, {})));
  const over = await failure(a.call(add, { a: 1, b: 2 }));
  expect([over.code, over.retryable]).toEqual(["overloaded", true]);
  await turns();
  expect(seenB.waiting).toBe(CALLS_MAX);
  // A caller that does not keep the limit itself.
  left.send(encodeFrame("message", encodeValue([1, 900_000, "test.wait", {}, null])));
  await turns();
  expect(seenB.waiting).toBe(CALLS_MAX);
  expect(await b.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
  a.close("test over");
  const codes = new Set((await Promise.all(waiting)).map(({ code }) => code));
  expect([...codes]).toEqual(["closed"]);
});

test("closing rejects all that waits as retryable, on both sides, and stops handlers", async () => {
  const { a, b, seenA, seenB } = pair();
  const fromA = failure(a.call(wait, {}));
  const fromB = failure(b.call(wait, {}));
  const stream = a.stream(count, { to: 1e9 });
  await stream.next();
  await turns();
  a.close("leaving");
  for (const error of await Promise.all([fromA, fromB]))
    expect([error.code, error.retryable]).toEqual(["closed", true]);
  await turns();
  expect([seenA.aborted.length, seenB.aborted.length]).toEqual([1, 1]);
  expect(seenB.returned).toBe(1);
  expect([a.isClosed, b.isClosed]).toEqual([true, true]);
  expect((await failure(a.call(add, { a: 1, b: 2 }))).code).toBe("closed");
  let last: unknown = null;
  try {
    for await (const _ of stream);
  } catch (error) {
    last = error;
  }
  expect((last as SageError).code).toBe("closed");
});

test("a broken channel rejects all that waits as retryable", async () => {
  const { a, right, closedA } = pair();
  const call = failure(a.call(wait, {}));
  await turns();
  right.abort("cable cut");
  const error = await call;
  expect([error.code, error.retryable]).toEqual(["closed", true]);
  expect(closedA).toHaveLength(1);
});

test("a message too long is refused where it is sent, and the session goes on", async () => {
  const { a } = pair({ windowBytes: 1 << 24 });
  const large = new Uint8Array(FRAME_BYTES_MAX.message);
  expect((await failure(a.call(echo, { data: large }))).code).toBe("too-large");
  expect(a.pendingCount).toBe(0);
  const giant = defineMethod({ ...echo, name: "test.giant" });
  expect((await failure(a.call(giant, { data: large.subarray(100) }))).code).toBe("unknown-method");
});

test("a reply too long is answered as an error", async () => {
  const { a, b } = pair();
  b.serve(methodTable([on(echo, () => ({ data: new Uint8Array(FRAME_BYTES_MAX.message) }))]));
  expect((await failure(a.call(echo, { data: new Uint8Array(1) }))).code).toBe("too-large");
});

test("a peer that breaks the rules is cut off with a reason in the log", async () => {
  const hello = encodeFrame("hello", encodeValue(range(1, 1)));
  const bad: Record<string, Uint8Array[]> = {
    "a greeting comes first": [encodeFrame("message", encodeValue([1, 1, "test.add", {}, null]))],
    once: [hello, hello],
    "64 MB": [hello, Uint8Array.of(0, 0, 0, 4, 2, 0)],
    "kind 77": [hello, Uint8Array.of(1, 0, 0, 0, 77, 0, 0)],
    "its type": [hello, encodeFrame("message", encodeValue([99, 1]))],
    "no list": [hello, encodeFrame("message", encodeValue("hello"))],
    "in use": [hello, ...[0, 1].map(() => encodeFrame("message", encodeValue([1, 7, "test.wait", {}, null])))],
    "4 bytes": [hello, encodeFrame("data", Uint8Array.of(1, 2))],
  };
  for (const [what, frames] of Object.entries(bad)) {
    const [left, right] = loopback();
    const logged: string[] = [];
    const log = {
      write: (_: string, event: string, fields: unknown) => void logged.push(`${event} ${JSON.stringify(fields)}`),
    };
    const session = new RpcSession(right, { clock: new RealClock(), versions: range(1, 1), role: () => "node", log });
    session.serve(methodTable(handlers(new Seen())));
    let closed: Error | null = null;
    left.receive({ data: () => {}, closed: (error) => (closed = error) });
    for (const frame of frames) left.send(frame);
    await turns();
    expect(closed, what).not.toBeNull();
    expect(session.isClosed, what).toBe(true);
    expect(logged, what).toHaveLength(1);
    expect(logged[0]).toContain("peerA");
  }
});

test("who does not greet is cut off after a while", async () => {
  const clock = new ManualClock();
  const [left, right] = loopback();
  let closed: Error | null = null;
  left.receive({ data: () => {}, closed: (error) => (closed = error) });
  const session = new RpcSession(right, { clock, versions: range(1, 1), role: () => "node" });
  clock.advance(HELLO_TIMEOUT_MS);
  await turns();
  expect(session.isClosed).toBe(true);
  expect(closed).not.toBeNull();
});

test("a caller that reads no answers is cut off before its answers fill the memory", async () => {
  const [left, right] = loopback();
  const session = new RpcSession(right, { clock: new RealClock(), versions: range(1, 1), role: () => "node" });
  const data = new Uint8Array(1 << 20);
  session.serve(methodTable([on(echo, () => ({ data }))]));
  left.receive({ data: () => {}, closed: () => {} });
  left.send(encodeFrame("hello", encodeValue(range(1, 1))));
  left.pause();
  for (let i = 0; i < 2_000 && !session.isClosed; i++) {
    left.send(encodeFrame("message", encodeValue([1, i, "test.echo", { data: new Uint8Array(0) }, null])));
    if (i % 16 === 0) await turns(1);
  }
  // Answers stop growing at the soft limit: the calls after it are refused in a few bytes.
  expect(right.unreadBytes).toBeLessThan(1 << 26);
  session.close("test over");
});

test("neighbouring versions talk in the lower one, from either side", async () => {
  for (const versions of [
    [range(1, 2), range(2, 3)],
    [range(2, 3), range(1, 2)],
    [range(2, 2), range(2, 3)],
  ] as const) {
    const { a, b } = pair({ versions });
    expect(await a.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
    expect(await b.call(add, { a: 1, b: 2 })).toEqual({ sum: 3 });
    expect([a.version, b.version]).toEqual([2, 2]);
    // What came with version 3 is refused without asking.
    expect((await failure(a.call(newer, {}))).code).toBe("unknown-method");
  }
  const { a } = pair({ versions: [range(2, 3), range(2, 3)] });
  expect(await a.call(newer, {})).toEqual({});
});

test("without a common version both sides say which one to upgrade", async () => {
  const { a, b } = pair({ versions: [range(1, 2), range(3, 4)] });
  const [old, young] = await Promise.all([failure(a.call(add, { a: 1, b: 2 })), failure(b.call(add, { a: 1, b: 2 }))]);
  expect([old.code, young.code]).toEqual(["unknown-version", "unknown-version"]);
  expect(old.message).toContain("Upgrade this side");
  expect(old.message).toContain("versions 3 to 4");
  expect(young.message).toContain("Upgrade the other side");
  expect([old.retryable, young.retryable]).toEqual([false, false]);
});
