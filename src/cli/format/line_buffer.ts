const CHUNK_CHARACTERS = 1 << 16;

/** Collects lines into chunks, so that not every row is a system call. */
export class LineBuffer {
  readonly #emit: (chunk: string) => Promise<void>;
  #text = "";

  constructor(emit: (chunk: string) => Promise<void>) {
    this.#emit = emit;
  }

  get isFull(): boolean {
    return this.#text.length >= CHUNK_CHARACTERS;
  }

  add(text: string): void {
    this.#text += text;
  }

  async flush(): Promise<void> {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    await this.#emit(text);
  }
}
