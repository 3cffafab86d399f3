/**
 * Ports that the system chose for a node, kept for its next start.
 *
 * Nodes find each other where they were last. One alone may come back anywhere, since it tells the others; when all of them
 * are started again, somebody has to be where it was.
 */
import { createServer } from "node:net";
import type { Address } from "../kernel/mod.ts";
import { parseAddress } from "./network/address.ts";

/** By the address that was asked for, such as /ip4/127.0.0.1/tcp/0. */
export type KeptPorts = Readonly<Record<string, number>>;

/** `listen` with the ports of last time, where nobody has taken them. @throws {TransportError} bad-address */
export async function withKeptPorts(listen: readonly Address[], kept: KeptPorts): Promise<Address[]> {
  return Promise.all(
    listen.map(async (address) => {
      const port = kept[address];
      const { host, port: asked } = parseAddress(address);
      if (asked !== 0 || port === undefined || !(await isFree(host, port))) return address;
      return address.replace(/\/tcp\/0(?=$|\/)/, `/tcp/${port}`) as Address;
    }),
  );
}

/** What to keep of where a node listens now. */
export function portsToKeep(listen: readonly Address[], bound: readonly Address[]): KeptPorts {
  const found = bound.map((address) => parseAddress(address));
  const named = new Set(listen.map((address) => parseAddress(address).host));
  const kept: Record<string, number> = {};
  for (const address of listen) {
    const { host, kind, port } = parseAddress(address);
    if (port !== 0) continue;
    // A wildcard comes out as the machine's own addresses, which are those that nobody named.
    const own =
      found.find((one) => one.host === host) ?? found.find((one) => one.kind === kind && !named.has(one.host));
    if (own !== undefined && own.port !== 0) kept[address] = own.port;
  }
  return kept;
}

/** Null when `text` is not what `JSON.stringify` made of kept ports. */
export function parseKeptPorts(text: string): KeptPorts | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const isPort = (port: unknown) => Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536;
    return Object.values(value).every(isPort) ? (value as KeptPorts) : null;
  } catch {
    return null;
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}
