/** Longest first line. */
const LINE_BYTES_MAX = 1 << 20;

/**
 * The first line of standard input; null when it ends before, or is a terminal. Later the end calls `ended`, at once: with it whoever
 * started this process is gone. Needs no turn of workers, but one of the main thread.
 */
export function firstLineOfInput(ended: () => void): Promise<string | null> {
  if (process.stdin.isTTY === true) return Promise.resolve(null);
  return new Promise((resolve) => {
    let text = "";
    let isRead = false;
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (chunk: string) => {
      if (isRead) return;
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0 && text.length <= LINE_BYTES_MAX) return;
      isRead = true;
      resolve(end < 0 ? null : text.slice(0, end));
      text = "";
    });
    const over = () => {
      if (isRead) return ended();
      isRead = true;
      resolve(null);
    };
    process.stdin.once("end", over);
    process.stdin.once("error", over);
  });
}
