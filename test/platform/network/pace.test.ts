import { expect, test } from "vitest";
import { KnownHosts, Pace } from "../../../src/platform/network/pace.ts";

const LIMITS = { atOnce: 8, perSecond: 4, allAtOnce: 32, allPerSecond: 8 };

function count(pace: Pace, host: string, tries: number): number {
  return Array.from({ length: tries }, () => pace.take(host)).filter((isTaken) => isTaken).length;
}

test("a host begins so many at once, and so many a second from then on", () => {
  let nowMs = 0;
  const pace = new Pace(LIMITS, () => nowMs);
  expect(count(pace, "10.0.0.1", 100)).toBe(8);
  nowMs = 1_000;
  expect(count(pace, "10.0.0.1", 100)).toBe(4);
  nowMs = 60_000;
  expect(count(pace, "10.0.0.1", 100)).toBe(8);
});

test("many hosts share what all may do, and a new one among them is still served", () => {
  let nowMs = 0;
  const pace = new Pace(LIMITS, () => nowMs);
  const hosts = Array.from({ length: 100 }, (_, index) => `10.0.1.${index}`);
  for (const host of hosts) count(pace, host, 20);
  let taken = 0;
  for (; nowMs < 10_000; nowMs += 100) for (const host of hosts) taken += count(pace, host, 2);
  expect(taken).toBeLessThanOrEqual(81);
  expect(taken).toBeGreaterThan(0);
  expect(count(pace, "10.0.2.1", 1)).toBe(1);
});

test("addresses of one /64 of IPv6 are one host", () => {
  const pace = new Pace(LIMITS, () => 0);
  const addresses = ["2001:db8:0:1::1", "2001:db8::1:0:0:0:2", "2001:db8:0:1:ffff::", "2001:db8:0:1:1:2:3:4"];
  expect(addresses.reduce((sum, host) => sum + count(pace, host, 8), 0)).toBe(8);
  expect(count(pace, "2001:db8:0:2::1", 8)).toBe(8);
  expect(count(pace, "::1", 8)).toBe(8);
});

test("a host stays known for a while after the last of it has gone", () => {
  let nowMs = 0;
  const known = new KnownHosts(() => nowMs);
  expect(known.has("10.0.0.1")).toBe(false);
  known.add("10.0.0.1");
  known.add("10.0.0.1");
  known.delete("10.0.0.1");
  nowMs = 3_600_000;
  expect(known.has("10.0.0.1")).toBe(true);
  known.delete("10.0.0.1");
  expect(known.has("10.0.0.1")).toBe(true);
  nowMs += 3_600_000;
  expect(known.has("10.0.0.1")).toBe(false);
});
