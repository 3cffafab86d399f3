import { type Actor, FORMAT_MAX, type MemberInfo, type SelfFacts } from "../cluster/mod.ts";
import type { Address, PeerId } from "../kernel/mod.ts";
import { PROTOCOL_MAX, PROTOCOL_MIN } from "../protocol/mod.ts";
import type { NodeOptions, NodePorts } from "./ports.ts";

/** What this node says of itself: in the log, by gossip, and as the author of its own commands. */
export class Own {
  readonly peer: PeerId;
  readonly actor: Actor;
  readonly #transport: NodePorts["transport"];
  readonly #options: NodeOptions;

  constructor({ transport }: Pick<NodePorts, "transport">, options: NodeOptions) {
    this.peer = transport.self;
    this.actor = { peer: transport.self, name: options.name, role: "node" };
    this.#transport = transport;
    this.#options = options;
  }

  get addresses(): readonly Address[] {
    return this.#options.announce ?? this.#transport.addresses;
  }

  info(): MemberInfo {
    const { name, slots, memoryBytes, version, voter } = this.#options;
    const addresses = [...this.addresses];
    return { peer: this.peer, name, addresses, slots, memoryBytes, version, formatMax: FORMAT_MAX, voter };
  }

  facts(): SelfFacts {
    const { formatMax: _formatMax, ...info } = this.info();
    return { ...info, protocolMin: PROTOCOL_MIN, protocolMax: PROTOCOL_MAX };
  }
}
