export { type BuildTerminal, BuildWord, buildCode, buildStateWord } from "./build_code.ts";
export { canBeDense, entryLayout } from "./layout.ts";
export { generateLink, linkChunkWord } from "./link_code.ts";
export type { ProbeOutput, ProbeStep } from "./probe.ts";
export { probeCode } from "./probe_code.ts";
export { generateRest, type RestSpec, restChunkWord, restInput } from "./rest_code.ts";
export { type BuildShape, type Placement, type TableAddresses, tableWords } from "./shape.ts";
