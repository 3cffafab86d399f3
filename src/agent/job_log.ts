/**
 * What the code of one job printed at this agent: the newest lines in memory, those before in files, of which the oldest
 * go when there are too many. A job that prints faster than it may loses what is too much, and is told how much.
 */
import { type Clock, type Disk, type LogMark, splitLogMark } from "../kernel/mod.ts";
import { decodeValue, encodeValue } from "../protocol/mod.ts";
import type { LogLine } from "./ports.ts";
import { Signal } from "./signal.ts";
import { writeWhole } from "./whole_file.ts";

export interface JobLogLimits {
  readonly memoryBytesMax: number;
  readonly fileBytesMax: number;
  readonly filesMax: number;
  /** Bytes that may come at once, and then a second. */
  readonly burstBytes: number;
  readonly bytesPerSecond: number;
  readonly lineBytesMax: number;
}

export const JOB_LOG_LIMITS: JobLogLimits = {
  memoryBytesMax: 1 << 20,
  fileBytesMax: 512 << 10,
  filesMax: 32,
  burstBytes: 4 << 20,
  bytesPerSecond: 1 << 20,
  lineBytesMax: 16 << 10,
};

/** Counted for each line besides its text. */
const LINE_OVERHEAD_BYTES = 64;

/** Of a job that has ended here. */
const ENDED_MEMORY_BYTES_MAX = 64 << 10;

interface Line {
  readonly atMs: number;
  readonly stream: "out" | "err";
  readonly text: string;
  /** Who printed it, where that is known. */
  readonly mark?: LogMark;
}

interface Segment {
  readonly path: string;
  readonly firstNumber: number;
  readonly lineCount: number;
}

/** A line that is not over yet. */
interface Open {
  readonly decoder: TextDecoder;
  text: string;
}

export class JobLog {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #limits: JobLogLimits;
  /** Files are called this and a number. */
  readonly #pathStart: string;
  readonly #segments: Segment[] = [];
  #lines: Line[] = [];
  /** Number of the first line in memory: lines are counted from the first that was ever printed. */
  #firstInMemory = 0;
  #memoryBytes = 0;
  readonly #open = { out: openLine(), err: openLine() };
  #tokens: number;
  #tokensMs: number;
  #droppedBytes = 0;
  #isEnded = false;
  #isDiskBad = false;
  readonly #changed = new Signal();

  constructor(
    machine: { readonly clock: Clock; readonly disk: Disk },
    pathStart: string,
    limits: JobLogLimits = JOB_LOG_LIMITS,
  ) {
    this.#clock = machine.clock;
    this.#disk = machine.disk;
    this.#pathStart = pathStart;
    this.#limits = limits;
    this.#tokens = limits.burstBytes;
    this.#tokensMs = machine.clock.nowMs();
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Whether the job prints here no more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  write(stream: "out" | "err", bytes: Uint8Array): void {
    this.#isEnded = false;
    if (!this.#spend(bytes.length)) {
      if (this.#droppedBytes === 0) this.#closeLine(stream);
      this.#droppedBytes += bytes.length;
      return;
    }
    this.#tellDropped();
    const open = this.#open[stream];
    const parts = open.decoder.decode(bytes, { stream: true }).split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      this.#add(stream, open.text + part);
      open.text = "";
    }
    open.text += last;
    if (open.text.length >= this.#limits.lineBytesMax) this.#closeLine(stream);
  }

  /** Nothing runs here any more that could print; more may come after a restart of the job. */
  end(): void {
    this.#tellDropped();
    this.#closeLine("out");
    this.#closeLine("err");
    while (this.#memoryBytes > ENDED_MEMORY_BYTES_MAX) this.#toFile();
    this.#isEnded = true;
    this.#changed.emit();
  }

  /** From the oldest line on that is kept; with `follow` until the job has ended here. */
  async *read(options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncGenerator<LogLine, void> {
    let next = 0;
    while (!options.signal.aborted) {
      const lines = this.#from(next);
      // Lines that are gone leave a gap in the numbers.
      if (lines.length === 0) next = this.#firstInMemory + this.#lines.length;
      for (const line of lines) {
        if (options.signal.aborted) return;
        next = line.number + 1;
        const { atMs, stream, text, mark } = line;
        yield {
          atMs,
          task: mark?.task ?? null,
          ...(mark === undefined ? {} : { attempt: mark.attempt }),
          stream,
          text,
        };
      }
      if (next < this.#firstInMemory + this.#lines.length) continue;
      if (!options.follow || this.#isEnded) return;
      await this.#changed.next(options.signal);
    }
  }

  /** Removes its files; readers end. */
  remove(): void {
    this.end();
    for (const { path } of this.#segments.splice(0)) this.#disk.remove(path);
    this.#firstInMemory += this.#lines.length;
    this.#lines = [];
    this.#memoryBytes = 0;
  }

  /** Lines of one file, or of memory, from this number on: a reader asks again after them. */
  #from(number: number): readonly (Line & { readonly number: number })[] {
    const segment = this.#segments.find(({ firstNumber, lineCount }) => firstNumber + lineCount > number);
    const lines = segment === undefined ? this.#lines : this.#linesOf(segment);
    const first = segment === undefined ? this.#firstInMemory : segment.firstNumber;
    return lines.map((line, index) => ({ ...line, number: first + index })).slice(Math.max(0, number - first));
  }

  #linesOf(segment: Segment): readonly Line[] {
    try {
      const file = this.#disk.openRead(segment.path);
      const bytes = new Uint8Array(file.bytes);
      try {
        file.readAt(0, bytes, bytes.length);
      } finally {
        file.close();
      }
      // Written by this class, below.
      return decodeValue(bytes) as Line[];
    } catch (error) {
      const text = `[${segment.lineCount} lines cannot be read: ${String(error)}]`;
      const lost: Line = { atMs: this.#clock.wallMs(), stream: "err", text };
      return Array.from({ length: segment.lineCount }, (_, index) => (index === 0 ? lost : { ...lost, text: "" }));
    }
  }

  #spend(bytes: number): boolean {
    const { burstBytes, bytesPerSecond } = this.#limits;
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(burstBytes, this.#tokens + ((nowMs - this.#tokensMs) * bytesPerSecond) / 1_000);
    this.#tokensMs = nowMs;
    // Once something was dropped, not every few bytes get through: some seconds of quiet, then some text again.
    const needed = this.#droppedBytes > 0 ? Math.max(bytes, bytesPerSecond / 2) : bytes;
    if (this.#tokens < needed) return false;
    this.#tokens -= bytes;
    return true;
  }

  #tellDropped(): void {
    if (this.#droppedBytes === 0) return;
    const text = `[${this.#droppedBytes} bytes dropped: a job may print ${this.#limits.bytesPerSecond} bytes a second]`;
    this.#droppedBytes = 0;
    this.#add("err", text);
  }

  #closeLine(stream: "out" | "err"): void {
    const open = this.#open[stream];
    const text = open.text + open.decoder.decode();
    open.text = "";
    if (text !== "") this.#add(stream, text);
  }

  #add(stream: "out" | "err", whole: string): void {
    const { lineBytesMax, memoryBytesMax } = this.#limits;
    const { mark, text: plain } = splitLogMark(whole);
    const text = plain.endsWith("\r") ? plain.slice(0, -1) : plain;
    const cut = text.length > lineBytesMax ? `${text.slice(0, lineBytesMax)} [cut]` : text;
    this.#lines.push({ atMs: this.#clock.wallMs(), stream, text: cut, ...(mark === null ? {} : { mark }) });
    this.#memoryBytes += cut.length + LINE_OVERHEAD_BYTES;
    if (this.#memoryBytes > memoryBytesMax) this.#toFile();
    this.#changed.emit();
  }

  /** Moves the older lines to a file. */
  #toFile(): void {
    const { fileBytesMax, filesMax } = this.#limits;
    let bytes = 0;
    let count = 0;
    while (count < this.#lines.length && bytes < fileBytesMax) {
      bytes += (this.#lines[count] as Line).text.length + LINE_OVERHEAD_BYTES;
      count++;
    }
    const moved = this.#lines.splice(0, count);
    const path = `${this.#pathStart}.${this.#firstInMemory}`;
    if (this.#write(path, moved)) this.#segments.push({ path, firstNumber: this.#firstInMemory, lineCount: count });
    this.#firstInMemory += count;
    this.#memoryBytes -= bytes;
    while (this.#segments.length > filesMax) this.#disk.remove((this.#segments.shift() as Segment).path);
  }

  /** A disk that takes nothing costs the older lines, not the job. */
  #write(path: string, lines: readonly Line[]): boolean {
    if (this.#isDiskBad) return false;
    try {
      writeWhole(this.#disk, path, encodeValue(lines));
    } catch {
      this.#isDiskBad = true;
    }
    return !this.#isDiskBad;
  }
}

function openLine(): Open {
  return { decoder: new TextDecoder(), text: "" };
}
