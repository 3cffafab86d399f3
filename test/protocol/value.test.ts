import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeValue, encodeValue, ProtocolError, VALUE_COUNT_MAX, VALUE_DEPTH_MAX } from "../../src/protocol/mod.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return "none";
}

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    // -0 becomes 0.
    fc.double().map((number) => number + 0),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 40 }),
    fc.dictionary(
      fc.string({ maxLength: 40 }).filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 40, noNullPrototype: true },
    ),
  ),
})).value;

test(`values come back as they were (SEED=${seed})`, () => {
  fc.assert(
    fc.property(value, (given) => {
      expect(decodeValue(encodeValue(given))).toStrictEqual(given);
    }),
    { seed, numRuns: 500 },
  );
});

test(`any cut of a value is refused as malformed (SEED=${seed})`, () => {
  fc.assert(
    fc.property(value, fc.nat(), (given, at) => {
      const bytes = encodeValue(given);
      expect(codeOf(() => decodeValue(bytes, 0, at % bytes.length))).toBe("malformed");
      expect(codeOf(() => decodeValue(Uint8Array.from([...bytes, 0])))).toBe("malformed");
    }),
    { seed, numRuns: 300 },
  );
});

test("whole numbers of any size stay numbers and 64-bit integers stay bigints", () => {
  for (const number of [0, 1, -1, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
    expect(decodeValue(encodeValue(number))).toBe(number);
    expect(decodeValue(encodeValue(BigInt(number)))).toBe(BigInt(number));
  }
  expect(decodeValue(encodeValue((1n << 64n) - 1n))).toBe((1n << 64n) - 1n);
});

test("extension types, the unused type and keys that are not text are refused", () => {
  const bad: number[][] = [
    [0xc1],
    [0xd4, 0x00, 0x00],
    [0xd4, 0x72, 0x40],
    [0xd6, 0xff, 0, 0, 0, 0],
    [0xc7, 0x01, 0x05, 0x00],
    [0x81, 0x01, 0x01],
    [0x81, 0xc4, 0x01, 0x41, 0x01],
    [0x81, 0x90, 0x01],
  ];
  for (const bytes of bad)
    expect(
      codeOf(() => decodeValue(Uint8Array.from(bytes))),
      String(bytes),
    ).toBe("malformed");
});

test("a key __proto__ changes no prototype", () => {
  const bytes = Uint8Array.from([0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x81, 0xa1, 0x61, 0x01]);
  const decoded = decodeValue(bytes) as Record<string, unknown>;
  expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  expect(decoded.a).toBeUndefined();
});

test("depth is limited", () => {
  const nested = (depth: number) => Uint8Array.from([...Array(depth).fill(0x91), 0xc0]);
  expect(codeOf(() => decodeValue(nested(VALUE_DEPTH_MAX)))).toBe("none");
  expect(codeOf(() => decodeValue(nested(VALUE_DEPTH_MAX + 1)))).toBe("too-large");
  expect(codeOf(() => decodeValue(nested(1_000_000)))).toBe("too-large");
});

test("the number of values is limited, also where many short lists add up", () => {
  const list = (count: number, item: number) => {
    const bytes = new Uint8Array(5 + count).fill(item);
    bytes[0] = 0xdd;
    new DataView(bytes.buffer).setUint32(1, count);
    return bytes;
  };
  expect(codeOf(() => decodeValue(list(VALUE_COUNT_MAX - 1, 0x80)))).toBe("none");
  expect(codeOf(() => decodeValue(list(VALUE_COUNT_MAX, 0xc0)))).toBe("too-large");
  // A length that lies is refused before anything is made of it.
  expect(codeOf(() => decodeValue(Uint8Array.from([0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0])))).toBe("malformed");
  expect(codeOf(() => decodeValue(Uint8Array.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0x00])))).toBe("malformed");
});

test("decoded bytes are a copy", () => {
  const encoded = encodeValue({ data: Uint8Array.of(1, 2, 3) });
  const decoded = decodeValue(encoded) as { data: Uint8Array };
  encoded.fill(0);
  expect([...decoded.data]).toEqual([1, 2, 3]);
  expect(decoded.data.constructor).toBe(Uint8Array);
});

test("one large value does not slow or spoil the small ones after it", () => {
  const large = { data: new Uint8Array(3 << 20).fill(7) };
  const encoded = encodeValue(large);
  expect(encodeValue({ a: 1 })).toEqual(Uint8Array.of(0x81, 0xa1, 0x61, 0x01));
  expect((decodeValue(encoded) as { data: Uint8Array }).data.length).toBe(3 << 20);
});

test("texts of any length come back, also after the buffer has grown and shrunk", () => {
  for (const length of [0, 31, 32, 63, 64, 65, 255, 256, 2_000, 70_000, 300_000, 10]) {
    for (const unit of ["a", "é", "日", "😀"]) {
      const given = { text: unit.repeat(length), after: 1 };
      expect(decodeValue(encodeValue(given))).toEqual(given);
    }
  }
});

test("bytes that came as a Buffer are decoded to plain arrays", () => {
  const decoded = decodeValue(Buffer.from(encodeValue({ data: Uint8Array.of(1, 2) }))) as { data: Uint8Array };
  expect(decoded.data.constructor).toBe(Uint8Array);
});
