import type { PhysicalPlan } from "./model.ts";
import type { PhysicalOptions } from "./options.ts";

/**
 * Lets consumers start with their producers, where asked for and where all that then have to run at once fit into the
 * slots. What several fragments read, and what is sampled, stays blocking: one of the readers could wait for the other.
 */
export function pipelined(plan: PhysicalPlan, options: PhysicalOptions): PhysicalPlan {
  if (!options.pipelines) return plan;
  const regionOf = plan.fragments.map(({ id }) => id);
  const tasks = plan.fragments.map(({ parallelism }) => parallelism);
  const rootOf = (fragment: number): number => {
    let root = fragment;
    while (regionOf[root] !== root) root = regionOf[root] as number;
    return root;
  };
  const exchanges = plan.exchanges.map((exchange) => {
    const { output } = plan.fragments[exchange.from] as PhysicalPlan["fragments"][number];
    const isOnly = output.kind === "exchanges" && output.exchanges.length === 1;
    if (!isOnly || exchange.role === "bounds") return exchange;
    const [from, to] = [rootOf(exchange.from), rootOf(exchange.to)];
    const together = (tasks[from] as number) + (from === to ? 0 : (tasks[to] as number));
    if (together > options.slots) return exchange;
    if (from !== to) {
      regionOf[from] = to;
      tasks[to] = together;
    }
    return Object.freeze({ ...exchange, isBlocking: false });
  });
  return Object.freeze({ ...plan, exchanges: Object.freeze(exchanges) });
}
