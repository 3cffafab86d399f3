import type { Batch } from "../../arrow/mod.ts";
import { type Field, isNested, retainBatch } from "../../arrow/mod.ts";
import type { BuildShape, ProbeOutput, ProbeStep, RestSpec, Step } from "../../codegen/mod.ts";
import { columnNames, type JoinKind, type JoinNode } from "../../plan/mod.ts";
import type { Driver } from "../driver.ts";
import { ExecError } from "../error.ts";
import { type BatchList, closed, type OpenPipeline, type OpenSource, openAt, withStep } from "../open_pipeline.ts";
import type { RestArgument } from "./phases.ts";
import { type BuiltTable, buildTable, chunkTasks } from "./table.ts";

/** How a join is done, given which side its hash table is made of. */
interface Method {
  /** What a row of the probe side gives. */
  readonly output: ProbeOutput;
  /** Which rows of the build side follow after the probe. */
  readonly rest: RestSpec["gives"] | null;
}

const BUILD_RIGHT: Readonly<Record<JoinKind, Method>> = {
  inner: { output: "matches", rest: null },
  cross: { output: "matches", rest: null },
  left: { output: "matchesOrNull", rest: null },
  right: { output: "matches", rest: "unmatched" },
  full: { output: "matchesOrNull", rest: "unmatched" },
  semi: { output: "exists", rest: null },
  anti: { output: "absent", rest: null },
};

const BUILD_LEFT: Readonly<Record<JoinKind, Method>> = {
  inner: { output: "matches", rest: null },
  cross: { output: "matches", rest: null },
  left: { output: "matches", rest: "unmatched" },
  right: { output: "matchesOrNull", rest: null },
  full: { output: "matchesOrNull", rest: "unmatched" },
  semi: { output: "nothing", rest: "matched" },
  anti: { output: "nothing", rest: "unmatched" },
};

/**
 * Runs the build side to its end, and gives the probe side's pipelines with the join's step; behind them, where rows
 * of the build side are wanted for having a match or none, a pipeline of those. They must run in that order. The hash
 * table is freed when the last of them has ended.
 */
export async function openJoin(
  driver: Driver,
  node: JoinNode,
  sides: { readonly left: readonly OpenPipeline[]; readonly right: readonly OpenPipeline[] },
): Promise<readonly OpenPipeline[]> {
  const side = sideToBuild(node);
  const { buildSide, method } = side;
  const shape = buildShape(node, side);
  const built = await buildTable(driver, shape, sides[buildSide]);
  const step: ProbeStep = {
    kind: "probe",
    operator: node.id,
    shape,
    ...built.target,
    isFar: built.isFar,
    keys: node.keys.map((key) => (buildSide === "left" ? key.right : key.left)),
    residual: node.residual,
    output: method.output,
  };
  const probe = sides[buildSide === "left" ? "right" : "left"];
  const pipelines = probe.map((pipeline) => withStep(beforeProbe(pipeline, step), step, node.schema));
  if (method.rest === null) return freeing(pipelines, built);
  return freeing([...pipelines, restPipeline(driver, node, { shape, built, gives: method.rest })], built);
}

/** Whether each row of the probe side may give as many as the build side has. */
function multiplies(step: Step): boolean {
  return step.kind === "probe" && step.placement.kind === "all" && step.output.startsWith("matches");
}

/** A row's matches are held until it is done, so that of two joins of all pairs each has a stage of its own. */
function beforeProbe(pipeline: OpenPipeline, step: ProbeStep): OpenPipeline {
  return multiplies(step) && pipeline.steps.some(multiplies) ? closed(pipeline) : pipeline;
}

interface Side {
  readonly buildSide: JoinNode["buildSide"];
  readonly method: Method;
}

/** The side that the plan says, unless entries would have to hold lists or structs: then the other one. */
function sideToBuild(node: JoinNode): Side {
  const sides: readonly Side[] = [
    { buildSide: "left", method: BUILD_LEFT[node.how] },
    { buildSide: "right", method: BUILD_RIGHT[node.how] },
  ];
  const possible = sides.filter((side) => !carriedColumns(node, side).some(({ type }) => isNested(type)));
  const chosen = possible.find(({ buildSide }) => buildSide === node.buildSide) ?? possible[0];
  if (chosen !== undefined) return chosen;
  const columns = [...node.left.schema.fields, ...node.right.schema.fields].filter(({ type }) => isNested(type));
  const names = columns.map(({ name }) => name).join(", ");
  const message = `Cannot join: both sides have lists or structs (${names}). Drop them on one side, or take them apart before`;
  throw new ExecError("invalidArgument", message, { operator: node.id });
}

function buildShape(node: JoinNode, side: Side): BuildShape {
  const { buildSide, method } = side;
  return {
    operator: node.id,
    keys: node.keys.map((key) => key[buildSide]),
    columns: carriedColumns(node, side),
    tracksMatches: method.rest !== null,
    hasNullEntry: method.output === "matchesOrNull",
  };
}

/** Columns of the build side that the output or the residual condition needs. */
function carriedColumns(node: JoinNode, { buildSide, method }: Side): readonly Field[] {
  const { fields } = node[buildSide].schema;
  const isOutput = method.output === "matches" || method.output === "matchesOrNull" || method.rest !== null;
  if (isOutput) return fields;
  const needed = node.residual === null ? new Set<string>() : columnNames(node.residual);
  return fields.filter(({ name }) => needed.has(name));
}

/** Frees the table when the last of the pipelines has ended. */
function freeing(pipelines: readonly OpenPipeline[], built: BuiltTable): readonly OpenPipeline[] {
  let left = pipelines.length;
  return pipelines.map((pipeline) => ({
    ...pipeline,
    source: async (): Promise<OpenSource> => {
      const opened = await pipeline.source();
      return {
        spec: opened.spec,
        release: () => {
          opened.release();
          left--;
          if (left === 0) built.release();
        },
      };
    },
  }));
}

interface Rest {
  readonly shape: BuildShape;
  readonly built: BuiltTable;
  readonly gives: RestSpec["gives"];
}

function restPipeline(driver: Driver, node: JoinNode, rest: Rest): OpenPipeline {
  const source = async (): Promise<OpenSource> => {
    const list = await readRest(driver, node, rest);
    const spec = { kind: "batches", batches: list.batches, taskRows: driver.options.batchRows } as const;
    return { spec, release: () => list.release() };
  };
  return openAt(source, node.schema, { operator: node.id, text: `${rest.gives} rows of join #${node.id}` });
}

async function readRest(driver: Driver, node: JoinNode, rest: Rest): Promise<BatchList> {
  const state = `join rest ${node.id}`;
  const tasks = chunkTasks(rest.built.chunks);
  const spec: RestSpec = { shape: rest.shape, gives: rest.gives, schema: node.schema };
  const argument: RestArgument = { spec, state, tasks, batchRows: driver.options.batchRows };
  const batches = ((await driver.phase("join.rest", argument, tasks.length)) as Batch[][]).flat();
  // The workers' references go with their state.
  for (const batch of batches) retainBatch(driver.arena, batch);
  const list = driver.own(batches);
  driver.dropState(state);
  return list;
}
