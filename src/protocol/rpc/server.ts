import { InvariantError, invariant, type Log, type PeerId, SageError } from "../../kernel/mod.ts";
import { ProtocolError } from "../error.ts";
import { parse } from "../schema.ts";
import { CALLS_MAX, pastDeadline, type SessionParts } from "./caller.ts";
import { STREAM_WINDOW_MAX } from "./client_stream.ts";
import { type CallContext, type MethodTable, type Role, reaches, type Served } from "./method.ts";
import { QUEUE_BYTES_FULL } from "./outbox.ts";
import { END, ERROR, errorToWire, ITEM, type Opening, REPLY } from "./wire.ts";

export interface ServerOptions {
  readonly peer: PeerId;
  /** Asked at each call: an admission may end while the session lasts. */
  role(): Role;
  readonly log: Log | null;
}

/** The half of a session that answers. */
export class Server {
  private readonly parts: SessionParts;
  private readonly options: ServerOptions;
  private table: MethodTable = new Map();
  private readonly running = new Map<number, Running>();
  /** Also counts handlers that nobody waits for any more and that have not ended yet. */
  private activeCount = 0;

  constructor(parts: SessionParts, options: ServerOptions) {
    this.parts = parts;
    this.options = options;
  }

  serve(table: MethodTable): void {
    this.table = table;
  }

  /** @throws {ProtocolError} malformed: the other side broke the rules; everything else is answered */
  opened(id: number, opening: Opening, credits: number | null): void {
    if (this.running.has(id)) {
      throw new ProtocolError("malformed", `Call refused: id ${id} is in use by an earlier call that still runs.`);
    }
    try {
      const served = this.find(opening.method, credits !== null);
      const request = parse(served.method.request, opening.body, `request of ${opening.method}`);
      this.start(served, { id, opening, request, credits: credits ?? 0 });
    } catch (error) {
      if (error instanceof ProtocolError && error.code === "forbidden") this.logRefusal(opening.method, error);
      this.answerError(id, error, opening.method);
    }
  }

  private logRefusal(method: string, { code, message }: ProtocolError): void {
    const { log, peer } = this.options;
    log?.write("warn", "a call was refused", { peer, method, code, reason: message });
  }

  private find(name: string, isStream: boolean): Served {
    const served = this.table.get(name);
    const version = this.parts.version() ?? 0;
    if (served === undefined || (served.kind === "stream") !== isStream || version < (served.method.since ?? 1)) {
      const what = isStream ? "stream" : "method";
      const text = `There is no ${what} ${name} here in protocol version ${version}. The node may be older than the caller: upgrade it.`;
      throw new ProtocolError("unknown-method", text);
    }
    const role = this.options.role();
    if (!reaches(role, served.method.minRole)) {
      const text = `${name} needs the role ${served.method.minRole}, this credential has ${role}. Create one with: sage token create --role ${served.method.minRole}`;
      throw new ProtocolError("forbidden", text);
    }
    if (this.activeCount < CALLS_MAX && this.parts.outbox.unsentBytes < QUEUE_BYTES_FULL) return served;
    const text = `${name} was refused: ${this.activeCount} calls of this peer run already, ${CALLS_MAX} may. Try again later.`;
    throw new ProtocolError("overloaded", text);
  }

  private start(served: Served, call: { id: number; opening: Opening; request: unknown; credits: number }): void {
    const { id, opening, request, credits } = call;
    const { clock, deadlines } = this.parts;
    const { remainingMs, method } = opening;
    const version = this.parts.version();
    invariant(version !== null, "a call before the greeting");
    const deadlineMs = remainingMs === null ? null : clock.nowMs() + remainingMs;
    const running = new Running(
      { method, peer: this.options.peer, role: this.options.role(), version, deadlineMs },
      credits,
    );
    this.running.set(id, running);
    this.activeCount++;
    if (deadlineMs !== null && remainingMs !== null) {
      const run = () => this.giveUp(id, running, pastDeadline(method, remainingMs));
      deadlines.add(running, { atMs: deadlineMs, run });
    }
    const ended =
      served.kind === "call"
        ? this.runCall(running, { id, run: () => served.run(request, running) })
        : this.runStream(running, {
            id,
            items: () => served.run(request, running),
            isBytes: served.method.item === "bytes",
          });
    ended.then(
      () => {
        this.activeCount--;
      },
      (error: unknown) => {
        this.activeCount--;
        if (this.complete(id, running)) this.answerError(id, error, method);
        else this.report(error, method);
      },
    );
  }

  private async runCall(running: Running, call: { id: number; run: () => unknown }): Promise<void> {
    const body = await call.run();
    if (!this.complete(call.id, running)) return;
    try {
      this.parts.outbox.message([REPLY, call.id, body]);
    } catch (error) {
      this.answerError(call.id, error, running.method);
    }
  }

  private async runStream(running: Running, call: StreamRun): Promise<void> {
    const { outbox } = this.parts;
    const iterator = call.items()[Symbol.asyncIterator]();
    let isDone = false;
    try {
      while (true) {
        while (running.credits === 0 && !running.isStopped) await running.credit();
        await outbox.roomy();
        if (running.isStopped) return;
        const result = await iterator.next();
        isDone = result.done === true;
        if (running.isStopped) return;
        if (isDone) break;
        running.credits--;
        // A method of bytes has handlers that give bytes.
        if (call.isBytes) outbox.data(call.id, result.value as Uint8Array);
        else outbox.message([ITEM, call.id, result.value]);
      }
    } finally {
      if (!isDone) await iterator.return?.();
    }
    if (this.complete(call.id, running)) outbox.message([END, call.id]);
  }

  /** The call is answered or given up: false when that was so before. */
  private complete(id: number, running: Running): boolean {
    if (this.running.get(id) !== running) return false;
    this.running.delete(id);
    this.parts.deadlines.remove(running);
    return true;
  }

  private giveUp(id: number, running: Running, error: ProtocolError): void {
    if (!this.complete(id, running)) return;
    running.stop(error);
    this.answerError(id, error, running.method);
  }

  /** Cancelled by the caller, who expects nothing more. */
  cancelled(id: number): void {
    const running = this.running.get(id);
    if (running === undefined || !this.complete(id, running)) return;
    running.stop(new ProtocolError("cancelled", "The caller cancelled this call."));
  }

  /** Credits for a stream that has ended are late, not wrong. */
  credited(id: number, count: number): void {
    this.running.get(id)?.addCredits(count);
  }

  /** Nobody waits any more. */
  stop(error: ProtocolError): void {
    const all = [...this.running.values()];
    this.running.clear();
    for (const running of all) running.stop(error);
  }

  private answerError(id: number, error: unknown, method: string): void {
    this.report(error, method);
    this.parts.outbox.message([ERROR, id, errorToWire(error, method)]);
  }

  /** Failures of the program are told to its owner; broken invariants end it. */
  private report(error: unknown, method: string): void {
    if (error instanceof SageError) return;
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.options.log?.write("error", "a handler failed", { method, peer: this.options.peer, error: text });
    if (!(error instanceof InvariantError)) return;
    this.parts.clock.soon(() => {
      throw error;
    });
  }
}

interface StreamRun {
  readonly id: number;
  readonly items: () => AsyncIterable<unknown>;
  readonly isBytes: boolean;
}

type Facts = Omit<CallContext, "signal"> & { readonly method: string };

/** A call that is being answered, as its handler and the session see it. */
class Running implements CallContext {
  readonly method: string;
  readonly peer: PeerId;
  readonly role: Role;
  readonly version: number;
  readonly deadlineMs: number | null;
  /** Items that may be sent. */
  credits: number;
  private controller: AbortController | null = null;
  private stopped: ProtocolError | null = null;
  private credited: (() => void) | null = null;

  constructor(facts: Facts, credits: number) {
    this.method = facts.method;
    this.peer = facts.peer;
    this.role = facts.role;
    this.version = facts.version;
    this.deadlineMs = facts.deadlineMs;
    this.credits = Math.min(credits, STREAM_WINDOW_MAX);
  }

  /** Made when asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.stopped !== null) this.controller.abort(this.stopped);
    }
    return this.controller.signal;
  }

  get isStopped(): boolean {
    return this.stopped !== null;
  }

  stop(reason: ProtocolError): void {
    if (this.stopped !== null) return;
    this.stopped = reason;
    this.controller?.abort(reason);
    this.credited?.();
  }

  addCredits(count: number): void {
    this.credits = Math.min(this.credits + count, STREAM_WINDOW_MAX);
    this.credited?.();
  }

  /** Ends when there may be credits, or nobody waits any more. */
  credit(): Promise<void> {
    return new Promise((resolve) => {
      if (this.stopped !== null) return resolve();
      this.credited = () => {
        this.credited = null;
        resolve();
      };
    });
  }
}
