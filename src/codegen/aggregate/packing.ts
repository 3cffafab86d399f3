/**
 * Places the fields of an entry: each at a multiple of its size, gaps left by larger fields taken by smaller ones.
 */
export class Packing {
  #bytes = 0;
  /** Free holes by size: 1, 2 and 4 bytes. */
  readonly #holes = new Map<number, number[]>();

  /** Offset of a new field of 1, 2, 4, 8 or 16 bytes; 16 is aligned to 8. */
  take(bytes: 1 | 2 | 4 | 8 | 16): number {
    if (bytes >= 8) {
      const offset = this.#bytes;
      this.#bytes += bytes;
      return offset;
    }
    const hole = this.#holes.get(bytes)?.pop();
    if (hole !== undefined) return hole;
    const offset = this.take((bytes * 2) as 2 | 4 | 8);
    const holes = this.#holes.get(bytes) ?? [];
    this.#holes.set(bytes, [...holes, offset + bytes]);
    return offset;
  }

  /** Size of an entry: a multiple of 8, at least 8. */
  get bytes(): number {
    return Math.max(8, this.#bytes);
  }
}
