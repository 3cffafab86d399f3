/** Sets of literals as bytes, and the search in them. */
import { type Expr, i32, i64, kernel, select } from "../../wasm/mod.ts";
import { bytesEqual, lowBytesMask } from "./bytes.ts";

/** 1 when `key` is among `count` int64 at `table`, ascending as signed numbers. */
export const inSorted = kernel(
  "inSorted",
  { params: { table: "i32", count: "i32", key: "i64" }, results: ["i32"] },
  (f) => {
    const { table, count, key } = f.params;
    const half = f.local("i32", "half");
    const middle = f.local("i32", "middle");
    // Invariant: the key is in the `count` elements from `table` on, if anywhere.
    f.while(i32.gt_u(count, 1), () => {
      f.set(half, i32.shr_u(count, 1));
      f.set(middle, i32.add(table, i32.shl(half, 3)));
      // No branch: which half it is cannot be predicted.
      f.set(table, select(i64.le_s(i64.load(middle), key), middle, table));
      f.set(count, i32.sub(count, half));
    });
    f.return(i64.eq(i64.load(table), key));
  },
);

const HASH_SEED = 0x9e3779b97f4a7c15n;
const HASH_FACTOR = 0xff51afd7ed558ccdn;

function mix(hash: Expr<"i64">, word: Expr<"i64">): Expr<"i64"> {
  return i64.mul(i64.xor(i64.rotl(hash, 29n), word), HASH_FACTOR);
}

/** Hash of bytes, eight at a time; `hashOfBytes` is the same in the host. */
export const hashText = kernel("hashText", { params: { at: "i32", bytes: "i32" }, results: ["i32"] }, (f) => {
  const { at, bytes } = f.params;
  const hash = f.local("i64", "hash");
  f.set(hash, i64.xor(HASH_SEED, i64.extend_i32_u(bytes)));
  f.while(i32.ge_u(bytes, 8), () => {
    f.set(hash, mix(hash, i64.load(at)));
    f.set(at, i32.add(at, 8));
    f.set(bytes, i32.sub(bytes, 8));
  });
  f.if(bytes, () => f.set(hash, mix(hash, i64.and(i64.load(at), lowBytesMask(bytes)))));
  f.return(i32.wrap_i64(i64.shr_u(hash, 32n)));
});

export function hashOfBytes(bytes: Uint8Array): number {
  let hash = HASH_SEED ^ BigInt(bytes.length);
  for (let from = 0; from < bytes.length; from += 8) {
    const word = bytes.subarray(from, from + 8).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const rotated = BigInt.asUintN(64, (hash << 29n) | (hash >> 35n));
    hash = BigInt.asUintN(64, (rotated ^ word) * HASH_FACTOR);
  }
  return Number(hash >> 32n);
}

/**
 * A hash table for `inTextSet`: uint32 mask, then slots of (offset from the table's start, bytes), offset 0 when free,
 * then the texts. Open addressing, at most half full.
 */
export function textSetBytes(texts: readonly Uint8Array[]): Uint8Array {
  let slotCount = 4;
  while (slotCount < texts.length * 2) slotCount *= 2;
  const textsFrom = 4 + slotCount * 8;
  const table = new Uint8Array(texts.reduce((sum, text) => sum + text.length, textsFrom + 4));
  const view = new DataView(table.buffer);
  view.setUint32(0, slotCount - 1, true);
  let end = textsFrom;
  for (const text of texts) {
    let slot = hashOfBytes(text) & (slotCount - 1);
    while (view.getUint32(4 + slot * 8, true) !== 0) slot = (slot + 1) & (slotCount - 1);
    view.setUint32(4 + slot * 8, end, true);
    view.setUint32(8 + slot * 8, text.length, true);
    table.set(text, end);
    end += text.length;
  }
  return table;
}

export const inTextSet = kernel(
  "inTextSet",
  { params: { table: "i32", at: "i32", bytes: "i32", hash: "i32" }, results: ["i32"] },
  (f) => {
    const { table, at, bytes, hash } = f.params;
    const slot = f.local("i32", "slot");
    const offset = f.local("i32", "offset");
    f.loop((again) => {
      f.set(slot, i32.add(table, i32.shl(i32.and(hash, i32.load(table)), 3)));
      f.set(offset, i32.load(slot, 4));
      f.if(i32.eqz(offset), () => f.return(0));
      f.if(i32.eq(i32.load(slot, 8), bytes), () => {
        f.if(bytesEqual.call(i32.add(table, offset), at, bytes), () => f.return(1));
      });
      f.set(hash, i32.add(hash, 1));
      f.br(again);
    });
    f.return(0);
  },
);
