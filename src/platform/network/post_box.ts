/** What waits to be posted to one peer: bounded in bytes and in age, the oldest go first. */
import { frame } from "./frames.ts";
import { POST_AGE_MS_MAX, POST_QUEUE_BYTES_MAX } from "./limits.ts";

/** About one socket write; more at a time helps nobody. */
const BATCH_BYTES = 256 << 10;

interface Waiting {
  readonly message: Uint8Array;
  readonly atMs: number;
}

export class PostBox {
  private waiting: Waiting[] = [];
  private byteCount = 0;

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  put(message: Uint8Array, nowMs: number): void {
    this.waiting.push({ message: message.slice(), atMs: nowMs });
    this.byteCount += message.length;
    let dropped = 0;
    while (this.byteCount > POST_QUEUE_BYTES_MAX) this.byteCount -= this.waiting[dropped++]?.message.length ?? 0;
    if (dropped > 0) this.waiting.splice(0, dropped);
  }

  /** The next messages as one piece of stream; null when none is left that is young enough. */
  take(nowMs: number): Uint8Array | null {
    let count = 0;
    let size = 0;
    const batch: Uint8Array[] = [];
    for (const { message, atMs } of this.waiting) {
      if (size > 0 && size + message.length > BATCH_BYTES) break;
      count++;
      this.byteCount -= message.length;
      if (nowMs - atMs > POST_AGE_MS_MAX) continue;
      batch.push(message);
      size += message.length;
    }
    this.waiting.splice(0, count);
    return batch.length === 0 ? null : frame(...batch);
  }

  clear(): void {
    this.waiting = [];
    this.byteCount = 0;
  }
}
