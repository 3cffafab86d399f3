import type { Schema } from "../../src/arrow/mod.ts";
import { DATA, type Expected, expectedOf } from "./support.ts";

/** Options with the defaults that `Stream` fills in. */
export function csvOptions(paths: string[], changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    paths,
    schema: null,
    delimiter: ",",
    quote: '"',
    escape: null,
    header: true,
    nulls: [""],
    skipRows: 0,
    comment: null,
    onBadRow: "fail",
    inferRows: 1000,
    ...changes,
  };
}

/** How a fixture's expected.json says it is read. */
export function csvFixtureOptions(name: string): Record<string, unknown> {
  const expected: Expected = expectedOf(name);
  const { delimiter, escape, header, nullMarkers } = expected.options ?? {};
  const changes: Record<string, unknown> = {};
  if (delimiter !== undefined) changes.delimiter = delimiter;
  else if (name.endsWith(".tsv")) changes.delimiter = "\t";
  if (escape !== undefined) changes.escape = escape;
  if (header !== undefined) changes.header = header;
  if (nullMarkers !== undefined) changes.nulls = nullMarkers;
  if (expected.badRows !== undefined) changes.onBadRow = "skip";
  if (expected.note?.startsWith("read with the schema") === true) changes.schema = ABSCHEMA;
  return csvOptions([DATA + name], changes);
}

export const ABSCHEMA: Schema = {
  fields: [
    { name: "a", type: { kind: "int64" }, nullable: true },
    { name: "b", type: { kind: "utf8" }, nullable: true },
  ],
};
