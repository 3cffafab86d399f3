/** Preloaded into nodes and executors (Bun): every write, sync and rename of theirs takes its time. */
import { plugin } from "bun";

const MS = { append: 5, sync: 100, rename: 400 };
const SLOWED = `
export function nodeDisk() {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const pause = (forMs) => void Atomics.wait(cell, 0, 0, forMs);
  const disk = plainDisk();
  return {
    ...disk,
    rename(from, to) {
      pause(${MS.rename});
      disk.rename(from, to);
    },
    openWrite(path) {
      const file = disk.openWrite(path);
      return {
        append(bytes) {
          pause(${MS.append});
          file.append(bytes);
        },
        sync() {
          pause(${MS.sync});
          file.sync();
        },
        close: () => file.close(),
      };
    },
  };
}
`;

plugin({
  name: "slow disk",
  setup(build) {
    build.onLoad({ filter: /src\/platform\/disk\.ts$/ }, async ({ path }) => {
      const text = await Bun.file(path).text();
      return { contents: text.replace("export function nodeDisk", "function plainDisk") + SLOWED, loader: "ts" };
    });
  },
});
