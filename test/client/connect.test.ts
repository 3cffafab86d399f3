import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ClientError, type Cluster, connect, JobFailedError } from "../../client.ts";
import { col, dataflow, Stream } from "../../mod.ts";
import { type RealNode, startRealNode } from "../cli/real_node.ts";

/** A program that uses a cluster of one real node. */

const MS_MAX = 240_000;
const directory = mkdtempSync(join(tmpdir(), "sage-connect-"));
const file = join(directory, "job.ts");
let node: RealNode;
let cluster: Cluster;

beforeAll(async () => {
  writeFileSync(
    file,
    `import { dataflow, param, Stream } from "sage";
     export default dataflow("job", { params: { count: param.int(), bad: param.int({ default: -1 }) } }, ({ count, bad }) =>
       Stream.generate(count).map((row) => {
         if (Number(row.index) === bad) throw new Error("bad row");
         return { twice: 2n * row.index };
       }, { twice: "int64" }));`,
  );
  node = await startRealNode(["--slots", "2"]);
  cluster = await connect({ credentials: node.credentials });
}, MS_MAX);

afterAll(async () => {
  await cluster.close();
  await node.end();
  rmSync(directory, { recursive: true, force: true });
});

async function rowsOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

test("a job's file is submitted with parameters, and its rows come as objects", { timeout: MS_MAX }, async () => {
  const job = await cluster.submit(file, { params: { count: 1_000 }, name: "rows" });
  const rows = await rowsOf(job.result());
  expect(rows.length).toBe(1_000);
  expect(rows[999]).toEqual({ twice: 1_998n });
  expect((await job.wait()).state).toBe("finished");
  expect(await rowsOf(job.result())).toEqual(rows);
  const [newest] = await cluster.jobs.list({ limit: 1 });
  expect(newest).toMatchObject({ number: job.number, jobId: job.id, name: "rows", state: "finished" });
  const found = await cluster.jobs.find("rows");
  expect(found.id).toBe(job.id);
  await found.delete();
  await expect(cluster.jobs.find(job.id)).rejects.toMatchObject({ name: "ClientError", code: "no-such-job" });
});

test("a job has a name in any script, however its letters were typed", { timeout: MS_MAX }, async () => {
  const typed = "航班 ta\u0308glich 🚀";
  const { id, number } = await cluster.submit(dataflow(typed, () => Stream.generate(2)));
  const found = await cluster.jobs.find(typed);
  expect([found.id, found.name]).toEqual([id, "航班 täglich 🚀"]);
  expect(await cluster.jobs.list({ limit: 1 })).toMatchObject([{ number, name: "航班 täglich 🚀" }]);
  expect(await rowsOf(found.result())).toHaveLength(2);
  await found.delete();
});

test("a dataflow without functions is submitted as it is; one with functions is refused", {
  timeout: MS_MAX,
}, async () => {
  const flow = dataflow("few", () => Stream.generate(10).filter(col("index").lt(5)));
  const job = await cluster.submit(flow);
  expect((await rowsOf(job.result())).length).toBe(5);
  const code = dataflow("code", () => Stream.generate(10).filterRows(() => true));
  await expect(cluster.submit(code)).rejects.toBeInstanceOf(ClientError);
});

test("a failed job is a typed error with the place in the user's file", { timeout: MS_MAX }, async () => {
  const job = await cluster.submit(file, { params: { count: 10, bad: 3 } });
  const error = await rowsOf(job.result()).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(JobFailedError);
  expect(error).toMatchObject({ code: "job-failed", jobId: job.id, place: { file, line: 4 } });
  await expect(job.wait()).rejects.toBeInstanceOf(JobFailedError);
  await expect(cluster.submit(file)).rejects.toThrow(/count is missing/);
});

test("a job is watched and cancelled", { timeout: MS_MAX }, async () => {
  const job = await cluster.submit(dataflow("long", () => Stream.generate(2_000_000_000).filter(col("index").lt(0))));
  const states: string[] = [];
  for await (const { state } of job.watch()) {
    states.push(state);
    if (state === "running") await job.cancel();
  }
  expect(states.at(-1)).toBe("cancelled");
  await expect(job.wait()).rejects.toMatchObject({ code: "job-cancelled" });
});

test("a job that was found gives all its outputs, whichever of them have a sink", { timeout: MS_MAX }, async () => {
  const all = () => Stream.generate(4);
  const out = join(directory, "all.csv");
  const job = await cluster.submit(
    dataflow("several", () => [all().toCsv(out), all(), all().filter(col("index").gt(1))]),
  );
  const found = await cluster.jobs.find(job.number);
  expect(await found.roots()).toEqual([1, 2]);
  expect(await rowsOf(found.result())).toEqual(await rowsOf(job.result()));
  expect(await rowsOf(found.result({ root: 2 }))).toEqual([{ index: 2n }, { index: 3n }]);
  const silent = await cluster.submit(dataflow("silent", () => all().toCsv(out)));
  expect(await rowsOf((await cluster.jobs.find(silent.id)).result())).toEqual([]);
});

test("an aborted signal ends calls and streams with one typed error, and not the job", {
  timeout: MS_MAX,
}, async () => {
  const job = await cluster.submit(dataflow("long", () => Stream.generate(2_000_000_000).filter(col("index").lt(0))));
  const stop = new AbortController();
  const waits = [job.wait({ signal: stop.signal }), rowsOf(job.result({ signal: stop.signal }))];
  const ended = Promise.all(waits.map((wait) => wait.catch((error: unknown) => error)));
  stop.abort("enough");
  for (const error of await ended)
    expect(error).toMatchObject({ name: "ClientError", code: "aborted", cause: "enough" });
  await expect(job.status({ signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  await expect(cluster.jobs.list({ signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  await job.cancel();
  await expect(job.wait()).rejects.toMatchObject({ code: "job-cancelled" });
});

test("a plan that is wrong is a failure with its code", { timeout: MS_MAX }, async () => {
  const job = await cluster.submit(dataflow("wrong", () => Stream.generate(1).select("nope" as "index")));
  await expect(job.wait()).rejects.toMatchObject({ code: "job-failed", planCode: "unknownColumn" });
});

test("without credentials there is one clear error", async () => {
  await expect(connect({ credentials: join(directory, "none.json") })).rejects.toThrow(/no credentials at .*none.json/);
});
