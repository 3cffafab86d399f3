import { SageError } from "../../kernel/mod.ts";

export type AdmissionErrorCode =
  | "no-credential"
  /** Bytes or text that are no credential at all. */
  | "malformed"
  | "wrong-cluster"
  | "unknown-key"
  /** The signature does not hold. */
  | "tampered"
  /** Made out to another key than the one that shows it. */
  | "stolen"
  | "revoked"
  | "expired"
  | "not-yet-valid"
  | "wrong-role"
  /** A token whose uses are taken. */
  | "used"
  | "unknown-token"
  /** The name is another node's, or the peer is known as something else. */
  | "conflict"
  /** The software cannot apply the cluster's commands. */
  | "too-old"
  | "limit";

/** A peer may not come in, or may not do this. The message tells the peer's user what to do. */
export class AdmissionError extends SageError<AdmissionErrorCode> {
  override readonly name = "AdmissionError";
}
