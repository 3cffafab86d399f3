/** Where tasks find what they read. */
import { invariant, type PeerId } from "../../kernel/mod.ts";
import type { ExchangeOutline, FragmentOutline, TaskVertex } from "../physical/mod.ts";
import type { InputPlace } from "./facts.ts";
import type { Tasks } from "./tasks.ts";

const NO_BYTES: ReadonlyMap<PeerId, number> = new Map();

/** Where the task finds its input; its region's places are known. */
export function inputsOf(tasks: Tasks, number: number): InputPlace[] {
  const { task } = tasks.at(number);
  return (tasks.inputs[task.fragment] as readonly ExchangeOutline[]).flatMap((exchange) => {
    const { parallelism } = tasks.plan.fragments[exchange.from] as FragmentOutline;
    const all = Array.from({ length: parallelism }, (_, index): TaskVertex => ({ fragment: exchange.from, index }));
    const read =
      exchange.kind === "forward" ? all.filter(({ index }) => index + (exchange.offset ?? 0) === task.index) : all;
    return read.map((producer): InputPlace => {
      const { attempt, peer } = tasks.at(tasks.graph.numberOf(producer));
      invariant(peer !== null, "a producer has a place");
      return { exchange: exchange.id, producer, attempt, peer };
    });
  });
}

/** Peers of its producers, those with most of the input first, and how many bytes each has. */
export function inputBytesOf(tasks: Tasks, number: number): ReadonlyMap<PeerId, number> {
  const producers = tasks.graph.producers[number] as readonly number[];
  if (producers.length === 0) return NO_BYTES;
  const bytes = new Map<PeerId, number>();
  for (const producer of producers) {
    const { peer, outputBytes } = tasks.at(producer);
    const readers = tasks.graph.consumers[producer]?.length ?? 1;
    if (peer !== null) bytes.set(peer, (bytes.get(peer) ?? 0) + outputBytes / Math.max(1, readers));
  }
  return bytes;
}
