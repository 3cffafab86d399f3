import { type Credentials, certificateOf, createTokenId, withPeer } from "../cluster/mod.ts";
import type { Address } from "../kernel/mod.ts";
import { NodeError } from "./error.ts";
import type { ClusterNode } from "./node.ts";
import type { NodePorts } from "./ports.ts";

/** For the two commands between a token and its use. */
const TOKEN_TTL_MS = 600_000;

/** Makes a client with the role of an administrator: what the user of the first node gets. */
export async function createAdmin(
  node: ClusterNode,
  ports: Pick<NodePorts, "clock" | "keys" | "random">,
  name: string,
): Promise<Credentials> {
  const { state } = node.replica;
  const { cluster } = state;
  if (cluster === null) throw new NodeError("not-possible", "There is no cluster to be administrator of yet.");
  const tokenId = createTokenId(ports.random);
  const expiresAtMs = Math.floor(ports.clock.wallMs()) + TOKEN_TTL_MS;
  const token = { tokenId, role: "admin" as const, expiresAtMs, uses: 1, keyId: cluster.activeKeyId };
  const key = ports.keys.create();
  const peer = ports.keys.peerOf(key.publicKey);
  await proposed(node, { kind: "token.create", ...token });
  const value = await proposed(node, { kind: "token.use", tokenId, peer, name });
  if (value.type !== "certificate") throw new NodeError("not-possible", "No certificate was issued.");
  const certificate = certificateOf(ports.keys, state, value.certificate);
  return { name, cluster: cluster.id, addresses: reachable(node), key, certificate };
}

async function proposed(node: ClusterNode, command: Parameters<ClusterNode["propose"]>[0]) {
  const outcome = await node.propose(command);
  if (!outcome.ok) throw new NodeError("refused", outcome.message);
  return outcome.value;
}

/** Where a client finds the cluster: this node first. */
export function reachable(node: ClusterNode): Address[] {
  const others = [...node.replica.state.members.values()].filter(({ info }) => info.peer !== node.self);
  const addresses = others.flatMap(({ info }) => info.addresses.map((address) => withPeer(address, info.peer)));
  return [...new Set([...node.addresses.map((address) => withPeer(address, node.self)), ...addresses])].slice(0, 16);
}
