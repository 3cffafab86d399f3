import { expect, test } from "vitest";
import { parseAddress, parseNodeAddress } from "../../../src/cli/cluster/address.ts";
import { bestAddress } from "../../../src/cli/cluster/greeting.ts";
import type { Address } from "../../../src/kernel/mod.ts";

const ID = "12D3KooWEUE3x9dBZa24WTuNMJvajLTL2g1U9Us6W2nsjNuv1qQZ";
const read = (text: string) => parseAddress(text, "listen", "node");

test.each([
  ["127.0.0.1:7070", "/ip4/127.0.0.1/tcp/7070"],
  [" 0.0.0.0:0 ", "/ip4/0.0.0.0/tcp/0"],
  ["[::1]:7070", "/ip6/::1/tcp/7070"],
  ["[2001:DB8::1]:1", "/ip6/2001:DB8::1/tcp/1"],
  ["worker-3.example:65535", "/dns/worker-3.example/tcp/65535"],
  ["256.1.1.1:80", "/dns/256.1.1.1/tcp/80"],
  ["/ip4/10.0.0.5/tcp/7070", "/ip4/10.0.0.5/tcp/7070"],
  [`/dns4/host/tcp/7070/p2p/${ID}`, `/dns4/host/tcp/7070/p2p/${ID}`],
  [`/ip6/::1/tcp/7070/tls/p2p/${ID}`, `/ip6/::1/tcp/7070/tls/p2p/${ID}`],
])("%s is the address %s", (text, address) => {
  expect(read(text)).toBe(address);
});

test.each([
  "",
  "7070",
  ":7070",
  "host",
  "host:",
  "host:65536",
  "host:-1",
  "host:0x10",
  "a b:80",
  "::1:7070",
  "[::1]",
  "http://host:80",
  "/ip4/1.2.3.4",
  "/ip4/1.2.3.4/udp/1",
  "/ip4/1.2.3.4/tcp/port",
  "/ip4/1.2.3.4/tcp/1/p2p/",
])("%j is no address, and the message shows how one is written", (text) => {
  expect(() => read(text)).toThrow(/^--listen .* is not an address\. Write host:port such as 127\.0\.0\.1:7070/);
});

test("a node that is to be called is named by its address, or by one that is known", () => {
  const whole = `/ip4/10.0.0.5/tcp/7070/p2p/${ID}` as Address;
  const use = { option: "to", command: "audit", known: [`/ip4/10.0.0.5/tcp/70700/p2p/${ID}` as Address, whole] };
  expect(parseNodeAddress(whole, { option: "to", command: "audit" })).toBe(whole);
  expect(parseNodeAddress("10.0.0.5:7070", use)).toBe(whole);
  expect(() => parseNodeAddress("10.0.0.5:707", use)).toThrow(
    "--to 10.0.0.5:707 does not say which node is there. Use the whole address that the node printed: /ip4/10.0.0.5/tcp/707/p2p/12D3…",
  );
});

test("of a node's addresses the one that other hosts can use is shown", () => {
  const loopback = ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/dns4/localhost/tcp/1"] as Address[];
  expect(bestAddress([...loopback, "/ip4/10.0.0.5/tcp/1" as Address])).toBe("/ip4/10.0.0.5/tcp/1");
  expect(bestAddress(loopback)).toBe(loopback[0]);
});
