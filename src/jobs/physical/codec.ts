import {
  boundPlanShape,
  connectorShape,
  decodeGraph,
  encodeGraph,
  PlanError,
  schemaShape,
  shape,
} from "../../plan/mod.ts";
import type { PhysicalPlan } from "./model.ts";
import { PARALLELISM_MAX } from "./options.ts";

const { anyBoolean, anyCount, anyInteger, anyText, listOf, oneOf, orNull, record, union, where } = shape;

const exchange = union(
  "exchange",
  {
    forward: { offset: anyInteger },
    hash: { keys: listOf(anyText) },
    range: {
      keys: listOf(record({ column: anyText, descending: anyBoolean, nullsFirst: anyBoolean }, "range")),
      boundsFrom: anyCount,
    },
    roundRobin: {},
    broadcast: {},
    gather: { sampleRowsMax: orNull(anyCount) },
    rebalance: {},
  },
  {
    id: anyCount,
    from: anyCount,
    to: anyCount,
    schema: schemaShape,
    isBlocking: anyBoolean,
    isOrdered: anyBoolean,
    ordinal: orNull(anyText),
    role: oneOf("rows", "bounds"),
  },
);

const output = union("output", {
  exchanges: { exchanges: listOf(anyCount) },
  sink: { root: anyCount, sink: connectorShape },
  client: { root: anyCount },
});

const fragment = record(
  {
    id: anyCount,
    plan: boundPlanShape,
    parallelism: where((n) => Number.isInteger(n) && Number(n) >= 1 && Number(n) <= PARALLELISM_MAX),
    inputs: listOf(anyCount),
    output,
    estimatedRows: orNull(shape.anyNumber),
    isRepeatable: anyBoolean,
  },
  "a fragment",
);

const physicalPlan = record(
  { name: anyText, fragments: listOf(fragment), exchanges: listOf(exchange), rootCount: anyCount },
  "the physical plan",
);

/** The plan as bytes, for the tasks of a job. @throws {PlanError} encoding: more than 4 MiB */
export function encodePhysicalPlan(plan: PhysicalPlan): Uint8Array {
  return encodeGraph(plan, { name: `physical plan "${plan.name}"` });
}

/** @throws {PlanError} encoding, for whatever is wrong with the bytes */
export function decodePhysicalPlan(bytes: Uint8Array): PhysicalPlan {
  const value = decodeGraph(bytes);
  shape.check(physicalPlan, value);
  const plan = value as PhysicalPlan; // as its shape says
  checkReferences(plan);
  return plan;
}

/** Ids are places in the lists, and fragments come after those that they read from. */
function checkReferences({ fragments, exchanges, rootCount }: PhysicalPlan): void {
  const areFragments = fragments.every(({ id, inputs, output: to }, i) => {
    const areInputs = inputs.every((each) => exchanges[each]?.to === id);
    if (to.kind !== "exchanges") return id === i && areInputs && to.root < rootCount;
    return id === i && areInputs && to.exchanges.every((each) => exchanges[each]?.from === id);
  });
  const areExchanges = exchanges.every(({ id, from, to }, i) => id === i && from < to && to < fragments.length);
  if (areFragments && areExchanges) return;
  throw new PlanError("encoding", "Cannot read a physical plan: its fragments and exchanges do not fit together.");
}
