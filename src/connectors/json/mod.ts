export { jsonSink } from "./sink.ts";
export { jsonSource } from "./source.ts";
