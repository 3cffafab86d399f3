/** Every limit of the consensus machine. Messages stay below `POST_BYTES_MAX` of the transport (1 MiB). */

/** Longest `data` of one entry. */
export const ENTRY_BYTES_MAX = 512 * 1024;
/** Entry bytes after which an append message is full; one entry always goes. */
export const APPEND_BYTES_MAX = 512 * 1024;
/** Entries in one append message. */
export const APPEND_ENTRIES_MAX = 4_096;
/** Append messages with entries that one follower has not answered yet. */
export const INFLIGHT_MESSAGES_MAX = 64;
/** Their bytes. */
export const INFLIGHT_BYTES_MAX = 4 << 20;
/** Bytes that a leader holds proposed and not committed; beyond it proposals are refused as "full". */
export const UNCOMMITTED_BYTES_MAX = 32 << 20;
/** Bytes of committed entries in one `Ready`; one entry always goes. */
export const COMMITTED_BYTES_MAX = 4 << 20;
/** Recent entries kept in memory so that replicating and applying them reads no disk. */
export const TAIL_BYTES_MAX = 8 << 20;
/** Bytes of a snapshot in one message. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 256 * 1024;
/** Snapshot chunks on the way to one follower. */
export const SNAPSHOT_CHUNKS_INFLIGHT_MAX = 4;
/** Largest snapshot; a follower holds it in memory while it arrives. Blobs are outside it. */
export const SNAPSHOT_BYTES_MAX = 256 << 20;
/** Reads that wait for a confirmation, own and forwarded ones together. */
export const READS_MAX = 16_384;
/** Forwarded proposals without an answer yet. */
export const FORWARDED_MAX = 16_384;
/** Voters and learners together. */
export const MEMBERS_MAX = 4_096;
/** Voters; a quorum of more gets slow and no safer. */
export const VOTERS_MAX = 15;
/** A learner becomes a voter only when it lags the leader's log by no more entries than this. */
export const PROMOTE_LAG_ENTRIES_MAX = 1_024;
