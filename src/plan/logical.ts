import type { Schema } from "../arrow/mod.ts";
import { PlanError } from "./error.ts";
import type { Expression } from "./expression.ts";
import type { ConnectorSpec, JoinKind, OperatorId, UserFunctionNode } from "./node.ts";

/** Logical plan as written: what `Stream` builds. Names and types are not checked yet; `bind` does that. */

/** A user's function; exec knows by the node's mode how to call it. */
export type UserFunction = (...args: never[]) => unknown;

export interface NamedLogicalExpression {
  /** Null: named after the expression. */
  readonly name: string | null;
  readonly expression: Expression;
}

export interface LogicalScan {
  readonly kind: "scan";
  readonly source: ConnectorSpec;
}

export interface LogicalSelect {
  readonly kind: "select";
  readonly input: LogicalNode;
  readonly columns: readonly NamedLogicalExpression[];
}

/** Replaces columns of the same name in place, adds others at the end. */
export interface LogicalWithColumns {
  readonly kind: "withColumns";
  readonly input: LogicalNode;
  readonly columns: readonly NamedLogicalExpression[];
}

export interface LogicalDrop {
  readonly kind: "drop";
  readonly input: LogicalNode;
  readonly names: readonly string[];
}

export interface LogicalRename {
  readonly kind: "rename";
  readonly input: LogicalNode;
  readonly names: readonly { readonly from: string; readonly to: string }[];
}

export interface LogicalFilter {
  readonly kind: "filter";
  readonly input: LogicalNode;
  readonly predicate: Expression;
}

export interface LogicalAggregate {
  readonly kind: "aggregate";
  readonly input: LogicalNode;
  readonly keys: readonly NamedLogicalExpression[];
  readonly aggregates: readonly NamedLogicalExpression[];
}

/** Null: whole rows. Else the first row of each combination of the named columns. */
export interface LogicalDistinct {
  readonly kind: "distinct";
  readonly input: LogicalNode;
  readonly names: readonly string[] | null;
}

export interface LogicalJoinKey {
  readonly left: Expression;
  readonly right: Expression;
  /** Written as one name for both sides: the result keeps one column of it. */
  readonly merged: string | null;
}

export interface LogicalJoin {
  readonly kind: "join";
  readonly left: LogicalNode;
  readonly right: LogicalNode;
  readonly how: JoinKind;
  readonly on: readonly LogicalJoinKey[];
  readonly where: Expression | null;
  /** Put behind names of the right side that the left side has too. */
  readonly suffix: string;
}

export interface LogicalSort {
  readonly kind: "sort";
  readonly input: LogicalNode;
  readonly keys: readonly {
    readonly expression: Expression;
    readonly descending: boolean;
    readonly nullsFirst: boolean;
  }[];
}

export interface LogicalLimit {
  readonly kind: "limit";
  readonly input: LogicalNode;
  readonly count: number;
  readonly offset: number;
}

/** Columns are matched by name; the first input gives their order. */
export interface LogicalUnion {
  readonly kind: "union";
  readonly inputs: readonly LogicalNode[];
}

export interface LogicalUnnest {
  readonly kind: "unnest";
  readonly input: LogicalNode;
  readonly column: string;
  readonly outer: boolean;
}

export interface LogicalUserFunction {
  readonly kind: "userFunction";
  readonly input: LogicalNode;
  readonly mode: UserFunctionNode["mode"];
  readonly fn: UserFunction;
  /** Null for mode `filter`: rows stay as they are. */
  readonly schema: Schema | null;
}

export interface LogicalSink {
  readonly kind: "sink";
  readonly input: LogicalNode;
  readonly sink: ConnectorSpec;
}

export type LogicalNode =
  | LogicalScan
  | LogicalSelect
  | LogicalWithColumns
  | LogicalDrop
  | LogicalRename
  | LogicalFilter
  | LogicalAggregate
  | LogicalDistinct
  | LogicalJoin
  | LogicalSort
  | LogicalLimit
  | LogicalUnion
  | LogicalUnnest
  | LogicalUserFunction
  | LogicalSink;

export interface LogicalPlan {
  readonly name: string;
  readonly roots: readonly LogicalNode[];
}

/** Ids of operators are 1 … OPERATORS_MAX. */
export const OPERATORS_MAX = 1023;

export function inputsOf(node: LogicalNode): readonly LogicalNode[] {
  switch (node.kind) {
    case "scan":
      return [];
    case "join":
      return [node.left, node.right];
    case "union":
      return node.inputs;
    default:
      return [node.input];
  }
}

/**
 * Numbers every operator, inputs before users, left before right: two runs of one builder give the same ids, so that a
 * worker finds the function of an operator by its id.
 */
export function numberOperators(plan: LogicalPlan): ReadonlyMap<LogicalNode, OperatorId> {
  const ids = new Map<LogicalNode, OperatorId>();
  const stack: { node: LogicalNode; next: number }[] = [];
  const open = new Set<LogicalNode>();
  for (const root of plan.roots) {
    stack.push({ node: root, next: 0 });
    open.add(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const inputs = inputsOf(top.node);
      const input = inputs[top.next++];
      if (input === undefined) {
        stack.pop();
        open.delete(top.node);
        if (!ids.has(top.node)) ids.set(top.node, ids.size + 1);
      } else if (!ids.has(input)) {
        if (open.has(input)) throw cycle(plan.name, input);
        stack.push({ node: input, next: 0 });
        open.add(input);
      }
    }
  }
  if (ids.size > OPERATORS_MAX) {
    throw new PlanError(
      "dataflow",
      `Cannot plan "${plan.name}": it has ${ids.size} operators, at most ${OPERATORS_MAX} are possible. Split it into two jobs.`,
    );
  }
  return ids;
}

function cycle(name: string, { kind }: LogicalNode): PlanError {
  const rule = `a ${kind} in it reads its own rows. A dataflow must not have a cycle.`;
  return new PlanError("dataflow", `Cannot plan "${name}": ${rule}`);
}

/** Every distinct source of a dataflow, in the order of `numberOperators`. */
export function sourcesOf(plan: LogicalPlan): ConnectorSpec[] {
  return [...numberOperators(plan).keys()].flatMap((node) => (node.kind === "scan" ? [node.source] : []));
}

/** The users' functions by operator: run the builder in any thread, ask for them by id. */
export function userFunctionsOf(plan: LogicalPlan): ReadonlyMap<OperatorId, UserFunction> {
  const functions = new Map<OperatorId, UserFunction>();
  for (const [node, id] of numberOperators(plan)) if (node.kind === "userFunction") functions.set(id, node.fn);
  return functions;
}
