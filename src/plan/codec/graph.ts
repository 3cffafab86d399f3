/**
 * Frozen plain data as bytes: null, undefined, booleans, numbers, bigints, texts, bytes, dates, lists and objects. An
 * object that is referred to twice is one object again. Objects stand after all that they refer to, so there is no way
 * to write a cycle, and no recursion in either direction.
 */

/** Of one plan. */
export const GRAPH_BYTES_MAX = 4 << 20;
export const GRAPH_OBJECTS_MAX = 1_000_000;
/** Objects within objects. What reads plans goes down by recursion. */
export const GRAPH_DEPTH_MAX = 4_096;

type StandIn = (...args: never[]) => unknown;

export interface GraphOptions {
  /** What is encoded, in messages: "dataflow x". */
  readonly name?: string;
  /** Of functions under this key only the name is written; elsewhere they are an error. */
  readonly functionKey?: string;
  /** What stands for a function that was left out, by its name. */
  readonly standIn?: (name: string) => StandIn;
}

export const MAGIC = [0x53, 0x50, 0x4c, 0x31]; // SPL1

export const TAG = Object.freeze({
  null: 0,
  undefined: 1,
  true: 2,
  false: 3,
  /** Whole and safe: its sign in the tag. */
  positive: 4,
  negative: 5,
  float: 6,
  positiveBig: 7,
  negativeBig: 8,
  text: 9,
  bytes: 10,
  date: 11,
  object: 12,
  function: 13,
});

/** First count of an object's record: 0 for a list, else its list of keys + 1. */
export const LIST = 0;
