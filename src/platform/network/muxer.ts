/**
 * libp2p's yamux with our limits, and with fewer window updates.
 *
 * Its streams answer every frame with an update of their window: a small record to encrypt, send and decrypt for each
 * 64 KiB. Ours wait until half of the window is used, as the other yamux implementations do.
 */
import { yamux } from "@chainsafe/libp2p-yamux";
import type { StreamMuxerFactory } from "@libp2p/interface";
import {
  CHANNEL_UNSENT_BYTES_MAX,
  KEEP_ALIVE_MS,
  STREAMS_PER_CONNECTION_MAX,
  WINDOW_BYTES,
  WINDOW_BYTES_MAX,
} from "./limits.ts";

const YAMUX_OPTIONS = {
  enableKeepAlive: true,
  keepAliveInterval: KEEP_ALIVE_MS,
  maxInboundStreams: STREAMS_PER_CONNECTION_MAX,
  maxOutboundStreams: STREAMS_PER_CONNECTION_MAX,
  streamOptions: {
    initialStreamWindowSize: WINDOW_BYTES,
    maxStreamWindowSize: WINDOW_BYTES_MAX,
    // A paused reader's window must fit: libp2p resets a stream whose buffer overflows.
    maxReadBufferLength: 2 * WINDOW_BYTES_MAX,
    maxWriteBufferLength: CHANNEL_UNSENT_BYTES_MAX,
  },
};

/** What a yamux stream has besides its public interface. */
interface Windowed {
  recvWindow: number;
  recvWindowCapacity: number;
  handleData?: (frame: unknown) => void;
  sendWindowUpdate?: () => void;
}

export function createMuxer(): StreamMuxerFactory {
  const factory = yamux(YAMUX_OPTIONS)();
  return {
    protocol: factory.protocol,
    createStreamMuxer(connection) {
      const muxer = factory.createStreamMuxer(connection);
      const maker = muxer as unknown as { _newStream?: (...parameters: unknown[]) => Windowed };
      const make = maker._newStream?.bind(muxer);
      if (make !== undefined) maker._newStream = (...parameters) => withFewerUpdates(make(...parameters));
      return muxer;
    },
  };
}

function withFewerUpdates<Stream extends Windowed>(stream: Stream): Stream {
  const { handleData, sendWindowUpdate } = stream;
  if (handleData === undefined || sendWindowUpdate === undefined) return stream;
  let isHandlingData = false;
  stream.handleData = (frame) => {
    isHandlingData = true;
    try {
      handleData.call(stream, frame);
    } finally {
      isHandlingData = false;
    }
  };
  stream.sendWindowUpdate = () => {
    if (isHandlingData && stream.recvWindowCapacity > stream.recvWindow / 2) return;
    sendWindowUpdate.call(stream);
  };
  return stream;
}
