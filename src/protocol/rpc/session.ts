import type * as v from "valibot";
import { type Channel, type Clock, type Log, type PeerId, TransportError } from "../../kernel/mod.ts";
import { ProtocolError } from "../error.ts";
import { type Frame, FrameReader } from "../frame.ts";
import { decodeValue } from "../value.ts";
import { commonVersion, noCommonVersion, parseVersionRange, type VersionRange } from "../version.ts";
import { Caller, type CallOptions, type StreamOptions } from "./caller.ts";
import { Deadlines } from "./deadlines.ts";
import type { CallMethod, ItemOutput, ItemShape, MethodTable, Role, Sent, StreamMethod } from "./method.ts";
import { Outbox } from "./outbox.ts";
import { Server } from "./server.ts";
import { CALL, CANCEL, CREDIT, END, ERROR, ITEM, parseWire, REPLY, STREAM } from "./wire.ts";

/** How long the other side may take to greet. */
export const HELLO_TIMEOUT_MS = 5_000;

export interface RpcOptions {
  readonly clock: Clock;
  /** What this side speaks. */
  readonly versions: VersionRange;
  /** The other side's role now; asked at each of its calls. */
  role(): Role;
  readonly log?: Log;
  /** Longest frame taken from the other side; for guests. Default: the limit of each kind. */
  readonly frameBytesMax?: number;
  /** Called once, after everything that waited has been told. */
  closed?(error: ProtocolError): void;
}

/**
 * Calls over one channel, both ways at once. Both sides greet first and use the highest version that both speak; calls
 * made before that wait. Every call ends: by its answer, its deadline, its signal, or the end of the session.
 */
export class RpcSession {
  readonly peer: PeerId;
  private readonly channel: Channel;
  private readonly options: RpcOptions;
  private readonly outbox: Outbox;
  private readonly deadlines: Deadlines;
  private readonly reader: FrameReader;
  private readonly caller: Caller;
  private readonly server: Server;
  private agreed: number | null = null;
  private theirs: VersionRange | null = null;
  private failure: ProtocolError | null = null;

  /** To be made in the turn in which the channel is had. */
  constructor(channel: Channel, options: RpcOptions) {
    const { clock, log, frameBytesMax } = options;
    this.channel = channel;
    this.peer = channel.peer;
    this.options = options;
    this.outbox = new Outbox(channel, { clock, overflowed: () => this.break(notReading()) });
    this.deadlines = new Deadlines(clock);
    const parts = { clock, outbox: this.outbox, deadlines: this.deadlines, version: () => this.agreed };
    this.caller = new Caller(parts);
    this.server = new Server(parts, { peer: channel.peer, role: () => options.role(), log: log ?? null });
    const limits = frameBytesMax === undefined ? {} : { bodyBytesMax: frameBytesMax };
    this.reader = new FrameReader((frame) => this.frameCame(frame), limits);
    channel.receive({
      data: (bytes) => this.bytesCame(bytes),
      drain: () => this.outbox.drained(),
      end: () => this.finish(ended(null)),
      closed: (error) => this.stop(ended(error)),
    });
    this.outbox.hello(options.versions);
    this.deadlines.add(this, {
      atMs: clock.nowMs() + HELLO_TIMEOUT_MS,
      run: () => this.break(new ProtocolError("closed", `Session ended: no greeting within ${HELLO_TIMEOUT_MS} ms.`)),
    });
  }

  /** The version in use; null until both sides have greeted. */
  get version(): number | null {
    return this.agreed;
  }

  /** What the other side speaks; null until it has greeted. */
  get peerVersions(): VersionRange | null {
    return this.theirs;
  }

  get isClosed(): boolean {
    return this.failure !== null;
  }

  /** Calls of this side that have no answer yet. */
  get pendingCount(): number {
    return this.caller.pendingCount;
  }

  /**
   * @throws {RemoteError} the handler refused or failed
   * @throws {ProtocolError} forbidden, unknown-method, schema, overloaded, deadline, cancelled, closed, unknown-version
   */
  call<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
    options: CallOptions = {},
  ): Promise<v.InferOutput<Reply>> {
    return this.caller.call(method, body, options);
  }

  /** Opens with the first item asked for; leaving the loop tells the server to stop. Errors as for `call`. */
  stream<Request extends v.GenericSchema, Item extends ItemShape>(
    method: StreamMethod<Request, Item>,
    body: Sent<v.InferInput<Request>>,
    options: StreamOptions = {},
  ): AsyncIterableIterator<ItemOutput<Item>, undefined> {
    return this.caller.stream(method, body, options);
  }

  /** Answers with these methods from now on; until then with none. */
  serve(table: MethodTable): void {
    this.server.serve(table);
  }

  /** Ends the session; what waits for answers fails as closed, and can be tried again elsewhere. */
  close(reason: string): void {
    this.finish(new ProtocolError("closed", `Session closed: ${reason}.`));
  }

  private bytesCame(bytes: Uint8Array): void {
    if (this.failure !== null) return;
    try {
      this.reader.push(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.break(error);
    }
  }

  private frameCame(frame: Frame): void {
    if (this.failure !== null) return;
    const { kind, bytes, start, end } = frame;
    if ((kind === "hello") !== (this.theirs === null)) {
      throw new ProtocolError("malformed", "Session refused: a greeting comes first, and once.");
    }
    switch (kind) {
      case "hello":
        return this.greeted(parseVersionRange(decodeValue(bytes, start, end)));
      case "message":
        return this.messageCame(decodeValue(bytes, start, end));
      case "data":
        return this.dataCame(frame);
    }
  }

  private greeted(theirs: VersionRange): void {
    const own = this.options.versions;
    this.theirs = theirs;
    this.deadlines.remove(this);
    this.agreed = commonVersion(own, theirs);
    if (this.agreed !== null) return this.outbox.open();
    const error = noCommonVersion(own, theirs);
    this.log(error);
    this.finish(error);
  }

  private messageCame(value: unknown): void {
    const message = parseWire(value);
    switch (message.type) {
      case CALL:
        return this.server.opened(message.id, message.opening, null);
      case STREAM:
        return this.server.opened(message.id, message.opening, message.credits);
      case CANCEL:
        return this.server.cancelled(message.id);
      case CREDIT:
        return this.server.credited(message.id, message.count);
      case REPLY:
        return this.caller.of(message.id)?.reply(message.body);
      case ITEM:
        return this.caller.of(message.id)?.item(message.body);
      case END:
        return this.caller.of(message.id)?.end();
      case ERROR:
        return this.caller.errorCame(message.id, message.error);
    }
  }

  private dataCame({ bytes, start, end }: Frame): void {
    if (end - start < 4)
      throw new ProtocolError("malformed", "Frame refused: a data frame begins with an id of 4 bytes.");
    const id = new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0, true);
    this.caller.of(id)?.data(bytes.slice(start + 4, end));
  }

  /** The other side broke the rules. */
  private break(error: ProtocolError): void {
    if (this.failure !== null) return;
    this.log(error);
    this.stop(error);
    this.channel.abort(error.message);
  }

  /** Sends what was answered, and no more. */
  private finish(error: ProtocolError): void {
    if (this.failure !== null) return;
    this.outbox.flush();
    this.stop(error);
    this.channel.end();
  }

  private stop(error: ProtocolError): void {
    if (this.failure !== null) return;
    this.failure = error;
    this.outbox.stop();
    this.deadlines.stop();
    this.server.stop(error);
    this.caller.stop(error);
    this.options.closed?.(error);
  }

  private log(error: ProtocolError): void {
    const { peer } = this;
    this.options.log?.write("warn", "a session was refused", { peer, code: error.code, reason: error.message });
  }
}

function notReading(): ProtocolError {
  return new ProtocolError("closed", "Session ended: the other side does not read what it is sent.");
}

function ended(cause: Error | null): ProtocolError {
  const why = cause === null ? "the other side ended it" : cause.message;
  const isRefused = cause instanceof TransportError && !cause.retryable;
  return new ProtocolError("closed", `Session ended: ${why.replace(/\.$/, "")}. Try again.`, {
    retryable: !isRefused,
    ...(cause === null ? {} : { cause }),
  });
}
