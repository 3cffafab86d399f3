/** An agent in a process of its own, with an executor that computes for ever and a spare one; prints their ids. */
import { realAgent } from "./real_agent.ts";
import { blob, deploy, eventually, jobOf } from "./real_job.ts";

const workersPerSlot = Number(process.argv[2] ?? 1);
const real = await realAgent({ slots: 1, workersPerSlot, hooks: { blob } });
const job = await jobOf(
  `Stream.generate(9).map((row) => { console.error("pid", process.pid); while (true); }, { x: "int64" })`,
);
const order = await deploy(real, job);
const never = new AbortController().signal;
const busy = await eventually(async () => {
  for await (const { text } of real.agent.logs({ jobId: order.jobId, follow: false }, never)) {
    const pid = /pid (\d+)/.exec(text)?.[1];
    if (pid !== undefined) return pid;
  }
  return null;
}, 60_000);
const spare = await eventually(
  () =>
    real.logged
      .flatMap((line) => (line.includes("executor is ready") ? [/"pid":(\d+)/.exec(line)?.[1]] : []))
      .find((pid) => pid !== busy),
  60_000,
);
console.log(`pids ${busy} ${spare}`);
