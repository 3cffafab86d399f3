/** A program outside the cluster, on a machine of its own: the real client over the virtual network. */
import { ClusterClient, Jobs } from "../../client/mod.ts";
import { askToJoin, type Credentials, createToken, createTokenId } from "../../cluster/mod.ts";
import { VirtualTransport } from "../network/transport.ts";
import type { SimCluster } from "../nodes/sim_cluster.ts";
import { Host } from "../world/host.ts";

const TOKEN_TTL_MS = 86_400_000;
const SOFTWARE = "sage sim";

/** Lets `name` in as a client that may submit. All is well when this is called. */
export async function openSimClient(cluster: SimCluster, name: string): Promise<Jobs> {
  const { world, network, keys } = cluster;
  const host = new Host(world, name);
  host.boot();
  const log = { write: () => undefined };
  const key = keys.create();
  const peer = keys.peerOf(key.publicKey);
  const addresses = cluster.nodes.flatMap((node) => node.addresses);
  const token = await clientToken(cluster);
  const joining = new VirtualTransport(network, host, peer);
  await joining.start({
    credential: () => new Uint8Array(),
    admit: () => ({ kind: "guest" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("clients serve nothing"),
  });
  const asking = askToJoin(
    { clock: host, keys, transport: joining },
    { addresses, token },
    { name, software: SOFTWARE, member: null },
  );
  const grant = await cluster.settled(asking);
  await joining.stop();
  const credentials: Credentials = { name, cluster: grant.cluster, addresses, key, certificate: grant.certificate };
  const transport = new VirtualTransport(network, host, peer);
  const ports = { clock: host, keys, random: host, log, transport };
  const client = await ClusterClient.open({ ports, credentials, software: SOFTWARE });
  return new Jobs(client, ports);
}

async function clientToken(cluster: SimCluster): Promise<string> {
  const { leader, keys, world } = cluster;
  const state = leader?.node?.replica.state;
  const key = state?.keys.get(state.cluster?.activeKeyId ?? "");
  if (!leader?.node || !state?.cluster || !key) throw new TypeError("no leader yet");
  const tokenId = createTokenId(leader.host);
  const fields = { tokenId, role: "submit" as const, expiresAtMs: Math.floor(world.wallMs) + TOKEN_TTL_MS, uses: 1 };
  await cluster.settled(leader.node.propose({ kind: "token.create", ...fields, keyId: key.keyId }));
  return createToken(keys, key, { cluster: state.cluster.id, ...fields });
}
