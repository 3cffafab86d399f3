import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeDigest } from "../../src/protocol/mod.ts";
import { type NodeProcess, ProcessCluster, pause } from "./harness.ts";
import { type Host, Hosts } from "./namespaces.ts";
import { Pulse } from "./pulse.ts";
import { Workload } from "./workload.ts";

const lacks = Hosts.lacks();
const COUNT = 3;
let hosts: Hosts;
let cluster: ProcessCluster;

/** What a member is given to hear of the others before it is called dead, and for an election behind that. */
const SETTLE_MS = 20_000;

beforeAll(async () => {
  if (lacks !== null) return;
  hosts = new Hosts(COUNT);
  cluster = new ProcessCluster();
  for (const [index, { address, prefix }] of hosts.hosts.entries()) {
    const node = cluster.node({ name: `n${index + 1}`, listen: `${address}:7400`, prefix });
    node.start(...(index === 0 ? [] : (cluster.nodes[0] as NodeProcess).invitation));
    await node.ready();
  }
  await cluster.voters(COUNT);
});

afterAll(async () => {
  if (lacks !== null) return;
  await cluster.end();
  hosts.end();
});

function hostOf(node: NodeProcess): Host {
  return hosts.hosts[cluster.nodes.indexOf(node)] as Host;
}

/** Runs `fault` with clients at work, heals, and looks whether all is as it should be. */
async function under(seed: number, fault: () => Promise<void>): Promise<Workload> {
  const clients = await Promise.all([0, 1, 2].map(() => cluster.client()));
  const workload = new Workload({ seed, clients, keys: 4, thinkMs: 10 });
  await pause(300);
  try {
    await fault();
  } finally {
    hosts.heal();
  }
  await cluster.status(
    ({ leader, members }) => leader !== null && members.every(({ health }) => health === "alive"),
    SETTLE_MS,
  );
  await workload.stop();
  await workload.check(await cluster.client());
  expect(workload.violations).toEqual([]);
  await expectLevel();
  return workload;
}

async function expectLevel(): Promise<void> {
  const clients = await Promise.all(cluster.nodes.map((node) => cluster.client([node])));
  let answers: { readonly appliedIndex: number; readonly digest: string }[] = [];
  for (let round = 0; round < 100; round++) {
    answers = await Promise.all(clients.map((client) => client.call(nodeDigest, {}, { timeoutMs: SETTLE_MS })));
    if (new Set(answers.map(({ appliedIndex }) => appliedIndex)).size === 1) break;
    await pause(100);
  }
  await Promise.all(clients.map((client) => client.close()));
  expect(new Set(answers.map(({ appliedIndex, digest }) => `${appliedIndex} ${digest}`)).size).toBe(1);
}

/** Commits through those that are left, and says how long they were without. */
async function gapOf(old: NodeProcess, fault: () => void): Promise<number> {
  const pulse = new Pulse(await cluster.client(cluster.nodes.filter((node) => node !== old)));
  await pause(300);
  fault();
  const committed = pulse.count;
  const endMs = Date.now() + SETTLE_MS;
  while (pulse.count < committed + 20 && Date.now() < endMs) await pause(50);
  expect(pulse.count).toBeGreaterThanOrEqual(committed + 20);
  return pulse.stop();
}

test.skipIf(lacks !== null)(
  `a leader that is cut off is replaced, and comes back as a follower ${lacks ?? ""}`,
  async () => {
    await under(1, async () => {
      const leader = await cluster.leader();
      const gapMs = await gapOf(leader, () => hosts.isolate(hostOf(leader)));
      expect(gapMs).toBeLessThan(6_000);
    });
  },
);

test.skipIf(lacks !== null)(
  `a leader whose messages get lost, though it hears all, is replaced ${lacks ?? ""}`,
  async () => {
    await under(2, async () => {
      const leader = await cluster.leader();
      const host = hostOf(leader);
      const gapMs = await gapOf(leader, () => {
        for (const other of hosts.hosts) if (other !== host) hosts.cut(host, other);
      });
      expect(gapMs).toBeLessThan(8_000);
    });
  },
);

test.skipIf(lacks !== null)(
  `a follower that cannot be reached from its leader disturbs nobody ${lacks ?? ""}`,
  async () => {
    await under(3, async () => {
      const leader = await cluster.leader();
      const follower = cluster.nodes.find((node) => node !== leader) as NodeProcess;
      const { term } = await cluster.status();
      const gapMs = await gapOf(follower, () => hosts.cut(hostOf(leader), hostOf(follower)));
      await pause(3_000);
      expect(gapMs).toBeLessThan(3_000);
      const client = await cluster.client([leader]);
      await client.close();
      expect((await cluster.status()).term).toBe(term);
    });
  },
);

test.skipIf(lacks !== null)(`with a fifth of all packets lost the cluster goes on ${lacks ?? ""}`, async (context) => {
  const workload = await under(4, async () => {
    if (!hosts.lose(0.2)) context.skip("neither iptables' statistic match nor netem is here: apt-get install iptables");
    await pause(8_000);
  });
  expect(workload.stats.answered).toBeGreaterThan(30);
});
