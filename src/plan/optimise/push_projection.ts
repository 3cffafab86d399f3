import { byteWidth, type DataType, type Field, type Schema } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { Plan, PlanNode } from "../node.ts";
import { planInputs, withInputs } from "../node_inputs.ts";
import { columnNames, expressionsOf, narrowed, schemaNames } from "./rewrite.ts";

type Names = Set<string>;

/** Nodes so that every node comes before its inputs. */
function usersFirst(plan: Plan): PlanNode[] {
  const done: PlanNode[] = [];
  const seen = new Set<PlanNode>();
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    planInputs(node).forEach(visit);
    done.push(node);
  };
  plan.roots.forEach(visit);
  return done.reverse();
}

function widthOf(type: DataType): number {
  return type.kind === "bool" ? 0.125 : byteWidth(type) || 100;
}

/** One column stays where none is needed (a count of rows): the narrowest. */
function atLeastOne(names: Names, { fields }: Schema): Names {
  if (names.size > 0) return names;
  let narrowest: Field | undefined;
  for (const f of fields) if (narrowest === undefined || widthOf(f.type) < widthOf(narrowest.type)) narrowest = f;
  return narrowest === undefined ? names : names.add(narrowest.name);
}

function columnsIn(expressions: Iterable<Parameters<typeof columnNames>[0]>): Names {
  const names: Names = new Set();
  for (const e of expressions) columnNames(e, names);
  return names;
}

/** Columns that a node needs of each input, given those that are needed of itself. */
function neededOfInputs(node: PlanNode, needed: Names): Names[] {
  switch (node.kind) {
    case "scan":
      return [];
    case "project": {
      const columns = node.columns.filter((c) => needed.has(c.name));
      return [columnsIn(columns.map((c) => c.expression))];
    }
    case "aggregate": {
      const keys = node.keys.map((k) => k.expression);
      const calls = node.aggregates.filter((a) => needed.has(a.name));
      return [columnsIn([...keys, ...calls.flatMap((a) => (a.argument === null ? [] : [a.argument]))])];
    }
    case "filter":
    case "sort":
      return [columnsIn(expressionsOf(node)).union(needed)];
    case "limit":
      return [new Set(needed)];
    case "unnest":
      return [new Set(needed).add(node.column)];
    case "union":
      return node.inputs.map(() => new Set(needed));
    case "join": {
      const all = columnsIn(expressionsOf(node)).union(needed);
      return planInputs(node).map((input) => schemaNames(input).intersection(all) as Names);
    }
    case "userFunction":
    case "sink":
      return [new Set(schemaNames(node.input))];
    default:
      return unreachable(node);
  }
}

function neededColumns(plan: Plan): Map<PlanNode, Names> {
  const needed = new Map<PlanNode, Names>();
  const add = (node: PlanNode, names: Iterable<string>) => {
    const known = needed.get(node) ?? new Set<string>();
    for (const name of names) known.add(name);
    needed.set(node, known);
  };
  for (const root of plan.roots) add(root, schemaNames(root));
  for (const node of usersFirst(plan)) {
    const own = atLeastOne(needed.get(node) ?? new Set(), node.schema);
    needed.set(node, own);
    const ofInputs = neededOfInputs(node, own);
    planInputs(node).forEach((input, i) => add(input, ofInputs[i] ?? []));
  }
  return needed;
}

function keep(fields: readonly Field[], names: ReadonlySet<string>): Schema {
  return { fields: fields.filter((f) => names.has(f.name)) };
}

/** The input with no columns but those: where rows are kept in memory, unused columns would be too. */
function narrowTo(input: PlanNode, names: ReadonlySet<string>): PlanNode {
  const wanted = schemaNames(input).intersection(names);
  return wanted.size === input.schema.fields.length || wanted.size === 0 ? input : narrowed(input, wanted);
}

function rebuild(node: PlanNode, inputs: readonly PlanNode[], needed: Names): PlanNode {
  const [input] = inputs;
  switch (node.kind) {
    case "scan": {
      const used = columnsIn(expressionsOf(node)).union(needed);
      const schema = keep(node.schema.fields, used);
      return schema.fields.length === node.schema.fields.length ? node : Object.freeze({ ...node, schema });
    }
    case "project": {
      const columns = node.columns.filter((c) => needed.has(c.name));
      const rebuilt = withInputs(node, inputs) as typeof node;
      if (columns.length === node.columns.length) return rebuilt;
      return Object.freeze({ ...rebuilt, columns: Object.freeze(columns), schema: keep(node.schema.fields, needed) });
    }
    case "aggregate": {
      const aggregates = node.aggregates.filter((a) => needed.has(a.name));
      const rebuilt = withInputs(node, inputs) as typeof node;
      // without aggregates it would be a distinct; without either, no row at all
      if (aggregates.length === node.aggregates.length || (aggregates.length === 0 && node.keys.length === 0))
        return rebuilt;
      const names = new Set([...node.keys.map((k) => k.name), ...aggregates.map((a) => a.name)]);
      return Object.freeze({
        ...rebuilt,
        aggregates: Object.freeze(aggregates),
        schema: keep(node.schema.fields, names),
      });
    }
    case "userFunction":
      return withInputs(node, inputs); // its columns are what the function gives, whatever its input has
    default:
      invariant(input !== undefined, `${node.kind} has an input`);
      return rebuildOver(node, inputs, needed);
  }
}

/** Nodes whose columns come from their inputs. */
function rebuildOver(
  node: Exclude<PlanNode, { kind: "scan" | "project" | "aggregate" | "userFunction" }>,
  inputs: readonly PlanNode[],
  needed: Names,
): PlanNode {
  const ofInputs = neededOfInputs(node, needed);
  const narrow = node.kind === "join" || node.kind === "sort" || node.kind === "union" || node.kind === "unnest";
  const narrowInputs = narrow ? inputs.map((input, i) => narrowTo(input, ofInputs[i] ?? needed)) : inputs;
  const rebuilt = withInputs(node, narrowInputs);
  const names = new Set(planInputs(rebuilt).flatMap((input) => [...schemaNames(input)]));
  const schema = keep(node.schema.fields, names);
  return schema.fields.length === node.schema.fields.length ? rebuilt : Object.freeze({ ...rebuilt, schema });
}

/** Columns that nobody needs are not read, not computed and not kept. The roots' columns stay. */
export function pushProjections(plan: Plan): Plan {
  const needed = neededColumns(plan);
  const done = new Map<PlanNode, PlanNode>();
  for (const node of usersFirst(plan).reverse()) {
    const inputs = planInputs(node).map((input) => done.get(input) ?? input);
    done.set(node, rebuild(node, inputs, needed.get(node) ?? new Set()));
  }
  return Object.freeze({ ...plan, roots: Object.freeze(plan.roots.map((root) => done.get(root) ?? root)) });
}
