/** What this node holds to prove where it belongs: kept up to date from the replicated state, and written down. */
import { certificateOf, decodeCertificate, type MemberInfo, needsRenewal } from "../cluster/mod.ts";
import type { PeerId } from "../kernel/mod.ts";
import { type Belonging, loadBelonging, saveBelonging } from "./belonging.ts";
import type { NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";

export class Standing {
  readonly #ports: NodePorts;
  #belonging: Belonging | null;
  /** Serial of the certificate held; 0: none. */
  #serial: number;
  #memberCount = 0;

  /** @throws {ProtocolError} when what was noted is damaged */
  constructor(ports: NodePorts) {
    this.#ports = ports;
    this.#belonging = loadBelonging(ports.keepsake);
    this.#serial = serialOf(this.#belonging);
  }

  get belonging(): Belonging | null {
    return this.#belonging;
  }

  /** As shown to others; empty when there is none yet. */
  get credential(): Uint8Array {
    return this.#belonging?.certificate ?? new Uint8Array();
  }

  /** What a member gave to this node when it joined. */
  granted(belonging: Belonging): void {
    this.#belonging = belonging;
    this.#serial = serialOf(belonging);
    saveBelonging(this.#ports.keepsake, belonging);
  }

  /** Takes over what is new in the state: a newer certificate, other keys, other members. True: the certificate is new. */
  refresh({ state }: Replica, { isHurried }: { readonly isHurried: boolean }): boolean {
    const { cluster } = state;
    const facts = state.members.get(this.#ports.transport.self)?.certificate;
    if (cluster === null || facts === undefined) return false;
    const isNewCertificate = facts.serial > this.#serial;
    const areKeysNew = state.keys.size !== this.#belonging?.keys.length || !this.#hasKey(cluster.activeKeyId);
    const areMembersNew = state.members.size !== this.#memberCount;
    // Other members can wait for a quiet moment: in a wave of joins each is news.
    if (!isNewCertificate && !areKeysNew && (isHurried || !areMembersNew)) return false;
    this.#memberCount = state.members.size;
    this.granted({
      cluster: cluster.id,
      certificate: isNewCertificate ? certificateOf(this.#ports.keys, state, facts) : this.credential,
      keys: [...state.keys.values()],
      members: [...state.members.values()]
        .filter(({ info }) => info.peer !== this.#ports.transport.self)
        .map(({ info: { peer, addresses } }) => ({ peer, addresses })),
    });
    return isNewCertificate;
  }

  /** Whether to ask for a new certificate now. */
  needsRenewal({ state }: Replica): boolean {
    const facts = state.members.get(this.#ports.transport.self)?.certificate;
    const activeKeyId = state.cluster?.activeKeyId;
    if (facts === undefined || activeKeyId === undefined) return false;
    return needsRenewal(facts, { nowMs: this.#ports.clock.wallMs(), activeKeyId });
  }

  /** Peers that this node knew, wherever it knows them from. */
  knownPeers({ state }: Replica): PeerId[] {
    const peers = new Set(state.members.keys());
    for (const { peer } of this.#belonging?.members ?? []) peers.add(peer);
    peers.delete(this.#ports.transport.self);
    return [...peers];
  }

  #hasKey(keyId: string): boolean {
    return this.#belonging?.keys.some((key) => key.keyId === keyId) ?? false;
  }
}

function serialOf(belonging: Belonging | null): number {
  return belonging === null ? 0 : (decodeCertificate(belonging.certificate)?.serial ?? 0);
}

/** Whether the state has the same of a member as it says itself. */
export function isSameInfo(one: MemberInfo, other: MemberInfo): boolean {
  return (
    one.name === other.name &&
    one.slots === other.slots &&
    one.memoryBytes === other.memoryBytes &&
    one.version === other.version &&
    one.formatMax === other.formatMax &&
    one.voter === other.voter &&
    one.addresses.join() === other.addresses.join()
  );
}
