/** A process that floods nodes with connections: `bun flood.ts KIND COUNT PER_SECOND ADDRESS…`; holds them until it is killed. */
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { Address } from "../../src/kernel/mod.ts";
import { createKeys } from "../../src/platform/keys.ts";
import { createIdentity } from "../../src/platform/network/certificate.ts";
import { parseAddress } from "../../src/platform/network/mod.ts";
import { Attacker } from "./attacker.ts";
import type { FloodKind } from "./flood_kinds.ts";

/** Another host than the one of the nodes and their clients. */
const FROM = { host: "127.0.0.1", ...(process.platform === "linux" ? { localAddress: "127.0.0.2" } : {}) };
/** The begin of a ClientHello. */
const GREETING = Uint8Array.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);

/** An address where what is dialed reaches `address` as if dialed from the other host. */
async function relayed(address: Address): Promise<Address> {
  const { port, peer } = parseAddress(address);
  const server = createServer((near) => {
    const far = connectTcp({ ...FROM, port });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => undefined).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/p2p/${peer}` as Address;
}

async function connections(kind: FloodKind): Promise<(address: Address) => Promise<unknown>> {
  const keys = createKeys();
  if (kind === "silent" || kind === "greeting") {
    return async (address) => {
      const socket = connectTcp({ ...FROM, port: parseAddress(address).port }).on("error", () => undefined);
      if (kind === "greeting") socket.once("connect", () => socket.write(GREETING));
    };
  }
  if (kind === "encrypted") {
    const { certificate: cert, privateKey: key } = createIdentity(keys.create(), keys);
    const options = { ...FROM, cert, key, rejectUnauthorized: false, ALPNProtocols: ["/yamux/1.0.0"] };
    return async (address) => {
      connectTls({ ...options, port: parseAddress(address).port }).on("error", () => undefined);
    };
  }
  // More connections than one peer may have need more peers.
  const attackers = await Promise.all(Array.from({ length: 8 }, () => Attacker.start()));
  const ways = new Map<Address, Address>();
  for (const address of addresses as Address[]) ways.set(address, await relayed(address));
  let next = 0;
  return async (address) => attackers[next++ % attackers.length]?.enter(ways.get(address) ?? address, new Uint8Array());
}

const [kind, count, perSecond, ...addresses] = process.argv.slice(2);
if (kind !== undefined) {
  const connect = await connections(kind as FloodKind);
  const startMs = performance.now();
  console.log("ready");
  for (let made = 0; made < Number(count); made++) {
    connect(addresses[made % addresses.length] as Address).catch(() => undefined);
    const dueMs = startMs + ((made + 1) * 1_000) / Number(perSecond);
    if (dueMs > performance.now() + 2) await sleep(dueMs - performance.now());
  }
  console.log(`all within ${Math.round(performance.now() - startMs)} ms`);
  setInterval(() => undefined, 1_000);
}
