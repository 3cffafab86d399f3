import packageData from "../../../package.json" with { type: "json" };
import { parseToken } from "../../cluster/mod.ts";
import { ClusterNode, keptName, memberFound, type NodeEnd, type NodeOptions } from "../../node/mod.ts";
import { machineDefaults, openNodeHost, type Terminal } from "../../platform/mod.ts";
import { EXIT } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { greet } from "./greeting.ts";
import { openFreeDirectory } from "./node_directory.ts";
import { type NodeCommandOptions, readNodeOptions } from "./node_options.ts";
import type { FoundHook, Serving } from "./serving.ts";

/** A node that cannot go on without others says so after this time. */
const WAITING_MS = 5_000;

/** Runs a node until it is told to end, or ends by itself. */
export async function runNode(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { parse: parseToml } = await import("smol-toml");
  const options = readNodeOptions({
    parsed,
    environment: (name) => on.environment(name),
    readText: (path) => on.readText(path),
    parseToml,
  });
  const { token, listen, announce, logFormat, logLevel, hasMdns } = options;
  const cluster = token === null ? {} : { cluster: parseToken(token).cluster };
  let found: FoundHook = () => undefined;
  const share = await agentShare(options);
  const opened = await openFreeDirectory(options, (dataDir) =>
    openNodeHost({
      dataDir,
      listen,
      announce,
      logFormat,
      logLevel,
      mdns: hasMdns,
      agent: share.slots === 0 ? null : share,
      found: (peer, addresses) => found(peer, addresses),
      ...cluster,
    }),
  );
  const { host } = opened;
  const name = options.name ?? keptName(host.ports.keepsake) ?? (await defaultName(opened.number));
  const uncaught = Promise.withResolvers<never>();
  uncaught.promise.catch(() => undefined); // while nobody waits for it yet
  const release = on.onUncaught((error) => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    host.ports.log.write("error", "fault in SAGE: the node ends", { stack });
    uncaught.reject(error);
  });
  try {
    const onFound = (hook: FoundHook) => {
      found = hook;
    };
    const serving: Serving = { host, dataDir: opened.dataDir, name, isOnlyOne: opened.number === 1, onFound };
    return await Promise.race([serve(on, serving, options), uncaught.promise]);
  } finally {
    release();
    host.close();
  }
}

async function defaultName(number: number): Promise<string> {
  const { name } = await machineDefaults();
  return number === 1 ? name : `${name}-${number}`;
}

async function serve(on: Terminal, serving: Serving, options: NodeCommandOptions): Promise<number> {
  const ended = Promise.withResolvers<NodeEnd>();
  const led = Promise.withResolvers<void>();
  const node = new ClusterNode(serving.host.ports, await nodeOptions(options, serving.name), {
    ended: ended.resolve,
    roleChanged: ({ leader }) => (leader === null ? undefined : led.resolve()),
  });
  const { transport } = serving.host.ports;
  serving.onFound((peer, addresses) => memberFound(node, transport, { peer, addresses }));
  const interrupted = Promise.withResolvers<"interrupted">();
  const release = on.onInterrupt(() => interrupted.resolve("interrupted"));
  const calm = on.schedule(WAITING_MS, () => void sayWaiting(on, node));
  try {
    // A member that comes back takes part once it has a leader: not where the others, say, are of other versions.
    const started = Promise.all([node.start(), led.promise]).then(() => "started" as const);
    const first = await Promise.race([started, ended.promise, interrupted.promise]);
    calm();
    if (first === "started") await greet(on, node, serving);
    const last = first === "started" ? await Promise.race([ended.promise, interrupted.promise]) : first;
    if (last === "interrupted") {
      await on.err.write("leaving in order, which takes a few seconds at most; Ctrl-C again ends at once\n");
      await node.stop();
      return EXIT.ok;
    }
    return await explainEnd(on, last);
  } catch (error) {
    await node.stop();
    throw error;
  } finally {
    calm();
    release();
  }
}

/** What the node's agent offers. */
async function agentShare({ slots, memoryBytes, userCallMsMax }: NodeCommandOptions) {
  const machine = await machineDefaults();
  const { version } = packageData;
  const share = { version, slots: slots ?? machine.slots, memoryBytes: memoryBytes ?? machine.memoryBytes };
  return { ...share, ...(userCallMsMax === undefined ? {} : { userCallMsMax }) };
}

async function nodeOptions(options: NodeCommandOptions, name: string): Promise<NodeOptions> {
  const { join, token, announce, voter } = options;
  return {
    name,
    ...(await agentShare(options)),
    voter,
    announce: announce.length === 0 ? null : announce,
    join: join.length === 0 ? null : { addresses: join, token },
  };
}

/** A node that comes back alone, as after a power cut, can do nothing without a majority of the voters. */
async function sayWaiting(on: Terminal, node: ClusterNode): Promise<void> {
  const others = [...node.replica.state.members.values()].filter(({ info }) => info.peer !== node.self);
  const names = others.map(({ info }) => info.name).sort();
  const whom = names.length === 0 ? "the other nodes" : names.slice(0, 8).join(", ");
  await on.err.write(
    `This node waits for its cluster: it needs a majority of the voters, so start ${whom} too. If they run, the lines of the log say why it does not reach them. If they are lost for ever: sage help cluster recover\n`,
  );
}

async function explainEnd(on: Terminal, end: NodeEnd): Promise<number> {
  if (end.kind === "failed") throw end.error;
  await on.err.write(
    "This node was taken out of the cluster. To join again, start it with an empty --data-dir and a new token.\n",
  );
  // Someone asked for it, and starting again would not help: no failure that a supervisor should repair.
  return EXIT.ok;
}
