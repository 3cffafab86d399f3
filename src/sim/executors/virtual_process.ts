/** An executor process on a virtual machine: the real `Executor`, with a host, a transport and an engine of its own. */
import type { Arena } from "../../arrow/mod.ts";
import { Executor } from "../../executor/mod.ts";
import type { Disk, Log, ProcessExit, SpawnedProcess, SpawnHooks, SpawnOptions } from "../../kernel/mod.ts";
import { type ExecutorSetup, executorSetup, parse } from "../../protocol/mod.ts";
import { VirtualTransport } from "../network/transport.ts";
import { Host } from "../world/host.ts";
import { VirtualEngine } from "./virtual_engine.ts";
import type { VirtualMachine } from "./virtual_spawner.ts";

/** A program takes so long to be up, between the two. */
const START_MS_MIN = 20;
const START_MS_MAX = 150;
const TEXT = new TextEncoder();
const MEBIBYTE = 1 << 20;

export class VirtualProcess implements SpawnedProcess {
  readonly pid: number;
  readonly host: Host;
  readonly arena: Arena;
  readonly #machine: VirtualMachine;
  readonly #hooks: SpawnHooks;
  readonly #disk: Disk;
  readonly #cut: () => void;
  #transport: VirtualTransport | null = null;
  #exit: ProcessExit = { code: null, signal: "SIGKILL", isOutOfMemory: false, startError: null };

  constructor(machine: VirtualMachine, pid: number, options: SpawnOptions, hooks: SpawnHooks) {
    const { node, world, arenas } = machine;
    this.pid = pid;
    this.#machine = machine;
    this.#hooks = hooks;
    this.arena = arenas.take();
    this.host = new Host(world, node.name, node.host);
    this.host.boot();
    const { life } = this.host;
    const { disk, cut } = machine.disksOf(this.host, life);
    this.#disk = disk;
    this.#cut = cut;
    this.host.onCrash = () => this.#died();
    const startMs = START_MS_MIN + this.host.next() * (START_MS_MAX - START_MS_MIN);
    this.host.wake(startMs, () => this.#start(options.firstLine));
  }

  get isUp(): boolean {
    return this.host.isUp;
  }

  kill(): void {
    this.host.die();
  }

  /** The machine has lost power. */
  cutPower(): void {
    this.#cut();
    this.host.die();
  }

  usage() {
    return { residentBytes: 60 * MEBIBYTE + this.arena.bytesInUse(), cpuMs: 0 };
  }

  limitMemory(): boolean {
    return true;
  }

  #start(firstLine: string): void {
    const { network, keys, functionsOf, turnMs, exchange } = this.#machine;
    const { host, arena } = this;
    const setup = parse(executorSetup, JSON.parse(firstLine), "the setup of an executor");
    const privateKey = Uint8Array.from(setup.privateKey.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
    const transport = new VirtualTransport(network, host, keys.peerOf(privateKey));
    this.#transport = transport;
    const log: Log = {
      write: (level, event, fields) => {
        if (level === "warn" || level === "error") this.#print(`[sage] ${event} ${JSON.stringify(fields ?? {})}\n`);
      },
    };
    const executor = new Executor(
      {
        pid: this.pid,
        transport,
        clock: host,
        random: host,
        keys,
        log,
        engine: new VirtualEngine({ host, arena, disk: this.#disk, functionsOf, turnMs }),
        ...(exchange === undefined ? {} : { exchange }),
        ended: () => host.die(),
      },
      settingsOf(setup),
    );
    executor.start().catch((error: unknown) => {
      this.#print(`${String(error)}\n`);
      this.#exit = { ...this.#exit, code: 1, signal: null };
      host.die();
    });
  }

  #print(text: string): void {
    if (this.host.isUp) this.#machine.tell(() => this.#hooks.output("err", TEXT.encode(text)));
  }

  #died(): void {
    this.#transport?.kill();
    this.#machine.ended(this);
    this.#machine.tell(() => this.#hooks.exited(this.#exit));
  }
}

function settingsOf({ agent, agentAddresses, credential, slots, directory }: ExecutorSetup) {
  const shown = Uint8Array.from(atob(credential), (character) => character.charCodeAt(0));
  return { agent, agentAddresses, credential: shown, slots, directory };
}
