import type { PeerId } from "../../kernel/mod.ts";
import { type CertificateFacts, CLIENT_CERTIFICATE_TTL_MS, NODE_CERTIFICATE_TTL_MS } from "../admission/facts.ts";
import { includesRole, type Role } from "../admission/roles.ts";
import type { MemberInfo } from "../fields.ts";
import { takeUse } from "./apply_tokens.ts";
import type { CommandOf } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { CLIENTS_MAX, MEMBERS_MAX, REVOKED_MAX } from "./limits.ts";
import type { MemberEntry } from "./records.ts";
import { give, NOTHING, type Outcome, refuse } from "./result.ts";

/** Expired revocations are kept this long, in case that a clock was ahead. */
const REVOKED_KEPT_MS = 7 * 86_400_000;

function issue(data: StateData, holder: { peer: PeerId; role: Role; name: string }, context: Context): Outcome {
  const { peer, role, name } = holder;
  const ttlMs = role === "node" ? NODE_CERTIFICATE_TTL_MS : CLIENT_CERTIFICATE_TTL_MS;
  const certificate: CertificateFacts = {
    serial: data.nextSerial++,
    peer,
    role,
    name,
    keyId: data.cluster?.activeKeyId ?? "",
    issuedAtMs: context.atMs,
    expiresAtMs: context.atMs + ttlMs,
  };
  const member = data.members.get(peer);
  const client = data.clients.get(peer);
  if (member !== undefined) data.members.set(peer, { ...member, certificate });
  else if (client !== undefined) data.clients.set(peer, { ...client, certificate });
  return give({ type: "certificate", certificate });
}

/** Why the info cannot be a member's; null when it can. */
function checkInfo(data: StateData, info: MemberInfo): Outcome | null {
  const holder = data.derived.memberNames.get(info.name);
  if (holder !== undefined && holder !== info.peer) {
    return refuse("conflict", `Cannot join as ${info.name}: another node has this name. Choose one with --name.`);
  }
  if (info.formatMax < data.format) {
    return refuse(
      "too-old",
      `Cannot join with version ${info.version}: it applies formats up to ${info.formatMax}, the cluster is at ` +
        `${data.format}. Upgrade this node.`,
    );
  }
  return null;
}

function putMember(data: StateData, entry: MemberEntry): void {
  const { peer, name } = entry.info;
  const old = data.members.get(peer);
  if (old !== undefined) data.derived.memberNames.delete(old.info.name);
  data.derived.memberNames.set(name, peer);
  data.members.set(peer, entry);
}

/** A node becomes a member, or a member joins again; the checks of its right to do so are done. */
export function admitMember(
  data: StateData,
  { info, tokenId }: Pick<MemberEntry, "info" | "tokenId">,
  context: Context,
): Outcome {
  const outcome = issue(data, { peer: info.peer, role: "node", name: info.name }, context);
  if (outcome.ok && outcome.value.type === "certificate") {
    const admittedAtMs = data.members.get(info.peer)?.admittedAtMs ?? context.atMs;
    putMember(data, { info, admittedAtMs, tokenId, certificate: outcome.value.certificate });
  }
  return outcome;
}

export function joinMember(data: StateData, command: CommandOf<"member.admit">, context: Context): Outcome {
  const { member, tokenId } = command;
  const wrong = checkInfo(data, member);
  if (wrong !== null) return wrong;
  if (data.clients.has(member.peer)) {
    return refuse("conflict", `Cannot join as a node: ${member.peer} is known as a client. Use a key of its own.`);
  }
  if (!data.members.has(member.peer) && data.members.size >= MEMBERS_MAX) {
    return refuse("limit", `Cannot join: the cluster has ${MEMBERS_MAX} members, the most there can be.`);
  }
  const known = data.members.get(member.peer);
  // A revoked certificate is not had again by showing its token again.
  const isAgain = tokenId !== null && known?.tokenId === tokenId && !isRevoked(data, known.certificate);
  const refusal = tokenId === null ? null : takeUse(data, { tokenId, isNode: true, isAgain }, context);
  return refusal ?? admitMember(data, { info: member, tokenId }, context);
}

export function updateMember(data: StateData, command: CommandOf<"member.update">): Outcome {
  const { member } = command;
  const old = data.members.get(member.peer);
  if (old === undefined) return refuse("not-found", `Cannot update member ${member.peer}: there is none.`);
  const wrong = checkInfo(data, member);
  if (wrong !== null) return wrong;
  putMember(data, { ...old, info: member });
  return NOTHING;
}

export function removeMember(data: StateData, command: CommandOf<"member.remove">, context: Context): Outcome {
  const { peer } = command;
  const member = data.members.get(peer);
  if (member === undefined) return refuse("not-found", `Cannot remove member ${peer}: there is none.`);
  const refusal = revokeAll(data, member.certificate, context);
  if (refusal !== null) return refusal;
  data.members.delete(peer);
  data.derived.memberNames.delete(member.info.name);
  return give({ type: "id", id: peer });
}

export function useToken(data: StateData, command: CommandOf<"token.use">, context: Context): Outcome {
  const { tokenId, peer, name } = command;
  if (data.members.has(peer)) {
    return refuse("conflict", `Cannot admit client ${name}: ${peer} is a node. Use a key of its own.`);
  }
  if (!data.clients.has(peer) && !hasRoom(data, context)) {
    return refuse("limit", `Cannot admit client ${name}: there are ${CLIENTS_MAX}. Revoke some certificates.`);
  }
  const token = data.tokens.get(tokenId);
  const isAgain = data.clients.get(peer)?.tokenId === tokenId;
  const refusal = takeUse(data, { tokenId, isNode: false, isAgain }, context);
  if (refusal !== null) return refusal;
  const outcome = issue(data, { peer, name, role: token?.role ?? "read" }, context);
  if (outcome.ok && outcome.value.type === "certificate") {
    data.clients.set(peer, { certificate: outcome.value.certificate, admittedAtMs: context.atMs, tokenId });
  }
  return outcome;
}

function hasRoom(data: StateData, context: Context): boolean {
  if (data.clients.size < CLIENTS_MAX) return true;
  for (const [peer, { certificate }] of data.clients) {
    if (certificate.expiresAtMs < context.atMs) data.clients.delete(peer);
  }
  return data.clients.size < CLIENTS_MAX;
}

export function renewCertificate(data: StateData, command: CommandOf<"certificate.renew">, context: Context): Outcome {
  const { peer } = command;
  const holder = data.members.get(peer) ?? data.clients.get(peer);
  if (holder === undefined) return refuse("not-found", `Cannot renew a certificate of ${peer}: it has none.`);
  if (context.by.peer !== peer && !includesRole(context.by.role, "admin")) {
    return refuse("forbidden", "Cannot renew a certificate of another peer: only itself and administrators may.");
  }
  const { certificate } = holder;
  if (isRevoked(data, certificate)) {
    return refuse("revoked", `Cannot renew the certificate of ${certificate.name}: it is revoked. Join with a token.`);
  }
  return issue(data, certificate, context);
}

export function isRevoked(data: StateData, certificate: Pick<CertificateFacts, "peer" | "serial">): boolean {
  if (data.revokedSerials.has(certificate.serial)) return true;
  const floor = data.revokedPeers.get(certificate.peer);
  return floor !== undefined && certificate.serial <= floor.serial;
}

/** Makes room for one more revocation: those go whose certificates expired long ago. */
function isFull<Key>(revoked: Map<Key, { readonly expiresAtMs: number }>, context: Context): boolean {
  if (revoked.size < REVOKED_MAX) return false;
  for (const [key, { expiresAtMs }] of revoked) {
    if (expiresAtMs + REVOKED_KEPT_MS < context.atMs) revoked.delete(key);
  }
  return revoked.size >= REVOKED_MAX;
}

const FULL = refuse(
  "limit",
  `Cannot revoke: ${REVOKED_MAX} revocations are in force. Rotate and retire the cluster key.`,
);

function revokeAll(data: StateData, certificate: CertificateFacts, context: Context): Outcome | null {
  const { peer, serial, expiresAtMs } = certificate;
  if (!data.revokedPeers.has(peer) && isFull(data.revokedPeers, context)) return FULL;
  data.revokedPeers.set(peer, { peer, serial, expiresAtMs, atMs: context.atMs });
  return null;
}

export function revokeCertificate(
  data: StateData,
  command: CommandOf<"certificate.revoke">,
  context: Context,
): Outcome {
  const { peer, serial } = command;
  const holder = data.members.get(peer) ?? data.clients.get(peer);
  if (holder === undefined) return refuse("not-found", `Cannot revoke a certificate of ${peer}: it has none.`);
  const { certificate } = holder;
  if (serial === null || serial === certificate.serial) {
    const refusal = revokeAll(data, certificate, context);
    if (refusal !== null) return refusal;
    data.clients.delete(peer);
    return NOTHING;
  }
  if (serial >= data.nextSerial) return refuse("not-found", `Cannot revoke certificate ${serial}: there is none.`);
  if (isFull(data.revokedSerials, context)) return FULL;
  const { expiresAtMs } = certificate;
  data.revokedSerials.set(serial, { serial, peer, expiresAtMs, atMs: context.atMs });
  return NOTHING;
}
