import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Channel } from "../../../src/kernel/mod.ts";
import { make, openHooks, until } from "./support.ts";

const PIECE_BYTES = 100_000;
const PIECES = 160;

/** The piece's bytes, of which no two are alike. */
function piece(index: number): Uint8Array {
  return Uint8Array.from({ length: PIECE_BYTES }, (_, at) => (at * 7 + index * 13 + (at >>> 8)) & 0xff);
}

/** These ways go past libp2p's own: another version of its parts may close them without an error. */
test("memory of what was read is used again at once, but for what waits for a paused reader", async () => {
  const given: Uint8Array[] = [];
  const got = new Uint8Array(PIECES * PIECE_BYTES);
  let count = 0;
  const take = (channel: Channel): void =>
    channel.receive({
      data(bytes) {
        got.set(bytes, count);
        count += bytes.length;
        given.push(bytes);
        if (given.length % 16 !== 0) return;
        channel.pause();
        void sleep(2).then(() => channel.resume());
      },
      closed() {},
    });
  const reader = make();
  const writer = make();
  await reader.transport.start(openHooks({ opened: take }));
  await writer.transport.start(openHooks());
  writer.transport.know(reader.transport.self, reader.transport.addresses);
  const channel = await writer.transport.open(reader.transport.self, "/test/1");
  channel.receive({ data() {}, closed() {} });
  for (let index = 0; index < PIECES; index++) channel.send(piece(index));
  await until(() => count === got.length, 30_000);
  for (let index = 0; index < PIECES; index++) {
    const start = index * PIECE_BYTES;
    expect(Buffer.compare(got.subarray(start, start + PIECE_BYTES), piece(index))).toBe(0);
  }
  expect(given.filter(({ length }) => length === 0).length).toBeGreaterThan(0);
  await Promise.all([reader.transport.stop(), writer.transport.stop()]);
}, 60_000);
