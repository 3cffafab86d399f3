import type { Arena } from "../../arrow/mod.ts";
import type { Tools } from "../../connectors/mod.ts";
import { InlinePool, type Pool } from "../../exec/mod.ts";
import type { EnginePort, JobCode } from "../../executor/mod.ts";
import type { Disk } from "../../kernel/mod.ts";
import type { OperatorId, UserFunction } from "../../plan/mod.ts";
import type { Host } from "../world/host.ts";
import { VIRTUAL_COMPRESSION } from "./virtual_compression.ts";

/** The functions of a job, by the text of its bundle: virtual bundles are names. */
export type FunctionsOf = (bundle: string) => ReadonlyMap<OperatorId, UserFunction>;

export interface VirtualEngineOptions {
  readonly host: Host;
  readonly arena: Arena;
  readonly disk: Disk;
  readonly functionsOf: FunctionsOf;
  /** Mean time of what lies between two turns. */
  readonly turnMs: number;
}

/** Workers take longer to come up than a turn. */
const POOL_TURNS = 20;
const BUNDLE_BYTES_MAX = 4_096;

/** An executor's memory and workers: the real ones, in turns in the one thread, each of which takes virtual time. */
export class VirtualEngine implements EnginePort {
  readonly arena: Arena;
  readonly tools: Tools;
  readonly #options: VirtualEngineOptions;

  constructor(options: VirtualEngineOptions) {
    this.#options = options;
    this.arena = options.arena;
    this.tools = { disk: options.disk, compression: VIRTUAL_COMPRESSION };
  }

  async openPool(_slot: number, code: JobCode | null): Promise<Pool> {
    const { arena, tools } = this;
    const userFunctions = code === null ? new Map<OperatorId, UserFunction>() : this.#functions(code.bundlePath);
    await this.#wait(POOL_TURNS);
    return new InlinePool({ arena, tools, userFunctions, pause: () => this.turn() });
  }

  limitMemory(): void {
    // Many processes may share the arena: what one of them may take is no limit of it.
  }

  turn(): Promise<void> {
    return this.#wait(1);
  }

  collectGarbage(): void {
    // All workers are in the one thread: nothing waits for another.
  }

  placeOf(): null {
    return null;
  }

  #wait(turns: number): Promise<void> {
    const { host, turnMs } = this.#options;
    return new Promise((resolve) => void host.wake(turns * turnMs * 2 * host.next(), resolve));
  }

  #functions(path: string): ReadonlyMap<OperatorId, UserFunction> {
    const file = this.#options.disk.openRead(path);
    const bytes = new Uint8Array(Math.min(file.bytes, BUNDLE_BYTES_MAX));
    file.readAt(0, bytes, bytes.length);
    file.close();
    return this.#options.functionsOf(new TextDecoder().decode(bytes));
  }
}
