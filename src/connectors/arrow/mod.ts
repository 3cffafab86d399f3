export { arrowSink } from "./sink.ts";
export { arrowSource } from "./source.ts";
