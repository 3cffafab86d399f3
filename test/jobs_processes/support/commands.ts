/** `sage` commands beside each other, as their users start them. */
import { type ChildProcess, spawn } from "node:child_process";
import { commandOf, type NodeProcess, pause } from "../../cluster_processes/harness.ts";
import type { JobsCluster } from "./jobs_cluster.ts";

const ENDS_MS = 120_000;

/** A command that runs. */
export class Running {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #ended: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve(code));
    });
  }

  /** Waits until its output is what is waited for. */
  async until(isSo: (it: Running) => boolean): Promise<void> {
    const endMs = Date.now() + ENDS_MS;
    while (!isSo(this)) {
      if (this.child.exitCode !== null || Date.now() > endMs) {
        throw new Error(`not said by ${this.child.spawnargs.join(" ")}: ${this.stdout}${this.stderr}`);
      }
      await pause(20);
    }
  }

  /** Its exit code. */
  async end(): Promise<number | null> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), ENDS_MS);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }
}

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands of one user, who names a node to talk to or lets the credentials decide. */
export class Commands {
  readonly #cluster: JobsCluster;
  /** What is started instead of this project's own `sage`. */
  readonly #command: readonly string[];

  constructor(cluster: JobsCluster, command: readonly string[] = commandOf("bun") ?? []) {
    this.#cluster = cluster;
    this.#command = command;
  }

  start(args: readonly string[], at?: NodeProcess): Running {
    const [program = "", ...rest] = [...this.#command, ...args, ...(at === undefined ? [] : ["--to", at.address])];
    const { env } = this.#cluster.processes;
    return new Running(spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] }));
  }

  async run(args: readonly string[], at?: NodeProcess): Promise<Answer> {
    const running = this.start(args, at);
    const code = await running.end();
    return { code, stdout: running.stdout, stderr: running.stderr };
  }

  /** Its stdout, of a command that has to work. */
  async text(args: readonly string[], at?: NodeProcess): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, at);
    if (code !== 0) throw new Error(`sage ${args.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }

  async json<T>(args: readonly string[], at?: NodeProcess): Promise<T> {
    return JSON.parse(await this.text([...args, "--format", "json"], at)) as T;
  }
}
