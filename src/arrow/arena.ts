/** Byte offset in the arena, 0 … 2^32 − 1; 0 means "none". */
export type Address = number;

/** Who an allocation is counted for: an operator's id in the running job, 0 for the engine itself. */
export type OwnerId = number;
