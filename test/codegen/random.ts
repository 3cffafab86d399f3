/** Seeded random values for tests; print the seed in the test's message. */
export class SeededRandom {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed) | 1n;
  }

  /** 64 random bits (splitmix64). */
  bits64(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }

  below(limit: number): number {
    return Number(this.bits64() % BigInt(limit));
  }

  /** An integer of random size with |x| < limit. */
  integer(limit: bigint): bigint {
    const bits = this.below(limit.toString(2).length + 1);
    const raw = ((this.bits64() << 64n) | this.bits64()) & ((1n << BigInt(bits)) - 1n);
    const value = raw % limit;
    return this.bits64() & 1n ? -value : value;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}
