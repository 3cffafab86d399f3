import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RealAgent, realAgent } from "./support/real_agent.ts";
import { blob, deploy, eventually, jobOf, newJobId, reported } from "./support/real_job.ts";

const LIMIT_MS = 90_000;

describe("an agent with real executors", { timeout: LIMIT_MS }, () => {
  let real: RealAgent;
  beforeAll(async () => {
    real = await realAgent({
      memoryBytes: 128 << 20,
      slots: 1,
      settings: { userCallMsMax: 3_000, overheadBytes: 192 << 20, slotOverheadBytes: 64 << 20, sparesMin: 1 },
      hooks: { blob },
    });
  });
  afterAll(async () => {
    const { directory } = real;
    await real[Symbol.asyncDispose]();
    expect(existsSync(join(directory, "work"))).toBe(false);
  });

  const never = new AbortController().signal;

  async function logText(jobId: string): Promise<string> {
    let text = "";
    for await (const line of real.agent.logs({ jobId, follow: false }, never)) text += `${line.text}\n`;
    return text;
  }

  test("runs a task, keeps its rows and what it printed", async () => {
    const job = await jobOf(
      `Stream.generate(5).map((row) => { console.log("row", row.index); console.warn("warned", row.index); return { x: Number(row.index) }; }, { x: "int64" })`,
    );
    const order = await deploy(real, job);
    let rows = 0;
    for await (const item of real.agent.rows({ ...order, fromRow: 0 }, never)) rows += item.rowCount;
    expect(rows).toBe(5);
    await reported(real, order.jobId, ["finished"]);
    expect(real.agent.slotsUsed).toBe(0);
    await eventually(() => real.agent.inventory({ term: 1 }).results.length === 1);
    real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: true, sinkPaths: [] });
    expect(real.agent.inventory({ term: 1 })).toMatchObject({ reports: [], results: [{ jobId: order.jobId }] });
    await eventually(async () => (await logText(order.jobId)).includes("row 4"));
    for await (const line of real.agent.logs({ jobId: order.jobId, follow: false }, never)) {
      const stream = line.text.startsWith("row") ? "out" : "err";
      expect(line).toMatchObject({
        stream,
        task: "0.0",
        attempt: 1,
        text: expect.stringMatching(/^(row|warned) \dn$/),
      });
    }
    real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
    expect(real.agent.inventory({ term: 1 }).results).toEqual([]);
    await eventually(() => readdirSync(join(real.directory, "work/bundles")).length === 0);
  });

  test("an executor that is killed is reported as lost, and the job goes on in another", async () => {
    const job = await jobOf(
      `Stream.generate(1e9).map((row) => { console.error("pid", process.pid); while (true); }, { x: "int64" })`,
    );
    const order = await deploy(real, job);
    const pid = await eventually(async () => /pid (\d+)/.exec(await logText(order.jobId))?.[1]);
    process.kill(Number(pid), "SIGKILL");
    const lost = await eventually(() =>
      real.reports.flatMap((body) => body.lost).find((one) => one.jobId === order.jobId),
    );
    expect(lost).toMatchObject({ jobAttempt: 1, upToAttempt: 1, isUnexplained: true });
    expect(lost.reason).toContain("SIGKILL");
    expect(real.agent.slotsUsed).toBe(0);
    const quick = await jobOf(`Stream.generate(3).map((row) => ({ x: 1 }), { x: "int64" })`);
    const again = await deploy(real, quick, { jobId: newJobId() });
    await reported(real, again.jobId, ["finished"]);
    real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
    real.agent.release({ term: 1, jobId: again.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
  });

  const faults = [
    ["an endless loop", `while (true);`, /stuck in one call for 3 s/],
    [
      "a memory bomb",
      `const all = []; while (true) all.push(new Uint8Array(8 << 20).fill(1));`,
      /its limit is 384 MiB/,
    ],
    ["process.exit", `process.exit(3)`, /ended/],
    ["a thrown text", `throw "just text"`, /just text/],
    [
      "an error that nobody catches",
      `setTimeout(() => { throw new Error("later") }); return { x: 1 }`,
      /later|finished/,
    ],
    ["a rejection that nobody catches", `Promise.reject(new Error("rejected")); return { x: 1 }`, /rejected|finished/],
    ["an end of the whole process", `process.kill(process.pid, "SIGSEGV"); while (true);`, /crashed|SIGSEGV/],
  ] as const;

  for (const [name, code, reason] of faults) {
    test(`${name} in a job's function ends its executor at most, with a reason`, async () => {
      const job = await jobOf(`Stream.generate(5).map((row) => { ${code} }, { x: "int64" })`);
      const order = await deploy(real, job);
      const report = await reported(real, order.jobId, ["failed", "ended", "finished"]);
      expect(report.reason ?? report.status).toMatch(reason);
      expect(real.agent.slotsUsed).toBe(0);
      real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
    });
  }

  test("what an agent's tasks have left that ended unasked is removed on its return, once the job is over", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sage-agent-left-"));
    const path = join(directory, "out.csv");
    const stray = () => readdirSync(directory).filter((name) => name.endsWith(".tmp"));
    const jobId = newJobId();
    {
      await using first = await realAgent({ directory, slots: 1, hooks: { blob } });
      const job = await jobOf(`Stream.generate(100).toCsv(${JSON.stringify(path)})`);
      await deploy(first, { ...job, bundle: null }, { jobId, sinkPaths: [path] });
      await reported(first, jobId, ["finished"]);
    }
    expect(stray()).toHaveLength(2);
    await using second = await realAgent({ directory, slots: 1, hooks: { blob } });
    expect(second.agent.inventory({ term: 1 }).jobs).toEqual([{ jobId, jobAttempt: 1 }]);
    expect(stray()).toHaveLength(2);
    // Whoever deleted the job does not know any more what it wrote.
    const release = { term: 1, jobId, upToAttempt: Number.MAX_SAFE_INTEGER, keepResults: false, sinkPaths: [] };
    second.agent.release(release);
    await eventually(() => stray().length === 0 && second.agent.inventory({ term: 1 }).jobs.length === 0);
    expect(readdirSync(directory)).toEqual(["work"]);
    await second.agent.stop();
    rmSync(directory, { recursive: true });
  });

  const late = [
    ["thrown", `setTimeout(() => { throw new Error("too late") }, 300)`],
    ["rejected", `setTimeout(() => void Promise.reject(new Error("too late")), 300)`],
  ] as const;
  test.each(late)("an error that is %s after its task had ended is told in the job's log", async (_, code) => {
    const job = await jobOf(`Stream.generate(1).map(() => { ${code}; return { x: 1 } }, { x: "int64" })`);
    const order = await deploy(real, job);
    await reported(real, order.jobId, ["finished"]);
    const text = await eventually(async () => {
      const found = await logText(order.jobId);
      return found.includes("too late") ? found : null;
    });
    expect(text).toContain("after its task had ended");
    real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
  });

  test("a task that needs more than its slot's memory fails with the reason, in the executor of several slots", async () => {
    const settings = { sparesMin: 1 };
    await using several = await realAgent({ memoryBytes: 128 << 20, slots: 4, settings, hooks: { blob } });
    const order = await deploy(several, await jobOf(`Stream.generate(5e6).orderBy("index")`));
    const report = await reported(several, order.jobId, ["failed", "ended", "finished"]);
    expect(report.reason).toMatch(/not enough memory: .* of the 33.6 MB that the job may use/);
  });

  test("a flood of output is cut, and told", async () => {
    const line = "x".repeat(1_000);
    const job = await jobOf(
      `Stream.generate(40_000).map((row) => { console.log("${line}"); return { x: 1 }; }, { x: "int64" }).limit(40_000)`,
    );
    const before = process.memoryUsage.rss();
    const order = await deploy(real, job);
    await reported(real, order.jobId, ["finished"]);
    real.agent.release({ term: 1, jobId: order.jobId, upToAttempt: 1, keepResults: false, sinkPaths: [] });
    const text = await eventually(async () => {
      const found = await logText(order.jobId);
      return /\[\d+ bytes dropped/.test(found) ? found : null;
    });
    expect(text.length).toBeLessThan(17 << 20);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 << 20);
  });

  const places = [
    ["in a worker", "1"],
    ["in the main thread", "0"],
  ] as const;
  test.each(places)(
    "an agent that is killed leaves no executor behind, also not one that computes %s",
    async (_, workers) => {
      const script = join(import.meta.dirname, "support/agent_process.ts");
      const child: ChildProcess = spawn(process.execPath, [script, workers], { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout?.on("data", (bytes: Buffer) => {
        said += bytes.toString();
      });
      const pids = await eventually(() => /pids (\d+) (\d+)/.exec(said), 60_000);
      child.kill("SIGKILL");
      for (const pid of [Number(pids[1]), Number(pids[2])]) await eventually(() => !isAlive(pid), 5_000);
    },
  );
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
