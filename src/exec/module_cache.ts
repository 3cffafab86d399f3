import type { Batch, Column, Field } from "../arrow/mod.ts";
import { valueType } from "../arrow/mod.ts";
import {
  type GeneratedPipeline,
  generatePipeline,
  type InputColumn,
  type PipelineSpec,
  pipelineKey,
} from "../codegen/mod.ts";

/** Generated code for one pipeline and one physical form of its input. */
export interface CompiledPipeline {
  readonly generated: GeneratedPipeline;
  readonly module: WebAssembly.Module;
}

/** Which columns of the batch have nulls and which a dictionary: what generated code is specialised for. */
export function inputColumnsOf(batch: Batch): InputColumn[] {
  return batch.schema.fields.map((field, index) => inputColumnOf(field, batch.columns[index]));
}

function inputColumnOf(field: Field, column: Column | undefined): InputColumn {
  const { name } = field;
  const type = valueType(field.type);
  const validity = (column?.validity ?? 0) !== 0;
  if (type.kind !== "struct") return { name, type, validity, encoding: column?.dictionary ? "dictionary" : "plain" };
  const children = type.fields.map((child, i) => inputColumnOf(child, column?.children[i]));
  return { name, type, validity, encoding: "plain", children };
}

export function signatureOf(batch: Batch): string {
  return batch.columns.map(columnSignature).join("");
}

function columnSignature(column: Column): string {
  const own = column.dictionary ? (column.validity ? "D" : "d") : column.validity ? "V" : "v";
  return column.type.kind === "struct" ? `${own}(${column.children.map(columnSignature).join("")})` : own;
}

/** Modules that a thread keeps for later jobs: a job run again starts with code that the engine has optimised. */
const MODULES_KEPT_MAX = 128;

/** Compiled code by what it was generated from, the most recently used last. */
const kept = new Map<string, CompiledPipeline>();

/** The module called `key`, from `generate` when this thread does not have it. */
export function compiledOnce(key: string, generate: () => GeneratedPipeline): CompiledPipeline {
  const known = kept.get(key);
  kept.delete(key);
  const compiled = known ?? compile(generate());
  kept.set(key, compiled);
  if (kept.size > MODULES_KEPT_MAX)
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      break;
    }
  return compiled;
}

function compile(generated: GeneratedPipeline): CompiledPipeline {
  return { generated, module: new WebAssembly.Module(generated.bytes) };
}

/** One per pipeline and worker: a module for each form of input that turns up. */
export class ModuleCache {
  readonly #spec: PipelineSpec;
  readonly #key: string;
  readonly #modules = new Map<string, CompiledPipeline>();

  constructor(spec: PipelineSpec) {
    this.#spec = spec;
    this.#key = pipelineKey(spec);
  }

  get(batch: Batch): CompiledPipeline {
    const signature = signatureOf(batch);
    const known = this.#modules.get(signature);
    if (known !== undefined) return known;
    const compiled = compiledOnce(`${signature} ${this.#key}`, () =>
      generatePipeline(this.#spec, inputColumnsOf(batch)),
    );
    this.#modules.set(signature, compiled);
    return compiled;
  }
}
