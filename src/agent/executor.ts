/** One executor process, from its start to its end. */
import type * as v from "valibot";
import {
  type Address,
  type Channel,
  type Disk,
  type KeyPair,
  type PeerId,
  type ProcessUsage,
  type SpawnedProcess,
} from "../kernel/mod.ts";
import {
  type CallMethod,
  type CallOptions,
  EXECUTOR_CREDENTIAL_TTL_MS,
  type ExecutorSetup,
  encodeExecutorCredential,
  executorPing,
  methodTable,
  ownVersions,
  RpcSession,
  type Sent,
  type Served,
} from "../protocol/mod.ts";
import { AgentError } from "./error.ts";
import { type Asked, type End, exitReason, LastWords, sizeText } from "./exit_reason.ts";
import { type AgentHooks, type AgentOptions, type AgentPorts, type AgentSettings, slotMemoryBytes } from "./ports.ts";

export interface ExecutorParts {
  readonly ports: AgentPorts;
  readonly options: AgentOptions;
  readonly settings: AgentSettings;
  readonly hooks: Pick<AgentHooks, "facts">;
  /** What it may ask of its agent. */
  services(executor: ExecutorProcess): readonly Served[];
  ready(executor: ExecutorProcess): void;
  /** Once, also when it never became ready. */
  ended(executor: ExecutorProcess, end: End): void;
  /** What it printed while it has no job goes nowhere. */
  output(executor: ExecutorProcess, stream: "out" | "err", bytes: Uint8Array): void;
}

export type ExecutorPhase = "starting" | "ready" | "ended";

/** Between two questions whether it is there still. */
const PING_EVERY_LOOKS = 10;
/** An executor without a connection has so long to end by itself. */
const DISCONNECTED_MS = 500;
const CPU_WEIGHT = 80;

export class ExecutorProcess {
  readonly peer: PeerId;
  readonly directory: string;
  readonly startedMs: number;
  /** Where other executors reach it; empty until it is ready. */
  addresses: readonly Address[] = [];
  /** What it prints belongs to this job; null: to none. */
  jobId: string | null = null;
  /** Tasks up to this attempt were handed over to it. */
  givenUpTo = 0;
  /** Resolves once its end was told. */
  readonly ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  readonly #parts: ExecutorParts;
  readonly #process: SpawnedProcess;
  readonly #lastWords = new LastWords();
  #phase: ExecutorPhase = "starting";
  #session: RpcSession | null = null;
  #asked: Asked | null = null;
  #memoryBytesMax: number;
  #looks = 0;
  #looksUnanswered = 0;
  #isAsked = false;
  #wasReady = false;
  #isDisconnected = false;

  constructor(parts: ExecutorParts) {
    const { ports, options } = parts;
    const { keys, disk, clock, spawner } = ports;
    const key = keys.create();
    this.#parts = parts;
    this.peer = keys.peerOf(key.publicKey);
    this.directory = `${options.directory}/executors/${this.peer}`;
    this.startedMs = clock.nowMs();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    disk.makeDirectory(this.directory);
    this.#process = spawner.spawn(
      { kind: "executor", firstLine: JSON.stringify(this.#setup(key)), cpuWeight: CPU_WEIGHT },
      {
        output: (stream, bytes) => {
          this.#lastWords.heard(stream, bytes);
          parts.output(this, stream, bytes);
        },
        exited: (how) => this.#ended(exitReason(how, this.#asked, this.#lastWords.text)),
      },
    );
    this.#memoryBytesMax = this.#memoryOf(options.slots);
    this.#process.limitMemory(this.#memoryBytesMax);
  }

  get phase(): ExecutorPhase {
    return this.#phase;
  }

  /** Whether it ever was. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** It has ended, or is about to: calls of it fail, and its end will be told. */
  get isGone(): boolean {
    return this.#phase === "ended" || this.#isDisconnected || this.#asked !== null;
  }

  usage(): ProcessUsage | null {
    return this.#process.usage();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** From now on it may take what tasks in so many slots at once may. */
  limitMemory(slots: number): void {
    const bytes = this.#memoryOf(slots);
    if (bytes === this.#memoryBytesMax || this.#phase === "ended") return;
    this.#memoryBytesMax = bytes;
    this.#process.limitMemory(bytes);
  }

  /** What it keeps of its last job might be too much already for one that is given less. */
  get isOutgrown(): boolean {
    const used = this.#process.usage()?.residentBytes ?? 0;
    return used > this.#memoryOf(1) - this.#parts.settings.slotOverheadBytes;
  }

  /** Its channel to this node; one at a time, and once. */
  attached(channel: Channel): void {
    if (this.#session !== null || this.#phase === "ended") return channel.abort("this executor is attached already");
    const { ports, options } = this.#parts;
    this.#session = new RpcSession(channel, {
      clock: ports.clock,
      log: ports.log,
      versions: ownVersions(`sage ${options.version}`),
      role: () => "guest",
      closed: () => this.#disconnected(),
    });
    this.#session.serve(methodTable(this.#parts.services(this)));
  }

  /** It listens, and takes work. */
  becameReady(addresses: readonly Address[]): void {
    if (this.#phase !== "starting") return;
    this.#phase = "ready";
    this.#wasReady = true;
    this.addresses = addresses;
    this.#parts.ready(this);
  }

  /** Errors as of `RpcSession.call`. @throws {AgentError} no-executor */
  async call<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
    options: CallOptions = {},
  ): Promise<v.InferOutput<Reply>> {
    if (this.#session === null || this.#phase !== "ready" || this.isGone) {
      throw new AgentError("no-executor", "The executor has ended.", { retryable: true });
    }
    return await this.#session.call(method, body, options);
  }

  /** What it shows from now on to the job's other executors; null: it runs no code of a job. */
  credential(jobId: string | null): Uint8Array {
    const { ports, hooks } = this.#parts;
    return encodeExecutorCredential(ports.keys, ports.identity, {
      certificate: hooks.facts().certificate,
      peer: this.peer,
      jobId,
      expiresAtMs: ports.clock.wallMs() + EXECUTOR_CREDENTIAL_TTL_MS,
    });
  }

  /** Looks whether it holds to its limits and turns; every `lookMs` while it has a job. */
  look(): void {
    if (this.#phase !== "ready") return this.#lookAtStart();
    const used = this.#process.usage()?.residentBytes ?? 0;
    if (used > this.#memoryBytesMax) {
      return this.end(`it took ${sizeText(used)} of memory, ${this.#limitText()}`, true);
    }
    this.#looks++;
    if (this.#isAsked) {
      this.#looksUnanswered++;
      // Counted in looks: time in which this process itself stood still is not the executor's.
      const { pingTimeoutMs, lookMs } = this.#parts.settings;
      if (this.#looksUnanswered * lookMs >= pingTimeoutMs) {
        this.end(`it has not answered for ${pingTimeoutMs} ms`, true);
      }
    } else if (this.#looks % PING_EVERY_LOOKS === 0) this.#ask();
  }

  /** Ends it by force; `ended` follows, with this reason. */
  end(reason: string, isJobsFault = false): void {
    if (this.#phase === "ended") return;
    this.#asked ??= { reason, isJobsFault };
    this.#process.kill();
  }

  /** Mostly because it has just ended: then that is the reason. */
  #disconnected(): void {
    this.#isDisconnected = true;
    this.#parts.ports.clock.wake(DISCONNECTED_MS, () => this.end("it lost its connection to the agent"));
  }

  #memoryOf(slots: number): number {
    const { overheadBytes, slotOverheadBytes } = this.#parts.settings;
    return slots * (slotMemoryBytes(this.#parts.options) + slotOverheadBytes) + overheadBytes;
  }

  #limitText(): string {
    return `its limit is ${sizeText(this.#memoryBytesMax)}: the memory of its slots, and some for itself. Give nodes more with --memory, or fewer --slots`;
  }

  #lookAtStart(): void {
    const { ports, settings } = this.#parts;
    if (this.#phase !== "starting" || ports.clock.nowMs() - this.startedMs < settings.startTimeoutMs) return;
    this.end(`it was not ready ${settings.startTimeoutMs} ms after its start`);
  }

  #ask(): void {
    this.#isAsked = true;
    const answered = () => {
      this.#isAsked = false;
      this.#looksUnanswered = 0;
    };
    // Without an answer looks go on being counted.
    this.call(executorPing, {}, { deadlineMs: 10 * this.#parts.settings.pingTimeoutMs }).then(
      answered,
      () => undefined,
    );
  }

  #setup(key: KeyPair): ExecutorSetup {
    const { ports, options, settings } = this.#parts;
    const { self, addresses } = ports.transport;
    return {
      privateKey: hex(key.privateKey),
      agent: self,
      agentAddresses: [...addresses],
      listen: listenOf(options.listen ?? addresses),
      credential: base64(this.credential(null)),
      slots: options.slots,
      workersPerSlot: options.workersPerSlot,
      userCallMsMax: settings.userCallMsMax,
      memoryBytes: options.memoryBytes,
      directory: this.directory,
    };
  }

  #ended(end: End): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#session?.close("the executor has ended");
    try {
      removeSoon(this.#parts.ports.disk, this.directory);
    } catch (error) {
      this.#parts.ports.log.write("warn", "directory of an executor not removed", { reason: String(error) });
    }
    this.#parts.ended(this, end);
    this.#resolveEnded();
  }
}

/** Gigabytes may have been spilled: the node goes on meanwhile. */
function removeSoon(disk: Disk, path: string): void {
  if (disk.removeSoon === undefined) disk.remove(path);
  else disk.removeSoon(path);
}

/** The node's hosts, with ports of the executor's own. */
function listenOf(addresses: readonly Address[]): Address[] {
  const listen = addresses.map((address) => address.replace(/\/tcp\/\d+.*$/, "/tcp/0") as Address);
  return [...new Set(listen)];
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
