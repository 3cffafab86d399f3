/** Where a node looks for members that it has not heard yet: where the log last had them. */
import { beforeEach, expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import type { MemberInfo } from "../../src/cluster/mod.ts";
import type { Address, PeerId } from "../../src/kernel/mod.ts";
import { ClusterNode } from "../../src/node/mod.ts";
import { VirtualDisk } from "../../src/sim/disk/virtual_disk.ts";
import { VirtualStore } from "../../src/sim/disk/virtual_store.ts";
import { SimCluster } from "../../src/sim/mod.ts";
import { VirtualTransport } from "../../src/sim/network/transport.ts";
import { Host } from "../../src/sim/world/host.ts";

/** Notes what the node holds of others' whereabouts. */
class NotingTransport extends VirtualTransport {
  readonly known = new Map<PeerId, string>();

  override know(peer: PeerId, addresses: readonly Address[]): void {
    this.known.set(peer, addresses.join());
    super.know(peer, addresses);
  }
}

let cluster: SimCluster;
let host: Host;
let disk: VirtualDisk;
let transport: NotingTransport;
let node: ClusterNode;

/** A founder, which leads alone, on what the disk holds. */
async function start(): Promise<void> {
  host.boot();
  const { keys, network } = cluster;
  transport = new NotingTransport(network, host, keys.peerOf(identity.publicKey));
  const files = disk.files;
  const ports = {
    clock: host,
    random: host,
    keys,
    transport,
    store: new VirtualStore(host, disk),
    identity,
    keepsake: {
      load: () => files.get("belonging") ?? null,
      save: (bytes: Uint8Array) => void files.set("belonging", bytes.slice()),
    },
    log: { write: () => undefined },
  };
  const options = { name: "first", version: "0.1.0", slots: 1, memoryBytes: 1, voter: "auto" as const };
  node = new ClusterNode(ports, { ...options, announce: null, join: null });
  await cluster.settled(node.start());
}

let identity: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
let member: MemberInfo;
const at = (text: string) => [`/sim/${text}` as Address];

beforeEach(async () => {
  cluster = new SimCluster({ seed: 41, settle });
  host = new Host(cluster.world, "first");
  disk = new VirtualDisk();
  identity = cluster.keys.create();
  const peer = cluster.keys.peerOf(cluster.keys.create().publicKey);
  const shared = { slots: 1, memoryBytes: 1, version: "0.1.0", formatMax: 1, voter: "no" as const };
  member = { peer, name: "away", addresses: at("old"), ...shared };
  await start();
  await cluster.settled(node.propose({ kind: "member.admit", tokenId: null, member }));
});

test("a member is looked for where the log has it, from the moment of its admission", () => {
  expect(transport.known.get(member.peer)).toBe("/sim/old");
});

test("a member that says it has moved is looked for at its new place", async () => {
  await cluster.settled(node.propose({ kind: "member.update", member: { ...member, addresses: at("new") } }));
  expect(transport.known.get(member.peer)).toBe("/sim/new");
});

test("a node that starts again looks where the log last had the others, not where it noted them earlier", async () => {
  await cluster.world.run(3_000);
  await cluster.settled(node.propose({ kind: "member.update", member: { ...member, addresses: at("new") } }));
  host.onCrash = () => transport.kill();
  host.die();
  await start();
  await cluster.world.run(1_000);
  expect(transport.known.get(member.peer)).toBe("/sim/new");
});
