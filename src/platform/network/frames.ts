/** Messages in a stream of bytes: four bytes of length, most significant first, then the message. */

const HEAD_BYTES = 4;

export function frame(...messages: readonly Uint8Array[]): Uint8Array {
  const size = messages.reduce((sum, message) => sum + HEAD_BYTES + message.length, 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const message of messages) {
    view.setUint32(at, message.length);
    out.set(message, at + HEAD_BYTES);
    at += HEAD_BYTES + message.length;
  }
  return out;
}

/** Cuts a stream into messages; each is valid only until `take` returns. */
export class FrameReader {
  private readonly bytesMax: number;
  private readonly take: (message: Uint8Array) => void;
  private readonly head = new Uint8Array(HEAD_BYTES);
  private headSize = 0;
  private body: Uint8Array | null = null;
  private bodySize = 0;

  constructor(bytesMax: number, take: (message: Uint8Array) => void) {
    this.bytesMax = bytesMax;
    this.take = take;
  }

  /** False when a message is longer than allowed: nothing may be pushed after that. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length) {
      if (this.body === null) {
        this.head[this.headSize++] = bytes[at++] as number;
        if (this.headSize < HEAD_BYTES) continue;
        this.headSize = 0;
        const length = new DataView(this.head.buffer).getUint32(0);
        if (length > this.bytesMax) return false;
        if (length <= bytes.length - at) {
          this.take(bytes.subarray(at, at + length));
          at += length;
        } else {
          this.body = new Uint8Array(length);
          this.bodySize = 0;
        }
        continue;
      }
      const part = bytes.subarray(at, at + this.body.length - this.bodySize);
      this.body.set(part, this.bodySize);
      this.bodySize += part.length;
      at += part.length;
      if (this.bodySize < this.body.length) continue;
      const whole = this.body;
      this.body = null;
      this.take(whole);
    }
    return true;
  }
}
