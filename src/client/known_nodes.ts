import type { Address, PeerId, Random } from "../kernel/mod.ts";

export interface KnownNode {
  readonly peer: PeerId;
  readonly addresses: readonly Address[];
}

/** More would be asked in vain, one after the other, where a cluster is down. */
export const KNOWN_NODES_MAX = 16;

/** Nodes that a client tries, best first: whichever answered last. */
export class KnownNodes {
  #nodes: readonly KnownNode[];

  constructor(nodes: readonly KnownNode[]) {
    this.#nodes = nodes;
  }

  get all(): readonly KnownNode[] {
    return this.#nodes;
  }

  get(peer: PeerId): KnownNode | undefined {
    return this.#nodes.find((node) => node.peer === peer);
  }

  answered(node: KnownNode): void {
    if (this.#nodes[0] !== node) this.#nodes = [node, ...this.#nodes.filter((other) => other !== node)];
  }

  /**
   * Those that are there now. Known ones stay, as long as they are; the rest is drawn, so that not all clients ask the same.
   * Gives whether anything is new.
   */
  learn(alive: readonly KnownNode[], random: Pick<Random, "next">): boolean {
    if (alive.length === 0) return false;
    const byPeer = new Map(alive.map((node) => [node.peer, node]));
    const kept = this.#nodes.flatMap(({ peer }) => byPeer.get(peer) ?? []);
    const others = alive.filter(({ peer }) => this.get(peer) === undefined);
    const drawn = others.map((node) => ({ node, at: random.next() })).sort((a, b) => a.at - b.at);
    const next = [...kept, ...drawn.map(({ node }) => node)].slice(0, KNOWN_NODES_MAX);
    const isSame = textOf(next) === textOf(this.#nodes);
    if (!isSame) this.#nodes = next;
    return !isSame;
  }
}

function textOf(nodes: readonly KnownNode[]): string {
  return nodes
    .map(({ peer, addresses }) => `${peer} ${addresses.join(" ")}`)
    .sort()
    .join("\n");
}
