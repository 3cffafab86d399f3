export {
  isProtocolErrorCode,
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorOptions,
  RemoteError,
} from "./error.ts";
export {
  EXECUTOR_CREDENTIAL_BYTES_MAX,
  EXECUTOR_CREDENTIAL_TTL_MS,
  type ExecutorCredential,
  type ExecutorJudgeFacts,
  type ExecutorVerdict,
  encodeExecutorCredential,
  judgeExecutorCredential,
  mayExchange,
} from "./executor_credential.ts";
export {
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_KINDS,
  type Frame,
  type FrameKind,
  FrameReader,
} from "./frame.ts";
export {
  ADDRESSES_PER_MEMBER_MAX,
  CONFIRMATIONS_MAX,
  DIGEST_BUCKETS_MAX,
  DIGEST_ENTRIES_MAX,
  type Digest,
  type DigestEntry,
  type DigestPart,
  type DigestReply,
  type DigestState,
  type GossipMessage,
  type GossipUpdates,
  type Heartbeat,
  type MemberRecord,
  type News,
  NO_UPDATES,
  type Probe,
  type ProbeAck,
  type ProbeRequest,
  type ProbeResult,
  RECORDS_PER_MESSAGE_MAX,
  type SignedRecord,
  VERDICTS_PER_MESSAGE_MAX,
  type Verdict,
} from "./gossip.ts";
export { decodeMemberRecord, encodeMemberRecord, MEMBER_RECORD_BYTES_MAX } from "./gossip_schema.ts";
export * from "./methods/agent.ts";
export { auditList } from "./methods/audit.ts";
export { BLOB_BYTES_MAX, BLOB_CHUNK_BYTES_MAX, blobFind, blobGet, blobPut } from "./methods/blob.ts";
export {
  CLUSTER_MEMBERS_MAX,
  clusterLeave,
  clusterRetireKeys,
  clusterRotateKey,
  clusterStatus,
  clusterTransferLeader,
  type MemberStatus,
} from "./methods/cluster.ts";
export * from "./methods/executor.ts";
export * from "./methods/job.ts";
export { certificateRenew, certificateRevoke, GRANT_BYTES_MAX, GUEST_FRAME_BYTES_MAX, join } from "./methods/join.ts";
export { logPropose } from "./methods/log.ts";
export { nodeDigest, nodeStatus } from "./methods/node.ts";
export { settingGet, settingList, settingSet } from "./methods/setting.ts";
export * from "./methods/task.ts";
export { tokenCreate, tokenList, tokenRevoke } from "./methods/token.ts";
export { type ClusterEvent, watch } from "./methods/watch.ts";
export { type Post, PostCodec, type PostKind, type ReceivedPost } from "./post.ts";
export {
  CALL_DEADLINE_MS,
  CALLS_MAX,
  type CallOptions,
  type StreamOptions,
} from "./rpc/caller.ts";
export { STREAM_WINDOW, STREAM_WINDOW_MAX } from "./rpc/client_stream.ts";
export {
  type CallContext,
  type CallMethod,
  CREDENTIAL_ROLES,
  type CredentialRole,
  defineMethod,
  type ItemOutput,
  type ItemShape,
  type MethodTable,
  methodTable,
  on,
  onStream,
  ROLES,
  type Role,
  reaches,
  type Sent,
  type Served,
  type StreamMethod,
} from "./rpc/method.ts";
export { HELLO_TIMEOUT_MS, type RpcOptions, RpcSession } from "./rpc/session.ts";
export {
  address,
  blobHash,
  bytes,
  clusterId,
  durationMs,
  integer,
  list,
  name,
  parse,
  peerId,
  text,
  version,
  wallMs,
} from "./schema.ts";
export { decodeValue, encodeValue } from "./value.ts";
export { VALUE_COUNT_MAX, VALUE_DEPTH_MAX } from "./value_check.ts";
export {
  commonVersion,
  ownVersions,
  PROTOCOL_MAX,
  PROTOCOL_MIN,
  parseVersionRange,
  type VersionRange,
} from "./version.ts";
