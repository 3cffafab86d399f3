import type { Address } from "../../arrow/mod.ts";
import {
  type BuildTerminal,
  BuildWord,
  buildStateWord,
  canBeDense,
  entryLayout,
  generateLink,
  linkChunkWord,
  type Placement,
  structureKey,
  type TableAddresses,
  tableWords,
} from "../../codegen/mod.ts";
import { CodeInstance } from "../code_instance.ts";
import { compiledOnce } from "../module_cache.ts";
import type { TerminalState } from "../terminal_state.ts";
import type { WorkerContext } from "../worker_context.ts";
import { type EntryChunk, EntryMemory } from "./entry_memory.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** What a worker has of the build side, as the driver takes it over. */
export interface BuiltPart {
  readonly chunks: readonly EntryChunk[];
  readonly blocks: readonly Address[];
  /** Smallest and largest key of a dense candidate; min > max when there is none. */
  readonly min: bigint;
  readonly max: bigint;
}

export interface LinkTarget {
  readonly placement: Placement;
  readonly addresses: TableAddresses;
}

/** Rows of the build side that one worker has seen. */
export class BuildState implements TerminalState {
  readonly #worker: WorkerContext;
  readonly #terminal: BuildTerminal;
  readonly #memory: EntryMemory;
  readonly #unsigned: boolean;
  #linker: CodeInstance | null = null;
  #disposed = false;

  constructor(worker: WorkerContext, terminal: BuildTerminal) {
    const { shape, operator: owner } = terminal;
    this.#worker = worker;
    this.#terminal = terminal;
    this.#memory = new EntryMemory(worker.arena, { owner, entryBytes: entryLayout(shape).entryBytes });
    this.#unsigned = canBeDense(shape) && shape.keys[0]?.type.kind === "uint64";
    const { i64, u64 } = worker.arena;
    const [min, max] = [(this.#memory.block + BuildWord.min) >>> 3, (this.#memory.block + BuildWord.max) >>> 3];
    if (this.#unsigned) {
      u64[min] = UINT64_MAX;
      u64[max] = 0n;
    } else {
      i64[min] = INT64_MAX;
      i64[max] = INT64_MIN;
    }
  }

  imports(): WebAssembly.ModuleImports {
    return this.#memory.imports();
  }

  bind(code: CodeInstance): void {
    code.setWord(buildStateWord, this.#memory.block);
  }

  part(): BuiltPart {
    const { i64, u64 } = this.#worker.arena;
    const words = this.#unsigned ? u64 : i64;
    const at = (offset: number) => words[(this.#memory.block + offset) >>> 3] as bigint;
    return {
      chunks: this.#memory.chunks(),
      blocks: this.#memory.blocks(),
      min: at(BuildWord.min),
      max: at(BuildWord.max),
    };
  }

  /** Puts the entries of chunks, of any worker, into the directory. */
  link(table: LinkTarget, chunks: readonly EntryChunk[]): void {
    const code = this.#linkCode(table);
    for (const { address, entryCount } of chunks) {
      code.setWord(linkChunkWord, address);
      code.run(0, entryCount);
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#linker?.dispose();
    this.#memory.dispose();
  }

  #linkCode(target: LinkTarget): CodeInstance {
    if (this.#linker !== null) return this.#linker;
    const { shape, operator: owner } = this.#terminal;
    const { placement, addresses } = target;
    const compiled = compiledOnce(`join link ${structureKey({ shape, placement })}`, () =>
      generateLink(shape, placement),
    );
    this.#linker = new CodeInstance(this.#worker, compiled, { owner, imports: {} });
    this.#linker.trySetWord(tableWords(owner).directory, addresses.directory);
    return this.#linker;
  }
}
