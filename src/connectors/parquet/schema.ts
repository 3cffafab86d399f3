import type { DataType, Field } from "../../arrow/mod.ts";
import { ConnectorError } from "../error.ts";
import type { Footer, SchemaElement } from "./footer.ts";

/**
 * The tree of a Parquet schema in Arrow's shape. Each node knows at which definition level it is not null, so that
 * `assemble.ts` can rebuild lists and structs from the levels of the leaves (Dremel encoding).
 */

export type ColumnShape = LeafShape | ListShape | StructShape;

interface ShapeBase {
  readonly name: string;
  readonly nullable: boolean;
  readonly type: DataType;
  /** A value is there (not null) when the definition level is at least this. */
  readonly definedLevel: number;
  /** An entry (null or not) is there when the definition level is at least this and … */
  readonly entryLevel: number;
  /** … the repetition level is at most this: the number of lists around it. */
  readonly repetitionLevel: number;
}

export interface LeafShape extends ShapeBase {
  readonly kind: "leaf";
  /** Position among all leaves: the column chunk in a row group. */
  readonly leaf: number;
  readonly element: SchemaElement;
}

export interface ListShape extends ShapeBase {
  readonly kind: "list";
  readonly item: ColumnShape;
}

export interface StructShape extends ShapeBase {
  readonly kind: "struct";
  readonly children: readonly ColumnShape[];
}

const DEPTH_MAX = 24;
const LEVEL_MAX = 127;

interface Place {
  readonly defined: number;
  readonly entry: number;
  readonly repetition: number;
  readonly depth: number;
}

/** Top-level columns of the file. Throws ConnectorError when the schema is broken or uses a type that is not read. */
export function columnShapes(path: string, footer: Footer): ColumnShape[] {
  const builder = new ShapeBuilder(path, footer.elements);
  return builder.build();
}

class ShapeBuilder {
  private next = 0;
  private leafCount = 0;
  private readonly path: string;
  private readonly elements: readonly SchemaElement[];

  constructor(path: string, elements: readonly SchemaElement[]) {
    this.path = path;
    this.elements = elements;
  }

  build(): ColumnShape[] {
    const root = this.take();
    const top: Place = { defined: 0, entry: 0, repetition: 0, depth: 0 };
    const columns: ColumnShape[] = [];
    for (let i = 0; i < root.childCount; i++) columns.push(this.column(this.take(), top));
    if (this.next !== this.elements.length) this.broken("it has elements outside the tree");
    return columns;
  }

  private take(): SchemaElement {
    const element = this.elements[this.next++];
    return element ?? this.broken("a group has fewer columns than it says");
  }

  private broken(reason: string): never {
    throw new ConnectorError("corrupt", `Cannot read ${this.path}: its Parquet schema is broken (${reason}).`);
  }

  /** A column as its parent sees it: a repeated element is a list of what it repeats. */
  private column(element: SchemaElement, place: Place): ColumnShape {
    if (place.depth > DEPTH_MAX || place.defined > LEVEL_MAX) this.broken("it is nested too deeply");
    if (element.repetition === "repeated") return this.repeated(element, { ...place, depth: place.depth + 1 });
    const nullable = element.repetition === "optional";
    const here = { ...place, defined: place.defined + (nullable ? 1 : 0), depth: place.depth + 1 };
    if (element.physical !== null) return this.leaf(element, here, nullable);
    const kind = element.logical?.kind;
    const isList = kind === "list" || kind === "map" || kind === "mapKeyValue";
    if (isList && element.childCount === 1 && this.elements[this.next]?.repetition === "repeated") {
      return this.list(element, here, nullable);
    }
    return this.struct(element, here, nullable);
  }

  private leaf(element: SchemaElement, place: Place, nullable: boolean): LeafShape {
    const type = leafType(this.path, element);
    return { kind: "leaf", name: element.name, nullable, type, leaf: this.leafCount++, element, ...levels(place) };
  }

  private struct(element: SchemaElement, place: Place, nullable: boolean): StructShape {
    if (element.childCount === 0) this.broken(`group "${element.name}" has no columns`);
    const children: ColumnShape[] = [];
    for (let i = 0; i < element.childCount; i++) children.push(this.column(this.take(), place));
    const type: DataType = { kind: "struct", fields: children.map(fieldOf) };
    return { kind: "struct", name: element.name, nullable, type, children, ...levels(place) };
  }

  /** The annotated group; its only child repeats (parquet-format, LogicalTypes.md, "Lists" and its compatibility rules). */
  private list(element: SchemaElement, place: Place, nullable: boolean): ListShape {
    const repeated = this.take();
    const item = this.items(repeated, place, element);
    return listShape({ name: element.name, nullable, item, place });
  }

  /** A repeated element without a list around it. */
  private repeated(element: SchemaElement, place: Place): ListShape {
    const inner = inside(place);
    const item = element.physical !== null ? this.leaf(element, inner, false) : this.struct(element, inner, false);
    return listShape({ name: element.name, nullable: false, item, place });
  }

  private items(repeated: SchemaElement, place: Place, list: SchemaElement): ColumnShape {
    const inner = inside(place);
    if (repeated.physical !== null) return this.leaf(repeated, inner, false);
    const isMap = list.logical?.kind !== "list";
    const legacy = repeated.name === "array" || repeated.name === `${list.name}_tuple`;
    const single = repeated.childCount === 1 && this.elements[this.next]?.repetition !== "repeated";
    if (!isMap && !legacy && single) return this.column(this.take(), inner);
    return this.struct(repeated, inner, false);
  }
}

function inside(place: Place): Place {
  const level = place.defined + 1;
  return { defined: level, entry: level, repetition: place.repetition + 1, depth: place.depth + 1 };
}

function levels(place: Place): { definedLevel: number; entryLevel: number; repetitionLevel: number } {
  return { definedLevel: place.defined, entryLevel: place.entry, repetitionLevel: place.repetition };
}

function listShape(parts: { name: string; nullable: boolean; item: ColumnShape; place: Place }): ListShape {
  const { name, nullable, item, place } = parts;
  return { kind: "list", name, nullable, item, type: { kind: "list", item: fieldOf(item) }, ...levels(place) };
}

export function fieldOf(shape: ColumnShape): Field {
  return { name: shape.name, type: shape.type, nullable: shape.nullable };
}

function leafType(path: string, element: SchemaElement): DataType {
  const { logical } = element;
  if (logical?.kind === "null") return { kind: "null" };
  switch (element.physical) {
    case "boolean":
      return { kind: "bool" };
    case "int32":
      return int32Type(path, element);
    case "int64":
      return int64Type(path, element);
    case "int96":
      return { kind: "timestamp", unit: "nanosecond", timezone: null };
    case "float":
      return { kind: "float32" };
    case "double":
      return { kind: "float64" };
    case "byteArray":
      if (logical?.kind === "decimal") return decimalType(path, element);
      return isText(element) ? { kind: "utf8" } : { kind: "binary" };
    case "fixed":
      if (logical?.kind === "decimal") return decimalType(path, element);
      if (logical?.kind === "float16" && element.byteWidth === 2) return { kind: "float32" };
      return { kind: "fixedSizeBinary", byteWidth: element.byteWidth };
    case null:
      return { kind: "null" };
  }
}

function isText(element: SchemaElement): boolean {
  const kind = element.logical?.kind;
  return kind === "string" || kind === "enum" || kind === "json";
}

function int32Type(path: string, element: SchemaElement): DataType {
  const { logical } = element;
  if (logical?.kind === "date") return { kind: "date32" };
  if (logical?.kind === "time") return { kind: "time", unit: "millisecond" };
  if (logical?.kind === "decimal") return decimalType(path, element);
  if (logical?.kind !== "integer") return { kind: "int32" };
  if (logical.bits === 8) return { kind: logical.signed ? "int8" : "uint8" };
  if (logical.bits === 16) return { kind: logical.signed ? "int16" : "uint16" };
  return { kind: logical.signed ? "int32" : "uint32" };
}

function int64Type(path: string, element: SchemaElement): DataType {
  const { logical } = element;
  if (logical?.kind === "timestamp")
    return { kind: "timestamp", unit: logical.unit, timezone: logical.utc ? "UTC" : null };
  if (logical?.kind === "time") return { kind: "time", unit: logical.unit };
  if (logical?.kind === "decimal") return decimalType(path, element);
  return { kind: logical?.kind === "integer" && !logical.signed ? "uint64" : "int64" };
}

const DECIMAL_DIGITS_MAX = 38;

function decimalType(path: string, element: SchemaElement): DataType {
  const { logical } = element;
  if (logical?.kind !== "decimal")
    throw new ConnectorError("corrupt", `${path}: column "${element.name}" is no decimal.`);
  const { precision, scale } = logical;
  if (precision >= 1 && precision <= DECIMAL_DIGITS_MAX && scale <= precision)
    return { kind: "decimal", precision, scale };
  throw new ConnectorError(
    "unsupported",
    `Cannot read ${path}: column "${element.name}" is decimal(${precision}, ${scale}); ` +
      `SAGE reads 1 to ${DECIMAL_DIGITS_MAX} digits and a scale of at most as many.`,
  );
}
