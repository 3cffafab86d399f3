import { type Arena, type Batch, type Column, IpcWriter, type Schema } from "../../arrow/mod.ts";
import { type Compression, joinBytes, unreachable } from "../../kernel/mod.ts";
import type { ParquetCodec, ParquetSinkOptions } from "../../stream/mod.ts";
import { lz4CompressBlock, snappyCompress } from "../codec/mod.ts";
import type { Sink } from "../contract.ts";
import { ConnectorError } from "../error.ts";
import { type FileEncoder, FileSinkWriter } from "../file_output.ts";
import { encodeThrift, type ThriftField, type ThriftFields } from "./thrift.ts";
import { ValueDictionary } from "./write_dictionary.ts";
import { encodeHybrid, type LeafSlots, shred } from "./write_levels.ts";
import {
  PHYSICAL_CODE,
  schemaElements,
  type WriteLeaf,
  type WriteNode,
  writeLeaves,
  writeNode,
} from "./write_schema.ts";
import { ColumnStatistics } from "./write_statistics.ts";
import { byteArrays, plainValues } from "./write_values.ts";

/** One Parquet file. Pages are encoded as batches come; a row group is kept, compressed, until it is complete. */
export const parquetSink: Sink = {
  open(spec, schema, context) {
    const options = spec.options as unknown as ParquetSinkOptions; // written by `Stream.toParquet`
    if (!(Number.isInteger(options.rowGroupRows) && options.rowGroupRows > 0)) {
      throw new ConnectorError(
        "option",
        `Parquet option rowGroupRows is ${options.rowGroupRows}; it must be a whole number above 0.`,
      );
    }
    return new FileSinkWriter(options.path, context, () => new ParquetEncoder(schema, options, context));
  },
};

const MAGIC = new TextEncoder().encode("PAR1");
const PAGE_ROWS_MAX = 65_536;

const CODEC_CODE: Record<ParquetCodec, number> = { none: 0, snappy: 1, gzip: 2, brotli: 4, zstd: 6, lz4: 7 };
const PLAIN = 0;
const RLE = 3;
const RLE_DICTIONARY = 8;
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;

interface Tools {
  readonly arena: Arena;
  readonly compression: Compression;
}

class ParquetEncoder implements FileEncoder {
  private readonly schema: Schema;
  private readonly options: ParquetSinkOptions;
  private readonly tools: Tools;
  private readonly nodes: readonly WriteNode[];
  private chunks: ChunkEncoder[];
  private groupRows = 0;
  private rowCount = 0;
  private position = 0;
  private readonly groups: ThriftFields[] = [];

  constructor(schema: Schema, options: ParquetSinkOptions, tools: Tools) {
    this.schema = schema;
    this.options = options;
    this.tools = tools;
    this.nodes = schema.fields.map((field) => writeNode(field));
    this.chunks = this.newChunks();
  }

  write(batch: Batch): readonly Uint8Array[] {
    const pieces = this.start();
    let row = 0;
    while (row < batch.rowCount) {
      const room = this.options.rowGroupRows - this.groupRows;
      const end = Math.min(batch.rowCount, row + Math.min(room, PAGE_ROWS_MAX));
      this.addPages(batch.columns, { start: row, end });
      this.groupRows += end - row;
      row = end;
      if (this.groupRows >= this.options.rowGroupRows) pieces.push(...this.closeGroup());
    }
    return pieces;
  }

  finish(): readonly Uint8Array[] {
    const pieces = this.start();
    if (this.groupRows > 0) pieces.push(...this.closeGroup());
    const footer = encodeThrift([
      [1, { i32: 2 }],
      [2, { structs: schemaElements(this.nodes) }],
      [3, { i64: this.rowCount }],
      [4, { structs: this.groups }],
      [5, { structs: [keyValue("ARROW:schema", this.arrowSchema())] }],
      [6, { bytes: "SAGE" }],
      [7, { structs: this.nodes.flatMap(writeLeaves).map((): ThriftFields => [[1, { struct: [] }]]) }],
    ]);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, footer.length, true);
    pieces.push(footer, length, MAGIC);
    return pieces;
  }

  close(): void {
    this.chunks = [];
  }

  private start(): Uint8Array[] {
    if (this.position > 0) return [];
    this.position = MAGIC.length;
    return [MAGIC];
  }

  private newChunks(): ChunkEncoder[] {
    return this.nodes.flatMap(writeLeaves).map((leaf) => new ChunkEncoder(leaf, this.tools, this.options.codec));
  }

  private addPages(columns: readonly Column[], range: { start: number; end: number }): void {
    let next = 0;
    for (const [i, node] of this.nodes.entries()) {
      for (const slots of shred(this.tools.arena, node, columns[i] as Column, range))
        this.chunks[next++]?.addPage(slots);
    }
  }

  private closeGroup(): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const columns: ThriftFields[] = [];
    const before = this.position;
    let plainBytes = 0;
    for (const chunk of this.chunks) {
      const closed = chunk.finish(this.position);
      pieces.push(...closed.pieces);
      columns.push(closed.metadata);
      this.position += closed.packedBytes;
      plainBytes += closed.plainBytes;
    }
    this.groups.push([
      [1, { structs: columns }],
      [2, { i64: plainBytes }],
      [3, { i64: this.groupRows }],
      [5, { i64: before }],
      [6, { i64: this.position - before }],
      [7, { i32: this.groups.length }],
    ]);
    this.rowCount += this.groupRows;
    this.groupRows = 0;
    this.chunks = this.newChunks();
    return pieces;
  }

  /** As Arrow's own writers leave it: keeps time zones and durations. */
  private arrowSchema(): string {
    const pieces = new IpcWriter(this.tools.arena, this.schema, "stream").finish();
    const END_MARK_BYTES = 8;
    let text = "";
    for (const piece of pieces) for (const byte of piece) text += String.fromCharCode(byte);
    return btoa(text.slice(0, text.length - END_MARK_BYTES));
  }
}

function keyValue(key: string, value: string): ThriftFields {
  return [
    [1, { bytes: key }],
    [2, { bytes: value }],
  ];
}

interface ClosedChunk {
  readonly pieces: Uint8Array[];
  readonly metadata: ThriftFields;
  readonly packedBytes: number;
  readonly plainBytes: number;
}

/** Pages of one column of the row group being written. */
class ChunkEncoder {
  private readonly leaf: WriteLeaf;
  private readonly tools: Tools;
  private readonly codec: ParquetCodec;
  private readonly pages: Uint8Array[] = [];
  private readonly statistics: ColumnStatistics;
  private packedBytes = 0;
  private plainBytes = 0;
  private valueCount = 0;
  /** null where no dictionary is made: bool, null. */
  private readonly dictionary: ValueDictionary | null;

  constructor(leaf: WriteLeaf, tools: Tools, codec: ParquetCodec) {
    this.leaf = leaf;
    this.tools = tools;
    this.codec = codec;
    this.statistics = new ColumnStatistics(leaf.type);
    const width = dictionaryWidth(leaf);
    this.dictionary = width === null ? null : new ValueDictionary(width);
  }

  addPage(slots: LeafSlots): void {
    const { leaf } = this;
    const levels: Uint8Array[] = [];
    if (leaf.repetitionLevel > 0) levels.push(...levelBytes(slots.repetition, leaf.repetitionLevel));
    if (leaf.definedLevel > 0) levels.push(...levelBytes(slots.definition, leaf.definedLevel));
    const values = this.values(slots);
    this.statistics.nullCount += slots.definition.length - slots.values.length;
    const body = concat([...levels, values.bytes]);
    const count = slots.definition.length;
    this.valueCount += count;
    this.push(DATA_PAGE, body, [
      [1, { i32: count }],
      [2, { i32: values.encoding }],
      [3, { i32: RLE }],
      [4, { i32: RLE }],
    ]);
  }

  private push(type: number, body: Uint8Array, header: ThriftFields): void {
    const [head, packed] = this.page(type, body, header);
    this.pages.push(head, packed);
    this.packedBytes += head.length + packed.length;
    this.plainBytes += head.length + body.length;
  }

  private page(type: number, body: Uint8Array, header: ThriftFields): [Uint8Array, Uint8Array] {
    const packed = compress(this.tools.compression, this.codec, body);
    const crc = this.tools.compression.crc32(packed) | 0;
    const head = encodeThrift([
      [1, { i32: type }],
      [2, { i32: body.length }],
      [3, { i32: packed.length }],
      [4, { i32: crc }],
      [type === DATA_PAGE ? 5 : 7, { struct: header }],
    ]);
    return [head, packed];
  }

  private values(slots: LeafSlots): { bytes: Uint8Array; encoding: number } {
    // Without values there may be no dictionary page for indices to refer to.
    if (slots.values.length === 0) return { bytes: new Uint8Array(0), encoding: PLAIN };
    const known = this.knownIndices(slots);
    if (known !== null) return { bytes: indexBytes(known), encoding: RLE_DICTIONARY };
    const plain = plainValues(this.tools.arena, slots.column, this.leaf, slots.values);
    const indices = this.dictionary?.indices(plain, slots.values.length) ?? null;
    if (indices !== null) return { bytes: indexBytes(indices), encoding: RLE_DICTIONARY };
    if (this.leaf.type.kind !== "null") this.statistics.add(plain);
    return { bytes: plain, encoding: PLAIN };
  }

  /** Of a column that has a dictionary: looked up once a distinct value. */
  private knownIndices(slots: LeafSlots): Int32Array | null {
    const { column, values } = slots;
    const { dictionary } = this;
    if (column.dictionary === null || this.leaf.physical !== PHYSICAL_CODE.byteArray || dictionary === null)
      return null;
    if (dictionary.isFull) return null;
    const { arena } = this.tools;
    const codes = new Int32Array(arena.buffer, column.data, column.length);
    const map = new Int32Array(column.dictionary.length).fill(-1);
    const indices = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const code = codes[values[i] as number] as number;
      let index = map[code] as number;
      if (index < 0) {
        const value = byteArrays(arena, column.dictionary, Int32Array.of(code));
        index = dictionary.add(value, 0, value.length);
        map[code] = index;
      }
      indices[i] = index;
    }
    return indices;
  }

  finish(position: number): ClosedChunk {
    const pieces: Uint8Array[] = [];
    let dictionaryOffset: ThriftField | undefined;
    let dataOffset = position;
    let packedBytes = this.packedBytes;
    let plainBytes = this.plainBytes;
    const hasDictionary = this.dictionary !== null && this.dictionary.count > 0;
    if (this.dictionary !== null && hasDictionary) {
      const body = this.dictionary.body();
      this.statistics.add(body);
      const [head, packed] = this.page(DICTIONARY_PAGE, body, [
        [1, { i32: this.dictionary.count }],
        [2, { i32: PLAIN }],
      ]);
      pieces.push(head, packed);
      dictionaryOffset = { i64: position };
      dataOffset = position + head.length + packed.length;
      packedBytes += head.length + packed.length;
      plainBytes += head.length + body.length;
    }
    pieces.push(...this.pages);
    const encodings = hasDictionary ? [RLE, PLAIN, RLE_DICTIONARY] : [RLE, PLAIN];
    const metadata: ThriftFields = [
      [1, { i32: this.leaf.physical }],
      [2, { i32s: encodings }],
      [3, { texts: this.leaf.path }],
      [4, { i32: CODEC_CODE[this.codec] }],
      [5, { i64: this.valueCount }],
      [6, { i64: plainBytes }],
      [7, { i64: packedBytes }],
      [9, { i64: dataOffset }],
      [11, dictionaryOffset],
      [12, { struct: this.statistics.fields() }],
    ];
    return {
      pieces,
      metadata: [
        [2, { i64: position }],
        [3, { struct: metadata }],
      ],
      packedBytes,
      plainBytes,
    };
  }
}

/** Bytes a value in the dictionary page; 0 for byte arrays, null where a dictionary is of no use. */
function dictionaryWidth(leaf: WriteLeaf): number | null {
  if (leaf.type.kind === "null" || leaf.physical === PHYSICAL_CODE.boolean) return null;
  if (leaf.physical === PHYSICAL_CODE.byteArray) return 0;
  if (leaf.physical === PHYSICAL_CODE.fixed) return leaf.byteWidth > 0 ? leaf.byteWidth : null;
  return leaf.physical === PHYSICAL_CODE.int32 || leaf.physical === PHYSICAL_CODE.float ? 4 : 8;
}

/** Indices with their bit width before them. */
function indexBytes(indices: Int32Array): Uint8Array {
  let highest = 0;
  for (let i = 0; i < indices.length; i++) if ((indices[i] as number) > highest) highest = indices[i] as number;
  const bitWidth = Math.max(1, 32 - Math.clz32(highest));
  return concat([Uint8Array.of(bitWidth), encodeHybrid(indices, bitWidth)]);
}

function levelBytes(levels: Uint8Array, highest: number): [Uint8Array, Uint8Array] {
  const encoded = levels.length === 0 ? new Uint8Array(0) : encodeHybrid(levels, 32 - Math.clz32(highest));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, encoded.length, true);
  return [length, encoded];
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : joinBytes(pieces);
}

function compress(compression: Compression, codec: ParquetCodec, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case "none":
      return bytes;
    case "snappy":
      return snappyCompress(bytes);
    case "gzip":
      return compression.gzip(bytes);
    case "brotli":
      return compression.brotliCompress(bytes);
    case "zstd":
      return compression.zstdCompress(bytes);
    case "lz4":
      return lz4CompressBlock(bytes);
    default:
      return unreachable(codec);
  }
}
