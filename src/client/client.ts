/**
 * A cluster as a program outside sees it. Any node can answer, so a call goes to one, and to the next when that one is
 * gone: what may be done twice without harm, or names itself so that it is done once, is tried again.
 */
import type * as v from "valibot";
import {
  type Credentials,
  decodeCertificate,
  Lanes,
  needsRenewal,
  Peers,
  peerOfAddress,
  type RequestId,
  withPeer,
} from "../cluster/mod.ts";
import {
  type Address,
  type Admission,
  type Clock,
  type Keys,
  type Log,
  type PeerId,
  type Random,
  SageError,
  type Transport,
  TransportError,
} from "../kernel/mod.ts";
import {
  type CallMethod,
  certificateRenew,
  clusterStatus,
  type ItemOutput,
  type ItemShape,
  methodTable,
  nodeStatus,
  ownVersions,
  ProtocolError,
  type RpcSession,
  type Sent,
  type StreamMethod,
} from "../protocol/mod.ts";
import { ClientError, checkAborted } from "./error.ts";
import { type KnownNode, KnownNodes } from "./known_nodes.ts";
import { pauseOf } from "./pause.ts";

export interface ClientPorts {
  readonly clock: Clock;
  readonly keys: Keys;
  readonly random: Random;
  readonly log: Log;
  /** With the credentials' key; not started. */
  readonly transport: Transport;
}

export interface ClientOptions {
  readonly ports: ClientPorts;
  readonly credentials: Credentials;
  /** Nodes to try instead of those in the credentials. */
  readonly addresses?: readonly Address[];
  /** Software, for the other side's logs. */
  readonly software: string;
  /**
   * When no node so much as takes a connection for so long, calls end without waiting for their timeout: nothing runs there.
   * Default: they wait, since nodes may be starting.
   */
  readonly unreachableMs?: number;
  /** What to keep for the next client: another certificate, other nodes. */
  readonly changed?: (credentials: Credentials) => void;
}

export interface CallSettings {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 10_000;
/** Between rounds over all nodes. */
const PAUSE_MS = 150;
/** One node that does not answer must not take all the time. */
const CONNECT_MS = 3_000;
/** In the first round the next node is tried sooner. */
const FIRST_CONNECT_MS = 1_000;
const FAILURES_SHOWN_MAX = 5;
/** That credentials hold. */
const ADDRESSES_MAX = 16;
/** A client that is used for long asks so often which nodes there are. */
const CURRENT_MS = 30_000;

export class ClusterClient {
  readonly #options: ClientOptions;
  readonly #peers: Peers;
  readonly #nodes: KnownNodes;
  readonly #lanes: Lanes;
  /** An index that some node has applied. */
  #appliedIndex = 0;
  #certificate: Uint8Array;
  #answeredBy: PeerId | null = null;
  /** When it was asked last which nodes there are. */
  #currentMs: number;
  #isClosed = false;

  private constructor(options: ClientOptions) {
    const { ports, credentials, addresses = credentials.addresses } = options;
    this.#options = options;
    this.#certificate = credentials.certificate;
    const byPeer = Map.groupBy(addresses, (address) => peerOfAddress(ports.keys, address));
    this.#nodes = new KnownNodes([...byPeer].map(([peer, all]) => ({ peer, addresses: all })));
    this.#currentMs = ports.clock.nowMs();
    this.#lanes = new Lanes({ ...ports, appliedIndex: () => this.#appliedIndex });
    this.#peers = new Peers({
      ...ports,
      versions: ownVersions(options.software),
      table: methodTable([]),
      roleOf: () => "guest",
    });
  }

  /** Nothing is connected before the first call. @throws {ContactError} bad-address */
  static async open(options: ClientOptions): Promise<ClusterClient> {
    const client = new ClusterClient(options);
    const { transport } = options.ports;
    await transport.start({
      credential: () => client.#certificate,
      // Addresses name nodes by their keys, which the transport has proven.
      admit: (peer): Admission =>
        client.#nodes.get(peer) !== undefined
          ? { kind: "member" }
          : { kind: "refused", reason: "this client did not call you" },
      connected: () => undefined,
      disconnected: () => undefined,
      posted: () => undefined,
      opened: (channel) => channel.abort("clients serve nothing"),
    });
    for (const { peer, addresses } of client.#nodes.all) transport.know(peer, addresses);
    return client;
  }

  /**
   * Calls any node, and the next ones while that fails for want of a connection. A change is given a name, under which it is
   * done once, however often it is tried.
   *
   * @throws {RemoteError} what the cluster answers; {ClientError} not-reachable, refused
   */
  async call<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
    { timeoutMs = TIMEOUT_MS, signal }: CallSettings = {},
  ): Promise<v.InferOutput<Reply>> {
    const { clock } = this.#options.ports;
    const endMs = clock.nowMs() + timeoutMs;
    const callOn = (session: RpcSession, sent: Sent<v.InferInput<Request>>) =>
      session.call(method, sent, {
        deadlineMs: Math.max(1, endMs - clock.nowMs()),
        ...(signal === undefined ? {} : { signal }),
      });
    if (!hasName(method)) return this.#tryAll({ endMs, signal }, (session) => callOn(session, body));
    const request = await this.#name(endMs, signal);
    const named = { ...(body as object), request } as Sent<v.InferInput<Request>>; // as `hasName` has seen
    try {
      return await this.#tryAll({ endMs, signal, isChange: true }, (session) => callOn(session, named));
    } finally {
      this.#lanes.close(request);
    }
  }

  async #name(endMs: number, signal: AbortSignal | undefined): Promise<RequestId> {
    if (this.#lanes.isFresh) {
      const { clock } = this.#options.ports;
      const { appliedIndex } = await this.#tryAll({ endMs, signal }, (session) =>
        session.call(nodeStatus, {}, { deadlineMs: Math.max(1, endMs - clock.nowMs()) }),
      );
      this.#appliedIndex = Math.max(this.#appliedIndex, appliedIndex);
    }
    const request = this.#lanes.open();
    if (request === null) throw new ClientError("busy", "Too many changes have no answer yet. Try again later.");
    return request;
  }

  /** Items of one node's stream; ends with an error when that node goes. */
  async *stream<Request extends v.GenericSchema, Item extends ItemShape>(
    method: StreamMethod<Request, Item>,
    body: Sent<v.InferInput<Request>>,
    { timeoutMs = TIMEOUT_MS, signal }: CallSettings = {},
  ): AsyncGenerator<ItemOutput<Item>> {
    const endMs = this.#options.ports.clock.nowMs() + timeoutMs;
    const session = await this.#tryAll({ endMs, signal }, (open) => Promise.resolve(open));
    try {
      for await (const item of session.stream(method, body, signal === undefined ? {} : { signal })) {
        this.#keepCurrentNow(false);
        yield item;
      }
    } catch (error) {
      checkAborted(signal);
      throw error;
    }
  }

  /** A newer certificate, when the present one has lived most of its time; null otherwise. */
  async renew(activeKeyId: string): Promise<Uint8Array | null> {
    const facts = decodeCertificate(this.#certificate);
    const nowMs = this.#options.ports.clock.wallMs();
    if (facts === null || !needsRenewal(facts, { nowMs, activeKeyId })) return null;
    const { certificate } = await this.call(certificateRenew, {});
    this.#certificate = certificate;
    this.#changed();
    return certificate;
  }

  /** Asks which nodes there are now, and renews the certificate when it is time. Errors as of `call`. */
  async keepCurrent(settings: CallSettings = {}): Promise<void> {
    const { ports } = this.#options;
    this.#currentMs = ports.clock.nowMs();
    const { members, keyId } = await this.call(clusterStatus, {}, settings);
    const alive = members.filter(({ health, addresses }) => health === "alive" && addresses.length > 0);
    const nodes = alive.map(({ peer, addresses }) => ({
      peer,
      addresses: addresses.map((each) => withPeer(each, peer)),
    }));
    if (this.#nodes.learn(nodes, ports.random)) {
      for (const { peer, addresses } of this.#nodes.all) ports.transport.know(peer, addresses);
      this.#changed();
    }
    if (keyId !== undefined) await this.renew(keyId);
  }

  /** Nodes come and go while a client is used; that it could not be told now matters only later. */
  #keepCurrentNow(isOther: boolean): void {
    if (!isOther && this.#options.ports.clock.nowMs() < this.#currentMs + CURRENT_MS) return;
    this.keepCurrent().catch(() => undefined);
  }

  #changed(): void {
    const { changed, credentials } = this.#options;
    const addresses = this.#nodes.all.flatMap((node) => node.addresses).slice(0, ADDRESSES_MAX);
    changed?.({ ...credentials, addresses, certificate: this.#certificate });
  }

  #answered(node: KnownNode): void {
    const isOther = this.#answeredBy !== null && this.#answeredBy !== node.peer;
    this.#answeredBy = node.peer;
    this.#nodes.answered(node);
    this.#keepCurrentNow(isOther);
  }

  /** As it is shown now. */
  get certificate(): Uint8Array {
    return this.#certificate;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peers.close("the client is done");
    await this.#options.ports.transport.stop();
  }

  async #tryAll<T>({ endMs, signal, isChange = false }: Trying, ask: (session: RpcSession) => Promise<T>): Promise<T> {
    const { ports, unreachableMs = Number.POSITIVE_INFINITY } = this.#options;
    const { clock } = ports;
    const unreachableEndMs = clock.nowMs() + unreachableMs;
    let failures: unknown[] = [];
    let earlier: unknown[] = [];
    for (let round = 0; ; round++) {
      earlier = failures;
      failures = [];
      for (const node of this.#nodes.all) {
        checkAborted(signal);
        try {
          const connectEndMs = Math.min(endMs, clock.nowMs() + connectMs(round));
          const session = this.#peers.opened(node.peer) ?? (await this.#session(node.peer, connectEndMs, signal));
          const answer = await ask(session);
          this.#answered(node);
          return answer;
        } catch (error) {
          checkAborted(signal);
          if (!mayTryElsewhere(error) && !isLate(error)) throw refusal(error);
          failures.push(error);
        }
        if (clock.nowMs() >= endMs || this.#isClosed) break;
      }
      const isNobodyThere = failures.every((error) => error instanceof TransportError && error.code === "unreachable");
      const nextMs = clock.nowMs() + PAUSE_MS;
      if (this.#isClosed || nextMs >= endMs || (isNobodyThere && nextMs >= unreachableEndMs)) break;
      await pauseOf(clock, PAUSE_MS, signal);
    }
    // A round for which there was little time left tells less than the one before.
    const telling = failures.filter((error) => !isLate(error));
    throw this.#notReachable([...telling, ...earlier, ...failures], isChange);
  }

  #notReachable(failures: readonly unknown[], isChange: boolean): ClientError {
    const reasons = failures.map((error) => (error instanceof Error ? error.message : String(error)));
    const shown = [...new Set(reasons)].slice(0, FAILURES_SHOWN_MAX);
    const hasConnected = failures.some((error) => !(error instanceof TransportError));
    const advice = hasConnected
      ? "No node of the cluster could do it. A majority of the voters may be out of reach; see: sage cluster status"
      : "No node of the cluster answered. Is sage node running, and reachable from here?";
    const doubt = isChange && hasConnected ? "\nWhether it was done nevertheless is not known." : "";
    return new ClientError("not-reachable", `${advice}\n  ${shown.join("\n  ")}${doubt}`);
  }

  #session(peer: PeerId, endMs: number, signal: AbortSignal | undefined): Promise<RpcSession> {
    const { clock } = this.#options.ports;
    const limitMs = Math.max(1, Math.ceil(endMs - clock.nowMs()));
    return new Promise((resolve, reject) => {
      const abort = () => reject(new TransportError("aborted", "The caller has called it off."));
      signal?.addEventListener("abort", abort, { once: true });
      const late = `No answer from ${this.#nodes.get(peer)?.addresses[0] ?? peer} in ${limitMs} ms.`;
      const cancel = clock.wake(limitMs, () => reject(new TransportError("timeout", late)));
      const done = () => {
        cancel();
        signal?.removeEventListener("abort", abort);
      };
      this.#peers.session(peer).then(resolve, reject).finally(done);
    });
  }
}

interface Trying {
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
  readonly isChange?: boolean;
}

function connectMs(round: number): number {
  return round === 0 ? FIRST_CONNECT_MS : CONNECT_MS;
}

/** Whether the method lets its caller name what it asks for. */
function hasName({ request }: { readonly request: v.GenericSchema }): boolean {
  return "entries" in request && typeof request.entries === "object" && "request" in (request.entries ?? {});
}

/** All the time of the call went by. */
function isLate(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === "deadline";
}

/** The node is gone or cannot answer now: another one may. */
function mayTryElsewhere(error: unknown): error is SageError<string> {
  return error instanceof SageError && error.retryable;
}

function refusal(error: unknown): unknown {
  if (!(error instanceof TransportError) || error.code !== "refused") return error;
  const advice = "Name other credentials with SAGE_CREDENTIALS, or get new ones: sage login --to ADDRESS --token TOKEN";
  const reason = error.message.replace(/^\S+ refuses this node: /, "");
  return new ClientError("refused", `The cluster refused these credentials: ${reason}. ${advice}`, {
    cause: error,
  });
}
