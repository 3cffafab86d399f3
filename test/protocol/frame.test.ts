import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_KINDS,
  type FrameKind,
  FrameReader,
  ProtocolError,
} from "../../src/protocol/mod.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

type Copy = { kind: FrameKind; body: Uint8Array };

function reading(): { reader: FrameReader; frames: Copy[] } {
  const frames: Copy[] = [];
  const reader = new FrameReader(({ kind, bytes, start, end }) => frames.push({ kind, body: bytes.slice(start, end) }));
  return { reader, frames };
}

test(`frames come out as they went in, however the bytes are cut (SEED=${seed})`, () => {
  const frame = fc.record(
    { kind: fc.constantFrom(...FRAME_KINDS), body: fc.uint8Array({ maxLength: 400 }) },
    { noNullPrototype: true },
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), cuts, (given, sizes) => {
      const whole = Buffer.concat(given.map(({ kind, body }) => encodeFrame(kind, body)));
      const { reader, frames } = reading();
      for (let at = 0, i = 0; at < whole.length; i++) {
        const size = sizes[i % sizes.length] as number;
        const piece = Uint8Array.from(whole.subarray(at, at + size));
        reader.push(piece);
        piece.fill(0xee);
        at += size;
      }
      expect(frames).toEqual(given);
      expect(reader.isBetweenFrames).toBe(true);
    }),
    { seed, numRuns: 500 },
  );
});

test("a header of 64 MB is refused before anything is reserved, also when it comes byte by byte", () => {
  const header = Uint8Array.of(0, 0, 0, 4, 2, 0);
  const { reader } = reading();
  expect(() => reader.push(header)).toThrow(/67108864 bytes refused/);
  expect(reader.heldBytes).toBe(0);
  const { reader: slow } = reading();
  expect(() => {
    for (const byte of header) slow.push(Uint8Array.of(byte));
  }).toThrow(ProtocolError);
  expect(slow.heldBytes).toBeLessThanOrEqual(64);
  expect(() => slow.push(encodeFrame("hello", new Uint8Array(1)))).toThrow(ProtocolError);
});

test("every kind takes its longest frame and no longer one", () => {
  for (const [at, kind] of FRAME_KINDS.entries()) {
    const { reader, frames } = reading();
    reader.push(encodeFrame(kind, new Uint8Array(FRAME_BYTES_MAX[kind])));
    expect(frames).toHaveLength(1);
    expect(() => encodeFrame(kind, new Uint8Array(FRAME_BYTES_MAX[kind] + 1))).toThrow(/Send it in parts/);
    const header = new Uint8Array(FRAME_HEADER_BYTES);
    new DataView(header.buffer).setUint32(0, FRAME_BYTES_MAX[kind] + 1, true);
    header[4] = at + 1;
    expect(() => reader.push(header)).toThrow(/refused/);
  }
});

test("of a frame that is still arriving at most twice what arrived is held", () => {
  const frame = encodeFrame("data", new Uint8Array(FRAME_BYTES_MAX.data));
  const { reader, frames } = reading();
  let at = 0;
  for (let size = 1; at < frame.length; size = Math.ceil(size * 1.5)) {
    reader.push(frame.slice(at, at + size));
    at += size;
    expect(reader.heldBytes).toBeLessThanOrEqual(Math.max(64, 2 * at));
    expect(reader.heldBytes).toBeLessThanOrEqual(frame.length);
  }
  expect(frames).toHaveLength(1);
  expect(reader.heldBytes).toBe(0);
});

test("a peer that is not trusted yet may be held to shorter frames", () => {
  const reader = new FrameReader(() => {}, { bodyBytesMax: 100 });
  reader.push(encodeFrame("message", new Uint8Array(100)));
  expect(() => reader.push(encodeFrame("message", new Uint8Array(101)))).toThrow(/at most 100/);
});
