/** Calls of agents: other nodes' over their sessions, the own one directly. */
import type * as v from "valibot";
import type { Peers } from "../../cluster/mod.ts";
import { type Clock, invariant, type PeerId, TransportError } from "../../kernel/mod.ts";
import type {
  CallContext,
  CallMethod,
  ItemOutput,
  ItemShape,
  MethodTable,
  RpcSession,
  Sent,
  StreamMethod,
} from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";

export interface AgentCallsOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly peers: () => Peers;
  /** `agent.*` of this node; null: it has no agent. */
  readonly own: MethodTable | null;
}

export interface CallHow {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

const PROTOCOL_VERSION = 1;

export class AgentCalls {
  readonly #options: AgentCallsOptions;

  constructor(options: AgentCallsOptions) {
    this.#options = options;
  }

  /** Errors as of `RpcSession.call` and of `Peers.session`; of the own agent, its own. */
  async call<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    peer: PeerId,
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
    how: CallHow = {},
  ): Promise<v.InferOutput<Reply>> {
    if (peer !== this.#options.self) {
      const session = await this.#session(peer, how.deadlineMs);
      return session.call(method, body, how);
    }
    const served = this.#own(method.name);
    invariant(served.kind === "call", `${method.name} is a call`);
    // The handler is the one that belongs to the method.
    return (await served.run(body, this.#context(how))) as v.InferOutput<Reply>;
  }

  /** Errors as of `call`, when the first item is asked for. */
  async *stream<Request extends v.GenericSchema, Item extends ItemShape>(
    peer: PeerId,
    method: StreamMethod<Request, Item>,
    body: Sent<v.InferInput<Request>>,
    how: CallHow = {},
  ): AsyncGenerator<ItemOutput<Item>, void> {
    if (peer !== this.#options.self) {
      const session = await this.#session(peer, how.deadlineMs);
      yield* session.stream(method, body, how);
      return;
    }
    const served = this.#own(method.name);
    invariant(served.kind === "stream", `${method.name} is a stream`);
    // As above.
    yield* served.run(body, this.#context(how)) as AsyncIterable<ItemOutput<Item>>;
  }

  /** Peers that are away take long to tell so. */
  #session(peer: PeerId, deadlineMs: number | undefined): Promise<RpcSession> {
    const opening = this.#options.peers().session(peer);
    if (deadlineMs === undefined) return opening;
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.wake(deadlineMs, () => reject(away(peer, deadlineMs)));
      opening.then(resolve, reject).finally(cancel);
    });
  }

  #own(name: string) {
    const served = this.#options.own?.get(name);
    if (served === undefined) throw new NodeError("not-possible", `Cannot do ${name}: this node has no agent.`);
    return served;
  }

  #context({ deadlineMs, signal }: CallHow): CallContext {
    return {
      peer: this.#options.self,
      role: "node",
      version: PROTOCOL_VERSION,
      deadlineMs: deadlineMs === undefined ? null : this.#options.clock.nowMs() + deadlineMs,
      signal: signal ?? NEVER,
    };
  }
}

const NEVER = new AbortController().signal;

function away(peer: PeerId, deadlineMs: number): TransportError {
  return new TransportError("timeout", `Node ${peer} was not reached within ${deadlineMs} ms.`);
}
