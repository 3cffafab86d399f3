import type { ConnectorSpec } from "../plan/mod.ts";
import { arrowSink, arrowSource } from "./arrow/mod.ts";
import type { Sink, Source } from "./contract.ts";
import { csvSink, csvSource } from "./csv/mod.ts";
import { ConnectorError } from "./error.ts";
import { generateSource } from "./generate/mod.ts";
import { jsonSink, jsonSource } from "./json/mod.ts";
import { parquetSink, parquetSource } from "./parquet/mod.ts";
import { rowsSource } from "./rows/mod.ts";

/** By `ConnectorSpec.connector`. */
export const sources: ReadonlyMap<string, Source> = new Map([
  ["parquet", parquetSource],
  ["csv", csvSource],
  ["json", jsonSource],
  ["arrow", arrowSource],
  ["rows", rowsSource],
  ["generate", generateSource],
]);

export const sinks: ReadonlyMap<string, Sink> = new Map([
  ["parquet", parquetSink],
  ["csv", csvSink],
  ["json", jsonSink],
  ["arrow", arrowSink],
]);

export function sourceOf(spec: ConnectorSpec): Source {
  return sources.get(spec.connector) ?? unknown("source", spec, sources);
}

export function sinkOf(spec: ConnectorSpec): Sink {
  return sinks.get(spec.connector) ?? unknown("sink", spec, sinks);
}

function unknown(what: string, spec: ConnectorSpec, known: ReadonlyMap<string, unknown>): never {
  const names = [...known.keys()].join(", ");
  throw new ConnectorError("unknownConnector", `There is no ${what} "${spec.connector}". There are: ${names}.`);
}
