/** Addresses as multiaddr text: `/ip4/127.0.0.1/tcp/4001`, with `/p2p/<PeerId>` behind where the peer is named. */
import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { type Address, type PeerId, TransportError } from "../../kernel/mod.ts";
import { publicKeyOfPeer } from "../keys.ts";

export type HostKind = "ip4" | "ip6" | "dns" | "dns4" | "dns6";

export interface ParsedAddress {
  readonly kind: HostKind;
  readonly host: string;
  readonly port: number;
  /** Null where the address names none. */
  readonly peer: PeerId | null;
}

const FORM = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/tls)?(?:\/p2p\/([^/]+))?$/;
const NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?$/;

/** @throws {TransportError} "bad-address", saying what is wrong and how it should look */
export function parseAddress(text: string): ParsedAddress {
  const [, kind, host = "", port, peer] = FORM.exec(text) ?? [];
  if (kind === undefined) return bad(text, "it is not of the form /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo…");
  if (kind === "ip4" && !isIPv4(host)) return bad(text, `${host} is no IPv4 address`);
  if (kind === "ip6" && !isIPv6(host)) return bad(text, `${host} is no IPv6 address`);
  if (kind.startsWith("dns") && !NAME.test(host)) return bad(text, `${host} is no host name`);
  if (Number(port) > 65_535) return bad(text, "ports go from 0 to 65535");
  if (peer !== undefined && publicKeyOfPeer(peer) === null) return bad(text, `${peer} is no PeerId of an Ed25519 key`);
  return { kind: kind as HostKind, host, port: Number(port), peer: (peer as PeerId | undefined) ?? null };
}

function bad(text: string, rule: string): never {
  throw new TransportError("bad-address", `Cannot use address ${JSON.stringify(text.slice(0, 200))}: ${rule}.`);
}

export function formatAddress(host: string, port: number, peer: PeerId | null): Address {
  const kind = isIPv4(host) ? "ip4" : isIPv6(host) ? "ip6" : "dns";
  return `/${kind}/${host}/tcp/${port}${peer === null ? "" : `/p2p/${peer}`}` as Address;
}

/** `address` with the peer named, as others need it. */
export function withPeer(address: ParsedAddress, peer: PeerId): Address {
  return `/${address.kind}/${address.host}/tcp/${address.port}/p2p/${peer}` as Address;
}

/** Where others reach what listens on `host`: a wildcard stands for every address of this machine. */
export function reachableHosts(host: string): string[] {
  const family = host === "0.0.0.0" ? "IPv4" : host === "::" ? "IPv6" : null;
  if (family === null) return [host];
  const found = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === family && !entry.address.startsWith("fe80:"));
  const outside = found.filter((entry) => !entry.internal);
  return (outside.length > 0 ? outside : found).map((entry) => entry.address);
}
