/** Limits of the transport. What is beyond is refused and logged. */

/** TCP and TLS together, and then as long again for the exchange of credentials. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** Connections that have not finished their TLS handshake; the oldest gives way to the newest. */
export const HANDSHAKES_MAX = 256;
/** Handshakes that one strange host, and all of them together, may begin at once, and a second from then on. */
export const STRANGERS_PACE = { atOnce: 16, perSecond: 4, allAtOnce: 128, allPerSecond: 16 } as const;
/** The same for a host of members or clients. */
export const KNOWN_PACE = {
  atOnce: 256,
  perSecond: 64,
  allAtOnce: Number.POSITIVE_INFINITY,
  allPerSecond: Number.POSITIVE_INFINITY,
} as const;
/** Encrypted connections that have not yet been admitted; the oldest gives way to the newest. */
export const UNADMITTED_MAX = 256;
export const CONNECTIONS_MAX = 8_192;
export const CONNECTIONS_PER_PEER_MAX = 4;
/** Channels of each direction on one connection. */
export const STREAMS_PER_CONNECTION_MAX = 1_024;
export const CREDENTIAL_BYTES_MAX = 8_192;
export const REASON_BYTES_MAX = 512;
export const PROTOCOL_NAME_BYTES_MAX = 128;
/** What may wait for one peer in `post`; the oldest messages go first. */
export const POST_QUEUE_BYTES_MAX = 4 << 20;
/** A message of `post` that could not be sent for so long is of no use any more. */
export const POST_AGE_MS_MAX = 5_000;
/** Unsent bytes of one channel whose user ignores `send` giving false. */
export const CHANNEL_UNSENT_BYTES_MAX = 64 << 20;
/** Window of a channel at its start and at most: what a paused reader makes this process keep. */
export const WINDOW_BYTES = 4 << 20;
export const WINDOW_BYTES_MAX = 16 << 20;
export const RETRY_MS_MIN = 100;
export const RETRY_MS_MAX = 5_000;
/** The next address of a peer is tried when the one before has not answered for so long. */
export const NEXT_ADDRESS_MS = 150;
export const GUEST_IDLE_MS = 10_000;
/** Peers without a credential at one time; the oldest gives way to the newest. */
export const GUESTS_MAX = 256;
/** Channels that one guest may have open: it needs one. */
export const GUEST_CHANNELS_MAX = 4;
/** What an incoming connection may send before it is admitted, and as a guest at all. */
export const STRANGER_BYTES_MAX = 1 << 20;
/** Each side lets something be heard this often, and believes a connection dead after the silence below. */
export const KEEP_ALIVE_MS = 5_000;
export const SILENCE_MS_MAX = 15_000;
/** A second connection between two peers takes no new channels, and is closed when it has had none for so long. */
export const RETIRED_MS = 2_000;
export const STOP_GRACE_MS = 500;
