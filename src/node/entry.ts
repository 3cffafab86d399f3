/** How a node comes to belong to a cluster: it founds one, or asks to join one. */
import { askToJoin, createClusterId, createClusterKey, parseToken, peerOfAddress } from "../cluster/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { firstChange } from "../raft/mod.ts";
import { NodeError } from "./error.ts";
import type { NodeParts } from "./parts.ts";
import type { Replica } from "./replica.ts";

/** An empty store of a node that joins nobody: it begins a log of which it is the only voter. */
export function foundLog({ ports, options, standing }: Pick<NodeParts, "ports" | "options" | "standing">): void {
  const { store, transport } = ports;
  const { hardState, lastIndex } = store.load();
  const isEmpty = hardState === null && lastIndex === 0;
  if (!isEmpty || options.join !== null || standing.belonging !== null) return;
  store.save(firstChange({ voters: [transport.self], learners: [] }));
}

/** The log here was begun by this node, or it has followed one. */
export function hasLog(replica: Replica): boolean {
  return replica.consensus.status().membership.voters.length > 0;
}

/** What was asked for must fit what the data directory holds. @throws {NodeError} other-cluster, no-token */
export function checkJoin({ ports, options, standing, replica }: NodeParts): void {
  const wanted = options.join;
  if (wanted === null) return;
  for (const address of wanted.addresses) peerOfAddress(ports.keys, address);
  const own = standing.belonging?.cluster ?? replica.state.cluster?.id;
  const isFounder = own === undefined && hasLog(replica);
  const asked = wanted.token === null ? undefined : parseToken(wanted.token).cluster;
  if (isFounder || (own !== undefined && asked !== undefined && own !== asked)) {
    throw new NodeError(
      "other-cluster",
      `Cannot join: this data directory belongs to ${own === undefined ? "a cluster of its own" : `cluster ${own}`}. Start without --join, or use another --data-dir.`,
    );
  }
  if (own === undefined && wanted.token === null) {
    throw new NodeError(
      "no-token",
      "Cannot join without a token. Make one on a node of the cluster: sage token create --role node",
    );
  }
}

/** Errors as of `askToJoin`. */
export async function joinCluster({ ports, options, own, standing }: NodeParts): Promise<void> {
  const wanted = options.join;
  invariant(wanted !== null && wanted.token !== null, "a node that belongs nowhere was told where to join");
  const { peer: _peer, name, formatMax: _formatMax, ...member } = own.info();
  const grant = await askToJoin(
    ports,
    { addresses: wanted.addresses, token: wanted.token },
    { name, software: `sage ${options.version}`, member },
  );
  const { cluster, certificate, keys } = grant;
  const members = grant.members.filter(({ peer }) => peer !== own.peer);
  standing.granted({ cluster, certificate, keys, members });
  ports.log.write("info", "joined", { cluster, name: grant.clusterName });
}

/** The first command of a cluster. */
export async function foundCluster({ ports, options, own, replica }: NodeParts): Promise<void> {
  const { keys, random, log } = ports;
  const cluster = createClusterId(random);
  const name = options.clusterName ?? "sage";
  const key = createClusterKey(keys);
  const outcome = await replica.propose(
    { kind: "cluster.create", cluster, name, ...key, member: own.info() },
    own.actor,
  );
  if (outcome.ok) log.write("info", "cluster founded", { cluster });
}
