import { afterEach } from "vitest";
import { type ClusterSettings, ProcessCluster } from "./harness.ts";

const clusters: ProcessCluster[] = [];

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.end()));
});

/** A cluster that ends with its test. */
export function newCluster(settings: ClusterSettings = {}): ProcessCluster {
  const cluster = new ProcessCluster(settings);
  clusters.push(cluster);
  return cluster;
}
