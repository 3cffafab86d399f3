/** The kernel's `Spawner`: child processes of this one that are the same program. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { ProcessExit, SpawnedProcess, Spawner, SpawnHooks, SpawnOptions } from "../kernel/mod.ts";
import { controlGroup } from "./cgroup.ts";
import { selfCommand } from "./process_command.ts";
import { usageReader } from "./process_usage.ts";

/** What a process wrote arrives within this time after its end; what holds the pipes longer is not it. */
const LAST_OUTPUT_MS = 200;
/** When memory runs out Linux ends processes with the highest score: executors before their node. */
const OOM_SCORE = "500";
/** A little below what serves them. */
const NICE = 2;

/**
 * Bun looks for garbage once a second as well, whether there is some or not; just after a start that is 50 ms of processor
 * time for nothing, a third of what the start takes.
 */
const GARBAGE_BY_NEED = { BUN_GC_TIMER_INTERVAL: "10000" };

export const processSpawner: Spawner = { spawn: spawnProcess };

function spawnProcess(options: SpawnOptions, hooks: SpawnHooks): SpawnedProcess {
  const { kind, firstLine, cpuWeight, environment = {} } = options;
  const { file, args } = selfCommand([kind]);
  const child = spawn(file, [...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...GARBAGE_BY_NEED, ...withoutSecrets(process.env), ...environment },
    // A group of its own: a terminal's Ctrl-C is for the node, and what a job starts ends with its executor.
    detached: true,
  });
  const { pid } = child;
  const group = pid === undefined ? null : controlGroup(pid, { cpuWeight });
  if (pid !== undefined) prefer(pid);
  child.stdin?.on("error", () => undefined); // it has ended, and that is told
  child.stdin?.write(`${firstLine}\n`);
  child.stdout?.on("data", (bytes: Uint8Array) => hooks.output("out", bytes));
  child.stderr?.on("data", (bytes: Uint8Array) => hooks.output("err", bytes));
  watchEnd(child, (how) => {
    if (pid !== undefined) killGroup(pid);
    const isOutOfMemory = group?.isOutOfMemory() === true;
    group?.remove();
    hooks.exited({ ...how, isOutOfMemory });
  });
  return {
    pid: pid ?? 0,
    kill: () => {
      if (pid !== undefined && child.exitCode === null && child.signalCode === null && !killGroup(pid)) {
        child.kill("SIGKILL");
      }
    },
    usage: pid === undefined ? () => null : usageReader(pid),
    limitMemory: (bytes) => group?.limitMemory(bytes) ?? false,
  };
}

/** What the node was given to join with is not for the code of jobs. */
function withoutSecrets({ SAGE_TOKEN: _, SAGE_CREDENTIALS: __, ...others }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return others;
}

/** Calls back once: when the process is gone and its output has been read, or when it cannot be started. */
function watchEnd(child: ChildProcess, ended: (how: Omit<ProcessExit, "isOutOfMemory">) => void): void {
  let isTold = false;
  const tell = (how: Omit<ProcessExit, "isOutOfMemory">) => {
    if (isTold) return;
    isTold = true;
    ended(how);
  };
  child.once("error", (error) => {
    if (child.pid === undefined) tell({ code: null, signal: null, startError: error.message });
  });
  child.once("exit", (code, signal) => {
    const how = { code, signal, startError: null };
    const timer = setTimeout(() => tell(how), LAST_OUTPUT_MS);
    child.once("close", () => {
      clearTimeout(timer);
      tell(how);
    });
  });
}

/** What the process has started itself and still runs. False: there is nothing, or the system knows no groups. */
function killGroup(pid: number): boolean {
  try {
    return process.kill(-pid, "SIGKILL");
  } catch {
    return false;
  }
}

function prefer(pid: number): void {
  try {
    setPriority(pid, NICE);
    if (process.platform === "linux") writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // It has ended already, or the system does not allow it: a preference only.
  }
}
