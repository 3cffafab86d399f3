import type * as v from "valibot";
import type { Clock } from "../../kernel/mod.ts";
import { ProtocolError } from "../error.ts";
import { parse } from "../schema.ts";
import { ClientStream } from "./client_stream.ts";
import type { Deadlines } from "./deadlines.ts";
import type { CallMethod, ItemOutput, ItemShape, Sent, StreamMethod } from "./method.ts";
import { type Outbox, QUEUE_BYTES_FULL } from "./outbox.ts";
import { CALL, CANCEL, errorFromWire, type WireError } from "./wire.ts";

/** Calls of one direction that wait for an answer at once. */
export const CALLS_MAX = 4_096;
/** A call without a deadline of its own. */
export const CALL_DEADLINE_MS = 30_000;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** From now; default `CALL_DEADLINE_MS`. The server knows it too and stops working then. */
  readonly deadlineMs?: number;
}

export interface StreamOptions {
  readonly signal?: AbortSignal;
  /** For the stream as a whole; default none. */
  readonly deadlineMs?: number;
  /** Items that may be on their way or unread; default `STREAM_WINDOW`. */
  readonly window?: number;
}

/** What waits for messages under an id. */
export interface Pending {
  reply(body: unknown): void;
  item(body: unknown): void;
  data(bytes: Uint8Array): void;
  end(): void;
  /** Last call: nothing comes after it. */
  fail(error: Error): void;
  readonly method: string;
}

/** What the halves of a session share. */
export interface SessionParts {
  readonly clock: Clock;
  readonly outbox: Outbox;
  readonly deadlines: Deadlines;
  /** Null until both sides have greeted. */
  version(): number | null;
}

/** The half of a session that asks. */
export class Caller {
  private readonly parts: SessionParts;
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;
  private failure: Error | null = null;

  constructor(parts: SessionParts) {
    this.parts = parts;
  }

  get pendingCount(): number {
    return this.pending.size;
  }

  call<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
    options: CallOptions,
  ): Promise<v.InferOutput<Reply>> {
    return new Promise((resolve, reject) => {
      const refused = this.refusal(method, options.signal);
      if (refused !== null) return reject(refused);
      new PendingCall(this, method, { resolve, reject }).start(body, options);
    });
  }

  stream<Request extends v.GenericSchema, Item extends ItemShape>(
    method: StreamMethod<Request, Item>,
    body: Sent<v.InferInput<Request>>,
    options: StreamOptions,
  ): AsyncIterableIterator<ItemOutput<Item>, undefined> {
    return new ClientStream<ItemOutput<Item>>(this, { method, body, options });
  }

  /** Why nothing may be asked now, or null. */
  refusal(method: { readonly name: string; readonly since?: number }, signal: AbortSignal | undefined): Error | null {
    if (this.failure !== null) return this.failure;
    if (signal?.aborted === true) return cancelled(method.name, signal);
    const version = this.parts.version();
    if (version !== null && version < (method.since ?? 1)) {
      const text = `Cannot call ${method.name}: it needs protocol version ${method.since}, the other side speaks ${version}. Upgrade the other side.`;
      return new ProtocolError("unknown-method", text);
    }
    if (this.pending.size < CALLS_MAX && this.parts.outbox.unsentBytes < QUEUE_BYTES_FULL) return null;
    const text = `Cannot call ${method.name}: ${this.pending.size} calls wait for this peer already. Try again later.`;
    return new ProtocolError("overloaded", text);
  }

  get shared(): SessionParts {
    return this.parts;
  }

  /** Gives `pending` an id of its own. */
  add(pending: Pending): number {
    do this.nextId = (this.nextId + 1) >>> 0;
    while (this.pending.has(this.nextId));
    this.pending.set(this.nextId, pending);
    return this.nextId;
  }

  remove(id: number): void {
    this.pending.delete(id);
  }

  /** Null for an id that nobody waits for any more: its answer was on the way when it was given up. */
  of(id: number): Pending | null {
    return this.pending.get(id) ?? null;
  }

  errorCame(id: number, error: WireError): void {
    const pending = this.pending.get(id);
    if (pending === undefined) return;
    this.pending.delete(id);
    pending.fail(errorFromWire(error, pending.method));
  }

  /** Ends all that wait, and all to come. */
  stop(error: Error): void {
    this.failure = error;
    const all = [...this.pending.values()];
    this.pending.clear();
    for (const pending of all) pending.fail(error);
  }
}

export function cancelled(method: string, signal: AbortSignal): ProtocolError {
  return new ProtocolError("cancelled", `${method} was cancelled by its caller.`, { cause: signal.reason });
}

export function pastDeadline(method: string, deadlineMs: number): ProtocolError {
  return new ProtocolError("deadline", `${method} took longer than its deadline of ${Math.round(deadlineMs)} ms.`);
}

function notExpected(method: string, what: string): ProtocolError {
  return new ProtocolError("schema", `Answer to ${method} refused: ${what} is not what the method gives.`);
}

interface Settle<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

class PendingCall<Request extends v.GenericSchema, Reply extends v.GenericSchema> implements Pending {
  readonly method: string;
  private readonly caller: Caller;
  private readonly definition: CallMethod<Request, Reply>;
  private readonly settle: Settle<v.InferOutput<Reply>>;
  private id = 0;
  private signal: AbortSignal | null = null;
  private aborted: (() => void) | null = null;

  constructor(caller: Caller, definition: CallMethod<Request, Reply>, settle: Settle<v.InferOutput<Reply>>) {
    this.caller = caller;
    this.definition = definition;
    this.method = definition.name;
    this.settle = settle;
  }

  start(body: unknown, options: CallOptions): void {
    const { caller, method } = this;
    const { deadlines, outbox, clock } = caller.shared;
    const deadlineMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    this.id = caller.add(this);
    try {
      outbox.message([CALL, this.id, method, body, deadlineMs]);
    } catch (error) {
      return this.fail(error as Error);
    }
    deadlines.add(this, {
      atMs: clock.nowMs() + deadlineMs,
      run: () => this.giveUp(pastDeadline(method, deadlineMs)),
    });
    const { signal } = options;
    if (signal === undefined) return;
    this.signal = signal;
    this.aborted = () => this.giveUp(cancelled(method, signal));
    signal.addEventListener("abort", this.aborted, { once: true });
  }

  reply(body: unknown): void {
    this.release();
    try {
      this.settle.resolve(parse(this.definition.reply, body, `reply of ${this.method}`));
    } catch (error) {
      this.settle.reject(error as Error);
    }
  }

  item(): void {
    this.giveUp(notExpected(this.method, "an item"));
  }

  data(): void {
    this.item();
  }

  end(): void {
    this.giveUp(notExpected(this.method, "an end of items"));
  }

  fail(error: Error): void {
    this.release();
    this.settle.reject(error);
  }

  private giveUp(error: Error): void {
    this.caller.shared.outbox.message([CANCEL, this.id]);
    this.fail(error);
  }

  private release(): void {
    this.caller.remove(this.id);
    this.caller.shared.deadlines.remove(this);
    if (this.aborted !== null) this.signal?.removeEventListener("abort", this.aborted);
  }
}
