import type { Batch } from "../arrow/mod.ts";
import { joinBytes, type WriteHandle } from "../kernel/mod.ts";
import type { SinkWriter, Tools } from "./contract.ts";
import { asConnectorError, ConnectorError } from "./error.ts";

/** Makes a file's bytes out of batches, in order. */
export interface FileEncoder {
  /** Bytes that follow. */
  write(batch: Batch): readonly Uint8Array[];
  /** The last bytes; called once. */
  finish(): readonly Uint8Array[];
  /** Frees what the encoder holds; idempotent. */
  close(): void;
}

/** Small pieces are put together to one write of about so many bytes. */
const WRITE_BYTES = 1 << 18;

/**
 * One file, written under a temporary name beside the final one and renamed by `commit`; directories above it that are
 * missing are made. Nothing stays of it after `abort`, or after a failed write.
 */
export class FileSinkWriter implements SinkWriter {
  private state: "open" | "prepared" | "committed" | "aborted" = "open";
  private readonly path: string;
  private readonly temporary: string;
  private readonly tools: Tools;
  private readonly encoder: FileEncoder;
  private handle: WriteHandle | null;
  /** Made for this file, outermost first; they go when it does. */
  private directories: readonly string[] = [];
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;

  constructor(path: string, tools: Tools, makeEncoder: () => FileEncoder) {
    this.path = path;
    this.tools = tools;
    this.temporary = tools.disk.temporaryName(path);
    if (tools.disk.stat(path)?.kind === "directory") {
      throw new ConnectorError("io", `Cannot write ${path}: it is a directory; give the name of a file.`);
    }
    this.handle = null;
    this.handle = this.attempt(() => this.create());
    try {
      this.encoder = makeEncoder();
    } catch (cause) {
      this.removeFile();
      throw cause;
    }
  }

  write(batch: Batch): void {
    if (this.state !== "open")
      throw new ConnectorError("unsupported", `Cannot write ${this.path}: the file is already complete.`);
    this.attempt(() => this.append(this.encoder.write(batch)));
  }

  prepare(_epoch: number): void {
    if (this.state !== "open") return;
    this.attempt(() => {
      this.append(this.encoder.finish());
      this.flush();
      this.encoder.close();
      this.handle?.sync();
      this.handle?.close();
      this.handle = null;
    });
    this.state = "prepared";
  }

  commit(epoch: number): void {
    if (this.state === "open") this.prepare(epoch);
    if (this.state !== "prepared") return;
    try {
      this.tools.disk.rename(this.temporary, this.path);
    } catch (cause) {
      // It stays prepared: another try may succeed.
      throw asConnectorError(cause, "io", () => `Cannot write ${this.path}`);
    }
    this.state = "committed";
  }

  abort(_epoch: number): void {
    if (this.state === "committed" || this.state === "aborted") return;
    this.state = "aborted";
    this.encoder.close();
    this.removeFile();
  }

  private create(): WriteHandle {
    this.directories = this.tools.disk.makeParents(this.path);
    return this.tools.disk.openWrite(this.temporary);
  }

  private append(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.pending.push(piece);
      this.pendingBytes += piece.length;
      if (this.pendingBytes >= WRITE_BYTES) this.flush();
    }
  }

  private flush(): void {
    const whole = this.pending.length === 1 ? (this.pending[0] as Uint8Array) : joinBytes(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    if (whole.length > 0) this.handle?.append(whole);
  }

  private attempt<T>(step: () => T): T {
    try {
      return step();
    } catch (cause) {
      this.state = "aborted";
      this.encoder?.close();
      this.removeFile();
      throw asConnectorError(cause, "io", () => `Cannot write ${this.path}`);
    }
  }

  private removeFile(): void {
    this.handle?.close();
    this.handle = null;
    this.pending = [];
    try {
      this.tools.disk.remove(this.temporary);
    } catch {
      // The failure that led here is the one to report.
    }
    for (const directory of [...this.directories].reverse()) this.tools.disk.removeEmptyDirectory(directory);
  }
}

/** One gzip member out of all pieces, in members of bounded size. */
export class GzipEncoder implements FileEncoder {
  private readonly inner: FileEncoder;
  private readonly tools: Tools;
  private pending: Uint8Array[] = [];
  private bytes = 0;

  constructor(inner: FileEncoder, tools: Tools) {
    this.inner = inner;
    this.tools = tools;
  }

  write(batch: Batch): readonly Uint8Array[] {
    return this.pack(this.inner.write(batch), MEMBER_BYTES);
  }

  finish(): readonly Uint8Array[] {
    return this.pack(this.inner.finish(), 0);
  }

  close(): void {
    this.inner.close();
  }

  private pack(pieces: readonly Uint8Array[], leastBytes: number): readonly Uint8Array[] {
    for (const piece of pieces) {
      this.pending.push(piece);
      this.bytes += piece.length;
    }
    if (this.bytes < leastBytes) return [];
    const packed = this.tools.compression.gzip(joinBytes(this.pending));
    this.pending = [];
    this.bytes = 0;
    return [packed];
  }
}

const MEMBER_BYTES = 4 << 20;
