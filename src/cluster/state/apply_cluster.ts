import { keyIdOf } from "../admission/key_id.ts";
import { admitMember } from "./apply_members.ts";
import type { CommandOf } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { KEYS_MAX } from "./limits.ts";
import { give, NOTHING, type Outcome, refuse } from "./result.ts";

type KeyFields = Pick<CommandOf<"key.rotate">, "keyId" | "publicKey" | "privateKey">;

function addKey(data: StateData, key: KeyFields, context: Context): Outcome | null {
  const { keyId, publicKey, privateKey } = key;
  if (keyId !== keyIdOf(context.sha256, publicKey)) {
    return refuse("malformed", `Cannot add cluster key ${keyId}: the name is not that of its public key.`);
  }
  if (data.keys.has(keyId)) return refuse("conflict", `Cannot add cluster key ${keyId}: it is there already.`);
  data.keys.set(keyId, { keyId, publicKey, privateKey, createdAtMs: context.atMs });
  return null;
}

export function createCluster(data: StateData, command: CommandOf<"cluster.create">, context: Context): Outcome {
  if (data.cluster !== null) {
    return refuse("cluster-exists", `Cannot create a cluster: this is cluster ${data.cluster.id} already.`);
  }
  if (command.member.formatMax < context.format) {
    return refuse("too-old", `Cannot create a cluster of format ${context.format}: its first node cannot apply it.`);
  }
  const refusal = addKey(data, command, context);
  if (refusal !== null) return refusal;
  data.format = context.format;
  data.cluster = {
    id: command.cluster,
    name: command.name,
    createdAtMs: context.atMs,
    activeKeyId: command.keyId,
  };
  return admitMember(data, { info: command.member, tokenId: null }, context);
}

/** No member may meet a command that it does not know: the gate of a rolling upgrade. */
export function upgradeCluster(data: StateData, command: CommandOf<"cluster.upgrade">): Outcome {
  const { format } = command;
  if (format <= data.format) {
    return refuse("stale", `Cannot upgrade to format ${format}: the cluster is at ${data.format}.`);
  }
  const old = [...data.members.values()].filter(({ info }) => info.formatMax < format).map(({ info }) => info.name);
  if (old.length > 0) {
    const names = old.sort().slice(0, 5).join(", ");
    return refuse(
      "too-old",
      `Cannot upgrade to format ${format}: ${old.length} members cannot apply it (${names}). Upgrade them first.`,
    );
  }
  data.format = format;
  return NOTHING;
}

export function rotateKey(data: StateData, command: CommandOf<"key.rotate">, context: Context): Outcome {
  if (data.cluster === null) return refuse("no-cluster", "Cannot rotate the key: there is no cluster yet.");
  if (data.keys.size >= KEYS_MAX) {
    return refuse("limit", `Cannot rotate the key: ${KEYS_MAX} keys are in use. Retire old ones first.`);
  }
  const refusal = addKey(data, command, context);
  if (refusal !== null) return refusal;
  data.cluster = { ...data.cluster, activeKeyId: command.keyId };
  return give({ type: "id", id: command.keyId });
}

/** How many certificates and tokens in force at `atMs` were made with the key. */
export function keyUsers(data: StateData, keyId: string, atMs: number): number {
  let users = 0;
  for (const holders of [data.members, data.clients]) {
    for (const { certificate } of holders.values()) {
      if (certificate.keyId === keyId && certificate.expiresAtMs > atMs) users += 1;
    }
  }
  for (const token of data.tokens.values()) {
    if (token.keyId === keyId && !token.isRevoked && token.expiresAtMs > atMs && token.used < token.usesMax) users += 1;
  }
  return users;
}

export function retireKey(data: StateData, command: CommandOf<"key.retire">, context: Context): Outcome {
  const { keyId, isForced } = command;
  if (!data.keys.has(keyId)) return refuse("not-found", `Cannot retire key ${keyId}: there is none.`);
  if (data.cluster?.activeKeyId === keyId) {
    return refuse("in-use", `Cannot retire key ${keyId}: it signs new certificates. Rotate the key first.`);
  }
  const users = keyUsers(data, keyId, context.atMs);
  if (users > 0 && !isForced) {
    return refuse(
      "in-use",
      `Cannot retire key ${keyId}: ${users} certificates or tokens need it. Wait until they are renewed, or force it.`,
    );
  }
  data.keys.delete(keyId);
  return NOTHING;
}
