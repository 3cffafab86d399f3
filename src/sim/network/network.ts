/**
 * The virtual network: hosts with addresses, links with weather, and connections between transports.
 *
 * Posts may be lost, doubled and overtaken. What a channel carries arrives in order or the connection breaks: a cut link
 * delays it, and breaks the connection when the cut lasts (`BREAK_AFTER_MS`), as TCP with keep-alive does.
 */
import type { PeerId } from "../../kernel/mod.ts";
import type { Host } from "../world/host.ts";
import type { Seeded } from "../world/seeded.ts";
import type { World } from "../world/world.ts";
import type { Connection } from "./connection.ts";
import type { VirtualTransport } from "./transport.ts";
import { Links } from "./weather.ts";

/** A cut of this length is noticed by both ends of a connection. */
export const BREAK_AFTER_MS = 6_000;
const WATCH_MS = 1_000;

/** What the network did, for traces and figures. */
export interface Traffic {
  (what: "post" | "lost" | "connect" | "break", from: string, to: string, message: Uint8Array | string): void;
}

export class Network {
  readonly world: World;
  readonly links = new Links();
  readonly random: Seeded;
  traffic: Traffic = () => undefined;
  readonly #byAddress = new Map<string, VirtualTransport>();
  readonly #connections = new Set<Connection>();

  constructor(world: World) {
    this.world = world;
    this.random = world.random.fork();
    this.#watch();
  }

  attach(address: string, transport: VirtualTransport): void {
    this.#byAddress.set(address, transport);
  }

  detach(address: string, transport: VirtualTransport): void {
    if (this.#byAddress.get(address) === transport) this.#byAddress.delete(address);
  }

  /** The transport that listens at one of the addresses and is `peer`. */
  find(addresses: readonly string[], peer: PeerId): VirtualTransport | null {
    for (const address of addresses) {
      const found = this.#byAddress.get(address);
      if (found?.self === peer) return found;
    }
    return null;
  }

  opened(connection: Connection): void {
    this.#connections.add(connection);
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Runs `run` on `to` when a message sent now arrives; it is lost when the link is cut at either moment. */
  deliver(from: Host, to: Host, run: () => void): void {
    if (this.links.isCut(from.name, to.name)) return;
    this.#arrive(from, to, run);
  }

  /** As `deliver`, in bad weather: for posts. */
  deliverLossy(from: Host, to: Host, run: () => void): void {
    const { loss, duplication } = this.links.weather;
    if (this.links.isCut(from.name, to.name) || this.random.chance(loss)) return;
    this.#arrive(from, to, run);
    if (this.random.chance(duplication)) this.#arrive(from, to, run);
  }

  /** Whether a process listens on that machine. */
  isMachineUp(host: string): boolean {
    return [...this.#byAddress.values()].some((transport) => transport.host.name === host);
  }

  /** What the machine itself says for a process that is gone. */
  answer(from: Host, to: Host, run: () => void): void {
    if (this.links.isCut(from.name, to.name)) return;
    this.world.schedule({ atMs: this.world.nowMs + this.links.delayMs(this.random), host: to, run });
  }

  #arrive(from: Host, to: Host, run: () => void): void {
    this.world.schedule({
      atMs: this.world.nowMs + from.lagMs + this.links.delayMs(this.random),
      host: to,
      run: () => {
        if (!this.links.isCut(from.name, to.name)) run();
      },
    });
  }

  #watch(): void {
    this.world.after(WATCH_MS, () => {
      if (this.links.cutCount > 0) for (const connection of this.#connections) connection.watch();
      this.#watch();
    });
  }
}
