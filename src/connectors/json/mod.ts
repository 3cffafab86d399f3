export { jsonSink } from "./sink.ts";
