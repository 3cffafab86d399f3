import { certificateOf, createToken, createTokenId } from "../../cluster/mod.ts";
import {
  certificateRenew,
  certificateRevoke,
  on,
  type Served,
  tokenCreate,
  tokenList,
  tokenRevoke,
} from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { command, commandId, freshen, type ServiceContext } from "./context.ts";

export function tokenServices(context: ServiceContext): Served[] {
  const { replica, ports } = context;
  return [
    on(tokenCreate, async ({ role, ttlMs, uses, request }, call) => {
      await freshen(context, call, "leader");
      const { cluster, keys } = replica.state;
      const key = keys.get(cluster?.activeKeyId ?? "");
      if (cluster === null || key === undefined) throw new NodeError("not-possible", "There is no cluster key yet.");
      const expiresAtMs = Math.floor(ports.clock.wallMs() + ttlMs);
      const wanted = { tokenId: createTokenId(ports.random), role, expiresAtMs, uses, keyId: key.keyId };
      const tokenId = await commandId(context, call, { kind: "token.create", ...wanted }, request);
      return tokenText(context, tokenId);
    }),
    on(tokenList, async (_, call) => {
      await freshen(context, call, "leader");
      const { keys, tokens } = replica.state;
      // A token ends with the key that signed it.
      const listed = [...tokens.values()].map(({ keyId, ...token }) => ({
        ...token,
        isRevoked: token.isRevoked || !keys.has(keyId),
      }));
      return { tokens: listed };
    }),
    on(tokenRevoke, async ({ tokenId, request }, call) => {
      await command(context, call, { kind: "token.revoke", tokenId }, request);
      return { index: replica.state.appliedIndex };
    }),
    on(certificateRevoke, async ({ peer, request }, call) => {
      if (replica.state.members.has(peer)) {
        throw new NodeError("not-possible", `${peer} is a node. Take it out with: sage cluster leave ${peer}`);
      }
      const body = { kind: "certificate.revoke", peer, serial: null, reason: "no longer wanted" } as const;
      await command(context, call, body, request);
      return { index: replica.state.appliedIndex };
    }),
    on(certificateRenew, async (_, call) => {
      const value = await command(context, call, { kind: "certificate.renew", peer: call.peer });
      if (value.type !== "certificate") throw new NodeError("not-possible", "There is no certificate to renew.");
      return { certificate: certificateOf(ports.keys, replica.state, value.certificate) };
    }),
  ];
}

/** The text of a token that was made, as often as it is asked for: its record has all that is in it. */
function tokenText({ replica, ports }: ServiceContext, tokenId: string) {
  const { cluster, keys, tokens } = replica.state;
  const record = tokens.get(tokenId);
  const key = keys.get(record?.keyId ?? "");
  if (cluster === null || record === undefined || key === undefined) {
    throw new NodeError("not-found", `Token ${tokenId} was made and has gone since. Make another one.`);
  }
  const { role, expiresAtMs, usesMax: uses } = record;
  const token = createToken(ports.keys, key, { cluster: cluster.id, tokenId, role, expiresAtMs, uses });
  return { tokenId, token, expiresAtMs };
}
