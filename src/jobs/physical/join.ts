import { type Field, field, type Schema, schema } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import type { JoinKind, JoinNode, PlanNode } from "../../plan/mod.ts";
import { type Builder, fused, visible } from "./builder.ts";
import { isColumn, namesOf, rowBytes } from "./columns.ts";
import { hasRest, sideBuilt, sideInOrder } from "./needs.ts";
import { NO_ORDER, type Open } from "./open.ts";
import { restored } from "./sort.ts";

type SideName = JoinNode["buildSide"];

interface Sides {
  readonly left: Open;
  readonly right: Open;
  /** The order of the probe side's rows is that of the result, and is wanted. */
  readonly isOrdered: boolean;
}

/** Tables of so few rows are made in no time. */
const SMALL_ROWS = 100_000;

const OTHER: Readonly<Record<SideName, SideName>> = { left: "right", right: "left" };

/**
 * In one task where both sides are; else the small side goes to all tasks of the other, or rows of both sides go to the
 * tasks that their keys name.
 */
export function planJoin(builder: Builder, node: JoinNode, sides: Sides): Open {
  const build = sideBuilt(node);
  const probe = OTHER[build];
  // The build side's order is nobody's: its columns would only be in the way.
  const ready = { ...sides, [build]: withoutOrder(builder, sides[build], node[build].schema) };
  if (sides.left.parallelism === 1 && sides.right.parallelism === 1) return joined(builder, node, ready);
  const canBroadcast = !hasRest(node.how, build);
  if (node.keys.length === 0 && !canBroadcast) return inOneTask(builder, node, ready);
  const isSmall = canBroadcast && isWorthBroadcasting(builder, node, ready);
  if (node.keys.length > 0 && !isSmall) return byHash(builder, node, ready);
  const { parallelism } = ready[probe];
  const everywhere = parallelism === 1 ? builder.gathered(ready[build]) : broadcast(builder, ready[build], parallelism);
  return joined(builder, node, { ...ready, [build]: everywhere });
}

function withoutOrder(builder: Builder, open: Open, wanted: Schema): Open {
  return open.order.kind === "columns" ? { ...visible(builder.live(open), wanted), order: NO_ORDER } : open;
}

function broadcast(builder: Builder, open: Open, parallelism: number): Open {
  return builder.cross(open, { kind: "broadcast" }, { parallelism });
}

function inOneTask(builder: Builder, node: JoinNode, sides: Sides): Open {
  const whole = (side: SideName): Open => builder.gathered(restored(builder, sides[side]));
  return joined(builder, node, { ...sides, left: whole("left"), right: whole("right") });
}

/**
 * Rows of the side that is built are sent once a task, or those of both sides once, but for a side that is where its keys
 * want it. Bytes are what that costs. A large side only where all is known: each task makes a table of its own of it.
 */
function isWorthBroadcasting(builder: Builder, node: JoinNode, sides: Sides): boolean {
  const build = sideBuilt(node);
  const [rows, probeRows] = [sides[build].estimatedRows, sides[OTHER[build]].estimatedRows];
  if (rows === null || rows > builder.options.broadcastRowsMax) return false;
  if (probeRows === null) return rows <= SMALL_ROWS;
  const bytes = { left: rowBytes(sides.left.node.schema), right: rowBytes(sides.right.node.schema) };
  const buildBytes = rows * bytes[build];
  if (rows > SMALL_ROWS && buildBytes > builder.options.broadcastBytesMax) return false;
  const stays = rows <= SMALL_ROWS ? [] : (sideThatStays(node, sides)?.stays ?? []);
  const moved = (side: SideName, all: number): number => (stays.includes(side) ? 0 : all);
  const shared = moved(build, buildBytes) + moved(OTHER[build], probeRows * bytes[OTHER[build]]);
  return buildBytes * sides[OTHER[build]].parallelism <= shared;
}

/** Both sides are in the same tasks. */
function joined(builder: Builder, node: JoinNode, sides: Sides): Open {
  const probe = OTHER[sideBuilt(node)];
  const [left, right] = [builder.live(sides.left), builder.live(sides.right)];
  const over = { left, right }[probe];
  const ordered = sideInOrder(node) === null ? NO_ORDER : over.order;
  const join = Object.freeze({
    ...node,
    left: left.node,
    right: right.node,
    schema: outputSchema(node, left.node, right.node),
  });
  const base = fused([left, right], join);
  const keepsOrder = !hasRest(node.how, sideBuilt(node)) || base.parallelism === 1;
  const isLost = ordered.kind === "position" && !keepsOrder;
  return {
    ...base,
    order: isLost ? NO_ORDER : ordered.kind === "none" ? base.order : ordered,
    hashed: hasRest(node.how, sideBuilt(node)) ? [] : over.hashed,
    // Matches of one row, and rows without any, come as the hash table was filled.
    varies: true,
  };
}

/** Hidden columns stay where they are in the side that has them. */
function outputSchema(node: JoinNode, left: PlanNode, right: PlanNode) {
  if (node.how === "semi" || node.how === "anti") return left.schema;
  const or = (fields: readonly Field[], isNullable: boolean): Field[] => {
    return fields.map((each) => (isNullable && !each.nullable ? field(each.name, each.type, true) : each));
  };
  const { how } = node;
  return schema([
    ...or(left.schema.fields, how === "right" || how === "full"),
    ...or(right.schema.fields, how === "left" || how === "full"),
  ]);
}

function byHash(builder: Builder, node: JoinNode, sides: Sides): Open {
  const kept = sideThatStays(node, sides);
  const parallelism = kept?.parallelism ?? builder.tasksFor(largest(sides));
  const keys = kept?.keys ?? node.keys.map((_, i) => i);
  const shared = (side: SideName): Open => {
    if (kept?.stays.includes(side) === true) return sides[side];
    const open = builder.live(sides[side]);
    const columns = namesOf(open.node.schema);
    const keyed = builder.keyed(
      open,
      keys.map((i) => (node.keys[i] as JoinNode["keys"][number])[side]),
    );
    const ordinal = sides.isOrdered && side === sideInOrder(node);
    return builder.cross(keyed.open, { kind: "hash", keys: keyed.names }, { parallelism, columns, ordinal });
  };
  const there = { ...sides, left: shared("left"), right: shared("right") };
  return { ...joined(builder, node, there), hashed: hashedAfter(node.how, there) };
}

function largest({ left, right }: Sides): number | null {
  if (left.estimatedRows === null || right.estimatedRows === null) return null;
  return Math.max(left.estimatedRows, right.estimatedRows);
}

interface Stay {
  readonly stays: readonly SideName[];
  readonly parallelism: number;
  /** The join's keys by which rows are shared out, in order. */
  readonly keys: readonly number[];
}

/** Sides whose rows are shared out by keys of the join already; null when there are none. */
function sideThatStays(node: JoinNode, sides: Sides): Stay | null {
  for (const side of ["left", "right"] as const) {
    const { hashed, parallelism } = sides[side];
    // One whose rows must be told the order can only stay if they have it in columns, or have none.
    if (sides.isOrdered && side === sideInOrder(node) && sides[side].order.kind === "position") continue;
    for (const columns of hashed) {
      const keys = keysOf(node, side, columns);
      if (keys === null || parallelism === 1) continue;
      const other = sides[OTHER[side]];
      const fits =
        other.parallelism === parallelism &&
        other.hashed.some((names) => {
          const theirs = keysOf(node, OTHER[side], names);
          return theirs !== null && theirs.join() === keys.join();
        });
      return { stays: fits ? ["left", "right"] : [side], parallelism, keys };
    }
  }
  return null;
}

/** Which keys of the join the columns are; null when one of them is none. */
function keysOf(node: JoinNode, side: SideName, columns: readonly string[]): readonly number[] | null {
  const keys = columns.map((name) => {
    return node.keys.findIndex(({ [side]: key }) => isColumn(key) && key.name === name);
  });
  return keys.includes(-1) ? null : keys;
}

/** Columns of the result by which its rows are shared out. */
function hashedAfter(how: JoinKind, { left, right }: Sides): Open["hashed"] {
  switch (how) {
    case "inner":
    case "cross":
      return [...left.hashed, ...right.hashed];
    case "left":
    case "semi":
    case "anti":
      return left.hashed;
    case "right":
      return right.hashed;
    case "full":
      return [];
    default:
      return unreachable(how);
  }
}
