export {
  canMove,
  isEnded,
  JOB_STATE_TABLE,
  JOB_STATES,
  type JobState,
  jobStatesDiagram,
} from "../../jobs/mod.ts";
export type { MemberInfo } from "../fields.ts";
export { COMMAND_ROLES } from "./apply.ts";
export { tokenProblem } from "./apply_tokens.ts";
export type { AuditQuery } from "./audit.ts";
export {
  type Actor,
  COMMAND_KINDS,
  type Command,
  type CommandKind,
  type CommandOf,
  type Envelope,
  encodeCommand,
  FORMAT_MAX,
  type Part,
  type RequestId,
} from "./command.ts";
export { StateError, type StateErrorCode } from "./error.ts";
export {
  AUDIT_ENTRIES_MAX,
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  JOB_BLOBS_MAX,
  JOB_OPTIONS_BYTES_MAX,
  PART_BYTES_MAX,
  PARTS_BYTES_MAX,
  SESSION_WINDOW_MAX,
  SETTING_VALUE_CHARS_MAX,
  TOKEN_TTL_MS_MAX,
  TOKEN_USES_MAX,
} from "./limits.ts";
export { ClusterState, type ClusterStateOptions } from "./machine.ts";
export type {
  AuditEntry,
  BlobRecord,
  ClientEntry,
  ClusterRecord,
  JobRecord,
  JobStep,
  KeyRecord,
  MemberEntry,
  SettingRecord,
  TokenRecord,
  UploadRecord,
} from "./records.ts";
export type { ApplyResult, CommandValue, Effect, Outcome, RefusalCode } from "./result.ts";
