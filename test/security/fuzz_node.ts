/**
 * Mutated frames of every message to a real node, over a connection that it has admitted as a node's: the worst place to
 * send them from short of a member that votes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "../../src/kernel/mod.ts";
import { frame } from "../../src/platform/network/frames.ts";
import { encodeFrame, encodeValue, PostCodec } from "../../src/protocol/mod.ts";
import { damage, makePool, noise } from "../protocol/fuzz.ts";
import { randomOf } from "../support/loopback.ts";
import { type Attacker, openChannel, openPipe } from "./attacker.ts";

export interface NodeFuzzCounts {
  posts: number;
  frames: number;
  /** Sessions that the node ended because of what it was sent. */
  sessionsEnded: number;
  /** Answers that came back, in bytes. */
  answerBytes: number;
  /** Kinds of posts that were still whole after the damage. */
  readonly wholePosts: Set<string>;
}

export interface NodeFuzz {
  readonly attacker: Attacker;
  readonly address: Address;
  readonly credential: Uint8Array;
  readonly seed: number;
  readonly count: number;
  /** Which posts are left out: kinds such as "raft append". */
  readonly without?: ReadonlySet<string>;
  /** Methods that end the test rather than the node: those that an admitted node may well call. */
  readonly isAllowed?: (frame: Uint8Array) => boolean;
}

const HELLO = encodeFrame("hello", encodeValue({ min: 1, max: 1, software: "fuzz" }));
const BATCH = 200;
const CLOSING_WAITS = 50;
const FRAMES_PER_SESSION = 4;

/** Sends `count` cases, half of them posts, and gives what became of them. The same seed sends the same cases. */
export async function fuzzNode(options: NodeFuzz): Promise<NodeFuzzCounts> {
  const { attacker, address, credential, seed, count, without = new Set(), isAllowed = () => true } = options;
  const random = randomOf(seed);
  const pool = makePool(seed);
  const codec = new PostCodec({ min: 1, max: 2, software: "fuzz" });
  const counts: NodeFuzzCounts = { posts: 0, frames: 0, sessionsEnded: 0, answerBytes: 0, wholePosts: new Set() };
  const pick = (from: readonly Uint8Array[]) => from[Math.floor(random() * from.length)] as Uint8Array;
  const made = (from: readonly Uint8Array[]) => {
    const chance = random();
    if (chance < 0.05) return noise(random);
    return chance < 0.25 ? pick(from) : damage(random, pick(from), pick(from));
  };
  const kindOf = (post: Uint8Array): string | null => {
    try {
      const read = codec.decode(post).post;
      return `${read.kind} ${read.message.kind}`;
    } catch {
      return null;
    }
  };
  const { connection } = await attacker.enter(address, credential);
  const posts = await openPipe(connection, "/sage/post/1");
  posts.receive({ data: () => undefined, closed: () => undefined });
  /** Few frames a session: the first bad one ends it. */
  const call = async () => {
    const channel = await openChannel(connection, "/sage/rpc/1");
    if (random() < 0.98) channel.send(HELLO);
    for (let i = 0; i < FRAMES_PER_SESSION; i++) {
      const bytes = made(pool.frames);
      if (!isAllowed(bytes)) continue;
      channel.send(bytes);
      counts.frames++;
      await sleep(0);
    }
    // A busy node takes a moment to end a session.
    for (let waits = 0; waits < CLOSING_WAITS && !channel.isClosed(); waits++) await sleep(2);
    if (channel.isClosed()) counts.sessionsEnded++;
    counts.answerBytes += channel.received().length;
    channel.end();
  };
  for (let sent = 0; sent < count; sent += 2 * BATCH) {
    const batch: Uint8Array[] = [];
    while (batch.length < BATCH) {
      const post = made(pool.posts);
      const kind = kindOf(post);
      if (kind !== null && without.has(kind)) continue;
      if (kind !== null) counts.wholePosts.add(kind);
      batch.push(post);
    }
    counts.posts += batch.length;
    posts.send(frame(...batch));
    await Promise.all(Array.from({ length: BATCH / FRAMES_PER_SESSION }, call));
    if (connection.status !== "open") throw new Error(`the node has closed the connection after ${sent} cases`);
  }
  return counts;
}
