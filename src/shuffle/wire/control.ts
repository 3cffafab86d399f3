import * as v from "valibot";
import { encodeFrame, encodeValue, integer, parse, text } from "../../protocol/mod.ts";
import { isShuffleErrorCode, ShuffleError, type ShuffleErrorCode } from "../error.ts";

export const SHUFFLE_PROTOCOL = "/sage/shuffle/1";
const NAME_LENGTH_MAX = 256;
const MESSAGE_LENGTH_MAX = 4_096;

const key = {
  job: v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_LENGTH_MAX)),
  attempt: integer(),
  edge: v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_LENGTH_MAX)),
  partition: integer(0, 0xffff),
  producer: integer(0, 0xffff),
};

const control = v.variant("kind", [
  /** First of a channel that the reader opened. */
  v.object({ kind: v.literal("get"), ...key, fromSequence: integer(), limitBytes: integer() }),
  /** First of a channel that the writer opened. */
  v.object({ kind: v.literal("put"), ...key }),
  /** The reader's answer to `put`. */
  v.object({ kind: v.literal("start"), fromSequence: integer(), limitBytes: integer() }),
  /** The reader has all messages before `sequence`, and takes `limitBytes` in all on this channel. */
  v.object({ kind: v.literal("ack"), sequence: integer(), limitBytes: integer() }),
  /** The reader needs no more: it has all, or enough. */
  v.object({ kind: v.literal("close") }),
  /** The writer has no more messages than `sequence`. */
  v.object({ kind: v.literal("end"), sequence: integer() }),
  /** The writer cannot go on. */
  v.object({ kind: v.literal("fail"), code: text(64), message: text(MESSAGE_LENGTH_MAX), retryable: v.boolean() }),
]);

/** What is said besides data. */
export type Control = v.InferOutput<typeof control>;

export function encodeControl(message: Control): Uint8Array {
  return encodeFrame("message", encodeValue(message));
}

/** @throws {ProtocolError} schema */
export function parseControl(value: unknown): Control {
  return parse(control, value, "a message of an exchange");
}

export function failOf(error: unknown): Control {
  const isOurs = error instanceof ShuffleError;
  const code: ShuffleErrorCode = isOurs ? error.code : "producer-failed";
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "fail", code, message: message.slice(0, MESSAGE_LENGTH_MAX), retryable: isOurs && error.retryable };
}

export function errorOf(fail: Extract<Control, { kind: "fail" }>): ShuffleError {
  const code = isShuffleErrorCode(fail.code) ? fail.code : "producer-failed";
  return new ShuffleError(code, fail.message, { retryable: fail.retryable });
}
