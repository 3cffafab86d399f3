import type { Address } from "./arena.ts";
import type { DataType, Schema } from "./types.ts";

/**
 * One column of a batch, described by addresses in the arena: plain data that is posted between threads as it is.
 *
 * Physical layout by type (all buffers 64-byte aligned, readable for 64 bytes past their end):
 *
 *   bool                        `data` is a bitmap, least significant bit first
 *   int*, uint*, float*         `data` holds values of that width
 *   date32, time (s, ms)        int32
 *   timestamp, duration, time   int64
 *   decimal                     16 bytes, little endian two's complement
 *   utf8, binary (also large)   `offsets` int32[length + 1], `data` bytes; large types are narrowed on import and
 *                               widened on export, so code sees one layout
 *   fixedSizeBinary             `data` holds length × byteWidth bytes
 *   dictionary                  `data` int32 indices whatever the declared index type; `dictionary` the values
 *   list                        `offsets` int32[length + 1], `children[0]` the items
 *   struct                      `children`, one a field, each of `length` rows
 *   null                        no buffers; every row is null
 *
 * A column whose declared type is utf8 may still carry a `dictionary` (encoding kept from the file): `dictionary !==
 * null` decides, not the type. Dictionary values themselves never contain nulls; a null row has a clear validity bit
 * and index 0. Rows start at 0: imported slices are normalised.
 */
export interface Column {
  readonly type: DataType;
  readonly length: number;
  readonly nullCount: number;
  /** Bitmap, bit set = value present; 0 when there are no nulls. */
  readonly validity: Address;
  /** 0 for types without offsets. */
  readonly offsets: Address;
  readonly data: Address;
  readonly children: readonly Column[];
  readonly dictionary: Column | null;
}

/**
 * Rows in the arena. `blocks` are the reference-counted arena blocks its columns live in: whoever holds the batch
 * owns one reference to each and gives it back with `releaseBatch`. Batches of one dictionary share its block.
 */
export interface Batch {
  readonly schema: Schema;
  readonly rowCount: number;
  readonly columns: readonly Column[];
  readonly blocks: readonly Address[];
}
