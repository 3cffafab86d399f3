/** Marks what a job's code prints with the run of the task that printed it, on the way through a process's output. */

/** Characters that no text has. */
const START = "\u0002";
const END = "\u0003";
const MARK_CHARS_MAX = 64;

/** Of a task as "fragment.index" and its attempt. */
export interface LogMark {
  readonly task: string;
  readonly attempt: number;
}

/** The text with the mark at the beginning of each of its lines. */
export function withLogMark({ task, attempt }: LogMark, text: string): string {
  const mark = `${START}${task}@${attempt}${END}`;
  return `${mark}${text.replaceAll("\n", `\n${mark}`)}`;
}

/** A line without its marks, and the first of them; null: it has none. */
export function splitLogMark(line: string): { readonly mark: LogMark | null; readonly text: string } {
  let text = line;
  let mark: LogMark | null = null;
  for (let start = text.indexOf(START); start >= 0; start = text.indexOf(START, start)) {
    const end = text.indexOf(END, start);
    const found =
      end < 0 || end - start > MARK_CHARS_MAX ? null : /^(\d+\.\d+)@(\d+)$/.exec(text.slice(start + 1, end));
    if (found === null) start++;
    else {
      mark ??= { task: found[1] as string, attempt: Number(found[2]) };
      text = text.slice(0, start) + text.slice(end + 1);
    }
  }
  return { mark, text };
}
