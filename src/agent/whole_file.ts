import type { Disk } from "../kernel/mod.ts";

/** Writes a file anew; where the disk cannot take all of it, nothing is left. @throws what the disk throws */
export function writeWhole(disk: Disk, path: string, bytes: Uint8Array): void {
  disk.remove(path);
  const file = disk.openWrite(path);
  let isWhole = false;
  try {
    file.append(bytes);
    isWhole = true;
  } finally {
    file.close();
    if (!isWhole) disk.remove(path);
  }
}
