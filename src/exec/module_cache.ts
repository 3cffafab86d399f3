import type { Batch } from "../arrow/mod.ts";
import { valueType } from "../arrow/mod.ts";
import { type GeneratedPipeline, generatePipeline, type InputColumn, type PipelineSpec } from "../codegen/mod.ts";

/** Generated code for one pipeline and one physical form of its input. */
export interface CompiledPipeline {
  readonly generated: GeneratedPipeline;
  readonly module: WebAssembly.Module;
}

/** Which columns of the batch have nulls and which a dictionary: what generated code is specialised for. */
export function inputColumnsOf(batch: Batch): InputColumn[] {
  return batch.schema.fields.map((field, index) => {
    const column = batch.columns[index];
    const encoding = column?.dictionary ? "dictionary" : "plain";
    return { name: field.name, type: valueType(field.type), validity: (column?.validity ?? 0) !== 0, encoding };
  });
}

export function signatureOf(batch: Batch): string {
  let signature = "";
  for (const column of batch.columns) {
    signature += column.dictionary ? (column.validity ? "D" : "d") : column.validity ? "V" : "v";
  }
  return signature;
}

/** One per pipeline and worker: generates a module for each form of input that turns up. */
export class ModuleCache {
  readonly #spec: PipelineSpec;
  readonly #modules = new Map<string, CompiledPipeline>();

  constructor(spec: PipelineSpec) {
    this.#spec = spec;
  }

  get(batch: Batch): CompiledPipeline {
    const signature = signatureOf(batch);
    const known = this.#modules.get(signature);
    if (known !== undefined) return known;
    const generated = generatePipeline(this.#spec, inputColumnsOf(batch));
    const compiled = { generated, module: new WebAssembly.Module(generated.bytes) };
    this.#modules.set(signature, compiled);
    return compiled;
  }
}
