/** The process that an agent starts for a job's tasks: `sage executor`, with its setup on standard input. */
import { Executor, type ExecutorPorts } from "../executor/mod.ts";
import type { Log } from "../kernel/mod.ts";
import { type ExecutorSetup, executorSetup, parse } from "../protocol/mod.ts";
import { systemClock } from "./clock.ts";
import { ExecutorEngine } from "./executor_engine.ts";
import { createKeys, publicKeyOfSeed } from "./keys.ts";
import { createTransport } from "./network/mod.ts";
import { systemRandom } from "./random.ts";
import { firstLineOfInput } from "./standard_input.ts";
import { endWithParent } from "./watchdog.ts";

/** Its stderr is the job's log: only what is worth a line there. */
const log: Log = {
  write(level, event, fields) {
    if (level === "debug" || level === "info") return;
    process.stderr.write(`[sage] ${event}${fields === undefined ? "" : ` ${JSON.stringify(fields)}`}\n`);
  },
};

/** Serves the agent until that is gone; then the process ends at once. */
export async function runExecutor(): Promise<never> {
  ignoreSignals();
  const line = await firstLineOfInput(endNow);
  if (line === null) {
    process.stderr.write("sage executor is started by a node, with its setup on standard input.\n");
    return process.exit(2);
  }
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    const setup = parse(executorSetup, JSON.parse(line), "the setup of an executor");
    const executor = new Executor(portsOf(setup), settingsOf(setup));
    await executor.start();
  } catch (error) {
    return fail(error);
  }
  return await new Promise<never>(() => undefined);
}

function portsOf(setup: ExecutorSetup): ExecutorPorts {
  const { memoryBytes, workersPerSlot, userCallMsMax } = setup;
  const privateKey = Uint8Array.from(Buffer.from(setup.privateKey, "hex"));
  const keyPair = { privateKey, publicKey: publicKeyOfSeed(privateKey) };
  // The job's code is in the main thread then, where the end of standard input may be noticed by nobody.
  if (workersPerSlot === 0) endWithParent();
  const engine = new ExecutorEngine({ memoryBytes, workersPerSlot, userCallMsMax });
  engine.warmUp();
  return {
    pid: process.pid,
    transport: createTransport({ keyPair, log, listen: setup.listen }),
    clock: systemClock,
    random: systemRandom,
    keys: createKeys(),
    log,
    engine,
    ended: endNow,
  };
}

function settingsOf({ agent, agentAddresses, credential, slots, directory }: ExecutorSetup) {
  return {
    agent,
    agentAddresses,
    credential: Uint8Array.from(Buffer.from(credential, "base64")),
    slots,
    directory,
  };
}

/** With all that the job's code has started; threads that compute would hold up an orderly end. */
function endNow(): never {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // It leads no group of its own.
  }
  process.kill(process.pid, "SIGKILL");
  return process.exit(1);
}

function fail(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : `thrown: ${String(error)}`;
  try {
    process.stderr.write(`${text}\n`);
  } finally {
    process.exit(1);
  }
}

/** A terminal's Ctrl-C and a service manager's request to end are for the node, which ends its executors. */
function ignoreSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
}
