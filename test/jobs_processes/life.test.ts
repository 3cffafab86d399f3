import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataflow, Stream } from "../../mod.ts";
import { Jobs } from "../../src/client/mod.ts";
import { encodeLogicalPlan } from "../../src/plan/mod.ts";
import { createKeys, systemClock, systemRandom } from "../../src/platform/mod.ts";
import type { NodeProcess } from "../cluster_processes/harness.ts";
import { Commands, type Running } from "./support/commands.ts";
import { JobsCluster, jobFile } from "./support/jobs_cluster.ts";
import { digestOf } from "./support/leftovers.ts";

/** Jobs as their users meet them: the commands, each through nodes that lead and that do not, while nodes come and go. */

const LIMIT_MS = 240_000;
const WAITS = jobFile("waits");

interface Summary {
  readonly number: number;
  readonly jobId: string;
  readonly name: string;
  readonly state: string;
  readonly attempt: number;
}

describe("commands about jobs on three nodes", { timeout: LIMIT_MS }, () => {
  let cluster: JobsCluster;
  let sage: Commands;
  let files = 0;
  beforeAll(async () => {
    cluster = await JobsCluster.found({ nodes: 3, slots: 2, memory: "256MiB" });
    sage = new Commands(cluster);
  }, LIMIT_MS);
  afterAll(async () => {
    expect(await cluster.leftovers(cluster.newOutput())).toEqual([]);
    expect(await cluster.end()).toEqual([]);
  }, LIMIT_MS);

  async function followers(): Promise<readonly [NodeProcess, NodeProcess]> {
    const leader = await cluster.processes.leader();
    return cluster.nodes.filter((node) => node !== leader) as [NodeProcess, NodeProcess];
  }

  /** A job that ends once `go` was called. */
  async function waiting(name: string, at?: NodeProcess): Promise<Summary & { readonly go: () => void }> {
    const file = join(cluster.directory, `go-${++files}`);
    const args = ["submit", WAITS, "--param", `go=${file}`, "--name", name, "--detach"];
    const sent = await sage.json<Summary>(args, at);
    return { ...sent, go: () => writeFileSync(file, "") };
  }

  const isHere = (logs: Running) => logs.stdout.includes("row 0 is here");

  test("a job is listed, found, watched, stopped, continued, run again and deleted through nodes that do not lead", async () => {
    const [one, other] = await followers();
    const { number, jobId, go } = await waiting("one", one);
    const job = String(number);
    const listed = await sage.json<Summary[]>(["jobs", "list", "--status", "active"], other);
    expect(listed).toMatchObject([{ number, jobId, name: "one", attempt: 1 }]);
    for (const text of [job, jobId, jobId.slice(0, 12), "one"]) {
      expect(await sage.json(["jobs", "show", text], one)).toMatchObject({ number, jobId, name: "one" });
    }
    const logs = sage.start(["jobs", "logs", job, "--follow"], one);
    const watch = sage.start(["jobs", "watch", job, "--format", "json"], other);
    const wait = sage.start(["jobs", "wait", job], one);
    await logs.until(isHere);
    expect(await sage.json(["jobs", "stop", job, "--force"], other)).toMatchObject([{ number, jobId }]);
    expect(await wait.end()).toBe(1);
    expect(wait.stdout).toBe(`job ${job} one ■ stopped: stop was asked for\n`);
    expect(await watch.end()).toBe(1);
    const states = watch.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as Summary).state);
    expect(states.at(-1)).toBe("stopped");
    expect(await logs.end()).toBe(0);
    expect((await sage.run(["jobs", "stop", job, "--force"], one)).stderr).toMatch(/Cannot stop job \d+: .*stopped/);
    expect(await sage.text(["jobs", "continue", job], one)).toBe(`job ${job} one goes on\n`);
    go();
    expect(await sage.text(["jobs", "wait", job], other)).toBe(`job ${job} one ✓ finished\n`);
    const again = await sage.run(["jobs", "cancel", job, "--force"], other);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/Cannot cancel job \d+: .*finished/)]);
    expect(await sage.text(["jobs", "restart", jobId.slice(0, 12), "--force"], one)).toBe(
      `job ${job} one runs again\n`,
    );
    expect((await sage.json<Summary[]>(["jobs", "wait", job], other))[0]).toMatchObject({
      state: "finished",
      attempt: 3,
    });
    expect(await sage.text(["jobs", "delete", job, "--force"], other)).toBe(`job ${job} one is deleted\n`);
    const gone = await sage.run(["jobs", "show", job], one);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringMatching(/There is no job/)]);
  });

  test("a beginning of an id must be that of one job", async () => {
    const client = await cluster.processes.client();
    const keys = await createKeys();
    const { plan } = dataflow("twin", () => Stream.generate(1));
    for (const last of [1, 2]) {
      const random = { ...systemRandom, bytes: (count: number) => new Uint8Array(count).fill(0xab).fill(last, -1) };
      const jobs = new Jobs(client, { clock: systemClock, keys, random });
      await jobs.submit({ name: "twin", plan: encodeLogicalPlan(plan), bundle: null, options: {} });
    }
    const both = await sage.run(["jobs", "show", "abababab"]);
    expect(both).toMatchObject({ code: 1, stdout: "" });
    expect(both.stderr).toMatch(
      /^error: abababab is the beginning of several jobs' ids:\n {2}\d+ twin \(abab.*02\)\n.*01\)\n$/,
    );
    expect(await sage.text(["jobs", "wait", `${"ab".repeat(15)}02`])).toMatch(/ twin ✓ finished/);
    await sage.text(["jobs", "wait", "--status", "active,finished"]);
    await sage.text(["jobs", "delete", "--status", "ended", "--force"]);
  });

  test("verbs take all jobs in a state", async () => {
    const [one] = await followers();
    const submit = (...args: string[]) => sage.run(["submit", WAITS, "--restarts", "0", ...args], one);
    const failed = await Promise.all([submit("--param", "fails=true"), submit("--param", "fails=true")]);
    for (const { code, stderr } of failed) {
      expect([code, stderr]).toEqual([1, expect.stringMatching(/no row is liked\n.*waits\.ts:\d+:\d+\n/)]);
    }
    expect(await sage.json<Summary[]>(["jobs", "list", "--status", "failed"], one)).toHaveLength(2);
    expect(await sage.json<object[]>(["jobs", "restart", "--status", "failed", "--force"], one)).toHaveLength(2);
    const ended = await sage.run(["jobs", "wait", "--status", "active,failed", "--format", "json"], one);
    expect(ended.code).toBe(1);
    expect((JSON.parse(ended.stdout) as Summary[]).map(({ state }) => state)).toEqual(["failed", "failed"]);
    expect(await sage.json<object[]>(["jobs", "delete", "--status", "ended", "--force"], one)).toHaveLength(2);
    expect(await sage.text(["jobs", "list"], one)).toBe("no jobs\n");
    expect(await sage.text(["jobs", "cancel", "--status", "active", "--force"], one)).toBe("no jobs in these states\n");
  });

  test("while the leader is killed, all commands work, and what runs beside them goes on", async () => {
    const leader = await cluster.processes.leader();
    const [one, other] = await followers();
    const { number, go } = await waiting("hit", one);
    const second = await waiting("second", other);
    const job = String(number);
    const logs = sage.start(["jobs", "logs", job, "--follow", "--format", "json"]);
    const watch = sage.start(["jobs", "watch", job, "--format", "json"]);
    const wait = sage.start(["jobs", "wait", job]);
    const file = join(cluster.directory, "go-submitted");
    const rows = sage.start(["submit", WAITS, "--param", `go=${file}`, "--format", "json", "--name", "rows"]);
    await Promise.all([logs.until(isHere), watch.until(({ stdout }) => stdout.includes('"running"'))]);
    for (let isThere = false; !isThere; ) isThere = (await sage.text(["jobs", "list"])).includes("rows");
    await leader.kill();
    const [listed, shown, stopped] = await Promise.all([
      sage.json<Summary[]>(["jobs", "list", "--status", "active"]),
      sage.json<Summary>(["jobs", "show", job], one),
      sage.json<object[]>(["jobs", "stop", "second", "--force"], other),
      sage.json<Summary>(["submit", WAITS, "--detach", "--name", "later"], one),
    ]);
    expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining(["hit", "rows"]));
    expect(shown.number).toBe(number);
    expect(stopped).toMatchObject([{ number: second.number }]);
    go();
    writeFileSync(file, "");
    expect(await Promise.all([wait.end(), watch.end(), logs.end(), rows.end()])).toEqual([0, 0, 0, 0]);
    expect(wait.stdout).toBe(`job ${job} hit ✓ finished\n`);
    expect(rows.stdout).toBe([0, 1, 2, 3, 4].map((index) => `{"index":${index}}\n`).join(""));
    expect(new Set(linesOf(logs)).size).toBe(linesOf(logs).length);
    expect(await sage.text(["jobs", "wait", "later"], other)).toMatch(/ ✓ finished/);
    await sage.run(["jobs", "wait", "second"]);
    expect(await sage.json<Summary>(["jobs", "continue", "second"], one)).toMatchObject([{ number: second.number }]);
    second.go();
    expect(await sage.text(["jobs", "wait", "second"], other)).toMatch(/ ✓ finished/);
    await leader.start().ready();
  });

  test("a node that is killed while its rows come costs no row, and none comes twice", async () => {
    const args = ["submit", jobFile("many_rows"), "--parallelism", "4", "--format", "csv", "--quiet"];
    const undisturbed = await sage.text(args);
    expect(undisturbed.split("\n")).toHaveLength(1_500_002);
    const rows = sage.start([...args, "--name", "disturbed"]);
    await rows.until(({ stdout }) => stdout.length > 0);
    rows.child.stdout?.pause();
    const { tasks } = await sage.json<{ tasks: { node: string | null }[] }>(["jobs", "show", "disturbed"]);
    const busy = cluster.nodes.find(({ name }) => tasks.some(({ node }) => node === name)) ?? cluster.nodes[0];
    await busy?.kill();
    rows.child.stdout?.resume();
    const code = await rows.end();
    // What the killed node alone had kept of a job that has finished is gone: then this is said.
    if (code === 0) expect(digestOf(rows.stdout)).toBe(digestOf(undisturbed));
    else expect(rows.stderr).toMatch(/Rows of job \d+ are gone with the node that kept them/);
    await busy?.start().ready();
  });

  test("a client that is killed takes nothing with it", async () => {
    const rows = sage.start(["submit", jobFile("many_rows"), "--format", "csv", "--name", "left"]);
    await rows.until(({ stdout }) => stdout.length > 0);
    rows.child.kill("SIGKILL");
    expect(await sage.text(["jobs", "wait", "left"])).toMatch(/ ✓ finished/);
    await sage.text(["jobs", "delete", "--status", "ended", "--force"]);
  });

  test("without a majority all commands say so, and --stale shows what is known", async () => {
    await sage.text(["submit", WAITS, "--name", "known", "--quiet"]);
    const [one, ...others] = cluster.nodes;
    await Promise.all(others.map((node) => node.kill()));
    const commands = [
      ["jobs", "list", "--timeout", "3s"],
      ["jobs", "show", "known", "--timeout", "3s"],
      ["jobs", "cancel", "known", "--force", "--timeout", "3s"],
    ];
    const { plan } = dataflow("unsent", () => Stream.generate(1));
    const jobs = new Jobs(await cluster.processes.client(), {
      clock: systemClock,
      keys: await createKeys(),
      random: systemRandom,
    });
    const unsent = jobs.submit(
      { name: "unsent", plan: encodeLogicalPlan(plan), bundle: null, options: {} },
      { timeoutMs: 3_000 },
    );
    await expect(unsent).rejects.toThrow(/^No node of the cluster could do it\. A majority of the voters may be out/);
    for (const answer of await Promise.all(commands.map((command) => sage.run(command, one)))) {
      expect(answer).toMatchObject({ code: 1, stdout: "" });
      expect(answer.stderr).toMatch(/^error: No node of the cluster could do it. A majority of the voters may be out/);
    }
    expect(await sage.json(["jobs", "list", "--stale"], one)).toMatchObject([{ name: "known", state: "finished" }]);
    expect(await sage.text(["jobs", "show", "known", "--stale"], one)).toMatch(/^job \d+ known ✓ finished\n/);
    for (const node of others) node.start();
    await Promise.all(others.map((node) => node.ready()));
    expect(await sage.text(["submit", WAITS, "--format", "csv", "--quiet"])).toBe("index\n0\n1\n2\n3\n4\n");
  });
});

function linesOf({ stdout }: Running): string[] {
  return stdout.trim().split("\n");
}
