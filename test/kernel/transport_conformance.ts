/**
 * What every `Transport` does, real or simulated. A network under test makes transports and lets time pass; tests never
 * await a promise of a transport directly, since virtual time stands still meanwhile: they `run` it.
 */
import { afterEach, describe, expect, test } from "vitest";
import {
  type Channel,
  type PeerId,
  POST_BYTES_MAX,
  type Transport,
  TransportError,
  type TransportHooks,
} from "../../src/kernel/mod.ts";
import type { Ear, NetworkUnderTest, Node } from "./transport_parts.ts";

export function listen(channel: Channel, onData?: (bytes: Uint8Array, ear: Ear) => void): Ear {
  const ear: Ear = { channel, chunks: [], byteCount: 0, drainCount: 0, endCount: 0, closed: [] };
  channel.receive({
    data(bytes) {
      ear.byteCount += bytes.length;
      if (onData === undefined) ear.chunks.push(bytes.slice());
      else onData(bytes, ear);
    },
    drain() {
      ear.drainCount++;
    },
    end() {
      ear.endCount++;
    },
    closed(error) {
      ear.closed.push(error);
    },
  });
  return ear;
}

export function received(ear: Ear): Uint8Array {
  const out = new Uint8Array(ear.byteCount);
  let at = 0;
  for (const chunk of ear.chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Bytes that tell their place. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 17 + (at >> 16)) & 0xff;
  return bytes;
}

/** The runner's own comparison takes seconds for a megabyte. */
function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

export function describeTransport(name: string, makeNetwork: () => NetworkUnderTest): void {
  describe(`${name} as a transport`, () => {
    let network: NetworkUnderTest | null = null;

    afterEach(async () => {
      await network?.stop();
      network = null;
    });

    function net(): NetworkUnderTest {
      network ??= makeNetwork();
      return network;
    }

    async function start(transport: Transport = net().create()): Promise<Node> {
      const node: Node = {
        transport,
        opened: [],
        posted: [],
        events: [],
        credential: bytesOf("member"),
        admit: (_, credential) => ({ kind: credential.length === 0 ? "guest" : "member" }),
        onOpened: () => undefined,
      };
      const hooks: TransportHooks = {
        credential: () => node.credential,
        admit: (peer, credential) => node.admit(peer, credential.slice()),
        connected: (peer) => node.events.push(`connected ${peer}`),
        disconnected: (peer) => node.events.push(`disconnected ${peer}`),
        posted: (from, message) => node.posted.push({ from, message: message.slice() }),
        opened: (channel) => {
          const ear = listen(channel);
          node.opened.push(ear);
          node.onOpened(ear);
        },
      };
      await net().run(transport.start(hooks));
      return node;
    }

    async function pair(): Promise<[Node, Node]> {
      const [a, b] = [await start(), await start()];
      introduce(a, b);
      return [a, b];
    }

    function introduce(a: Node, b: Node): void {
      a.transport.know(b.transport.self, b.transport.addresses);
      b.transport.know(a.transport.self, a.transport.addresses);
    }

    /** A channel from `a` to `b`, heard at both ends. */
    async function channel(a: Node, b: Node, protocol = "/test/1"): Promise<[Ear, Ear]> {
      const before = b.opened.length;
      const near = await net().run(a.transport.open(b.transport.self, protocol).then((opened) => listen(opened)));
      await net().until(() => b.opened.length > before);
      return [near, b.opened.at(-1) as Ear];
    }

    async function failure(promise: Promise<unknown>): Promise<TransportError> {
      const error = await net().run(promise.then(() => null).catch((thrown: unknown) => thrown));
      expect(error).toBeInstanceOf(TransportError);
      return error as TransportError;
    }

    test("addresses are known after the start and name the node", async () => {
      const node = await start();
      expect(node.transport.addresses.length).toBeGreaterThan(0);
      for (const address of node.transport.addresses) expect(address).toContain(`/p2p/${node.transport.self}`);
      const client = await start(net().create({ isClient: true }));
      expect(client.transport.addresses).toEqual([]);
    });

    test("a channel carries its protocol and both peers, and text both ways", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b, "/test/echo/7");
      expect([near.channel.peer, far.channel.peer]).toEqual([b.transport.self, a.transport.self]);
      expect([near.channel.protocol, far.channel.protocol]).toEqual(["/test/echo/7", "/test/echo/7"]);
      near.channel.send(bytesOf("ping"));
      await net().until(() => textOf(received(far)) === "ping");
      far.channel.send(bytesOf("pong"));
      await net().until(() => textOf(received(near)) === "pong");
    });

    test("what is sent in the turn of opening arrives", async () => {
      const [a, b] = await pair();
      const opening = a.transport.open(b.transport.self, "/test/1").then((opened) => {
        const ear = listen(opened);
        opened.send(bytesOf("at once"));
        opened.end();
        return ear;
      });
      await net().run(opening);
      await net().until(() => b.opened[0] !== undefined && b.opened[0].endCount === 1);
      expect(textOf(received(b.opened[0] as Ear))).toBe("at once");
    });

    test("bytes arrive in order, cut as may be", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      const all = pattern(300_000);
      let at = 0;
      for (let size = 1; at < all.length; size = ((size * 7) % 9_973) + 1) {
        near.channel.send(all.slice(at, at + size));
        at += size;
      }
      await net().until(() => far.byteCount >= all.length);
      expect(isSame(received(far), all)).toBe(true);
    });

    test("several channels of one pair do not mix", async () => {
      const [a, b] = await pair();
      const ears: [Ear, Ear][] = [];
      for (let index = 0; index < 8; index++) ears.push(await channel(a, b, `/test/${index}`));
      for (const [index, [near]] of ears.entries()) near.channel.send(bytesOf(`${index}`.repeat(1_000)));
      await net().until(() => ears.every(([, far]) => far.byteCount === 1_000));
      for (const [index, [, far]] of ears.entries()) expect(textOf(received(far))).toBe(`${index}`.repeat(1_000));
    });

    test("a paused reader stops the sender, and everything arrives once it resumes", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      far.channel.pause();
      const piece = pattern(64 << 10);
      let sent = 0;
      while (sent < 128 << 20) {
        sent += piece.length;
        if (!near.channel.send(piece.slice())) {
          const before = near.drainCount;
          await net().pass(200);
          if (near.drainCount === before) break;
        }
      }
      expect(sent).toBeLessThan(64 << 20);
      expect(far.byteCount).toBe(0);
      far.channel.resume();
      await net().until(() => far.byteCount === sent && near.drainCount > 0);
      const got = received(far);
      for (let at = 0; at < sent; at += piece.length) {
        expect(isSame(got.subarray(at, at + piece.length), piece)).toBe(true);
      }
    });

    test("a reader that pauses within its callback gets no more until it resumes", async () => {
      const [a, b] = await pair();
      const near = await net().run(a.transport.open(b.transport.self, "/test/1").then((opened) => listen(opened)));
      await net().until(() => b.opened.length === 1);
      const far = b.opened[0] as Ear;
      let calls = 0;
      const seen = listen(far.channel, () => {
        calls++;
        far.channel.pause();
      });
      for (let index = 0; index < 20; index++) near.channel.send(pattern(100_000));
      near.channel.end();
      await net().until(() => calls === 1);
      await net().pass(50);
      expect(calls).toBe(1);
      for (let steps = 0; seen.byteCount < 2_000_000 && steps < 10_000; steps++) {
        const before = calls;
        far.channel.resume();
        await net().until(() => calls > before);
      }
      await net().until(() => seen.endCount === 1);
      expect(seen.byteCount).toBe(2_000_000);
    });

    test("a side that ended may still receive, and both are told when all is over", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      near.channel.send(bytesOf("question"));
      near.channel.end();
      await net().until(() => far.endCount === 1);
      expect(far.closed).toEqual([]);
      far.channel.send(bytesOf("answer"));
      far.channel.end();
      await net().until(() => near.closed.length === 1 && far.closed.length === 1);
      expect(textOf(received(near))).toBe("answer");
      expect([near.closed, far.closed, near.endCount, far.endCount]).toEqual([[null], [null], 1, 1]);
      expect(near.channel.send(bytesOf("late"))).toBe(false);
    });

    test("an end after much data lets all of it arrive", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      for (let index = 0; index < 100; index++) near.channel.send(pattern(100_000));
      near.channel.end();
      await net().until(() => far.endCount === 1);
      expect(far.byteCount).toBe(10_000_000);
    });

    test("an abort is an error at both ends, told once", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      near.channel.abort("no longer wanted");
      near.channel.abort("again");
      near.channel.end();
      await net().until(() => near.closed.length > 0 && far.closed.length > 0);
      await net().pass(50);
      expect([near.closed.length, far.closed.length]).toEqual([1, 1]);
      expect(near.closed[0]).toBeInstanceOf(TransportError);
      expect(near.closed[0]?.message).toContain("no longer wanted");
      expect(far.closed[0]).toBeInstanceOf(TransportError);
      const [again] = await channel(a, b);
      expect(again.closed).toEqual([]);
    });

    test("a refused credential fails the opening with the reason that the other side gave", async () => {
      const [a, b] = await pair();
      a.credential = bytesOf("forged");
      b.admit = (_, credential) =>
        textOf(credential) === "forged" ? { kind: "refused", reason: "signed by nobody we know" } : { kind: "member" };
      const error = await failure(a.transport.open(b.transport.self, "/test/1"));
      expect(error.code).toBe("refused");
      expect(error.message).toContain("signed by nobody we know");
      expect([b.opened, b.events, a.events]).toEqual([[], [], []]);
      expect(a.transport.isConnected(b.transport.self)).toBe(false);
    });

    test("a node that refuses the other's credential does not connect either", async () => {
      const [a, b] = await pair();
      a.admit = () => ({ kind: "refused", reason: "of another cluster" });
      const error = await failure(a.transport.open(b.transport.self, "/test/1"));
      expect(error.code).toBe("refused");
      expect(error.message).toContain("of another cluster");
      expect(b.events).toEqual([]);
    });

    test("credentials and the peer that showed them are judged as they are", async () => {
      const [a, b] = await pair();
      a.credential = pattern(8_000);
      const judged: [PeerId, Uint8Array][] = [];
      b.admit = (peer, credential) => {
        judged.push([peer, credential]);
        return { kind: "client" };
      };
      await channel(a, b);
      expect(judged.map(([peer]) => peer)).toEqual([a.transport.self]);
      expect(judged.every(([, credential]) => isSame(credential, a.credential))).toBe(true);
    });

    test("a guest may open the protocol for joining and no other", async () => {
      const [a, b] = await pair();
      a.credential = new Uint8Array(0);
      const [near, far] = await channel(a, b, "/sage/join/1");
      near.channel.send(bytesOf("let me in"));
      await net().until(() => textOf(received(far)) === "let me in");
      const error = await failure(a.transport.open(b.transport.self, "/test/1"));
      expect(error.code).toBe("refused");
      a.transport.post(b.transport.self, bytesOf("hello"));
      await net().pass(100);
      expect(b.posted).toEqual([]);
      expect(b.opened.length).toBe(1);
    });

    test("a guest that has got a credential opens what it likes without doing anything else", async () => {
      const [a, b] = await pair();
      a.credential = new Uint8Array(0);
      await channel(a, b, "/sage/join/1");
      a.credential = bytesOf("member");
      const [near, far] = await channel(a, b, "/test/1");
      near.channel.send(bytesOf("inside"));
      await net().until(() => textOf(received(far)) === "inside");
    });

    test("posts arrive unaltered and say from whom", async () => {
      const [a, b] = await pair();
      const messages = [0, 1, 100, 70_000, POST_BYTES_MAX].map(pattern);
      for (const message of messages) a.transport.post(b.transport.self, message);
      await net().until(() => b.posted.length === messages.length);
      const sizes = b.posted.map(({ message }) => message.length).sort((left, right) => left - right);
      expect(sizes).toEqual(messages.map((message) => message.length));
      for (const { from, message } of b.posted) {
        expect(from).toBe(a.transport.self);
        expect(isSame(message, pattern(message.length))).toBe(true);
      }
      b.transport.post(a.transport.self, bytesOf("back"));
      await net().until(() => a.posted.length === 1);
    });

    test("posts to nobody, to oneself and before anything is known are dropped", async () => {
      const [a, b] = [await start(), await start()];
      a.transport.post(b.transport.self, bytesOf("who?"));
      a.transport.post(a.transport.self, bytesOf("me"));
      await net().pass(100);
      expect([a.posted, b.posted]).toEqual([[], []]);
      introduce(a, b);
      a.transport.post(b.transport.self, bytesOf("you"));
      await net().until(() => b.posted.length === 1);
    });

    test("a peer of which no address is known cannot be reached", async () => {
      const [a, b] = [await start(), await start()];
      expect((await failure(a.transport.open(b.transport.self, "/test/1"))).code).toBe("unreachable");
    });

    test("an address with another peer behind it is told apart", async () => {
      const [a, b, c] = [await start(), await start(), await start()];
      const lie = b.transport.addresses.map((address) => address.replace(b.transport.self, c.transport.self));
      a.transport.know(c.transport.self, lie as unknown as typeof b.transport.addresses);
      const error = await failure(a.transport.open(c.transport.self, "/test/1"));
      expect(["wrong-peer", "unreachable"]).toContain(error.code);
      expect(b.opened).toEqual([]);
    });

    test("opening can be given up, and a stopped peer cannot be reached", async () => {
      const [a, b] = await pair();
      const given = new AbortController();
      given.abort();
      expect((await failure(a.transport.open(b.transport.self, "/test/1", { signal: given.signal }))).code).toBe(
        "aborted",
      );
      await net().run(b.transport.stop());
      const error = await failure(a.transport.open(b.transport.self, "/test/1", { timeoutMs: 500 }));
      expect(["unreachable", "timeout"]).toContain(error.code);
    });

    test("both sides are told of the connection once, and of its end once", async () => {
      const [a, b] = await pair();
      await channel(a, b);
      await channel(b, a);
      expect([a.transport.isConnected(b.transport.self), b.transport.isConnected(a.transport.self)]).toEqual([
        true,
        true,
      ]);
      a.transport.disconnect(b.transport.self, "enough");
      await net().until(() => b.events.length === 2 && a.events.length === 2);
      expect(a.events).toEqual([`connected ${b.transport.self}`, `disconnected ${b.transport.self}`]);
      expect(b.events).toEqual([`connected ${a.transport.self}`, `disconnected ${a.transport.self}`]);
      expect(a.transport.isConnected(b.transport.self)).toBe(false);
    });

    test("a disconnect breaks open channels at both ends, and a later opening connects again", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      b.transport.disconnect(a.transport.self, "its admission ended");
      await net().until(() => near.closed.length === 1 && far.closed.length === 1);
      expect([near.closed[0] !== null, far.closed[0] !== null]).toEqual([true, true]);
      const [again, there] = await channel(a, b);
      again.channel.send(bytesOf("still here"));
      await net().until(() => textOf(received(there)) === "still here");
    });

    test("who opens from both sides at the same time loses no channel", async () => {
      for (let round = 0; round < 4; round++) {
        const [a, b] = await pair();
        const openings = [a, b, a, b, a, b].map((from, index) => {
          const to = from === a ? b : a;
          return from.transport.open(to.transport.self, `/test/${index}`).then((opened) => {
            const ear = listen(opened);
            opened.send(bytesOf(`from ${index}`));
            return ear;
          });
        });
        const ears = await net().run(Promise.all(openings));
        await net().until(() => [...a.opened, ...b.opened].filter((ear) => ear.byteCount === 6).length === 6);
        await net().pass(100);
        for (const ear of [...a.opened, ...b.opened]) ear.channel.send(bytesOf("answer"));
        await net().until(() => ears.every((ear) => textOf(received(ear)) === "answer"));
        expect([...ears, ...a.opened, ...b.opened].flatMap((ear) => ear.closed)).toEqual([]);
        expect(a.events).toEqual([`connected ${b.transport.self}`]);
        expect(b.events).toEqual([`connected ${a.transport.self}`]);
      }
    });

    test("a peer that comes back is found again by posts and by openings", async () => {
      const [a, b] = await pair();
      a.transport.post(b.transport.self, bytesOf("one"));
      await net().until(() => b.posted.length === 1);
      await net().run(b.transport.stop());
      await net().until(() => a.events.length === 2);
      a.transport.post(b.transport.self, bytesOf("lost perhaps"));
      await net().pass(300);
      const back = await start(net().again(b.transport));
      expect(back.transport.self).toBe(b.transport.self);
      for (let tries = 0; tries < 200 && back.posted.length === 0; tries++) {
        a.transport.post(b.transport.self, bytesOf("two"));
        await net().pass(50);
      }
      expect(back.posted.length).toBeGreaterThan(0);
      const [near, far] = await channel(a, back);
      near.channel.send(bytesOf("three"));
      await net().until(() => textOf(received(far)) === "three");
    });

    test("a stopped transport opens nothing, and breaks what was open", async () => {
      const [a, b] = await pair();
      const [near, far] = await channel(a, b);
      await net().run(a.transport.stop());
      await net().run(a.transport.stop());
      await net().until(() => near.closed.length === 1 && far.closed.length === 1);
      expect([near.closed[0] !== null, far.closed[0] !== null]).toEqual([true, true]);
      expect((await failure(a.transport.open(b.transport.self, "/test/1"))).code).toBe("stopped");
      a.transport.post(b.transport.self, bytesOf("ghost"));
      await net().pass(50);
      expect(b.posted).toEqual([]);
    });

    test("a client that does not listen is reached over the connection that it made", async () => {
      const b = await start();
      const client = await start(net().create({ isClient: true }));
      client.transport.know(b.transport.self, b.transport.addresses);
      await channel(client, b);
      const [near, far] = await channel(b, client);
      near.channel.send(bytesOf("news"));
      await net().until(() => textOf(received(far)) === "news");
      b.transport.post(client.transport.self, bytesOf("more news"));
      await net().until(() => client.posted.length === 1);
    });
  });
}
