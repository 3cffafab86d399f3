/** What a node says when it is ready: how the next one joins. */
import type { Address } from "../../kernel/mod.ts";
import { type ClusterNode, reachable } from "../../node/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import { paintFor } from "../paint.ts";
import { keepAdmin, makeJoinToken } from "./first_node.ts";
import type { Serving } from "./serving.ts";

/** Says how the next node joins; the first node also leaves credentials for its user. */
export async function greet(on: Terminal, node: ClusterNode, { host, dataDir, name, isOnlyOne }: Serving) {
  const { cluster } = node.replica.state;
  if (cluster === null) return;
  host.belongTo(cluster.id);
  const isFirst = await keepAdmin(on, { node, host, dataDir });
  const paint = paintFor(on.out);
  const token = isFirst ? await makeJoinToken(node, host.ports) : null;
  const own = reachable(node).filter((address) => address.endsWith(node.self));
  const address = bestAddress(own);
  const where = isLoopback(address)
    ? "from another terminal (to let other hosts in, start with --listen 0.0.0.0:7070)"
    : "from another terminal or host";
  const restart = isOnlyOne ? "" : `; to start it again: sage node --data-dir ${dataDir}`;
  const lines = [
    "",
    paint.dim(`${name} is ready${restart}`),
    paint.dim(`join its cluster ${where}:`),
    paint.bold(`sage node --join ${address} --token ${token ?? "$(sage token create --role node)"}`),
    "",
  ];
  await on.out.write(`${lines.join("\n")}\n`);
}

/** One that other hosts can use, if there is one. */
export function bestAddress(addresses: readonly Address[]): Address {
  return addresses.find((address) => !isLoopback(address)) ?? addresses[0] ?? ("" as Address);
}

function isLoopback(address: Address): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(address);
}
