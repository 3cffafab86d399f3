/**
 * The first talk on a connection: both sides show their credential, both judge, and both hear the other's verdict.
 * Only when both have let the other in does anything else happen on the connection.
 *
 * Each side sends two messages: its credential, and a verdict of one byte with a reason behind it.
 */
import { type Admission, TransportError, unreachable } from "../../kernel/mod.ts";
import { FrameReader, frame } from "./frames.ts";
import { CREDENTIAL_BYTES_MAX, REASON_BYTES_MAX } from "./limits.ts";
import type { Pipe } from "./pipe.ts";

export type AdmittedKind = "member" | "client" | "guest";

const VERDICTS: readonly Admission["kind"][] = ["refused", "member", "client", "guest"];

export interface HelloOutcome {
  /** What the other side is here. */
  readonly theirs: AdmittedKind;
  /** What this side is there. */
  readonly ours: AdmittedKind;
}

export interface HelloOptions {
  readonly credential: Uint8Array;
  readonly judge: (credential: Uint8Array) => Admission;
  readonly done: (outcome: HelloOutcome) => void;
  /** Called at most once, and never after `done`. `isOurs` when this side refused. */
  readonly failed: (error: TransportError, isOurs: boolean) => void;
}

export function sayHello(pipe: Pipe, options: HelloOptions): void {
  let theirs: AdmittedKind | null = null;
  let step: "credential" | "verdict" | "over" = "credential";
  const fail = (error: TransportError, isOurs: boolean): void => {
    if (step === "over") return;
    step = "over";
    options.failed(error, isOurs);
  };
  const judged = (credential: Uint8Array): void => {
    step = "verdict";
    const verdict = options.judge(credential);
    pipe.send(frame(encodeVerdict(verdict)));
    if (verdict.kind !== "refused") theirs = verdict.kind;
    else {
      pipe.end();
      fail(new TransportError("refused", verdict.reason), true);
    }
  };
  const heard = (message: Uint8Array): void => {
    const verdict = decodeVerdict(message);
    if (verdict === null) return fail(new TransportError("aborted", "a malformed verdict"), false);
    if (verdict.kind === "refused") return fail(new TransportError("refused", verdict.reason), false);
    if (theirs === null) return;
    step = "over";
    pipe.end();
    options.done({ theirs, ours: verdict.kind });
  };
  const reader = new FrameReader(CREDENTIAL_BYTES_MAX, (message) => {
    if (step === "credential") judged(message);
    else if (step === "verdict") heard(message);
  });
  pipe.receive({
    data(bytes) {
      if (!reader.push(bytes)) fail(new TransportError("limit", "a credential that is too long"), true);
    },
    closed(error) {
      const reason = error?.message ?? "the other side said nothing";
      fail(new TransportError("aborted", `The connection broke while credentials were exchanged: ${reason}`), false);
    },
  });
  pipe.send(frame(options.credential));
}

function encodeVerdict(verdict: Admission): Uint8Array {
  const reason =
    verdict.kind === "refused" ? new TextEncoder().encode(verdict.reason).subarray(0, REASON_BYTES_MAX) : [];
  return Uint8Array.from([VERDICTS.indexOf(verdict.kind), ...reason]);
}

function decodeVerdict(message: Uint8Array): Admission | null {
  const kind = VERDICTS[message[0] ?? VERDICTS.length];
  if (kind === undefined || message.length > 1 + REASON_BYTES_MAX) return null;
  switch (kind) {
    case "refused":
      return { kind, reason: new TextDecoder().decode(message.subarray(1)) };
    case "member":
    case "client":
    case "guest":
      return { kind };
    default:
      return unreachable(kind);
  }
}
