/** Limits by the system, where it lets this process set some: control groups of version 2 on Linux. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ControlGroup {
  /** False when the system does not take it. */
  limitMemory(bytes: number): boolean;
  /** A process was ended for memory. */
  isOutOfMemory(): boolean;
  /** After all its processes have ended. */
  remove(): void;
}

export interface ControlGroupOptions {
  readonly cpuWeight: number;
  /** Tests have their own. */
  readonly root?: string;
  readonly selfPath?: string;
}

/**
 * Puts a process into a group of its own; null where that cannot be had: another version, no right to, or the group of
 * this process does not pass the memory controller on.
 */
export function controlGroup(pid: number, options: ControlGroupOptions): ControlGroup | null {
  const { cpuWeight, root = "/sys/fs/cgroup", selfPath = "/proc/self/cgroup" } = options;
  try {
    const own = /^0::(\/.*)$/m.exec(readFileSync(selfPath, "latin1"))?.[1];
    if (own === undefined) return null;
    const parent = join(root, own);
    const passedOn = readFileSync(join(parent, "cgroup.subtree_control"), "latin1").split(/\s+/);
    if (!passedOn.includes("memory")) return null;
    const directory = join(parent, `sage-executor-${pid}`);
    mkdirSync(directory);
    const group = groupAt(directory);
    if (!write(directory, "cgroup.procs", String(pid))) {
      group.remove();
      return null;
    }
    if (passedOn.includes("cpu")) write(directory, "cpu.weight", String(cpuWeight));
    write(directory, "memory.oom.group", "1");
    return group;
  } catch {
    return null;
  }
}

function groupAt(directory: string): ControlGroup {
  return {
    limitMemory: (bytes) => {
      write(directory, "memory.swap.max", "0");
      return write(directory, "memory.max", String(Math.floor(bytes)));
    },
    isOutOfMemory: () => {
      try {
        const kills = /^oom_kill (\d+)/m.exec(readFileSync(join(directory, "memory.events"), "latin1"))?.[1];
        return Number(kills ?? 0) > 0;
      } catch {
        return false;
      }
    },
    remove: () => {
      try {
        rmdirSync(directory);
      } catch {
        // A process in it is still ending; an empty group costs nothing.
      }
    },
  };
}

function write(directory: string, file: string, text: string): boolean {
  try {
    writeFileSync(join(directory, file), text);
    return true;
  } catch {
    return false;
  }
}
