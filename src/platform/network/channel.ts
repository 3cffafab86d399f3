/** Channels of the kernel on libp2p streams: the opener sends the name of the protocol, and what it sends next follows. */
import type { Channel, ChannelHandlers, PeerId } from "../../kernel/mod.ts";
import { frame } from "./frames.ts";
import { PROTOCOL_NAME_BYTES_MAX } from "./limits.ts";
import { Pipe } from "./pipe.ts";

export class StreamChannel implements Channel {
  readonly peer: PeerId;
  readonly protocol: string;
  private readonly pipe: Pipe;

  constructor(pipe: Pipe, peer: PeerId, protocol: string) {
    this.pipe = pipe;
    this.peer = peer;
    this.protocol = protocol;
  }

  receive(handlers: ChannelHandlers): void {
    this.pipe.receive(handlers);
  }

  send(bytes: Uint8Array): boolean {
    return this.pipe.send(bytes);
  }

  pause(): void {
    this.pipe.pause();
  }

  resume(): void {
    this.pipe.resume();
  }

  end(): void {
    this.pipe.end();
  }

  abort(reason: string): void {
    this.pipe.abort(reason);
  }
}

/** The name as the opener sends it. */
export function protocolFrame(protocol: string): Uint8Array {
  return frame(new TextEncoder().encode(protocol));
}

/** Reads the name, then hands the rest of the pipe over; aborts a pipe whose name is too long. */
export function readProtocol(pipe: Pipe, then: (protocol: string) => void, refused: (reason: string) => void): void {
  let head = new Uint8Array(0);
  pipe.receive({
    data(bytes) {
      const joined = new Uint8Array(head.length + bytes.length);
      joined.set(head);
      joined.set(bytes, head.length);
      head = joined;
      if (head.length < 4) return;
      const length = new DataView(head.buffer).getUint32(0);
      if (length > PROTOCOL_NAME_BYTES_MAX) {
        const reason = "a protocol's name is too long";
        refused(reason);
        return pipe.abort(reason);
      }
      if (head.length < 4 + length) return;
      pipe.detach();
      pipe.unread(head.slice(4 + length));
      then(new TextDecoder().decode(head.subarray(4, 4 + length)));
    },
    closed() {},
  });
}
