import packageData from "../../../package.json" with { type: "json" };
import { parseToken } from "../../cluster/mod.ts";
import type { Address } from "../../kernel/mod.ts";
import { ClusterNode, type NodeEnd, type NodeOptions, reachable } from "../../node/mod.ts";
import {
  defaultDataDirectory,
  machineDefaults,
  type NodeHost,
  openNodeHost,
  type Terminal,
} from "../../platform/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { keepAdmin, makeJoinToken } from "./first_node.ts";
import { type NodeCommandOptions, readNodeOptions } from "./node_options.ts";

/** Runs a node until it is told to end, or ends by itself. */
export async function runNode(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { parse: parseToml } = await import("smol-toml");
  const options = readNodeOptions({
    parsed,
    environment: (name) => on.environment(name),
    readText: (path) => on.readText(path),
    parseToml,
  });
  const dataDir = options.dataDir ?? defaultDataDirectory();
  const host = await openHost(options, dataDir);
  try {
    return await serve(on, { host, options, dataDir });
  } finally {
    host.close();
  }
}

async function openHost(options: NodeCommandOptions, dataDir: string): Promise<NodeHost> {
  const { token, listen, announce, logFormat, logLevel, hasMdns } = options;
  return openNodeHost({
    dataDir,
    listen,
    announce,
    logFormat,
    logLevel,
    mdns: hasMdns,
    ...(token === null ? {} : { cluster: parseToken(token).cluster }),
  });
}

interface Serving {
  readonly host: NodeHost;
  readonly options: NodeCommandOptions;
  readonly dataDir: string;
}

async function serve(on: Terminal, serving: Serving): Promise<number> {
  const { host, options } = serving;
  const ended = Promise.withResolvers<NodeEnd>();
  const node = new ClusterNode(host.ports, await nodeOptions(options), { ended: ended.resolve });
  const interrupted = Promise.withResolvers<"interrupted">();
  const release = on.onInterrupt(() => interrupted.resolve("interrupted"));
  try {
    const started = node.start().then(() => "started" as const);
    const first = await Promise.race([started, ended.promise, interrupted.promise]);
    if (first === "started") await greet(on, node, serving);
    const last = first === "started" ? await Promise.race([ended.promise, interrupted.promise]) : first;
    if (last === "interrupted") {
      await node.stop();
      return EXIT.ok;
    }
    return explainEnd(on, last);
  } catch (error) {
    await node.stop();
    throw error;
  } finally {
    release();
  }
}

async function nodeOptions(options: NodeCommandOptions): Promise<NodeOptions> {
  const machine = await machineDefaults();
  const { join, token, announce, name, slots, memoryBytes, voter } = options;
  return {
    name: name ?? `${machine.name}`,
    version: packageData.version,
    slots: slots ?? machine.slots,
    memoryBytes: memoryBytes ?? machine.memoryBytes,
    voter,
    announce: announce.length === 0 ? null : announce,
    join: join.length === 0 ? null : { addresses: join, token },
  };
}

/** Says how the next node joins; the first node also leaves credentials for its user. */
async function greet(on: Terminal, node: ClusterNode, { host, dataDir }: Serving): Promise<void> {
  const { cluster } = node.replica.state;
  if (cluster === null) return;
  host.belongTo(cluster.id);
  const address = reachable(node)[0] ?? ("" as Address);
  const isFirst = await keepAdmin(on, { node, host, dataDir });
  const paint = paintFor(on.out);
  const token = isFirst ? await makeJoinToken(node, host.ports) : null;
  const line = `sage node --join ${address} --token ${token ?? "$(sage token create --role node)"}`;
  await on.out.write(`${paint.dim("join this cluster from another terminal or host:")}\n${line}\n`);
}

async function explainEnd(on: Terminal, end: NodeEnd): Promise<number> {
  if (end.kind === "failed") throw end.error;
  await on.err.write(
    "This node was taken out of the cluster. To join again, start it with an empty --data-dir and a new token.\n",
  );
  return EXIT.ok;
}
