/** Makes names unique and fit for the text format. */
const NOT_AN_ID_CHARACTER = /[^0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]/g;

export class UniqueNames {
  readonly #nextSuffix = new Map<string, number>();

  /** `hint`, or `hint_2`, `hint_3`, … when it is taken. */
  take(hint: string): string {
    const base = hint === "" ? "_" : hint.replace(NOT_AN_ID_CHARACTER, "_");
    let suffix = this.#nextSuffix.get(base);
    if (suffix === undefined) {
      this.#nextSuffix.set(base, 2);
      return base;
    }
    while (this.#nextSuffix.has(`${base}_${suffix}`)) suffix++;
    this.#nextSuffix.set(base, suffix + 1);
    this.#nextSuffix.set(`${base}_${suffix}`, 2);
    return `${base}_${suffix}`;
  }
}
