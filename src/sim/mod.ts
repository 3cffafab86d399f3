export { SimCluster, type SimClusterOptions } from "./cluster/sim_cluster.ts";
export { SimNode, type SimNodeHooks, type SimNodeOptions } from "./cluster/sim_node.ts";
export type { Settle } from "./world/world.ts";
