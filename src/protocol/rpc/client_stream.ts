import type * as v from "valibot";
import { invariant } from "../../kernel/mod.ts";
import { ProtocolError } from "../error.ts";
import { parse } from "../schema.ts";
import { type Caller, cancelled, type Pending, pastDeadline, type StreamOptions } from "./caller.ts";
import type { ItemShape, StreamMethod } from "./method.ts";
import { CANCEL, CREDIT, STREAM } from "./wire.ts";

/** Items that may be on their way or unread, unless the caller says otherwise. */
export const STREAM_WINDOW = 64;
export const STREAM_WINDOW_MAX = 4_096;

interface StreamCall {
  readonly method: StreamMethod<v.GenericSchema, ItemShape>;
  readonly body: unknown;
  readonly options: StreamOptions;
}

interface Waiting<Item> {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: Error): void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * A stream as its reader sees it. It opens with the first `next`. The server may send as many items as it has credits;
 * they are given back when half the window is read, so a slow reader holds at most one window of items.
 */
export class ClientStream<Item> implements AsyncIterableIterator<Item, undefined>, Pending {
  readonly method: string;
  private readonly caller: Caller;
  private readonly call: StreamCall;
  private readonly window: number;
  private state: "new" | "open" | "over" = "new";
  private id = 0;
  private readonly items: Item[] = [];
  private itemsRead = 0;
  private creditsToGive = 0;
  /** What the server may still send. */
  private credits = 0;
  private error: Error | null = null;
  private waiting: Waiting<Item>[] = [];
  private aborted: (() => void) | null = null;

  constructor(caller: Caller, call: StreamCall) {
    this.caller = caller;
    this.call = call;
    this.method = call.method.name;
    this.window = call.options.window ?? STREAM_WINDOW;
    invariant(this.window >= 1 && this.window <= STREAM_WINDOW_MAX, `a window of ${this.window} items`);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.state === "new") this.open();
    if (this.itemsRead < this.items.length) return Promise.resolve({ done: false, value: this.take() });
    if (this.error !== null) {
      const { error } = this;
      this.error = null;
      return Promise.reject(error);
    }
    if (this.state === "over") return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** The reader wants no more: the server is told, and what waits unread is dropped. */
  return(): Promise<IteratorResult<Item, undefined>> {
    if (this.state === "open") this.caller.shared.outbox.message([CANCEL, this.id]);
    this.items.length = 0;
    this.itemsRead = 0;
    this.error = null;
    this.finish();
    return Promise.resolve(DONE);
  }

  private open(): void {
    const { method, body, options } = this.call;
    const { signal, deadlineMs } = options;
    const refused = this.caller.refusal(method, signal);
    if (refused !== null) return this.fail(refused);
    const { clock, deadlines, outbox } = this.caller.shared;
    this.state = "open";
    this.credits = this.window;
    this.id = this.caller.add(this);
    try {
      outbox.message([STREAM, this.id, method.name, body, deadlineMs ?? null, this.window]);
    } catch (error) {
      return this.fail(error as Error);
    }
    if (deadlineMs !== undefined) {
      const atMs = clock.nowMs() + deadlineMs;
      deadlines.add(this, { atMs, run: () => this.giveUp(pastDeadline(method.name, deadlineMs)) });
    }
    if (signal === undefined) return;
    this.aborted = () => this.giveUp(cancelled(method.name, signal));
    signal.addEventListener("abort", this.aborted, { once: true });
  }

  private take(): Item {
    // Checked by the caller: there is one.
    const item = this.items[this.itemsRead++] as Item;
    if (this.itemsRead === this.items.length) {
      this.items.length = 0;
      this.itemsRead = 0;
    }
    this.consumed();
    return item;
  }

  private consumed(): void {
    if (this.state !== "open") return;
    if (++this.creditsToGive * 2 < this.window) return;
    this.caller.shared.outbox.message([CREDIT, this.id, this.creditsToGive]);
    this.credits += this.creditsToGive;
    this.creditsToGive = 0;
  }

  reply(): void {
    this.giveUp(new ProtocolError("schema", `Answer to ${this.method} refused: a reply where items are expected.`));
  }

  item(body: unknown): void {
    const { item } = this.call.method;
    if (item === "bytes") return this.giveUp(this.wrongItem());
    try {
      // `parse` gives what the method's item schema gives, which is `Item`.
      this.deliver(parse(item, body, `item of ${this.method}`) as Item);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.giveUp(error);
    }
  }

  data(bytes: Uint8Array): void {
    if (this.call.method.item !== "bytes") return this.giveUp(this.wrongItem());
    // The method's items are bytes, so `Item` is.
    this.deliver(bytes as Item);
  }

  private wrongItem(): ProtocolError {
    return new ProtocolError("schema", `Answer to ${this.method} refused: an item of the wrong kind.`);
  }

  private deliver(item: Item): void {
    if (this.credits-- === 0) {
      const text = `Answer to ${this.method} refused: more items than the ${this.window} that were asked for.`;
      return this.giveUp(new ProtocolError("too-large", text));
    }
    const waiting = this.waiting.shift();
    if (waiting === undefined) {
      this.items.push(item);
      return;
    }
    waiting.resolve({ done: false, value: item });
    this.consumed();
  }

  end(): void {
    this.finish();
  }

  fail(error: Error): void {
    const waiting = this.waiting.shift();
    if (waiting === undefined) this.error = error;
    else waiting.reject(error);
    this.finish();
  }

  private giveUp(error: Error): void {
    this.caller.shared.outbox.message([CANCEL, this.id]);
    this.fail(error);
  }

  private finish(): void {
    if (this.state === "open") {
      this.caller.remove(this.id);
      this.caller.shared.deadlines.remove(this);
      if (this.aborted !== null) this.call.options.signal?.removeEventListener("abort", this.aborted);
    }
    this.state = "over";
    const { waiting } = this;
    this.waiting = [];
    for (const one of waiting) one.resolve(DONE);
  }
}
