import { encodeRows, gatherBatch, rowsShare, sampleSplitters, scatterRows, sortPart } from "./phases.ts";
import { candidatesOf } from "./top_k.ts";

export { runSort } from "./run.ts";
export { TopKStage } from "./top_k.ts";

export const sortEach = { "sort.candidates": candidatesOf };

export const sortPhases = {
  "sort.sample": sampleSplitters,
  "sort.share": rowsShare,
  "sort.encode": encodeRows,
  "sort.scatter": scatterRows,
  "sort.part": sortPart,
  "sort.gather": gatherBatch,
};
