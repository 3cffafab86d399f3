import type { Random } from "../kernel/mod.ts";

/** What one call of the system's generator gives at most. */
const BYTES_PER_CALL_MAX = 65_536;

/** This machine's chance: `next` is fast and guessable, `bytes` is neither. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes(count) {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += BYTES_PER_CALL_MAX) {
      crypto.getRandomValues(bytes.subarray(at, at + BYTES_PER_CALL_MAX));
    }
    return bytes;
  },
};
