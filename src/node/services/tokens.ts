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
import { command, freshen, type ServiceContext } from "./context.ts";

export function tokenServices(context: ServiceContext): Served[] {
  const { replica, ports } = context;
  return [
    on(tokenCreate, async ({ role, ttlMs, uses }, call) => {
      await freshen(context, call, "leader");
      const { cluster, keys } = replica.state;
      const key = keys.get(cluster?.activeKeyId ?? "");
      if (cluster === null || key === undefined) throw new NodeError("not-possible", "There is no cluster key yet.");
      const tokenId = createTokenId(ports.random);
      const expiresAtMs = Math.floor(ports.clock.wallMs() + ttlMs);
      await command(context, call, { kind: "token.create", tokenId, role, expiresAtMs, uses, keyId: key.keyId });
      const token = createToken(ports.keys, key, { cluster: cluster.id, tokenId, role, expiresAtMs, uses });
      return { tokenId, token, expiresAtMs };
    }),
    on(tokenList, async (_, call) => {
      await freshen(context, call, "leader");
      const tokens = [...replica.state.tokens.values()].map(({ keyId: _keyId, ...token }) => token);
      return { tokens };
    }),
    on(tokenRevoke, async ({ tokenId, request }, call) => {
      await command(context, call, { kind: "token.revoke", tokenId }, request);
      return { index: replica.state.appliedIndex };
    }),
    on(certificateRevoke, async ({ peer }, call) => {
      if (replica.state.members.has(peer)) {
        throw new NodeError("not-possible", `${peer} is a node. Take it out with: sage cluster leave ${peer}`);
      }
      await command(context, call, { kind: "certificate.revoke", peer, serial: null, reason: "no longer wanted" });
      return { index: replica.state.appliedIndex };
    }),
    on(certificateRenew, async (_, call) => {
      const value = await command(context, call, { kind: "certificate.renew", peer: call.peer });
      if (value.type !== "certificate") throw new NodeError("not-possible", "There is no certificate to renew.");
      return { certificate: certificateOf(ports.keys, replica.state, value.certificate) };
    }),
  ];
}
