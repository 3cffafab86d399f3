export type * from "./connector_options.ts";
