/** What workers do after all rows are in. */
import type { Batch } from "../../arrow/mod.ts";
import {
  type AggregateTerminal,
  aggregateLayout,
  mergeWord,
  rowsWord,
  stateWord,
  TableWord,
  tableOffset,
} from "../../codegen/mod.ts";
import { CodeInstance } from "../code_instance.ts";
import type { WorkerContext } from "../worker_context.ts";
import { AggregateState } from "./aggregate_state.ts";
import { GroupMemory, type PartitionGroups, type TableGroups, type WorkerGroups } from "./group_memory.ts";
import { type EntryRange, writeGroups } from "./output.ts";
import { partitionPieces } from "./partitions.ts";

export interface MergeArgument {
  readonly terminal: AggregateTerminal;
  readonly state: string;
  readonly sources: readonly WorkerGroups[];
  /** Tasks are parts of the hash space: 2^partBits of them. */
  readonly partBits: number;
  readonly batchRows: number;
}

export interface OutputArgument {
  readonly terminal: AggregateTerminal;
  readonly state: string;
  /** By task. */
  readonly tasks: readonly (readonly EntryRange[])[];
  readonly batchRows: number;
}

/** Called on every worker when the pipelines have ended: what it has. */
export function closeGroups(worker: WorkerContext, argument: unknown): WorkerGroups[] {
  const state = worker.states.get(argument as string);
  return state instanceof AggregateState ? state.groups() : [];
}

function stateOf(worker: WorkerContext, name: string, terminal: AggregateTerminal): AggregateState {
  const known = worker.states.get(name);
  if (known instanceof AggregateState) return known;
  const state = new AggregateState(worker, terminal);
  worker.states.set(name, state);
  return state;
}

/** Merges one part of the hash space of all workers' groups and gives its rows. */
export function mergeGroups(worker: WorkerContext, argument: unknown, task: number): Batch[] {
  const { terminal, state, sources, partBits, batchRows } = argument as MergeArgument;
  const owner = terminal.operator;
  const keeper = stateOf(worker, state, terminal);
  const expectedGroups = Math.max(keeper.lastPartGroups, groupsOfTables(sources) / 2 ** partBits);
  const memory = new GroupMemory(worker.arena, aggregateLayout(terminal), { owner, expectedGroups });
  try {
    runMerge(worker, { terminal, memory, sources, partBits, task, keeper });
    keeper.lastPartGroups = memory.groupCount;
    const ranges = memory.chunks().map((chunk) => ({ ...chunk, start: 0, end: chunk.entryCount }));
    const batches: Batch[] = [];
    const keep = (batch: Batch) => {
      keeper.keepOutput(batch);
      batches.push(batch);
    };
    const compiled = keeper.outputCode();
    writeGroups(worker, terminal, { compiled, ranges, batchRows, imports: memory.imports(), keep });
    return batches;
  } finally {
    memory.dispose();
  }
}

/** About how many groups there are in tables. */
function groupsOfTables(sources: readonly WorkerGroups[]): number {
  const counts = sources.map(({ kind, groupCount }) => (kind === "table" ? groupCount : 0));
  return Math.min(
    counts.reduce((sum, count) => sum + count, 0),
    Math.max(0, ...counts) * 1.25,
  );
}

interface Merge {
  readonly terminal: AggregateTerminal;
  readonly memory: GroupMemory;
  readonly sources: readonly WorkerGroups[];
  readonly partBits: number;
  readonly task: number;
  readonly keeper: AggregateState;
}

function runMerge(worker: WorkerContext, merge: Merge): void {
  const tables = merge.sources.filter((source) => source.kind === "table");
  const partitions = merge.sources.filter((source) => source.kind === "partitions");
  mergeTables(worker, merge, tables);
  if (partitions.length > 0) groupPartitions(worker, merge, partitions);
}

function mergeTables(worker: WorkerContext, merge: Merge, tables: readonly TableGroups[]): void {
  const { terminal, memory, partBits, task } = merge;
  const compiled = merge.keeper.mergeCode();
  const code = new CodeInstance(worker, compiled, { owner: terminal.operator, imports: memory.imports() });
  try {
    code.setWord(stateWord, memory.block);
    const partMask = partBits === 0 ? 0 : -1 << (32 - partBits);
    code.trySetWord(mergeWord.partMask, partMask >>> 0);
    code.trySetWord(mergeWord.part, partBits === 0 ? 0 : (task << (32 - partBits)) >>> 0);
    code.trySetWord(mergeWord.partBits, partBits);
    // Without sources the code runs all the same: it makes the one group that exists without rows.
    if (tables.length === 0) code.run(0, 0);
    for (const { block } of tables) {
      code.setWord(mergeWord.source, block);
      const slotCount = (worker.arena.u32[(block + tableOffset(0) + TableWord.mask) >>> 2] as number) + 1;
      const parts = 2 ** partBits;
      const start = Math.floor((task * slotCount) / parts);
      code.run(start, Math.max(start + 1, Math.floor(((task + 1) * slotCount) / parts)));
    }
  } finally {
    code.dispose();
  }
}

/** The part is a partition. */
function groupPartitions(worker: WorkerContext, merge: Merge, sources: readonly PartitionGroups[]): void {
  const { terminal, memory, task } = merge;
  const rowBytes = aggregateLayout(terminal).rows?.bytes ?? 0;
  const compiled = merge.keeper.rowsCode();
  const code = new CodeInstance(worker, compiled, { owner: terminal.operator, imports: memory.imports() });
  try {
    code.setWord(stateWord, memory.block);
    for (const { cursors } of sources) {
      for (const { address, rowCount } of partitionPieces(worker.arena, { cursors, rowBytes, partition: task })) {
        code.setWord(rowsWord, address);
        code.run(0, rowCount);
      }
    }
  } finally {
    code.dispose();
  }
}

/** Gives the rows of groups that need no merging. */
export function outputGroups(worker: WorkerContext, argument: unknown, task: number): Batch[] {
  const { terminal, state, tasks, batchRows } = argument as OutputArgument;
  const keeper = stateOf(worker, state, terminal);
  const batches: Batch[] = [];
  const keep = (batch: Batch) => {
    keeper.keepOutput(batch);
    batches.push(batch);
  };
  const options = { ranges: tasks[task] ?? [], batchRows, imports: keeper.imports(), keep };
  writeGroups(worker, terminal, { compiled: keeper.outputCode(), ...options });
  return batches;
}
