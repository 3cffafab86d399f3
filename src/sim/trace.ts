/** What happened in a run, for people: lines of text, and a sequence diagram of the last of it. */
export interface TraceLine {
  readonly atMs: number;
  readonly host: string;
  readonly text: string;
  /** Of a message: where it goes. */
  readonly to?: string;
}

/** Lines kept; the newest stay. */
const LINES_MAX = 200_000;
/** Arrows in a diagram; more cannot be read. */
const ARROWS_MAX = 400;

export class Trace {
  #lines: TraceLine[] = [];

  add(line: TraceLine): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
  }

  /** One line an event: virtual seconds, host, what. */
  text(): string {
    const width = Math.max(5, ...this.#lines.map(({ host }) => host.length));
    return this.#lines
      .map(({ atMs, host, text, to }) => {
        const seconds = (atMs / 1000).toFixed(4).padStart(10);
        return `${seconds} ${host.padEnd(width)} ${to === undefined ? text : `→ ${to}: ${text}`}`;
      })
      .join("\n");
  }

  /** The end of the run as a mermaid sequence diagram. */
  diagram(): string {
    const last = this.#lines.slice(-ARROWS_MAX);
    const hosts = [...new Set(last.flatMap(({ host, to }) => (to === undefined ? [host] : [host, to])))].sort();
    const lines = last.map(({ atMs, host, text, to }) => {
      const label = `${(atMs / 1000).toFixed(3)} ${text.replaceAll(/[;#:]/g, " ")}`;
      return to === undefined ? `  Note over ${host}: ${label}` : `  ${host}->>${to}: ${label}`;
    });
    return ["sequenceDiagram", ...hosts.map((host) => `  participant ${host}`), ...lines, ""].join("\n");
  }
}
