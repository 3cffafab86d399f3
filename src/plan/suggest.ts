/** Names to show in a message about one that is not there. */
const SHOWN_MAX = 40;

/** Edits (insert, delete, replace, swap neighbours) from one word to the other. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) row.push(i + j);
      else {
        const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
        const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : change;
        row.push(Math.min(change, swap, at(i - 1, j) + 1, at(i, j - 1) + 1));
      }
    }
  }
  return at(a.length, b.length);
}

/** The name that was probably meant; null when none is near. */
export function nearestName(wanted: string, names: readonly string[]): string | null {
  const lower = wanted.toLowerCase().slice(0, 100);
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(lower, name.toLowerCase().slice(0, 100));
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** ` Did you mean "x"? Columns: x, y.` */
export function columnsHint(wanted: string, names: readonly string[]): string {
  const nearest = nearestName(wanted, names);
  const shown = names.slice(0, SHOWN_MAX).join(", ");
  const rest = names.length > SHOWN_MAX ? ` … and ${names.length - SHOWN_MAX} more` : "";
  return `${nearest === null ? "" : ` Did you mean "${nearest}"?`} Columns: ${shown === "" ? "none" : shown}${rest}.`;
}
