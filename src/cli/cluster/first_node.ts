/** What the first node does for its own user: credentials of an administrator, and a token for the next node. */
import {
  type Credentials,
  createToken,
  createTokenId,
  decodeCredentials,
  encodeCredentials,
} from "../../cluster/mod.ts";
import { type ClusterNode, createAdmin, NodeError, type NodePorts, reachable } from "../../node/mod.ts";
import { type NodeHost, readCredentialsText, type Terminal, writeCredentialsText } from "../../platform/mod.ts";
import { credentialsPath } from "./session.ts";

export interface FirstNode {
  readonly node: ClusterNode;
  readonly host: NodeHost;
  readonly dataDir: string;
}

const TOKEN_TTL_MS = 86_400_000;
const TOKEN_USES = 1_000;

/**
 * Leaves administrator credentials with the founding node, and in the user's configuration unless those of another cluster
 * are there. They are written again at each start, since the node's addresses may have changed. True at the founding start.
 */
export async function keepAdmin(on: Terminal, { node, host, dataDir }: FirstNode): Promise<boolean> {
  const ownPath = `${dataDir}/admin.json`;
  const known = read(host.ports, ownPath);
  const isFounder = node.replica.state.members.get(node.self)?.tokenId === null;
  if (known === null && !isFounder) return false;
  const name = on.environment("USER") ?? "admin";
  const credentials: Credentials =
    known === null ? await createAdmin(node, host.ports, plainName(name)) : { ...known, addresses: reachable(node) };
  const text = encodeCredentials(credentials);
  writeCredentialsText(ownPath, text);
  const userPath = credentialsPath(on);
  const users = read(host.ports, userPath);
  const isOthers = readCredentialsText(userPath) !== null && users?.cluster !== credentials.cluster;
  if (isOthers) {
    await on.err.write(
      `${userPath} holds credentials of another cluster and stays as it is. For this one: SAGE_CREDENTIALS=${ownPath}\n`,
    );
  } else if (users === null || users.name === credentials.name) writeCredentialsText(userPath, text);
  return known === null;
}

function read({ keys }: NodePorts, path: string): Credentials | null {
  try {
    const text = readCredentialsText(path);
    return text === null ? null : decodeCredentials(keys, text);
  } catch {
    return null;
  }
}

/** Names in the cluster are plain ASCII. */
function plainName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._@-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "admin";
}

/** A token for nodes that is good for a day. */
export async function makeJoinToken(node: ClusterNode, { clock, random, keys }: NodePorts): Promise<string> {
  const { cluster, keys: clusterKeys } = node.replica.state;
  const key = clusterKeys.get(cluster?.activeKeyId ?? "");
  if (cluster === null || key === undefined) throw new NodeError("not-possible", "There is no cluster key yet.");
  const fields = {
    tokenId: createTokenId(random),
    role: "node" as const,
    expiresAtMs: Math.floor(clock.wallMs()) + TOKEN_TTL_MS,
    uses: TOKEN_USES,
  };
  const outcome = await node.propose({ kind: "token.create", ...fields, keyId: key.keyId });
  if (!outcome.ok) throw new NodeError("refused", outcome.message);
  return createToken(keys, key, { cluster: cluster.id, ...fields });
}
