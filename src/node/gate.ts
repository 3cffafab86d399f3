/**
 * Who may connect to this node, and as what.
 *
 * Certificates are judged by the replicated state. A node that has not caught up, because it has just joined or was away,
 * also trusts the keys and members that it was given or knew before: the transport has proven their PeerIds, and without
 * them it could never catch up.
 */
import {
  type CertificateFacts,
  type ClusterState,
  judge,
  type PublicClusterKey,
  toAdmission,
  type Verdict,
} from "../cluster/mod.ts";
import type { Admission, Clock, Keys, Log, PeerId } from "../kernel/mod.ts";
import type { Role } from "../protocol/mod.ts";
import type { Belonging } from "./belonging.ts";

export interface GateOptions {
  readonly clock: Clock;
  readonly keys: Keys;
  readonly log: Log;
  readonly state: ClusterState;
  readonly belonging: () => Belonging | null;
  /** Whether this node has been level with a leader since it started. */
  readonly isCaughtUp: () => boolean;
  /** Whether the others still need the vote of a peer that was taken out. */
  readonly isStillHeard: (peer: PeerId) => boolean;
  readonly disconnect: (peer: PeerId, reason: string) => void;
}

interface Visitor {
  readonly credential: Uint8Array;
  readonly role: Role;
  readonly name: string;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #visitors = new Map<PeerId, Visitor>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** The transport's question, once a connection. */
  admit(peer: PeerId, credential: Uint8Array): Admission {
    // Whoever belongs nowhere yet cannot judge: the address said whom to ask, and the answer will be signed.
    if (this.#belongsNowhere) return { kind: "guest" };
    const verdict = this.#judge(peer, credential);
    const admission = toAdmission(verdict);
    if (verdict.ok) {
      const { role, name } = verdict.certificate;
      this.#visitors.set(peer, { credential: credential.slice(), role, name });
    } else this.#visitors.delete(peer);
    return admission; // the transport logs refusals, with the address
  }

  /** What `peer` may do on its connection. */
  roleOf(peer: PeerId): Role {
    return this.#visitors.get(peer)?.role ?? "guest";
  }

  /** As audit entries name it. */
  nameOf(peer: PeerId): string {
    return this.#visitors.get(peer)?.name ?? "guest";
  }

  /** Whether a message of `peer` counts as one of a member. */
  isMember(peer: PeerId): boolean {
    return this.roleOf(peer) === "node";
  }

  gone(peer: PeerId): void {
    this.#visitors.delete(peer);
  }

  /** Judges all visitors again, after the state or the time has changed: whose right has ended is sent away. */
  review(): void {
    for (const [peer, { credential, role }] of this.#visitors) {
      const verdict = this.#judge(peer, credential);
      if (verdict.ok || this.#hasRenewed(peer, { role, code: verdict.code })) continue;
      this.#options.log.write("warn", "peer sent away", { peer, code: verdict.code, reason: verdict.reason });
      this.#visitors.delete(peer);
      this.#options.disconnect(peer, verdict.reason);
    }
  }

  #judge(peer: PeerId, credential: Uint8Array): Verdict {
    const { keys, state, clock } = this.#options;
    const belonging = this.#options.belonging();
    const cluster = state.cluster?.id ?? belonging?.cluster ?? "";
    const isStale = !this.#options.isCaughtUp();
    const verdict = judge(
      keys,
      { peer, credential },
      {
        cluster,
        keyOf: (keyId) => state.keys.get(keyId) ?? (isStale ? givenKey(belonging, keyId) : null),
        isRevoked: (certificate) => state.isRevoked(certificate) && !this.#isStillNeeded(certificate.peer),
        nowMs: clock.wallMs(),
      },
    );
    if (verdict.ok || verdict.code !== "unknown-key") return verdict;
    return this.#trustKnownMember(peer, verdict);
  }

  /** Whoever has a newer certificate need not connect anew to show it: the transport has proven who it is. */
  #hasRenewed(peer: PeerId, { role, code }: { readonly role: Role; readonly code: string }): boolean {
    if (code !== "unknown-key" && code !== "expired") return false;
    const { members, clients } = this.#options.state;
    const certificate = (members.get(peer) ?? clients.get(peer))?.certificate;
    return certificate !== undefined && certificate.role === role && this.#isInForce(certificate);
  }

  #isInForce(certificate: CertificateFacts): boolean {
    const { state, clock } = this.#options;
    const { keyId, expiresAtMs } = certificate;
    return state.keys.has(keyId) && !state.isRevoked(certificate) && expiresAtMs > clock.wallMs();
  }

  /** A member that was taken out is heard until the others can do without its vote. */
  #isStillNeeded(peer: PeerId): boolean {
    return !this.#options.state.members.has(peer) && this.#options.isStillHeard(peer);
  }

  /**
   * The cluster's key changed while one of the two was away. This node believes the members that it knew, by their PeerIds;
   * once caught up, those whose renewed certificate it knows, though they have not received it.
   */
  #trustKnownMember(peer: PeerId, verdict: Verdict): Verdict {
    const member = this.#options.state.members.get(peer);
    if (member === undefined) return verdict;
    if (this.#options.isCaughtUp() && !this.#isInForce(member.certificate)) return verdict;
    return { ok: true, certificate: { ...member.certificate, cluster: this.#cluster } };
  }

  get #belongsNowhere(): boolean {
    return this.#options.state.cluster === null && this.#options.belonging() === null;
  }

  get #cluster() {
    const { state, belonging } = this.#options;
    const id = state.cluster?.id ?? belonging()?.cluster;
    if (id === undefined) throw new TypeError("a node that knows members belongs to a cluster");
    return id;
  }
}

function givenKey(belonging: Belonging | null, keyId: string): PublicClusterKey | null {
  return belonging?.keys.find((key) => key.keyId === keyId) ?? null;
}
