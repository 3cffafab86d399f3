import { describe, expect, test } from "vitest";
import * as calendar from "../../../src/codegen/calendar.ts";
import { civilFromDays, daysFromCivil, daysInMonth } from "../../../src/codegen/kernels/calendar.ts";
import { hashOfBytes, hashText } from "../../../src/codegen/kernels/lookup.ts";
import {
  divide128,
  float64From128,
  int128FromFloat64,
  mulHigh,
  mulHighSigned,
  multiply128,
  ROUNDING,
  remainder128,
} from "../../../src/codegen/kernels/wide.ts";
import { SeededRandom } from "../random.ts";
import { instantiate } from "./harness.ts";

const seed = 99991;
const LIMIT = 1n << 127n;
const halves = (value: bigint): [bigint, bigint] => [BigInt.asIntN(64, value), BigInt.asIntN(64, value >> 64n)];
const read = (view: DataView, at: number) => (view.getBigInt64(at + 8, true) << 64n) | view.getBigUint64(at, true);

function operands(count: number): [bigint, bigint][] {
  const random = new SeededRandom(seed);
  const edges = [
    0n,
    1n,
    -1n,
    2n,
    10n,
    1n << 32n,
    (1n << 63n) - 1n,
    1n << 63n,
    (1n << 64n) - 1n,
    1n << 64n,
    (1n << 64n) + 1n,
    10n ** 19n,
    10n ** 37n,
    LIMIT - 1n,
    -LIMIT + 1n,
  ];
  const pairs = edges.flatMap((a) => edges.map((b) => [a, b] as [bigint, bigint]));
  for (let i = 0; i < count; i++) pairs.push([random.integer(LIMIT), random.integer(LIMIT)]);
  return pairs;
}

describe("128-bit kernels", () => {
  test("products are exact or reported", () => {
    const { call, view } = instantiate(multiply128);
    for (const [a, b] of operands(3000)) {
      const overflow = call(16, ...halves(a), ...halves(b));
      const product = a * b;
      const fits = product < LIMIT && product > -LIMIT;
      expect([seed, a, b, overflow]).toEqual([seed, a, b, fits ? 0 : 1]);
      if (fits) expect([a, b, read(view, 16)]).toEqual([a, b, product]);
    }
  });

  test("high halves of 64-bit products are exact", () => {
    const unsigned = instantiate(mulHigh);
    const signed = instantiate(mulHighSigned);
    for (const [wide] of operands(1000)) {
      const [x, y] = halves(wide);
      expect(signed.call(x, y)).toBe((x * y) >> 64n);
      expect(unsigned.call(x, y)).toBe(BigInt.asIntN(64, (BigInt.asUintN(64, x) * BigInt.asUintN(64, y)) >> 64n));
    }
  });

  test("quotients and remainders are exact under every rounding", () => {
    const division = instantiate(divide128);
    const remainder = instantiate(remainder128);
    for (const [a, b] of operands(3000)) {
      if (b === 0n) continue;
      remainder.call(16, ...halves(a), ...halves(b));
      expect([seed, a, b, read(remainder.view, 16)]).toEqual([seed, a, b, a % b]);
      const d = b < 0n ? -b : b;
      const magnitude = a < 0n ? -a : a;
      const sign = a < 0n ? -1n : 1n;
      const rest = magnitude % d;
      const expected = {
        truncate: a / d,
        halfAway: sign * (magnitude / d + (rest * 2n >= d ? 1n : 0n)),
        floor: a / d - (a < 0n && rest !== 0n ? 1n : 0n),
        ceil: a / d + (a > 0n && rest !== 0n ? 1n : 0n),
      };
      for (const [name, rounding] of Object.entries(ROUNDING)) {
        division.call(16, ...halves(a), ...halves(d), rounding);
        expect([seed, name, a, d, read(division.view, 16)]).toEqual([
          seed,
          name,
          a,
          d,
          expected[name as keyof typeof expected],
        ]);
      }
    }
  });

  test("doubles are the nearest, ties to even, and come back exactly", () => {
    const from = instantiate(float64From128);
    const to = instantiate(int128FromFloat64);
    for (const [a] of [
      ...operands(2000),
      [(1n << 54n) + 1n, 0n],
      [(1n << 100n) + (1n << 47n), 0n],
      [(1n << 100n) + (1n << 47n) + 1n, 0n],
    ] as [bigint, bigint][]) {
      const double = from.call(...halves(a)) as number;
      expect([seed, a, double]).toEqual([seed, a, Number(a)]);
      if (Math.abs(double) >= 2 ** 127) continue;
      to.call(16, double as never);
      expect([a, read(to.view, 16)]).toEqual([a, BigInt(double)]);
    }
  });
});

describe("calendar kernels", () => {
  test("every day of 1600 to 2400, and days of any age, are dates and back", () => {
    const civil = instantiate(civilFromDays);
    const days = instantiate(daysFromCivil);
    const length = instantiate(daysInMonth);
    const random = new SeededRandom(seed);
    const all = Array.from({ length: 30_000 }, (_, i) => BigInt(i * 10 - 135_140 + (i % 10)));
    for (const day of [
      ...all,
      ...Array.from({ length: 2000 }, () => random.integer(1n << 46n)),
      -12_700_173n,
      -12_699_423n,
      1_061_042_401n,
      1_061_042_402n,
      1_061_042_403n,
    ]) {
      const packed = civil.call(day) as bigint;
      const got = { year: packed >> 9n, month: (packed >> 5n) & 15n, day: packed & 31n };
      expect([day, got]).toEqual([day, calendar.civilFromDays(day)]);
      expect(days.call(got.year, Number(got.month), Number(got.day))).toBe(day);
      expect(Number(got.day)).toBeLessThanOrEqual(length.call(got.year, Number(got.month)) as number);
    }
    expect([1900n, 2000n, 2023n, 2024n].map((year) => length.call(year, 2))).toEqual([28, 29, 28, 29]);
  });
});

describe("text hash", () => {
  test("is the same in the host and in generated code", () => {
    const { call, view } = instantiate(hashText);
    const random = new SeededRandom(seed);
    for (let bytes = 0; bytes < 60; bytes++) {
      const text = Uint8Array.from({ length: bytes }, () => random.below(256));
      for (let i = 0; i < 80; i++) view.setUint8(64 + i, i < bytes ? (text[i] as number) : random.below(256));
      expect((call(64, bytes) as number) >>> 0).toBe(hashOfBytes(text));
    }
  });
});
