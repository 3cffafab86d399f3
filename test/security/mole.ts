/** A member that has turned: it runs in this process, so that all that a member knows can be used against the others. */
import { join } from "node:path";
import { type CertificateFacts, type ClusterKey, issueCertificate, type Role } from "../../src/cluster/mod.ts";
import type { ClusterId, PeerId } from "../../src/kernel/mod.ts";
import { ClusterNode } from "../../src/node/mod.ts";
import { type NodeHost, openNodeHost } from "../../src/platform/mod.ts";
import { keys, type TestCluster } from "./cluster.ts";

export interface Mole {
  readonly node: ClusterNode;
  readonly peer: PeerId;
  readonly certificate: Uint8Array;
  readonly clusterKey: ClusterKey;
  /** A certificate that says what is asked for, signed by the cluster's own key unless another is given. */
  readonly forge: (
    facts: Partial<CertificateFacts> & { readonly peer: PeerId; readonly role: Role },
    by?: { readonly key?: ClusterKey; readonly cluster?: string },
  ) => Uint8Array;
  readonly host: NodeHost;
  readonly stop: () => Promise<void>;
}

export async function startMole({ dir, nodes, joinToken }: TestCluster, name = "mole"): Promise<Mole> {
  const host = await openNodeHost({
    dataDir: join(dir, name),
    listen: ["/ip4/127.0.0.1/tcp/0" as never],
    announce: [],
    logFormat: "json",
    logLevel: "error",
    mdns: false,
  });
  const node = new ClusterNode(host.ports, {
    name,
    version: "0.1.0",
    slots: 1,
    memoryBytes: 1 << 30,
    voter: "no",
    announce: null,
    join: { addresses: nodes.slice(0, 1).map((one) => one.address()), token: joinToken },
  });
  await node.start();
  const { state } = node.replica;
  const { cluster } = state;
  const clusterKey = state.keys.get(cluster?.activeKeyId ?? "");
  const facts = state.members.get(node.self)?.certificate;
  if (cluster === null || clusterKey === undefined || facts === undefined) throw new Error("the mole knows nothing");
  const nowMs = Date.now();
  return {
    node,
    host,
    peer: node.self,
    clusterKey,
    certificate: issueCertificate(keys, clusterKey, { cluster: cluster.id, facts }),
    forge: (asked, { key = clusterKey, cluster: named = cluster.id } = {}) =>
      issueCertificate(keys, key, {
        cluster: named as ClusterId,
        facts: {
          serial: 1_000_000,
          name: "forged",
          keyId: clusterKey.keyId,
          issuedAtMs: nowMs - 60_000,
          expiresAtMs: nowMs + 3_600_000,
          ...asked,
        },
      }),
    stop: async () => {
      await node.stop();
      host.close();
    },
  };
}
