import type { Address } from "../../kernel/mod.ts";
import { UsageError } from "../error.ts";

/**
 * An address as a person writes it, `host:port`, `[::1]:port` or a multiaddr, as a multiaddr. Names become `/dns/…`.
 *
 * @throws {UsageError} that shows how one is written
 */
export function parseAddress(text: string, option: string, command: string): Address {
  const trimmed = text.trim();
  if (trimmed.startsWith("/")) {
    if (/^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}(\/tls)?(\/p2p\/[A-Za-z0-9]+)?$/.test(trimmed))
      return trimmed as Address;
    throw notAnAddress(text, option, command);
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:/\s]+)):(\d{1,5})$/i.exec(trimmed);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw notAnAddress(text, option, command);
  const [, ip6, host = ""] = match;
  if (ip6 !== undefined) return `/ip6/${ip6}/tcp/${port}` as Address;
  const isIp4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split(".").every((part) => Number(part) < 256);
  return `/${isIp4 ? "ip4" : "dns"}/${host}/tcp/${port}` as Address;
}

export interface NodeAddressUse {
  readonly option: string;
  readonly command: string;
  /** Whole addresses of nodes: who gives one without the node's id may mean one of these. */
  readonly known?: readonly Address[];
}

/**
 * The address of a node that is to be called: it must say whose it is.
 *
 * @throws {UsageError} that says where the whole address is to be had
 */
export function parseNodeAddress(text: string, { option, command, known = [] }: NodeAddressUse): Address {
  const address = parseAddress(text, option, command);
  if (address.includes("/p2p/")) return address;
  const meant = known.find((whole) => whole.startsWith(`${address}/p2p/`));
  if (meant !== undefined) return meant;
  throw new UsageError(
    `--${option} ${text} does not say which node is there. Use the whole address that the node printed: ${address}/p2p/12D3…`,
    { command },
  );
}

function notAnAddress(text: string, option: string, command: string): UsageError {
  return new UsageError(
    `--${option} ${text} is not an address. Write host:port such as 127.0.0.1:7070, or a multiaddr such as /ip4/10.0.0.5/tcp/7070/p2p/12D3….`,
    { command },
  );
}
