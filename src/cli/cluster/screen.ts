/** Text that is drawn over itself on a terminal. */

const CLEAR = "\u001b[2J";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/**
 * The text as one frame: overwrites what was drawn before without a blank moment in between. A text with more lines than
 * the terminal has is cut, since scrolling would leave its head behind; 0 rows: not known.
 */
export function frameText(text: string, screen: { readonly rows: number; readonly isFirst: boolean }): string {
  const { rows, isFirst } = screen;
  const lines = text.trimEnd().split("\n");
  const roomLines = rows - 1; // the cursor stays below
  if (rows > 2 && lines.length > roomLines) {
    const hidden = lines.length - (roomLines - 1);
    lines.splice(roomLines - 1, hidden, `… ${hidden} more lines`);
  }
  const body = lines.map((line) => `${line}${CLEAR_LINE}\n`).join("");
  return `${isFirst ? CLEAR : ""}${HOME}${body}${CLEAR_BELOW}`;
}
