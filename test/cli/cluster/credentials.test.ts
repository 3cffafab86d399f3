import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
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

test("a login that is refused speaks of a login", { timeout: MS_MAX }, async () => {
  const env = { SAGE_CREDENTIALS: `${directoryWith({})}/credentials.json` };
  const to = cluster.nodes[0]?.address() ?? "";
  const { token } = await cluster.client.call(tokenCreate, { role: "read", uses: 1, ttlMs: HOUR_MS });
  const login = (given: string) => sage(["login", "--to", to], { env: { ...env, SAGE_TOKEN: given } });
  expect((await login(token)).code).toBe(0);
  const again: readonly (readonly [string, RegExp])[] = [
    [token, /the token may be used once, and was\./],
    ["nonsense", /this is no token\./],
    [`${token}A`, /token/],
  ];
  for (const [given, why] of again) {
    const { code, stdout, stderr } = await login(given);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: Cannot log in to the cluster: /);
    expect(stderr).toMatch(why);
    expect(stderr).not.toMatch(/Cannot join/);
  }
});

test("what listens at the address may be something else", { timeout: MS_MAX }, async () => {
  const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const peer = cluster.nodes[0]?.peer() ?? "";
  const env = { SAGE_CREDENTIALS: `${cluster.dir}/n1/admin.json` };
  const ended = await sage(["jobs", "list", "--to", `/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`], { env });
  other.close();
  expect([ended.code, ended.stdout]).toEqual([1, ""]);
  expect(ended.stderr).toMatch(/Cannot reach .*: what listens there is no sage node\.\n$/);
});
