import { unreachable } from "../kernel/mod.ts";
import type { DataType, Field, IntKind, TimeUnit } from "./types.ts";
import {
  binary,
  bool,
  date32,
  decimal,
  dictionary,
  duration,
  field,
  fixedSizeBinary,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  isInteger,
  largeBinary,
  largeUtf8,
  list,
  nullType,
  struct,
  time,
  timestamp,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
} from "./types.ts";

/** Nesting that a written type may have. */
const NESTING_MAX = 64;

const UNIT_TEXT: Record<TimeUnit, string> = { second: "s", millisecond: "ms", microsecond: "us", nanosecond: "ns" };
const UNIT_OF_TEXT = new Map(Object.entries(UNIT_TEXT).map(([unit, text]) => [text, unit as TimeUnit]));

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function nameText(name: string): string {
  return PLAIN_NAME.test(name) ? name : JSON.stringify(name);
}

function fieldText(f: Field): string {
  return `${nameText(f.name)}: ${typeName(f.type)}${f.nullable ? "" : " not null"}`;
}

/** `timestamp[us, Europe/Berlin]`, `decimal(12, 2)`, `list<int64>`, `struct<a: int32>`, `dictionary<int32, utf8>`. */
export function typeName(type: DataType): string {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision}, ${type.scale})`;
    case "fixedSizeBinary":
      return `fixedSizeBinary[${type.byteWidth}]`;
    case "timestamp":
      return `timestamp[${UNIT_TEXT[type.unit]}${type.timezone === null ? "" : `, ${type.timezone}`}]`;
    case "time":
    case "duration":
      return `${type.kind}[${UNIT_TEXT[type.unit]}]`;
    case "dictionary":
      return `dictionary<${type.index}, ${typeName(type.value)}${type.ordered ? ", ordered" : ""}>`;
    case "list":
      return type.item.name === "item" && type.item.nullable
        ? `list<${typeName(type.item.type)}>`
        : `list<${fieldText(type.item)}>`;
    case "struct":
      return `struct<${type.fields.map(fieldText).join(", ")}>`;
    case "null":
    case "bool":
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
    case "float32":
    case "float64":
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "date32":
      return type.kind;
    default:
      return unreachable(type);
  }
}

const PLAIN_TYPES: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ...[nullType, bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64].map((t) => [t.kind, t] as const),
  ...[float32, float64, utf8, largeUtf8, binary, largeBinary, date32].map((t) => [t.kind, t] as const),
  ["boolean", bool],
  ["float", float32],
  ["double", float64],
  ["string", utf8],
  ["date", date32],
]);

/** Stops parsing; turned into `null` by `parseType`. */
class NotAType extends Error {}

class TypeParser {
  readonly text: string;
  at = 0;
  depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  skipSpace(): void {
    while (this.text[this.at] === " ") this.at++;
  }

  accept(token: string): boolean {
    this.skipSpace();
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.accept(token)) throw new NotAType();
  }

  match(pattern: RegExp): string {
    this.skipSpace();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null || found.index !== this.at) throw new NotAType();
    this.at += found[0].length;
    return found[0];
  }

  word(): string {
    return this.match(/[A-Za-z_][A-Za-z0-9_]*/y);
  }

  int(): number {
    return Number(this.match(/-?[0-9]{1,9}/y));
  }

  unit(): TimeUnit {
    const unit = UNIT_OF_TEXT.get(this.word());
    if (unit === undefined) throw new NotAType();
    return unit;
  }

  name(): string {
    this.skipSpace();
    if (this.text[this.at] !== '"') return this.word();
    return JSON.parse(this.match(/"(?:[^"\\]|\\.)*"/y)) as string;
  }

  field(): Field {
    const name = this.name();
    this.expect(":");
    const type = this.type();
    return field(name, type, !this.accept("not null"));
  }

  fields(): Field[] {
    const fields: Field[] = [];
    this.expect("<");
    if (this.accept(">")) return fields;
    do fields.push(this.field());
    while (this.accept(","));
    this.expect(">");
    return fields;
  }

  list(): DataType {
    this.expect("<");
    const start = this.at;
    let item: Field;
    try {
      item = this.field();
    } catch {
      this.at = start;
      item = field("item", this.type());
    }
    this.expect(">");
    return list(item);
  }

  dictionary(): DataType {
    this.expect("<");
    const index = PLAIN_TYPES.get(this.word());
    if (index === undefined || !isInteger(index)) throw new NotAType();
    this.expect(",");
    const value = this.type();
    const ordered = this.accept(",");
    if (ordered) this.expect("ordered");
    this.expect(">");
    return dictionary(value, index.kind as IntKind, { ordered });
  }

  decimal(): DataType {
    this.expect("(");
    const precision = this.int();
    this.expect(",");
    const scale = this.int();
    this.expect(")");
    return decimal(precision, scale);
  }

  timestamp(): DataType {
    if (!this.accept("[")) return timestamp("microsecond");
    const unit = this.unit();
    const zone = this.accept(",") ? this.match(/[^\]]+/y).trim() : null;
    this.expect("]");
    return timestamp(unit, zone);
  }

  withUnit(make: (unit: TimeUnit) => DataType): DataType {
    this.expect("[");
    const unit = this.unit();
    this.expect("]");
    return make(unit);
  }

  fixedSizeBinary(): DataType {
    this.expect("[");
    const byteWidth = this.int();
    this.expect("]");
    return fixedSizeBinary(byteWidth);
  }

  parameterised(word: string): DataType {
    switch (word) {
      case "decimal":
        return this.decimal();
      case "timestamp":
        return this.timestamp();
      case "time":
        return this.withUnit(time);
      case "duration":
        return this.withUnit(duration);
      case "fixedSizeBinary":
        return this.fixedSizeBinary();
      case "dictionary":
        return this.dictionary();
      case "list":
        return this.list();
      case "struct":
        return struct(this.fields());
      default:
        throw new NotAType();
    }
  }

  type(): DataType {
    if (++this.depth > NESTING_MAX) throw new NotAType();
    const word = this.word();
    const type = PLAIN_TYPES.get(word) ?? this.parameterised(word);
    this.depth--;
    return type;
  }
}

/** Inverse of {@link typeName}; also takes `boolean`, `float`, `double`, `string`, `date` and `timestamp`. Null if it is no type. */
export function parseType(text: string): DataType | null {
  const parser = new TypeParser(text);
  try {
    const type = parser.type();
    parser.skipSpace();
    return parser.at === text.length ? type : null;
  } catch {
    return null; // every throw inside is about the text: a wrong token, or parameters that no type has
  }
}
