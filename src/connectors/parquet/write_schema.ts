import { type DataType, type Field, typeName } from "../../arrow/mod.ts";
import { ConnectorError } from "../error.ts";
import type { ThriftFields } from "./thrift.ts";

/** How a column is laid out in a Parquet file that SAGE writes. */
export type WriteNode = WriteLeaf | WriteGroup;

interface WriteBase {
  readonly name: string;
  readonly nullable: boolean;
  readonly type: DataType;
  readonly definedLevel: number;
  readonly repetitionLevel: number;
}

export interface WriteLeaf extends WriteBase {
  readonly kind: "leaf";
  readonly physical: PhysicalCode;
  /** Of fixed length byte arrays. */
  readonly byteWidth: number;
  readonly path: readonly string[];
}

export interface WriteGroup extends WriteBase {
  readonly kind: "list" | "struct";
  readonly children: readonly WriteNode[];
}

/** Numbers of parquet.thrift. */
export const PHYSICAL_CODE = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, byteArray: 6, fixed: 7 } as const;
export type PhysicalCode = (typeof PHYSICAL_CODE)[keyof typeof PHYSICAL_CODE];

interface Place {
  readonly defined: number;
  readonly repetition: number;
  readonly path: readonly string[];
}

export function writeNode(field: Field, place: Place = { defined: 0, repetition: 0, path: [] }): WriteNode {
  const nullable = field.nullable || field.type.kind === "null";
  const defined = place.defined + (nullable ? 1 : 0);
  const path = [...place.path, field.name];
  const type = field.type.kind === "dictionary" ? field.type.value : field.type;
  const base = {
    name: field.name,
    nullable,
    type,
    definedLevel: defined,
    repetitionLevel: place.repetition,
  };
  if (type.kind === "list") {
    const inner = { defined: defined + 1, repetition: place.repetition + 1, path: [...path, "list"] };
    return { ...base, kind: "list", children: [writeNode({ ...type.item, name: "element" }, inner)] };
  }
  if (type.kind === "struct") {
    if (type.fields.length === 0) {
      throw new ConnectorError(
        "unsupported",
        `Cannot write column "${field.name}" as Parquet: a struct without fields.`,
      );
    }
    const inner = { defined, repetition: place.repetition, path };
    return { ...base, kind: "struct", children: type.fields.map((child) => writeNode(child, inner)) };
  }
  return { ...base, kind: "leaf", ...physicalOf(type), path };
}

export function writeLeaves(node: WriteNode): WriteLeaf[] {
  return node.kind === "leaf" ? [node] : node.children.flatMap(writeLeaves);
}

function physicalOf(type: DataType): { physical: PhysicalCode; byteWidth: number } {
  const of = (physical: PhysicalCode, byteWidth = 0) => ({ physical, byteWidth });
  switch (type.kind) {
    case "bool":
      return of(PHYSICAL_CODE.boolean);
    case "null":
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
    case "date32":
      return of(PHYSICAL_CODE.int32);
    case "int64":
    case "uint64":
    case "timestamp":
    case "duration":
      return of(PHYSICAL_CODE.int64);
    case "time":
      return of(type.unit === "second" || type.unit === "millisecond" ? PHYSICAL_CODE.int32 : PHYSICAL_CODE.int64);
    case "float32":
      return of(PHYSICAL_CODE.float);
    case "float64":
      return of(PHYSICAL_CODE.double);
    case "decimal":
      return of(PHYSICAL_CODE.fixed, 16);
    case "fixedSizeBinary":
      return of(PHYSICAL_CODE.fixed, type.byteWidth);
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return of(PHYSICAL_CODE.byteArray);
    default:
      throw new ConnectorError("unsupported", `Parquet has no type for ${typeName(type)}.`);
  }
}

const REQUIRED = 0;
const OPTIONAL = 1;
const REPEATED = 2;

/** Schema elements in depth-first order, the root first. */
export function schemaElements(nodes: readonly WriteNode[]): ThriftFields[] {
  const elements: ThriftFields[] = [
    [
      [4, { bytes: "schema" }],
      [5, { i32: nodes.length }],
    ],
  ];
  for (const node of nodes) addElements(node, elements);
  return elements;
}

function addElements(node: WriteNode, elements: ThriftFields[]): void {
  const repetition = { i32: node.nullable ? OPTIONAL : REQUIRED };
  const name = { bytes: node.name };
  if (node.kind === "leaf") {
    const width = node.byteWidth > 0 ? { i32: node.byteWidth } : undefined;
    elements.push([[1, { i32: node.physical }], [2, width], [3, repetition], [4, name], ...logicalFields(node.type)]);
    return;
  }
  const count = { i32: node.children.length };
  if (node.kind === "struct")
    elements.push([
      [3, repetition],
      [4, name],
      [5, count],
    ]);
  else {
    const LIST = 3;
    elements.push([
      [3, repetition],
      [4, name],
      [5, { i32: 1 }],
      [6, { i32: LIST }],
      [10, { struct: [[LIST, { struct: [] }]] }],
    ]);
    elements.push([
      [3, { i32: REPEATED }],
      [4, { bytes: "list" }],
      [5, count],
    ]);
  }
  for (const child of node.children) addElements(child, elements);
}

/** Converted type (for old readers) and logical type. */
function logicalFields(type: DataType): ThriftFields {
  const logical = (id: number, fields: ThriftFields) =>
    [10, { struct: [[id, { struct: fields }]] }] as ThriftFields[number];
  switch (type.kind) {
    case "utf8":
    case "largeUtf8":
      return [[6, { i32: 0 }], logical(1, [])];
    case "null":
      return [logical(11, [])];
    case "date32":
      return [[6, { i32: 6 }], logical(6, [])];
    case "decimal":
      return [
        [6, { i32: 5 }],
        [7, { i32: type.scale }],
        [8, { i32: type.precision }],
        logical(5, [
          [1, { i32: type.scale }],
          [2, { i32: type.precision }],
        ]),
      ];
    case "timestamp":
      return [
        logical(8, [
          [1, { bool: type.timezone !== null }],
          [2, timeUnit(type.unit)],
        ]),
      ];
    case "time":
      return [
        logical(7, [
          [1, { bool: false }],
          [2, timeUnit(type.unit)],
        ]),
      ];
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64": {
      const signed = type.kind.startsWith("int");
      const bits = Number(type.kind.replace(/^u?int/, ""));
      return [
        [6, { i32: (signed ? 15 : 11) + Math.log2(bits / 8) }],
        logical(10, [
          [1, { i8: bits }],
          [2, { bool: signed }],
        ]),
      ];
    }
    default:
      return [];
  }
}

/** Parquet has no seconds: they are written as milliseconds. */
function timeUnit(unit: string): { struct: ThriftFields } {
  const id = unit === "microsecond" ? 2 : unit === "nanosecond" ? 3 : 1;
  return { struct: [[id, { struct: [] }]] };
}
