import type { Disk } from "../../../src/kernel/mod.ts";
import { nodeDisk } from "../../../src/platform/disk.ts";

/** Files are made on it, but take nothing. */
export function fullDisk(): Disk {
  const disk = nodeDisk();
  return {
    ...disk,
    openWrite: (path) => {
      const file = disk.openWrite(path);
      const append = (): never => {
        throw new Error("no space left on device");
      };
      return { ...file, append, close: () => file.close() };
    },
  };
}
