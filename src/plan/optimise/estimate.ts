import { unreachable } from "../../kernel/mod.ts";
import { conjunctsOf } from "../make.ts";
import type { ConnectorSpec, JoinNode, PlanNode } from "../node.ts";
import type { TypedExpression } from "../typed.ts";

/** What is known of sources before the job runs. */
export interface Statistics {
  /** Rows of the source, exact or a guess; null when nobody knows. */
  rowCount(spec: ConnectorSpec): number | null;
}

export const NO_STATISTICS: Statistics = { rowCount: () => null };

/** Shares of rows that conditions are guessed to keep (Selinger et al., 1979). */
const EQUAL_SHARE = 0.1;
const RANGE_SHARE = 1 / 3;
const GROUPS_SHARE = 0.1;

function selectivity(predicate: TypedExpression): number {
  return conjunctsOf(predicate).reduce((share, part) => share * conditionShare(part), 1);
}

function conditionShare(e: TypedExpression): number {
  if (e.kind === "in") return Math.min(0.5, EQUAL_SHARE * e.values.length);
  if (e.kind !== "call") return 0.5;
  if (e.fn === "eq") return EQUAL_SHARE;
  if (e.fn === "isNotNull" || e.fn === "ne") return 0.9;
  if (e.fn === "isNull") return EQUAL_SHARE;
  return RANGE_SHARE;
}

function estimateJoin(node: JoinNode, left: number, right: number): number {
  switch (node.how) {
    case "inner":
      return node.keys.length === 0 ? left * right * RANGE_SHARE : Math.max(left, right);
    case "left":
      return left;
    case "right":
      return right;
    case "full":
      return left + right;
    case "semi":
    case "anti":
      return left / 2;
    case "cross":
      return left * right;
    default:
      return unreachable(node.how);
  }
}

/** A guess of the rows that a node gives; null when a source's number is not known. */
export function estimateRows(node: PlanNode, statistics: Statistics): number | null {
  const of = (input: PlanNode) => estimateRows(input, statistics);
  const scaled = (input: PlanNode, share: number) => {
    const rows = of(input);
    return rows === null ? null : rows * share;
  };
  switch (node.kind) {
    case "scan": {
      const rows = statistics.rowCount(node.source);
      return rows === null || node.rowLimit === null ? rows : Math.min(rows, node.rowLimit);
    }
    case "filter":
      return scaled(node.input, selectivity(node.predicate));
    case "aggregate":
      return node.keys.length === 0 ? 1 : scaled(node.input, GROUPS_SHARE);
    case "join": {
      const [left, right] = [of(node.left), of(node.right)];
      return left === null || right === null ? null : estimateJoin(node, left, right);
    }
    case "sort":
    case "limit": {
      const rows = of(node.input);
      const most = node.kind === "limit" ? node.count : node.limit;
      return rows === null || most === null ? rows : Math.min(rows, most);
    }
    case "union":
      return node.inputs.reduce<number | null>((sum, input) => {
        const rows = of(input);
        return sum === null || rows === null ? null : sum + rows;
      }, 0);
    case "unnest":
      return scaled(node.input, 3);
    case "project":
    case "userFunction":
    case "sink":
      return of(node.input);
    default:
      return unreachable(node);
  }
}
