/**
 * A cluster as a program outside sees it. Any node can answer, so a call goes to one, and to the next when that one is
 * gone: what may be done twice without harm, or names itself so that it is done once, is tried again.
 */
import type * as v from "valibot";
import { type Credentials, decodeCertificate, needsRenewal, Peers, peerOfAddress } from "../cluster/mod.ts";
import {
  type Address,
  type Admission,
  type Clock,
  type Keys,
  type Log,
  type PeerId,
  SageError,
  type Transport,
  TransportError,
} from "../kernel/mod.ts";
import {
  type CallMethod,
  certificateRenew,
  type ItemOutput,
  type ItemShape,
  methodTable,
  ownVersions,
  type RpcSession,
  type Sent,
  type StreamMethod,
} from "../protocol/mod.ts";
import { ClientError } from "./error.ts";

export interface ClientPorts {
  readonly clock: Clock;
  readonly keys: Keys;
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

export class ClusterClient {
  readonly #options: ClientOptions;
  readonly #peers: Peers;
  readonly #nodes: { readonly peer: PeerId; readonly address: Address }[];
  #certificate: Uint8Array;
  #isClosed = false;

  private constructor(options: ClientOptions) {
    const { ports, credentials, addresses = credentials.addresses } = options;
    this.#options = options;
    this.#certificate = credentials.certificate;
    this.#nodes = addresses.map((address) => ({ peer: peerOfAddress(ports.keys, address), address }));
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
      // The addresses in the credentials name the nodes by their keys, which the transport has proven.
      admit: (peer): Admission =>
        client.#nodes.some((node) => node.peer === peer)
          ? { kind: "member" }
          : { kind: "refused", reason: "this client did not call you" },
      connected: () => undefined,
      disconnected: () => undefined,
      posted: () => undefined,
      opened: (channel) => channel.abort("clients serve nothing"),
    });
    for (const { peer, address } of client.#nodes) transport.know(peer, [address]);
    return client;
  }

  /**
   * Calls any node, and the next ones while that fails for want of a connection.
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
    return this.#tryAll(endMs, (session) =>
      session.call(method, body, {
        deadlineMs: Math.max(1, endMs - clock.nowMs()),
        ...(signal === undefined ? {} : { signal }),
      }),
    );
  }

  /** Items of one node's stream; ends with an error when that node goes. */
  async *stream<Request extends v.GenericSchema, Item extends ItemShape>(
    method: StreamMethod<Request, Item>,
    body: Sent<v.InferInput<Request>>,
    { timeoutMs = TIMEOUT_MS, signal }: CallSettings = {},
  ): AsyncGenerator<ItemOutput<Item>> {
    const endMs = this.#options.ports.clock.nowMs() + timeoutMs;
    const session = await this.#tryAll(endMs, (open) => Promise.resolve(open));
    yield* session.stream(method, body, signal === undefined ? {} : { signal });
  }

  /** A newer certificate, when the present one has lived most of its time; null otherwise. */
  async renew(activeKeyId: string): Promise<Uint8Array | null> {
    const facts = decodeCertificate(this.#certificate);
    const nowMs = this.#options.ports.clock.wallMs();
    if (facts === null || !needsRenewal(facts, { nowMs, activeKeyId })) return null;
    const { certificate } = await this.call(certificateRenew, {});
    this.#certificate = certificate;
    return certificate;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peers.close("the client is done");
    await this.#options.ports.transport.stop();
  }

  async #tryAll<T>(endMs: number, ask: (session: RpcSession) => Promise<T>): Promise<T> {
    const { clock } = this.#options.ports;
    let failures: string[] = [];
    do {
      failures = [];
      for (const { peer, address } of this.#nodes) {
        try {
          return await ask(await this.#session(peer, endMs));
        } catch (error) {
          if (!mayTryElsewhere(error)) throw refusal(error);
          failures.push(`${address}: ${error.message}`);
        }
        if (clock.nowMs() >= endMs || this.#isClosed) break;
      }
      await new Promise<void>((resolve) => void clock.wake(PAUSE_MS, resolve));
    } while (clock.nowMs() < endMs && !this.#isClosed);
    throw new ClientError(
      "not-reachable",
      `No node of the cluster answered. Is sage node running?\n  ${failures.join("\n  ")}`,
    );
  }

  #session(peer: PeerId, endMs: number): Promise<RpcSession> {
    const { clock } = this.#options.ports;
    const limitMs = Math.max(1, Math.min(CONNECT_MS, endMs - clock.nowMs()));
    return new Promise((resolve, reject) => {
      const cancel = clock.wake(limitMs, () => reject(new TransportError("timeout", `no answer in ${limitMs} ms`)));
      this.#peers.session(peer).then(resolve, reject).finally(cancel);
    });
  }
}

/** The node is gone or cannot answer now: another one may. */
function mayTryElsewhere(error: unknown): error is SageError<string> {
  return error instanceof SageError && error.retryable;
}

function refusal(error: unknown): unknown {
  if (!(error instanceof TransportError) || error.code !== "refused") return error;
  return new ClientError("refused", `The cluster refused these credentials: ${error.message}`, { cause: error });
}
