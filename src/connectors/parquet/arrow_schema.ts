import { type DataType, IpcReader, type Schema } from "../../arrow/mod.ts";
import { schemaArena } from "../schema_arena.ts";
import { type ColumnShape, fieldOf } from "./schema.ts";

/**
 * Arrow based writers leave their schema in the footer. Of it SAGE takes what Parquet's own types cannot say: names of
 * time zones, and that a number is a duration. It is only a help: what does not fit is left as it is.
 */
export function withArrowTypes(shapes: readonly ColumnShape[], encoded: string | null): ColumnShape[] {
  const schema = encoded === null ? null : decode(encoded);
  if (schema === null) return [...shapes];
  const types = new Map(schema.fields.map((field) => [field.name, field.type]));
  return shapes.map((shape) => retyped(shape, types.get(shape.name)));
}

function decode(encoded: string): Schema | null {
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    const source = {
      size: bytes.length,
      read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
    };
    return new IpcReader(schemaArena(), source, { owner: 0 }).schema;
  } catch {
    return null;
  }
}

function retyped(shape: ColumnShape, type: DataType | undefined): ColumnShape {
  if (type === undefined) return shape;
  switch (shape.kind) {
    case "leaf": {
      const here = shape.type;
      if (here.kind === "timestamp" && type.kind === "timestamp" && here.timezone !== null && type.timezone !== null) {
        return { ...shape, type: { ...here, timezone: type.timezone } };
      }
      return here.kind === "int64" && type.kind === "duration" ? { ...shape, type } : shape;
    }
    case "list": {
      if (type.kind !== "list") return shape;
      const item = retyped(shape.item, type.item.type);
      return { ...shape, item, type: { kind: "list", item: fieldOf(item) } };
    }
    case "struct": {
      if (type.kind !== "struct") return shape;
      const fields = new Map(type.fields.map((field) => [field.name, field.type]));
      const children = shape.children.map((child) => retyped(child, fields.get(child.name)));
      return { ...shape, children, type: { kind: "struct", fields: children.map(fieldOf) } };
    }
  }
}
