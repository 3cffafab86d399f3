/** Limits of the replicated state. They are part of the command format: changing one needs a new format. */

export const MEMBERS_MAX = 4_096;
export const CLIENTS_MAX = 10_000;
export const KEYS_MAX = 8;
export const TOKENS_MAX = 1_000;
export const TOKEN_USES_MAX = 10_000;
export const TOKEN_TTL_MS_MAX = 366 * 86_400_000;
export const REVOKED_MAX = 10_000;

export const SETTINGS_MAX = 10_000;
export const SETTING_KEY_CHARS_MAX = 256;
export const SETTING_VALUE_CHARS_MAX = 65_536;
export const SETTINGS_CHARS_MAX = 64 << 20;

export const JOBS_MAX = 10_000;
/** Ended jobs that are kept; the one that ended first is deleted for the next. */
export const JOBS_ENDED_MAX = 1_000;
export const JOB_HISTORY_MAX = 32;
/** States between the first and the last of one move. */
export const JOB_VIA_MAX = 8;
export const JOB_OPTIONS_BYTES_MAX = 65_536;
export const JOB_BLOBS_MAX = 16;
/** Blobs that come with a command, and the bytes of all of them. */
export const PARTS_MAX = 4;
export const PART_BYTES_MAX = 128 << 10;
export const PARTS_BYTES_MAX = 256 << 10;
export const JOB_NOTES_BYTES_MAX = 4_096;

/** Every chunk of a blob but the last has exactly this size. */
export const CHUNK_BYTES_MAX = 256 << 10;
export const BLOB_BYTES_MAX = 64 << 20;
export const BLOBS_MAX = 10_000;
export const BLOBS_BYTES_MAX = 4 * 2 ** 30;
/** Blobs being sent at the same time; the one that rested longest gives way. */
export const UPLOADS_MAX = 64;

export const AUDIT_ENTRIES_MAX = 10_000;
export const AUDIT_SUBJECT_CHARS_MAX = 160;

/** Sessions whose retries are recognised; the one unused for longest gives way. */
export const SESSIONS_MAX = 4_096;
/** A session unused for so many log entries ends. */
export const SESSION_IDLE_ENTRIES_MAX = 1_000_000;
/** Requests of one session that may be on their way at the same time. */
export const SESSION_WINDOW_MAX = 64;
