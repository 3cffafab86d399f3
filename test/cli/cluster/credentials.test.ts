import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type CertificateFacts,
  createClusterKey,
  decodeCredentials,
  encodeCredentials,
} from "../../../src/cluster/mod.ts";
import { tokenCreate } from "../../../src/protocol/mod.ts";
import { keys, startCluster, type TestCluster } from "../../security/cluster.ts";
import { type Mole, startMole } from "../../security/mole.ts";
import { directoryWith, type Ended, sage } from "../sage.ts";

/** Credentials that a cluster takes no longer: one error that says why, and what to do. */

const MS_MAX = 240_000;
const HOUR_MS = 3_600_000;
let cluster: TestCluster;
let mole: Mole;

beforeAll(async () => {
  cluster = await startCluster(1);
  mole = await startMole(cluster);
}, MS_MAX);

afterAll(async () => {
  await mole?.stop();
  await cluster?.stop();
});

/** Commands of different kinds, with credentials that the cluster's own key has signed, or another. */
async function refused(facts: Partial<CertificateFacts>, key = mole.clusterKey): Promise<Ended[]> {
  const pair = keys.create();
  const certificate = mole.forge({ peer: keys.peerOf(pair.publicKey), role: "submit", name: "ada", ...facts }, { key });
  const directory = directoryWith({
    "job.ts": `import { dataflow, Stream } from "sage"; export default dataflow("one", () => Stream.generate(1));`,
  });
  const file = `${directory}/credentials.json`;
  writeFileSync(file, encodeCredentials({ ...cluster.admin, name: "ada", key: pair, certificate }), { mode: 0o600 });
  const env = { SAGE_CREDENTIALS: file };
  const commands = [
    ["cluster", "status"],
    ["jobs", "list", "--format", "json"],
    ["submit", "job.ts"],
  ];
  const all: Ended[] = [];
  for (const command of commands) all.push(await sage(command, { cwd: directory, env }));
  return all;
}

function expectAdvice(all: readonly Ended[], why: RegExp): void {
  for (const { code, stdout, stderr } of all) {
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(why);
    expect(stderr).toMatch(
      /^error: The cluster refused these credentials: .* sage login --to ADDRESS --token TOKEN\n$/,
    );
    // That is for nodes.
    expect(stderr).not.toMatch(/[Jj]oin/);
  }
}

test("expired credentials are told, and where to get others", { timeout: MS_MAX }, async () => {
  const nowMs = Date.now();
  const old = { issuedAtMs: nowMs - 5 * HOUR_MS, expiresAtMs: nowMs - 2 * HOUR_MS };
  expectAdvice(await refused(old), /the certificate of ada expired 2 h ago\. Check the clocks as well\. Name other/);
});

test("credentials of a key that is not in force are told", { timeout: MS_MAX }, async () => {
  const other = createClusterKey(keys);
  expectAdvice(await refused({ keyId: other.keyId }, other), /the cluster has no key \w+, it was retired\. Name other/);
});

test("revoked credentials are told", { timeout: MS_MAX }, async () => {
  const directory = directoryWith({});
  const env = { SAGE_CREDENTIALS: `${directory}/credentials.json` };
  const { token } = await cluster.client.call(tokenCreate, { role: "submit", uses: 1, ttlMs: HOUR_MS });
  const to = cluster.nodes[0]?.address() ?? "";
  expect(await sage(["login", "--to", to, "--name", "eve"], { env: { ...env, SAGE_TOKEN: token } })).toMatchObject({
    code: 0,
  });
  expect((await sage(["jobs", "list"], { env })).stdout).toBe("no jobs\n");
  const { key } = decodeCredentials(keys, readFileSync(env.SAGE_CREDENTIALS, "utf8"));
  const asAdmin = { env: { SAGE_CREDENTIALS: `${cluster.dir}/n1/admin.json` } };
  expect((await sage(["token", "revoke", keys.peerOf(key.publicKey)], asAdmin)).code).toBe(0);
  const all = [await sage(["jobs", "list"], { env }), await sage(["cluster", "status"], { env })];
  expectAdvice(all, /certificate \d+ of eve was revoked\. Name other/);
});
