/** A client of a simulated cluster that talks to the nodes it names, one by one. */
import { type Credentials, RPC_PROTOCOL } from "../../src/cluster/mod.ts";
import type { Log } from "../../src/kernel/mod.ts";
import { createAdmin } from "../../src/node/mod.ts";
import { ownVersions, RpcSession, type VersionRange } from "../../src/protocol/mod.ts";
import type { SimCluster, SimNode } from "../../src/sim/mod.ts";
import { VirtualTransport } from "../../src/sim/network/transport.ts";
import { Host } from "../../src/sim/world/host.ts";

const log: Log = { write: () => undefined };

export interface Visitor {
  readonly credentials: Credentials;
  /** What is shown at connections to come. */
  certificate: Uint8Array;
  readonly transport: VirtualTransport;
  readonly session: (node: SimNode, versions?: VersionRange) => Promise<RpcSession>;
}

/** With the role of an administrator. */
export async function visit(cluster: SimCluster, name: string): Promise<Visitor> {
  const host = new Host(cluster.world, name);
  host.boot();
  const [first] = cluster.nodes as [SimNode];
  if (first.node === null) throw new TypeError("the first node is down");
  const ports = { clock: host, keys: cluster.keys, random: host };
  const credentials = await cluster.settled(createAdmin(first.node, ports, name));
  const transport = new VirtualTransport(cluster.network, host, cluster.keys.peerOf(credentials.key.publicKey));
  const session = async (node: SimNode, versions = ownVersions("test")) => {
    transport.know(node.peer, node.addresses);
    const channel = await cluster.settled(transport.open(node.peer, RPC_PROTOCOL));
    return new RpcSession(channel, { clock: host, versions, log, role: () => "guest" });
  };
  const visitor: Visitor = { credentials, certificate: credentials.certificate, transport, session };
  await transport.start({
    credential: () => visitor.certificate,
    admit: () => ({ kind: "member" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("serves nothing"),
  });
  return visitor;
}
