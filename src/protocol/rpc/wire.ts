/**
 * Messages of a session, each a list whose first element is its type and whose second is the call's id:
 *
 *     [CALL, id, method, body, remainingMs | null]     [STREAM, id, method, body, remainingMs | null, credits]
 *     [CANCEL, id]     [CREDIT, id, count]                                                     caller → server
 *     [REPLY, id, body]     [ITEM, id, body]     [END, id]     [ERROR, id, error]              server → caller
 *
 * Either end is caller and server at once; ids are the caller's, so those of the two directions never meet. A `data`
 * frame is an item too: u32 id (little endian), then its bytes. Elements after those named are ignored.
 */
import * as v from "valibot";
import { SageError } from "../../kernel/mod.ts";
import { isProtocolErrorCode, ProtocolError, RemoteError } from "../error.ts";
import { parse } from "../schema.ts";

export const CALL = 1;
export const STREAM = 2;
export const CANCEL = 3;
export const CREDIT = 4;
export const REPLY = 5;
export const ITEM = 6;
export const END = 7;
export const ERROR = 8;

export const METHOD_LENGTH_MAX = 64;
/** Longer waits count as this. */
export const DEADLINE_MS_MAX = 24 * 3_600_000;
const ERROR_TEXT_LENGTH_MAX = 4_096;

export type WireMessage =
  | { readonly type: typeof CALL; readonly id: number; readonly opening: Opening }
  | { readonly type: typeof STREAM; readonly id: number; readonly opening: Opening; readonly credits: number }
  | { readonly type: typeof CANCEL; readonly id: number }
  | { readonly type: typeof CREDIT; readonly id: number; readonly count: number }
  | { readonly type: typeof REPLY; readonly id: number; readonly body: unknown }
  | { readonly type: typeof ITEM; readonly id: number; readonly body: unknown }
  | { readonly type: typeof END; readonly id: number }
  | { readonly type: typeof ERROR; readonly id: number; readonly error: WireError };

export interface Opening {
  readonly method: string;
  readonly body: unknown;
  readonly remainingMs: number | null;
}

const WIRE_ERROR = v.object({
  /** Whether the protocol refused the call or its handler. */
  domain: v.picklist(["protocol", "handler"]),
  code: v.pipe(v.string(), v.maxLength(64)),
  message: v.pipe(v.string(), v.maxLength(ERROR_TEXT_LENGTH_MAX)),
  retryable: v.boolean(),
  path: v.optional(v.pipe(v.string(), v.maxLength(ERROR_TEXT_LENGTH_MAX))),
});
export type WireError = v.InferOutput<typeof WIRE_ERROR>;

function wrong(what: string): ProtocolError {
  return new ProtocolError("malformed", `Message of a session refused: ${what}.`);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >>> 0 === value;
}

/** Written by hand: it runs for every message. @throws {ProtocolError} malformed, schema */
export function parseWire(value: unknown): WireMessage {
  if (!Array.isArray(value)) throw wrong("it is no list");
  const parts: readonly unknown[] = value;
  const [type, id] = parts;
  if (!isCount(id)) throw wrong("its id is no number of 32 bits");
  switch (type) {
    case CALL:
      return { type, id, opening: parseOpening(parts) };
    case STREAM:
      return { type, id, opening: parseOpening(parts), credits: parseCount(parts[5]) };
    case CREDIT:
      return { type, id, count: parseCount(parts[2]) };
    case REPLY:
    case ITEM:
      return { type, id, body: parts[2] };
    case CANCEL:
    case END:
      return { type, id };
    case ERROR:
      return { type, id, error: parse(WIRE_ERROR, parts[2], "error of a call") };
    default:
      throw wrong(`its type ${String(type).slice(0, 20)} is unknown`);
  }
}

function parseOpening(parts: readonly unknown[]): Opening {
  const [, , method, body, remainingMs] = parts;
  if (typeof method !== "string" || method.length > METHOD_LENGTH_MAX) throw wrong("its method is no short text");
  if (remainingMs === null) return { method, body, remainingMs };
  if (typeof remainingMs !== "number" || !(remainingMs >= 0)) throw wrong("its deadline is no number from 0");
  return { method, body, remainingMs: Math.min(remainingMs, DEADLINE_MS_MAX) };
}

function parseCount(value: unknown): number {
  if (!isCount(value)) throw wrong("its credits are no number of 32 bits");
  return value;
}

/** What crosses of an error. Of one that is no `SageError` only that it happened: its text may tell too much. */
export function errorToWire(error: unknown, method: string): WireError {
  if (!(error instanceof SageError)) {
    const message = `${method} failed by a fault of the node that ran it. Its log says more.`;
    return { domain: "handler", code: "internal", message, retryable: false };
  }
  const { retryable } = error;
  // Narrowing by `instanceof` leaves the type of `code` open.
  const code = error.code as string;
  const message = error.message.slice(0, ERROR_TEXT_LENGTH_MAX);
  if (!(error instanceof ProtocolError)) return { domain: "handler", code: code.slice(0, 64), message, retryable };
  const path = error.path?.slice(0, ERROR_TEXT_LENGTH_MAX);
  return { domain: "protocol", code: error.code, message, retryable, ...(path === undefined ? {} : { path }) };
}

export function errorFromWire(error: WireError, method: string): ProtocolError | RemoteError {
  const { domain, code, message, retryable, path } = error;
  if (domain === "handler" || !isProtocolErrorCode(code)) return new RemoteError(method, error);
  return new ProtocolError(code, message, { retryable, ...(path === undefined ? {} : { path }) });
}
