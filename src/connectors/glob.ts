/**
 * Patterns over path segments: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}` within a segment, `**` for any directories.
 * A name that starts with a dot is matched only by a segment that does.
 */

const ALTERNATIVES_MAX = 1024;

export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/** Replaces `{a,b}` by its alternatives; also nested. An unclosed brace stands for itself. */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf("{");
  const parts = open < 0 ? null : alternativesAt(pattern, open);
  if (parts === null) return [pattern];
  const head = pattern.slice(0, open);
  const expanded = parts.items.flatMap((item) => expandBraces(head + item + pattern.slice(parts.end + 1)));
  return expanded.slice(0, ALTERNATIVES_MAX);
}

function alternativesAt(pattern: string, open: number): { items: string[]; end: number } | null {
  const items: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = open; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === "{") depth++;
    else if (char === "," && depth === 1) {
      items.push(pattern.slice(start, i));
      start = i + 1;
    } else if (char === "}" && --depth === 0) {
      items.push(pattern.slice(start, i));
      return { items, end: i };
    }
  }
  return null;
}

/** Tests names against one segment of a pattern (without `/`, braces expanded). */
export function segmentMatcher(segment: string): (name: string) => boolean {
  let source = "";
  for (let i = 0; i < segment.length; i++) {
    const char = segment[i] as string;
    if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = segment.indexOf("]", i + 2);
      if (end < 0) source += "\\[";
      else {
        source += characterClass(segment.slice(i + 1, end));
        i = end;
      }
    } else source += char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  }
  const expression = new RegExp(`^${source}$`, "su");
  const hidden = segment.startsWith(".");
  return (name) => (hidden || !name.startsWith(".")) && expression.test(name);
}

function characterClass(body: string): string {
  const negated = body.startsWith("!") || body.startsWith("^");
  const members = (negated ? body.slice(1) : body).replace(/[\\[\]^]/g, "\\$&");
  return `[${negated ? "^" : ""}${members.replace(/&&|--(?!.)/g, "\\$&")}]`;
}
