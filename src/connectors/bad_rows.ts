import type { Disk, WriteHandle } from "../kernel/mod.ts";
import type { BadRowPolicy } from "../stream/mod.ts";
import { ConnectorError, guarded } from "./error.ts";

/** What happens to rows that do not fit: the first one fails the read, or they are counted, or written to a file. */
export class BadRows {
  count = 0;
  private readonly policy: BadRowPolicy;
  private readonly disk: Disk;
  private file: WriteHandle | null = null;
  private temporary = "";
  private directories: readonly string[] = [];

  constructor(policy: BadRowPolicy, disk: Disk) {
    this.policy = policy;
    this.disk = disk;
  }

  /** `where` says file and place, `reason` what is wrong; `line` is the row as it stands in the file. */
  add(bad: { where: () => string; reason: () => string; line: () => Uint8Array }): void {
    if (this.policy === "fail") {
      const advice = 'Declare another schema, or set onBadRow to "skip" or a file.';
      throw new ConnectorError("badRow", `${bad.where()}: ${bad.reason()}. ${advice}`);
    }
    this.count++;
    if (this.policy !== "skip") this.write(this.policy.path, bad.line());
  }

  private write(path: string, line: Uint8Array): void {
    guarded(
      "io",
      () => `Cannot write bad rows to ${path}`,
      () => {
        if (this.file === null) {
          this.temporary = this.disk.temporaryName(path);
          this.directories = this.disk.makeParents(path);
          this.file = this.disk.openWrite(this.temporary);
        }
        this.file.append(line);
        this.file.append(Uint8Array.of(10));
      },
    );
  }

  /** All rows were read: the file appears under its name. */
  finish(): void {
    if (this.file === null || typeof this.policy === "string") return;
    const { path } = this.policy;
    this.file.close();
    this.file = null;
    guarded(
      "io",
      () => `Cannot write bad rows to ${path}`,
      () => this.disk.rename(this.temporary, path),
    );
  }

  /** The read ended early: nothing stays. */
  abort(): void {
    if (this.file === null) return;
    this.file.close();
    this.file = null;
    this.disk.remove(this.temporary);
    for (const directory of [...this.directories].reverse()) this.disk.removeEmptyDirectory(directory);
  }
}
