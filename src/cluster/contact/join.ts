/** How this process comes into a cluster: it shows a token to a member and gets a certificate. */
import {
  type Address,
  type Clock,
  type Keys,
  type PeerId,
  SageError,
  type Transport,
  TransportError,
} from "../../kernel/mod.ts";
import { join, ownVersions, RpcSession } from "../../protocol/mod.ts";
import { AdmissionError, type Grant, openGrant, parseToken } from "../admission/mod.ts";
import type { MemberInfo } from "../fields.ts";
import { FORMAT_MAX } from "../state/mod.ts";
import { ContactError } from "./error.ts";

export const JOIN_PROTOCOL = "/sage/join/1";
/** For one member to answer; a cluster that is busy electing needs a few seconds. */
const JOIN_TIMEOUT_MS = 10_000;

export interface JoinPorts {
  readonly clock: Clock;
  readonly keys: Keys;
  readonly transport: Transport;
}

export interface JoinAs {
  readonly name: string;
  /** Software, for the other side's logs. */
  readonly software: string;
  /** What a node says of itself; null for a client. */
  readonly member: Omit<MemberInfo, "peer" | "name" | "formatMax"> | null;
}

export interface JoinInvitation {
  readonly addresses: readonly Address[];
  readonly token: string;
}

/**
 * Asks the members at the addresses, one after the other, until one lets this peer in.
 *
 * @throws {AdmissionError} the cluster says no: asking another member would not help
 * @throws {ContactError} not-reachable, itself, bad-address
 */
export async function askToJoin(
  ports: JoinPorts,
  { addresses, token }: JoinInvitation,
  as: JoinAs,
): Promise<Omit<Grant, "facts">> {
  parseToken(token);
  const failures: string[] = [];
  for (const address of addresses) {
    const peer = peerOfAddress(ports.keys, address);
    if (peer === ports.transport.self) {
      throw new ContactError("itself", `Cannot join ${address}: that is this node itself. Use another node's address.`);
    }
    try {
      return await askAt(ports, { peer, address, token }, as);
    } catch (error) {
      if (isFinal(error)) throw error;
      failures.push(`${address}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new ContactError(
    "not-reachable",
    `Cannot join cluster: no node answered. Is sage node running there, and is the address reachable from here?\n  ${failures.join("\n  ")}`,
  );
}

/** The peer that an address names. @throws {ContactError} bad-address */
export function peerOfAddress(keys: Keys, address: Address): PeerId {
  const peer = /\/p2p\/([A-Za-z0-9]+)$/.exec(address)?.[1] ?? "";
  if (keys.publicKeyOf(peer) !== null) return peer as PeerId; // it names an Ed25519 key
  throw new ContactError(
    "bad-address",
    `Cannot use address ${address}: it does not end in a node's id. Copy it from what sage node printed: …/p2p/12D3…`,
  );
}

/** Whether another member would say the same. */
function isFinal(error: unknown): boolean {
  if (error instanceof TransportError) return error.code === "refused";
  return !(error instanceof SageError && error.retryable);
}

async function askAt(
  ports: JoinPorts,
  { peer, address, token }: { readonly peer: PeerId; readonly address: Address; readonly token: string },
  { name, software, member }: JoinAs,
): Promise<Grant> {
  const { clock, keys, transport } = ports;
  transport.know(peer, [address]);
  const channel = await transport.open(peer, JOIN_PROTOCOL, { timeoutMs: JOIN_TIMEOUT_MS });
  const session = new RpcSession(channel, { clock, versions: ownVersions(software), role: () => "guest" });
  try {
    const info = member === null ? null : { ...member, formatMax: FORMAT_MAX };
    const reply = await session.call(join, { token, name, member: info }, { deadlineMs: JOIN_TIMEOUT_MS });
    return openGrant(keys, { token, peer: transport.self, nowMs: clock.wallMs() }, reply.grant);
  } catch (error) {
    throw remoteRefusal(error);
  } finally {
    session.close("joined");
    transport.disconnect(peer, "joining is done");
  }
}

/** A refusal that crossed the wire, as the error it was there. */
function remoteRefusal(error: unknown): unknown {
  if (!(error instanceof SageError) || error.name !== "RemoteError" || error.retryable) return error;
  return new AdmissionError(error.code as AdmissionError["code"], error.message, { cause: error });
}

/** The address with the node's id, which a caller needs to know whom it reaches. */
export function withPeer(address: Address, peer: PeerId): Address {
  return address.includes("/p2p/") ? address : (`${address}/p2p/${peer}` as Address);
}
