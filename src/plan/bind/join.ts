import { type Field, field, isNested, type Schema, schema, typeName } from "../../arrow/mod.ts";
import { PlanError } from "../error.ts";
import type { JoinSide } from "../expression.ts";
import type { LogicalJoin, LogicalJoinKey } from "../logical.ts";
import { castTo, typedCall, typedColumn } from "../make.ts";
import type { JoinKind, JoinNode, NamedExpression, PlanNode } from "../node.ts";
import { operatorText } from "../operator_text.ts";
import type { TypedExpression } from "../typed.ts";
import { type BindContext, columnsOf, projectNode } from "./context.ts";
import { bindCondition, bindExpression } from "./expression.ts";
import { BindScope, describeTyped } from "./scope.ts";
import { unify } from "./unify.ts";

/** Where a column of the right side is: inside the join, and in the result (null: merged into the left's key). */
interface RightColumn {
  readonly field: Field;
  readonly inside: string;
  readonly outside: string | null;
}

function unusedName(wanted: string, used: ReadonlySet<string>): string {
  let name = wanted;
  while (used.has(name)) name += "'";
  return name;
}

function clash(node: LogicalJoin, name: string): PlanError {
  const advice = `Set another suffix (it is "${node.suffix}"), or rename or drop one before.`;
  return new PlanError("duplicateColumn", `Two columns of ${operatorText(node)} are named "${name}". ${advice}`);
}

function placeRightColumns(node: LogicalJoin, left: Schema, right: Schema): RightColumn[] {
  const keepsRight = node.how !== "semi" && node.how !== "anti";
  const merged = new Set(node.on.flatMap((k) => (k.merged === null ? [] : [k.merged])));
  const leftNames = new Set(left.fields.map((f) => f.name));
  const used = new Set(leftNames);
  const outside = right.fields.map((f) => {
    if (merged.has(f.name)) return null;
    const name = leftNames.has(f.name) ? `${f.name}${node.suffix}` : f.name;
    if (used.has(name) && keepsRight) throw clash(node, name);
    used.add(name);
    return name;
  });
  return right.fields.map((f, i) => {
    const name = outside[i] ?? null;
    const inside = name !== null && keepsRight ? name : unusedName(`${f.name}${node.suffix}`, used);
    used.add(inside);
    return { field: f, inside, outside: keepsRight ? name : null };
  });
}

function rightInput(id: number, right: PlanNode, columns: readonly RightColumn[], operator: string): PlanNode {
  if (columns.every((c) => c.inside === c.field.name)) return right;
  const renamed = columns.map((c) => ({ name: c.inside, expression: typedColumn(c.field) }));
  return projectNode(id, right, renamed, operator);
}

function bindKey(
  key: LogicalJoinKey,
  left: BindScope,
  right: BindScope,
): { left: TypedExpression; right: TypedExpression } {
  const operands = [
    { expression: key.left, typed: bindExpression(key.left, left) },
    { expression: key.right, typed: bindExpression(key.right, right) },
  ] as const;
  const unified = unify(operands);
  const types = operands.map((o) => describeTyped(o.expression, o.typed)).join(" and ");
  if (unified === null) {
    throw left.fail("type", key.left, `keys must have a common type, but ${types}. Cast one of them.`);
  }
  if (isNested(unified.type)) throw left.fail("type", key.left, `${typeName(unified.type)} cannot be a key.`);
  const [l, r] = unified.args as [TypedExpression, TypedExpression];
  return Object.freeze({ left: l, right: r });
}

/** Columns of both sides for the residual condition; a bare name of both is ambiguous unless it is a merged key. */
function residualScope(node: LogicalJoin, left: Schema, columns: readonly RightColumn[]): BindScope {
  const merged = new Set(node.on.flatMap((k) => (k.merged === null ? [] : [k.merged])));
  const entry = (name: string, side: JoinSide | null, f: Field) => ({ name, side, column: typedColumn(f) });
  const ofRight = columns.flatMap((c) => {
    const inside = field(c.inside, c.field.type, c.field.nullable);
    const side = merged.has(c.field.name) ? [] : [entry(c.field.name, "right" as const, inside)];
    return c.inside === c.field.name ? side : [...side, entry(c.inside, "right", inside)];
  });
  const mergedRight = columns.filter((c) => merged.has(c.field.name));
  const scope = new BindScope(operatorText(node), [...left.fields.map((f) => entry(f.name, "left", f)), ...ofRight]);
  return mergedRight.length === 0 ? scope : new MergedScope(scope, mergedRight);
}

/** `right.key` of a merged key is the right side's column, the bare name the left's. */
class MergedScope extends BindScope {
  readonly #scope: BindScope;
  readonly #right: ReadonlyMap<string, RightColumn>;

  constructor(scope: BindScope, right: readonly RightColumn[]) {
    super(scope.operator, []);
    this.#scope = scope;
    this.#right = new Map(right.map((c) => [c.field.name, c]));
  }

  override names(side: JoinSide | null = null): string[] {
    return this.#scope.names(side);
  }

  override column(name: string, side: JoinSide | null) {
    const found = side === "right" ? this.#right.get(name) : undefined;
    if (found === undefined) return this.#scope.column(name, side);
    return typedColumn(field(found.inside, found.field.type, found.field.nullable));
  }
}

/** Fields of a join's result: the side that may have no match becomes nullable. */
export function joinSchema(how: JoinKind, left: Schema, right: Schema): Schema {
  const asNullable = (fields: readonly Field[], yes: boolean) =>
    yes ? fields.map((f) => field(f.name, f.type, true)) : fields;
  const ofLeft = asNullable(left.fields, how === "right" || how === "full");
  if (how === "semi" || how === "anti") return schema(ofLeft);
  return schema([...ofLeft, ...asNullable(right.fields, how === "left" || how === "full")]);
}

function checkShape(node: LogicalJoin): void {
  const conditions = node.on.length + (node.where === null ? 0 : 1);
  if (node.how === "cross" && node.on.length > 0) {
    throw new PlanError("argument", `Cannot plan ${operatorText(node)}: a cross join has no keys. Use how: "inner".`);
  }
  if (node.how !== "cross" && conditions === 0) {
    const advice = `Say on which columns: { on: "key" }, or { how: "cross" } for all pairs.`;
    throw new PlanError("argument", `Cannot plan ${operatorText(node)}: a join needs a condition. ${advice}`);
  }
}

export function bindJoin(node: LogicalJoin, context: BindContext): PlanNode {
  checkShape(node);
  const [left, right] = [context.bound(node.left), context.bound(node.right)];
  const id = context.idOf(node);
  const operator = operatorText(node);
  const columns = placeRightColumns(node, left.schema, right.schema);
  const renamed = rightInput(id, right, columns, operator);
  const rightScope = new BindScope(
    operator,
    columns.map((c) => ({ name: c.field.name, side: "right", column: typedColumn({ ...c.field, name: c.inside }) })),
  );
  const leftScope = BindScope.of(operator, left.schema);
  const keys = node.on.map((k) => bindKey(k, leftScope, rightScope));
  const residual = node.where === null ? null : bindCondition(node.where, residualScope(node, left.schema, columns));
  const join: JoinNode = Object.freeze({
    kind: "join",
    id,
    // every pair that satisfies a condition is an inner join without keys
    how: node.how === "cross" && residual !== null ? "inner" : node.how,
    left,
    right: renamed,
    keys: Object.freeze(keys),
    residual,
    buildSide: "right",
    schema: joinSchema(node.how, left.schema, renamed.schema),
  });
  return outputOf(node, join, columns);
}

/** Drops the right side's merged keys; where the left may have no match, the key is taken from the right. */
function outputOf(node: LogicalJoin, join: JoinNode, columns: readonly RightColumn[]): PlanNode {
  const merged = new Map(columns.filter((c) => c.outside === null).map((c) => [c.field.name, c.inside]));
  if (merged.size === 0 || node.how === "semi" || node.how === "anti") return join;
  const hidden = new Set(merged.values());
  const all = columnsOf(join.schema);
  const out = all
    .filter((c) => !hidden.has(c.name))
    .map((c): NamedExpression => {
      const inside = merged.get(c.name);
      const other = all.find((o) => o.name === inside)?.expression;
      if (inside === undefined || other === undefined || !(node.how === "right" || node.how === "full")) return c;
      return { name: c.name, expression: mergedKey(c.expression, other, node.how) };
    });
  return projectNode(join.id, join, out, operatorText(node));
}

function mergedKey(left: TypedExpression, right: TypedExpression, how: "right" | "full"): TypedExpression {
  if (how === "right") return right;
  const unified = unify([
    { expression: { kind: "column", name: "left", side: null }, typed: left },
    { expression: { kind: "column", name: "right", side: null }, typed: right },
  ]);
  const type = unified?.type ?? left.type;
  const [a, b] = [castTo(left, type), castTo(right, type)];
  return typedCall("coalesce", [a, b], type, { nullable: true });
}
