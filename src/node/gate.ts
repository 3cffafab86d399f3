/**
 * Who may connect to this node, and as what.
 *
 * Certificates are judged by the replicated state. A node that has not caught up, because it has just joined or was away,
 * also trusts the keys and members that it was given or knew before: the transport has proven their PeerIds, and without
 * them it could never catch up.
 */
import {
  type AdmissionErrorCode,
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

/** What becomes of a true certificate with time; a newer one may be known. */
const OUTLIVED: ReadonlySet<AdmissionErrorCode> = new Set<AdmissionErrorCode>(["unknown-key", "expired"]);

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
    return verdict.ok || !OUTLIVED.has(verdict.code) ? verdict : this.#trustKnownMember(peer, verdict);
  }

  /** Whoever has a newer certificate need not connect anew to show it: the transport has proven who it is. */
  #hasRenewed(peer: PeerId, { role, code }: { readonly role: Role; readonly code: AdmissionErrorCode }): boolean {
    const { state, clock } = this.#options;
    const renewed = (state.members.get(peer) ?? state.clients.get(peer))?.certificate;
    if (!OUTLIVED.has(code) || renewed === undefined || renewed.role !== role) return false;
    return state.keys.has(renewed.keyId) && !state.isRevoked(renewed) && renewed.expiresAtMs > clock.wallMs();
  }

  /** A member that was taken out is heard until the others can do without its vote. */
  #isStillNeeded(peer: PeerId): boolean {
    return !this.#options.state.members.has(peer) && this.#options.isStillHeard(peer);
  }

  /**
   * The key or the time of its certificate ended while one of the two was away. Members are believed by their PeerIds,
   * which the transport has proven: those that this node knew, and once it is caught up, those that have not been taken
   * out. They renew as soon as they are in; else a cluster that was off for a month could never start again.
   */
  #trustKnownMember(peer: PeerId, verdict: Verdict): Verdict {
    const { state, isCaughtUp } = this.#options;
    const member = state.members.get(peer);
    if (member === undefined) return verdict;
    const isGood = state.keys.has(member.certificate.keyId) && !state.isRevoked(member.certificate);
    if (isCaughtUp() && !isGood) return verdict;
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
