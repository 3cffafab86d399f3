import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createKeys } from "../../src/platform/mod.ts";
import { newCluster } from "./clusters.ts";
import type { Ended, NodeProcess } from "./harness.ts";

/** Whoever reads this line knows what to do; nothing else is on the terminal but log lines. */
function messageOf({ stderr }: Ended): string {
  return stderr
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("{"))
    .join("\n");
}

function expectRefusal(ended: Ended, message: RegExp): void {
  expect(messageOf(ended)).toMatch(message);
  expect(ended.code).not.toBe(0);
  expect(ended.code).not.toBeNull();
  expect(messageOf(ended)).not.toMatch(/^\s+at /m);
  expect(messageOf(ended).split("\n").length).toBeLessThanOrEqual(4);
}

const PEER = "12D3KooWFZKjbYxSNo6CwAb41d1w4NBQ769xCyNLef3H4uMsb8iR";

test("a port that is taken", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  try {
    const node = newCluster().node({ name: "n1", listen: `127.0.0.1:${port}` });
    expectRefusal(
      await node.start().ended(),
      new RegExp(`another process has port ${port}.*listen on another port`, "s"),
    );
  } finally {
    server.close();
  }
});

test("an address that is not this machine's", async () => {
  const node = newCluster().node({ name: "n1", listen: "192.0.2.1:7400" });
  expectRefusal(await node.start().ended(), /192\.0\.2\.1.*(--listen|address of this)/s);
});

test("a cluster and its second use: nobody at the address, itself, another cluster, a directory in use", async () => {
  const cluster = newCluster();
  const other = newCluster();
  const [node] = (await cluster.found(1)) as [NodeProcess];
  const [stranger] = (await other.found(1)) as [NodeProcess];
  const token = node.invitation[3] ?? "";

  const lost = cluster.node({ name: "lost" });
  const nobody = await lost.start("--join", `/ip4/127.0.0.1/tcp/1/p2p/${PEER}`, "--token", token).ended();
  expectRefusal(nobody, /no node answered.*reachable/s);
  expect(nobody.tookMs).toBeLessThan(15_000);

  const silent = createServer(); // takes connections and says nothing
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const mute = await lost.start("--join", `/ip4/127.0.0.1/tcp/${port}/p2p/${PEER}`, "--token", token).ended();
  silent.close();
  expectRefusal(mute, /no node answered/);
  expect(mute.tookMs).toBeLessThan(20_000);

  const hole = await lost.start("--join", `/ip4/192.0.2.1/tcp/7400/p2p/${PEER}`, "--token", token).ended();
  expectRefusal(hole, /no node answered.*reachable/s);
  expect(hole.tookMs).toBeLessThan(20_000);

  const mistaken = await lost
    .start("--join", `${node.address.split("/p2p/")[0]}/p2p/${PEER}`, "--token", token)
    .ended();
  expectRefusal(mistaken, /no node answered|another node|is not/i);

  const foreign = await lost.start("--join", stranger.address, "--token", token).ended();
  expectRefusal(foreign, /cluster/);

  const inUse = cluster.node({ name: "n1" });
  expectRefusal(await inUse.start().ended(), /in use by process \d+\. Stop that node/);

  await node.stop();
  expectRefusal(await node.start(...stranger.invitation).ended(), /belongs to.*--data-dir/s);
  const spoilt = await lost.start("--join", stranger.address, "--token", "sage1.nonsense").ended();
  expectRefusal(spoilt, /token/);
  const [, , publicKey = ""] = readFileSync(join(lost.dataDir, "identity.key"), "utf8").trim().split(" ");
  const self = (await createKeys()).peerOf(Uint8Array.from(Buffer.from(publicKey, "base64url")));
  const own = await lost.start("--join", `/ip4/127.0.0.1/tcp/7400/p2p/${self}`, "--token", token).ended();
  expectRefusal(own, /that is this node itself\. Use another node's address/);
});

test("a data directory that is something else, and one that cannot be made", async () => {
  const cluster = newCluster();
  mkdirSync(join(cluster.directory, "photos"));
  writeFileSync(join(cluster.directory, "photos", "beach.jpg"), "");
  const photos = await cluster.sage(["node", "--data-dir", join(cluster.directory, "photos")]);
  expectRefusal(photos, /is no node's data directory: it holds beach\.jpg.*--data-dir/s);
  expectRefusal(await cluster.sage(["node", "--data-dir", "/proc/sage"]), /\/proc\/sage.*--data-dir/s);
});

test("a token that was used up, and one that is for clients", async () => {
  const cluster = newCluster();
  const [node] = (await cluster.found(1)) as [NodeProcess];
  const once = (await cluster.sage(["token", "create", "--role", "node", "--uses", "1"])).stdout.trim();
  await cluster.node({ name: "n2" }).start("--join", node.address, "--token", once).ready();
  const third = cluster.node({ name: "n3" });
  expectRefusal(await third.start("--join", node.address, "--token", once).ended(), /used.*sage token create/s);
  const reader = (await cluster.sage(["token", "create", "--role", "read"])).stdout.trim();
  expectRefusal(await third.start("--join", node.address, "--token", reader).ended(), /role|read/);
});

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

test("a clock that is off by minutes", async (context) => {
  if (!existsSync(FAKETIME)) context.skip("libfaketime is not here: apt-get install libfaketime");
  const cluster = newCluster();
  const [first] = (await cluster.found(1)) as [NodeProcess];
  for (const [offset, message] of [
    ["+10m", /clock is (9|10) min ahead of the cluster's\. Set it/],
    ["-10m", /clock is (9|10) min behind the cluster's\. Set it/],
  ] as const) {
    const node = cluster.node({
      name: `n${offset.slice(1)}.${offset === "+10m" ? "ahead" : "behind"}`,
      env: { LD_PRELOAD: FAKETIME, FAKETIME: offset },
    });
    expectRefusal(await node.start(...first.invitation).ended(), message);
  }
});
