/**
 * Pipelines of a plan as text. They are found by running the plan on no rows: what is shown is what runs.
 */
import { Arena, type Field, type Schema, valueType } from "../arrow/mod.ts";
import { generatePipeline, type InputColumn } from "../codegen/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import type { Plan } from "../plan/mod.ts";
import { executePlan } from "./execute.ts";
import { InlinePool } from "./inline_pool.ts";
import type { CodeStage, StageSpec } from "./messages.ts";
import type { OpenPipeline } from "./open_pipeline.ts";

/** Little is allocated for a run without rows. */
const ARENA_BYTES = 64 << 20;

export interface ExplainOptions {
  /** Also the WebAssembly text of every pipeline, as generated for columns without dictionaries. */
  readonly wasm: boolean;
  readonly tools: Tools;
}

export async function explainPipelines(plan: Plan, options: ExplainOptions): Promise<string> {
  const pipelines: OpenPipeline[] = [];
  await dryRun(plan, { tools: options.tools, onDryRun: (pipeline) => pipelines.push(pipeline) });
  return pipelines.map((pipeline, i) => pipelineText(pipeline, { number: i + 1, wasm: options.wasm })).join("\n");
}

async function dryRun(
  plan: Plan,
  options: { tools: Tools; onDryRun: (pipeline: OpenPipeline) => void },
): Promise<void> {
  const arena = Arena.create({ limitBytes: ARENA_BYTES });
  const userFunctions = new Map(Array.from({ length: 1024 }, (_, id) => [id, () => null] as const));
  const pool = new InlinePool({ arena, tools: options.tools, userFunctions });
  // Sinks would open their files: only their inputs are run.
  const roots = plan.roots.map((root) => (root.kind === "sink" ? root.input : root));
  const execution = executePlan({ ...plan, roots }, pool, options);
  try {
    for (let root = 0; root < roots.length; root++) await execution.rows(root).next();
  } finally {
    await execution.close();
  }
}

function pipelineText(pipeline: OpenPipeline, options: { readonly number: number; readonly wasm: boolean }): string {
  const parts = [pipeline.sourceText, ...pipeline.stages.flatMap(stageParts)];
  const line = `Pipeline ${options.number}: ${parts.join(" → ")}`;
  if (!options.wasm) return line;
  const code = pipeline.stages.filter((stage) => stage.kind === "code").map(wasmText);
  return [line, ...code].join("\n");
}

function stageParts(stage: StageSpec): string[] {
  switch (stage.kind) {
    case "code": {
      const { steps, terminal } = stage.pipeline;
      return [...steps, terminal].map((part) => `${part.kind} #${part.operator}`);
    }
    case "user":
      return [`${stage.mode} #${stage.operator} (JavaScript)`];
    case "unnest":
      return [`unnest #${stage.operator}`];
    case "topK":
      return [`top ${stage.limit} #${stage.operator}`];
    default:
      return unreachable(stage);
  }
}

function wasmText(stage: CodeStage): string {
  return generatePipeline(stage.pipeline, columnsOf(stage.pipeline.inputSchema)).text();
}

function columnsOf(schema: Schema): InputColumn[] {
  return schema.fields.map(columnOf);
}

function columnOf(field: Field): InputColumn {
  const { name, type, nullable: validity } = field;
  const column = { name, type: valueType(type), validity, encoding: "plain" } as const;
  return type.kind === "struct" ? { ...column, children: type.fields.map(columnOf) } : column;
}
