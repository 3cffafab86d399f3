/**
 * Cuts a plan at the places where rows have to change tasks. Goes up from the sources: every operator gets its input as
 * an `Open`, which knows how the rows are shared out and how their order can be had, adds itself to the fragment where
 * that is enough, and else puts an exchange between.
 */
import { invariant, unreachable } from "../../kernel/mod.ts";
import { columnNames, expressionsOf, type Plan, type PlanNode, planInputs, type SinkNode } from "../../plan/mod.ts";
import { JobsError } from "../error.ts";
import { planAggregate } from "./aggregate.ts";
import { Builder, visible } from "./builder.ts";
import { planJoin } from "./join.ts";
import type { PhysicalPlan } from "./model.ts";
import { type Needs, needsOf } from "./needs.ts";
import { BY_POSITION, NO_ORDER, type Open } from "./open.ts";
import { PARALLELISM_MAX, PHYSICAL_DEFAULTS, type PhysicalOptions } from "./options.ts";
import { pipelined } from "./pipelines.ts";
import { planFilter, planLimit, planProject, planUnion, planUnnest, planUserFunction } from "./rows.ts";
import { planSort, restored } from "./sort.ts";

/** The optimised plan as fragments and exchanges. Pure: the same input gives the same plan. Throws JobsError "option". */
export function planPhysical(plan: Plan, options: Partial<PhysicalOptions> = {}): PhysicalPlan {
  const chosen = { ...PHYSICAL_DEFAULTS, ...options };
  checkCount("slots", chosen.slots);
  if (chosen.parallelism !== null) checkCount("parallelism", chosen.parallelism);
  const cutter = new Cutter(plan, chosen);
  return pipelined(cutter.cut(plan), chosen);
}

function checkCount(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= PARALLELISM_MAX) return;
  throw new JobsError(
    "option",
    `Cannot plan with ${what} ${value}: it must be a whole number from 1 to ${PARALLELISM_MAX}.`,
  );
}

class Cutter {
  readonly #builder: Builder;
  readonly #needs: Needs;
  readonly #shared = new Map<PlanNode, Open>();

  constructor(plan: Plan, options: PhysicalOptions) {
    this.#builder = new Builder(plan, options, namesIn(plan));
    this.#needs = needsOf(plan);
  }

  cut(plan: Plan): PhysicalPlan {
    plan.roots.forEach((root, i) => {
      if (root.kind === "sink") this.#sink(root, i);
      else this.#builder.finish(this.#finished(root), { kind: "client", root: i });
    });
    return Object.freeze({ name: plan.name, ...this.#builder.build(plan.roots.length) });
  }

  #sink(node: SinkNode, root: number): void {
    const open = this.#builder.gathered(this.#finished(node.input));
    this.#builder.finish(open, { kind: "sink", root, sink: node.sink });
  }

  /** Rows as one wants to see them: in order, with the visible columns. */
  #finished(node: PlanNode): Open {
    const open = this.#builder.live(restored(this.#builder, this.#open(node)));
    return visible(open, node.schema);
  }

  /** What several nodes read is a fragment of its own, which runs once. */
  #open(node: PlanNode): Open {
    if ((this.#needs.uses.get(node) ?? 0) < 2) return this.#openNode(node);
    const known = this.#shared.get(node);
    if (known !== undefined) return known;
    const open = visible(this.#builder.live(restored(this.#builder, this.#openNode(node))), node.schema);
    const shared = { ...open, sealed: this.#builder.seal(open) };
    this.#shared.set(node, shared);
    return shared;
  }

  #openNode(node: PlanNode): Open {
    const builder = this.#builder;
    const isOrdered = this.#needs.ordered.has(node);
    const estimatedRows = builder.rowsOf(node);
    const opened = this.#opened(node, { isOrdered, builder });
    return { ...opened, estimatedRows, order: isOrdered ? opened.order : NO_ORDER };
  }

  #opened(node: PlanNode, of: { readonly builder: Builder; readonly isOrdered: boolean }): Open {
    const { builder, isOrdered } = of;
    if (node.kind === "scan") return scanned(builder, node);
    const inputs = planInputs(node).map((input) => this.#open(input));
    const [input, other] = inputs;
    invariant(input !== undefined, `${node.kind} has an input`);
    switch (node.kind) {
      case "filter":
        return planFilter(builder, node, input);
      case "project":
        return planProject(builder, node, input);
      case "unnest":
        return planUnnest(builder, node, input);
      case "userFunction":
        return planUserFunction(builder, node, input);
      case "union":
        return planUnion(builder, node, { inputs, isOrdered });
      case "limit":
        return planLimit(builder, node, input);
      case "sort":
        return planSort(builder, node, input);
      case "aggregate":
        return planAggregate(builder, node, input);
      case "join":
        invariant(other !== undefined, "a join has two inputs");
        return planJoin(builder, node, { left: input, right: other, isOrdered });
      case "sink":
        throw new JobsError("option", `Cannot plan sink #${node.id}: rows of a sink cannot be read. Read its input.`);
      default:
        return unreachable(node);
    }
  }
}

function scanned(builder: Builder, node: Extract<PlanNode, { kind: "scan" }>): Open {
  const estimatedRows = builder.rowsOf(node);
  return {
    node,
    parallelism: builder.tasksFor(estimatedRows, builder.splitsOf(node.source)),
    inputs: [],
    sealed: null,
    order: BY_POSITION,
    hashed: [],
    varies: false,
    isRepeatable: true,
    estimatedRows,
  };
}

/** Every column's name anywhere in the plan. */
function namesIn(plan: Plan): Set<string> {
  const names = new Set<string>();
  const seen = new Set<PlanNode>();
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const { name } of node.schema.fields) names.add(name);
    for (const expression of expressionsOf(node)) columnNames(expression, names);
    planInputs(node).forEach(visit);
  };
  plan.roots.forEach(visit);
  return names;
}
