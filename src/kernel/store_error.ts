import { SageError, type SageErrorOptions } from "./error.ts";

export type StoreErrorCode =
  | "damaged"
  | "disk-full"
  | "in-use"
  | "wrong-owner"
  | "wrong-cluster"
  | "foreign"
  | "not-private"
  | "newer-version"
  | "not-writable"
  | "failed"
  | "closed";

/** What a node keeps on disk cannot be read, or could not be written. */
export class StoreError extends SageError<StoreErrorCode> {
  override readonly name = "StoreError";

  constructor(code: StoreErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: code === "disk-full" || code === "in-use", ...options });
  }
}
