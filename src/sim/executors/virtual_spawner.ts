import type { ExchangeParts } from "../../executor/mod.ts";
import type { Disk, Keys, SpawnedProcess, Spawner, SpawnHooks, SpawnOptions } from "../../kernel/mod.ts";
import { failure, mounted, type VirtualFiles } from "../disk/virtual_files.ts";
import type { Network } from "../network/network.ts";
import type { SimNode } from "../nodes/sim_node.ts";
import type { Host } from "../world/host.ts";
import type { World } from "../world/world.ts";
import type { Arenas } from "./arenas.ts";
import type { FunctionsOf } from "./virtual_engine.ts";
import { VirtualProcess } from "./virtual_process.ts";

export interface VirtualMachineOptions {
  readonly world: World;
  readonly network: Network;
  readonly keys: Keys;
  readonly node: SimNode;
  readonly arenas: Arenas;
  /** The machine's own disk, which outlives its processes. */
  readonly files: VirtualFiles;
  /** Seen by all machines below `SHARED`. */
  readonly shared: VirtualFiles;
  readonly functionsOf: FunctionsOf;
  readonly wrapShared?: (disk: Disk) => Disk;
  /** As of `VirtualEngineOptions`. */
  readonly turnMs: number;
  readonly exchange?: ExchangeParts;
}

export const SHARED = "/shared/";
/** Its end is known to the parent after this. */
const EXIT_MS = 1;

/** Processes of one life of a node, and the disks that they see. They end with the node. */
export class VirtualMachine implements Spawner {
  readonly node: SimNode;
  readonly world: World;
  readonly network: Network;
  readonly keys: Keys;
  readonly arenas: Arenas;
  readonly functionsOf: FunctionsOf;
  readonly turnMs: number;
  readonly exchange: ExchangeParts | undefined;
  /** As the node's own process sees them. */
  readonly disk: Disk;
  readonly #options: VirtualMachineOptions;
  readonly #life: number;
  readonly #processes = new Set<VirtualProcess>();
  #pid = 1_000;

  constructor(options: VirtualMachineOptions) {
    const { node, world, network, keys, arenas, functionsOf, turnMs, exchange } = options;
    this.#options = options;
    this.node = node;
    this.world = world;
    this.network = network;
    this.keys = keys;
    this.arenas = arenas;
    this.functionsOf = functionsOf;
    this.turnMs = turnMs;
    this.exchange = exchange;
    this.#life = node.host.life;
    this.disk = this.disksOf(node.host, this.#life).disk;
    node.atDeath(() => this.#end());
  }

  /** Those that are up. */
  get processes(): readonly VirtualProcess[] {
    return [...this.#processes];
  }

  spawn(options: SpawnOptions, hooks: SpawnHooks): SpawnedProcess {
    this.node.host.mayCrash(this.#life);
    const made = new VirtualProcess(this, this.#pid++, options, hooks);
    this.#processes.add(made);
    return made;
  }

  /** Runs in the node's process, if that is the same still. */
  tell(run: () => void): void {
    const { host } = this.node;
    if (host.life === this.#life) host.wake(EXIT_MS, run);
  }

  ended(process: VirtualProcess): void {
    this.#processes.delete(process);
    // Not before the turn is over in which it died: its promises may still run.
    this.world.after(0, () => this.arenas.giveBack(process.arena));
  }

  /** Both disks as the process on `host` sees them in this life. */
  disksOf(host: Host, life: number): { readonly disk: Disk; readonly cut: () => void } {
    const { files, shared, node, wrapShared = (disk) => disk } = this.#options;
    const own = files.view({
      changing: (path, needsRoom) => {
        host.mayCrash(life);
        if (node.disk.isFull && needsRoom) throw failure("ENOSPC", path);
        host.work(node.disk.writeMs * (0.5 + host.next()));
      },
    });
    const common = shared.view({ changing: () => host.mayCrash(life) });
    const disk = mounted([
      [SHARED, wrapShared(common.disk)],
      ["/", own.disk],
    ]);
    return {
      disk,
      cut: () => {
        own.cut();
        common.cut();
      },
    };
  }

  /** With the node's process, or with the whole machine. */
  #end(): void {
    const isPowerCut = this.world.random.chance(0.5);
    for (const process of this.processes) {
      if (isPowerCut) process.cutPower();
      else process.kill();
    }
  }
}
