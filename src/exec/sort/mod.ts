import { encodeRows, gatherBatch, sampleSplitters, scatterRows, sortLocally, sortPart } from "./phases.ts";

export { runSort } from "./run.ts";

export const sortPhases = {
  "sort.local": sortLocally,
  "sort.sample": sampleSplitters,
  "sort.encode": encodeRows,
  "sort.scatter": scatterRows,
  "sort.part": sortPart,
  "sort.gather": gatherBatch,
};
