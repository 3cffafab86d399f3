export { firstChange, recoveryChange } from "./bootstrap.ts";
export type { ForwardedOutcome, RaftOptions, ReadOutcome } from "./core.ts";
export * from "./limits.ts";
export { type MembershipChange, type MembershipRefusal, NO_MEMBERS } from "./membership.ts";
export type {
  AppendRequest,
  AppendResponse,
  DataEntry,
  DropReason,
  Entry,
  Envelope,
  HardState,
  Heartbeat,
  HeartbeatResponse,
  Membership,
  MembershipEntry,
  Message,
  MessageKind,
  NoopEntry,
  ProposalOutcome,
  ProposeRequest,
  ProposeResponse,
  ReadRequest,
  ReadResponse,
  Snapshot,
  SnapshotChunk,
  SnapshotMeta,
  SnapshotResponse,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from "./messages.ts";
export type { ProgressState } from "./progress.ts";
export type { MembershipResult, ProposeResult } from "./propose.ts";
export { Raft } from "./raft.ts";
export { changeOf, type PeerProgress, type RaftStatus, type Ready, type RoleChange } from "./ready.ts";
export { type Ballot, type LogEnd, majority, type RaftRules, type Role, RULES } from "./rules.ts";
export { entryBytes, type RaftStore, type StoreChange, type StoredState } from "./store.ts";
export type { TransferResult } from "./transfer.ts";
