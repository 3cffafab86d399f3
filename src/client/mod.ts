export { type CallSettings, type ClientOptions, type ClientPorts, ClusterClient } from "./client.ts";
export { ClientError, type ClientErrorCode } from "./error.ts";
