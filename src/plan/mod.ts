export { aggregateType } from "./bind/aggregate.ts";
export { bind } from "./bind/bind.ts";
export type { SchemaOfSource } from "./bind/context.ts";
export {
  boundPlanShape,
  connectorShape,
  decodeGraph,
  decodeLogicalPlan,
  decodePlan,
  encodeGraph,
  encodeLogicalPlan,
  encodePlan,
  GRAPH_BYTES_MAX,
  schemaShape,
  shape,
} from "./codec/mod.ts";
export { isPlanErrorCode, PlanError, type PlanErrorCode } from "./error.ts";
export { type ExplainOptions, explainPlan, nodeText } from "./explain.ts";
export type { Expression, JoinSide, LiteralInput } from "./expression.ts";
export * as expr from "./expression.ts";
export * from "./logical.ts";
export type * from "./node.ts";
export { planInputs, withInputs } from "./node_inputs.ts";
export { connectorText, operatorText } from "./operator_text.ts";
export { estimateRows, NO_STATISTICS, type Statistics } from "./optimise/estimate.ts";
export { optimise } from "./optimise/optimise.ts";
export { columnNames, expressionsOf, mapTyped, typedParts } from "./optimise/rewrite.ts";
export { noteOrigin, OperatorOrigin, originOf, setCause } from "./origin.ts";
export { printExpression } from "./print.ts";
export { columnsHint as columnsHintText, nearestName } from "./suggest.ts";
export type * from "./typed.ts";
