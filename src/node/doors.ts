/** All that comes in from the network: connections to judge, posts to hand on, channels to serve. */
import type { AgentApi } from "../agent/mod.ts";
import { JOIN_PROTOCOL, RPC_PROTOCOL } from "../cluster/mod.ts";
import type { Admission, Channel, Log, PeerId, TransportHooks } from "../kernel/mod.ts";
import {
  EXECUTOR_PROTOCOL,
  type GossipMessage,
  GUEST_FRAME_BYTES_MAX,
  type MethodTable,
  type Post,
  PostCodec,
  ProtocolError,
  RpcSession,
  type VersionRange,
} from "../protocol/mod.ts";
import type { Message } from "../raft/mod.ts";
import type { Gate } from "./gate.ts";
import type { NodePorts } from "./ports.ts";

export interface DoorsOptions {
  readonly ports: NodePorts;
  readonly versions: VersionRange;
  readonly gate: Gate;
  /** For members and clients. */
  readonly methods: MethodTable;
  /** For guests. */
  readonly guestMethods: MethodTable;
  readonly credential: () => Uint8Array;
  /** Processes that this node has started itself: they may call their agent, and nothing else. */
  readonly executors: Pick<AgentApi, "isOwnExecutor" | "attached"> | null;
  readonly raft: (from: PeerId, message: Message) => void;
  readonly gossip: (from: PeerId, message: GossipMessage) => void;
  readonly connected: (peer: PeerId) => void;
  readonly turnedAway: (peer: PeerId, reason: string) => void;
  readonly disconnected: (peer: PeerId) => void;
  /** Versions that `peer` is known to speak. */
  versionsOf(peer: PeerId): { readonly min: number; readonly max: number } | null;
}

export class Doors implements TransportHooks {
  readonly #options: DoorsOptions;
  readonly #codec: PostCodec;
  readonly #log: Log;

  constructor(options: DoorsOptions) {
    this.#options = options;
    this.#codec = new PostCodec(options.versions);
    this.#log = options.ports.log;
  }

  credential(): Uint8Array {
    return this.#options.credential();
  }

  admit(peer: PeerId, credential: Uint8Array): Admission {
    // The transport has proven its key, which this node has made.
    if (this.#options.executors?.isOwnExecutor(peer) === true) return { kind: "client" };
    return this.#options.gate.admit(peer, credential);
  }

  connected(peer: PeerId): void {
    if (this.#options.gate.isMember(peer)) this.#options.connected(peer);
  }

  turnedAway(peer: PeerId, reason: string): void {
    this.#log.write("warn", "peer refuses this node", { peer, reason });
    this.#options.turnedAway(peer, reason);
  }

  disconnected(peer: PeerId): void {
    const isMember = this.#options.gate.isMember(peer);
    this.#options.gate.gone(peer);
    if (isMember) this.#options.disconnected(peer);
  }

  post(to: PeerId, post: Post): void {
    try {
      this.#options.ports.transport.post(to, this.#codec.encode(post, this.#options.versionsOf(to) ?? undefined));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#log.write("warn", "message not sent", { peer: to, reason: error.message });
    }
  }

  posted(from: PeerId, bytes: Uint8Array): void {
    if (!this.#options.gate.isMember(from)) return;
    const post = this.#decode(from, bytes);
    if (post?.kind === "raft") this.#options.raft(from, post.message);
    else if (post !== null) this.#options.gossip(from, post.message);
  }

  opened(channel: Channel): void {
    const { ports, versions, gate, methods, guestMethods, executors } = this.#options;
    const { peer, protocol } = channel;
    const shared = { clock: ports.clock, versions, log: ports.log };
    if (protocol === EXECUTOR_PROTOCOL && executors?.isOwnExecutor(peer) === true) executors.attached(channel);
    else if (protocol === RPC_PROTOCOL) {
      new RpcSession(channel, { ...shared, role: () => gate.roleOf(peer) }).serve(methods);
    } else if (protocol === JOIN_PROTOCOL) {
      const guest = { ...shared, role: () => "guest" as const, frameBytesMax: GUEST_FRAME_BYTES_MAX };
      new RpcSession(channel, guest).serve(guestMethods);
    } else channel.abort(`protocol ${protocol} is not spoken here`);
  }

  #decode(from: PeerId, bytes: Uint8Array): Post | null {
    try {
      return this.#codec.decode(bytes).post;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#log.write("warn", "message refused", { peer: from, code: error.code, reason: error.message });
      return null;
    }
  }
}
