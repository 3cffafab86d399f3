/** All opcodes in one table, and their descriptors as both visitors read them. */
import type { Type, ValType } from "../types.ts";
import { ATOMIC_OPCODES } from "./atomic.ts";
import { BASE_OPCODES } from "./base.ts";
import { BULK_OPCODES } from "./bulk.ts";
import type { Immediate, OpcodeRow } from "./shapes.ts";
import { SIMD_OPCODES } from "./simd.ts";

export type Opcodes = typeof BASE_OPCODES & typeof BULK_OPCODES & typeof SIMD_OPCODES & typeof ATOMIC_OPCODES;
export type OpcodeName = Extract<keyof Opcodes, string>;

/** One instruction: `bytes` is prefix and opcode as encoded; `extra` as in `OpcodeRow`. */
export type Opcode = {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly in: readonly ValType[];
  readonly out: Type;
  readonly immediate: Immediate;
  readonly extra: number;
};

const NO_PREFIX = 0;

function opcodeBytes(prefix: number, code: number): readonly number[] {
  if (prefix === NO_PREFIX) return [code];
  return code < 0x80 ? [prefix, code] : [prefix, (code & 0x7f) | 0x80, code >>> 7];
}

function describe(prefix: number, table: Readonly<Record<string, OpcodeRow>>): Opcode[] {
  return Object.entries(table).map(([name, [code, shape, extra]]) =>
    Object.freeze({ name, bytes: opcodeBytes(prefix, code), ...shape, extra }),
  );
}

/** Every opcode of every table, in the order of the tables. */
export const OPCODES: readonly Opcode[] = [
  ...describe(NO_PREFIX, BASE_OPCODES),
  ...describe(0xfc, BULK_OPCODES),
  ...describe(0xfd, SIMD_OPCODES),
  ...describe(0xfe, ATOMIC_OPCODES),
];
