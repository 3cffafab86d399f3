/**
 * libp2p's yamux with our limits, fewer window updates, and a short way for data.
 *
 * Its streams answer every frame with an update of their window: a small record to encrypt, send and decrypt for each
 * 64 KiB. Ours wait until half of the window is used, as the other yamux implementations do. What may be sent as it is
 * does not pass through libp2p's lists of bytes; what arrives does not either (`frame_feed.ts`).
 */
import { yamux } from "@chainsafe/libp2p-yamux";
import type { StreamMuxerFactory } from "@libp2p/interface";
import { type FedMuxer, type FedStream, FrameFeed } from "./frame_feed.ts";
import {
  CHANNEL_UNSENT_BYTES_MAX,
  KEEP_ALIVE_MS,
  STREAMS_PER_CONNECTION_MAX,
  WINDOW_BYTES,
  WINDOW_BYTES_MAX,
} from "./limits.ts";
import { TlsConnection } from "./tls_connection.ts";

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

const TYPE_DATA = 0;

/** What a yamux stream has besides its public interface. */
interface OwnStream extends FedStream {
  recvWindow: number;
  sendWindowCapacity: number;
  writableNeedsDrain: boolean;
  readonly sendingData: boolean;
  readonly writeStatus: string;
  readonly writeBufferLength: number;
  handleData(frame: unknown): void;
  getSendFlags(): number;
  send(data: Uint8Array | { readonly byteLength: number }): boolean;
  sendFrame(header: { type: number; flag: number; streamID: number; length: number }, data: Uint8Array): boolean;
}

interface OwnMuxer extends FedMuxer {
  onData(bytes: Uint8Array | Iterable<Uint8Array>): void;
  abort(error: Error): void;
  _newStream(...parameters: unknown[]): OwnStream;
}

export function createMuxer(): StreamMuxerFactory {
  const factory = yamux(YAMUX_OPTIONS)();
  return {
    protocol: factory.protocol,
    createStreamMuxer(connection) {
      const muxer = factory.createStreamMuxer(connection);
      const own = muxer as unknown as OwnMuxer; // of the version that package-lock.json names
      const make = own._newStream.bind(muxer);
      own._newStream = (...parameters) => shortened(make(...parameters));
      const feed = new FrameFeed(own);
      own.onData = (bytes) => {
        if (bytes instanceof Uint8Array) feed.push(bytes);
        else for (const chunk of bytes) feed.push(chunk);
      };
      if (connection instanceof TlsConnection) {
        connection.takeBytes = (bytes) => {
          try {
            return feed.push(bytes);
          } catch (error) {
            own.abort(error as Error);
            connection.abort(error as Error);
            return false;
          }
        };
      }
      return muxer;
    },
  };
}

function shortened(stream: OwnStream): OwnStream {
  withFewerUpdates(stream);
  withShortSends(stream);
  return stream;
}

function withFewerUpdates(stream: OwnStream): void {
  const sendWindowUpdate = stream.sendWindowUpdate.bind(stream);
  const handleData = stream.handleData.bind(stream);
  let isHandlingData = false;
  const whileHandling = (body: () => void): void => {
    isHandlingData = true;
    try {
      body();
    } finally {
      isHandlingData = false;
    }
  };
  stream.handleData = (frame) => whileHandling(() => handleData(frame));
  stream.dataHandled = () => whileHandling(() => stream.sendWindowUpdate());
  stream.sendWindowUpdate = () => {
    if (isHandlingData && stream.recvWindowCapacity > stream.recvWindow / 2) return;
    sendWindowUpdate();
  };
}

/** What fits into the window goes to the connection as one frame, unless something waits before it. */
function withShortSends(stream: OwnStream): void {
  const send = stream.send.bind(stream);
  stream.send = (data) => {
    const isReady = stream.writeStatus === "writable" && !stream.writableNeedsDrain && !stream.sendingData;
    const fits = stream.writeBufferLength === 0 && data.byteLength <= stream.sendWindowCapacity;
    if (!(data instanceof Uint8Array) || !isReady || !fits || data.byteLength === 0) return send(data);
    stream.sendWindowCapacity -= data.byteLength;
    const header = { type: TYPE_DATA, flag: stream.getSendFlags(), streamID: stream.streamId, length: data.byteLength };
    const hasRoom = stream.sendFrame(header, data);
    if (!hasRoom) stream.writableNeedsDrain = true;
    return hasRoom;
  };
}
