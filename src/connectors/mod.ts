export type {
  Sink,
  SinkContext,
  SinkWriter,
  Source,
  SourceContext,
  SourceInfo,
  SourceRequest,
  Split,
  SplitReader,
  Tools,
} from "./contract.ts";
export { ConnectorError, type ConnectorErrorCode } from "./error.ts";
export { sinkOf, sinks, sourceOf, sources } from "./registry.ts";
