/**
 * What programs learn of jobs. Written out, although the protocol's messages say the same, so that an editor shows it without
 * the library that checks messages. A newer cluster may add to it.
 */

/** `submitted`, `compiling`, `scheduling`, `running`, `finishing`, `finished`, …; not a closed set. */
type JobState = string;

/** A job as lists show it. */
export interface JobSummary {
  /** 32 hexadecimal digits. */
  readonly jobId: string;
  readonly number: number;
  readonly name: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly createdBy: string;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAtMs: number;
  /** When it came into its state. */
  readonly movedAtMs: number;
  /** Of the last move. */
  readonly reason: string;
}

interface Counters {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly bytesOut: number;
  /** Time in which it waited for its readers. */
  readonly backpressureMs: number;
  readonly elapsedMs: number;
}

/** One part of a stage, on one slot. */
export interface JobTask extends Counters {
  readonly fragment: number;
  readonly index: number;
  /** waiting, deployed, running, finished, committed, cancelling; once the job has ended also failed, lost, not run, ended. */
  readonly status: string;
  /** Name of the node; null while it waits. */
  readonly node: string | null;
  readonly peer: string | null;
  readonly slot: number;
  readonly attempt: number;
  readonly failures: number;
  readonly losses: number;
  readonly spilledBytes: number;
  /** Why earlier runs ended. */
  readonly reasons: readonly string[];
}

/** Tasks that do the same, together. */
export interface JobStage extends Counters {
  readonly fragment: number;
  /** What it does, in a few words. */
  readonly label: string;
  readonly parallelism: number;
  /** Fragments that it reads. */
  readonly inputs: readonly number[];
  readonly waiting: number;
  readonly running: number;
  readonly finished: number;
}

/** What the cluster knows of a job now. */
export interface JobProgress extends JobSummary {
  /** Why it waits, when it does. */
  readonly waiting: string | null;
  readonly stages: readonly JobStage[];
  /** The physical plan as text; only where it is asked for. */
  readonly plan: string | null;
  readonly tasks: readonly JobTask[];
  /** Tasks that were left out of `tasks`. */
  readonly tasksLeftOut: number;
  /** How many roots give rows. */
  readonly resultRoots: number;
  /** Which ones, by their place in what the builder returned; missing until it is compiled. */
  readonly roots?: readonly number[] | undefined;
  readonly lastError: {
    readonly reason: string;
    /** Of an error that was found before anything ran: which. */
    readonly code?: string | undefined;
    /** In the user's file. Line and column count from 1. */
    readonly place: {
      readonly file: string;
      readonly line: number;
      readonly column: number;
      readonly text: string;
    } | null;
  } | null;
}

/** What the job's code has printed. */
export interface JobLogLine {
  readonly atMs: number;
  readonly node: string;
  /** That printed it, as "fragment.index"; null: not known. */
  readonly task: string | null;
  readonly attempt?: number | undefined;
  readonly stream: "out" | "err";
  readonly text: string;
}
