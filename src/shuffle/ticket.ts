/** What a task writes on one edge for one of the tasks that read it. */
export interface PartitionKey {
  readonly job: string;
  /** Of the job; only the newest is served. */
  readonly attempt: number;
  readonly edge: string;
  /** Number of the reading task. */
  readonly partition: number;
  /** Number of the writing task. */
  readonly producer: number;
}

/** A partition, and where to go on in it. */
export interface Ticket extends PartitionKey {
  /** First message that is wanted; 0 is the schema. */
  readonly fromSequence: number;
}

export function keyText({ job, attempt, edge, partition, producer }: PartitionKey): string {
  return `${job}/${attempt}/${edge}/${producer}/${partition}`;
}
