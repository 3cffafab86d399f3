/** The sections of the binary format around the encoded function bodies. */
import { encodeConst, finishBody, groupedLocals, typeByte } from "./body.ts";
import { ByteWriter } from "./encode.ts";
import type { FunctionBuilder } from "./function.ts";
import type { LinkedCode } from "./link.ts";
import type { MemoryOptions, ModuleOptions } from "./module.ts";
import { UniqueNames } from "./names.ts";
import type { FlatSignature, GlobalInfo } from "./types.ts";

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { custom: 0, type: 1, import: 2, function: 3, global: 6, export: 7, code: 10 } as const;
const FUNCTION_TYPE = 0x60;
const EXTERNAL_FUNCTION = 0x00;
const EXTERNAL_MEMORY = 0x02;
const LIMIT_HAS_MAXIMUM = 1;
const LIMIT_SHARED = 2;
const FUNCTION_NAMES = 1;
const LOCAL_NAMES = 2;
const END = 0x0b;

/** Signatures of a module, each once, in the order of first use. */
class TypeTable {
  readonly signatures: FlatSignature[] = [];
  readonly #indices = new Map<string, number>();

  indexOf(signature: FlatSignature): number {
    const key = `${signature.params.join()}:${signature.result}`;
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    this.#indices.set(key, this.signatures.length);
    return this.signatures.push(signature) - 1;
  }
}

/** Appends one section (or subsection) with its size; left out when `count` is 0. */
function section(out: ByteWriter, id: number, count: number, write: () => void): void {
  if (count === 0) return;
  out.byte(id);
  out.sized(() => {
    if (id !== SECTION.custom) out.u32(count);
    write();
  });
}

function writeType(out: ByteWriter, { params, result }: FlatSignature): void {
  out.byte(FUNCTION_TYPE);
  out.u32(params.length);
  for (const param of params) out.byte(typeByte(param));
  out.u32(result === "void" ? 0 : 1);
  if (result !== "void") out.byte(typeByte(result));
}

function writeMemoryImport(out: ByteWriter, memory: MemoryOptions): void {
  out.name("env");
  out.name("memory");
  out.byte(EXTERNAL_MEMORY);
  const { initialPages, maximumPages, shared } = memory;
  out.byte((maximumPages === undefined ? 0 : LIMIT_HAS_MAXIMUM) | (shared ? LIMIT_SHARED : 0));
  out.u32(initialPages);
  if (maximumPages !== undefined) out.u32(maximumPages);
}

function writeGlobal(out: ByteWriter, global: GlobalInfo): void {
  out.byte(typeByte(global.type));
  out.byte(global.mutable ? 1 : 0);
  encodeConst(out, global.init);
  out.byte(END);
}

/** Names of all functions in index order, made unique. */
export function functionNames(code: LinkedCode): readonly string[] {
  const names = new UniqueNames();
  const infos = [...code.imports, ...code.functions.map((fn) => fn.info)];
  return infos.map((info) => names.take(info.name));
}

function writeLocalNames(out: ByteWriter, fn: FunctionBuilder, index: number): void {
  const locals = [...fn.locals.slice(0, fn.paramCount), ...groupedLocals(fn)];
  out.u32(index);
  out.u32(locals.length);
  locals.forEach((local, i) => {
    out.u32(i);
    out.name(local.name);
  });
}

function writeNames(out: ByteWriter, code: LinkedCode): void {
  out.name("name");
  const names = functionNames(code);
  section(out, FUNCTION_NAMES, names.length, () => {
    names.forEach((name, i) => {
      out.u32(i);
      out.name(name);
    });
  });
  section(out, LOCAL_NAMES, code.functions.length, () => {
    code.functions.forEach((fn, i) => {
      writeLocalNames(out, fn, code.imports.length + i);
    });
  });
}

export function encodeModule(
  code: LinkedCode,
  globals: readonly GlobalInfo[],
  options: ModuleOptions,
): Uint8Array<ArrayBuffer> {
  const { imports, functions, bodies } = code;
  const types = new TypeTable();
  const importTypes = imports.map((host) => types.indexOf(host.signature));
  const functionTypes = functions.map((fn) => types.indexOf(fn.info.signature));
  const { memory } = options;

  const out = new ByteWriter();
  out.raw(HEADER);
  section(out, SECTION.type, types.signatures.length, () => {
    for (const signature of types.signatures) writeType(out, signature);
  });
  section(out, SECTION.import, imports.length + (memory === undefined ? 0 : 1), () => {
    if (memory !== undefined) writeMemoryImport(out, memory);
    imports.forEach((host, i) => {
      out.name(host.module);
      out.name(host.name);
      out.byte(EXTERNAL_FUNCTION);
      out.u32(importTypes[i] as number);
    });
  });
  section(out, SECTION.function, functions.length, () => {
    for (const type of functionTypes) out.u32(type);
  });
  section(out, SECTION.global, globals.length, () => {
    for (const global of globals) writeGlobal(out, global);
  });
  const exported = functions.flatMap((fn, i) => (fn.exported ? [[fn.info.name, imports.length + i] as const] : []));
  section(out, SECTION.export, exported.length, () => {
    for (const [name, index] of exported) {
      out.name(name);
      out.byte(EXTERNAL_FUNCTION);
      out.u32(index);
    }
  });
  section(out, SECTION.code, bodies.length, () => {
    for (const body of bodies) finishBody(out, code.code, body, code.indexOf);
  });
  if (options.names ?? true) section(out, SECTION.custom, 1, () => writeNames(out, code));
  return out.copy();
}
