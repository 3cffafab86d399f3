/** What a job may be called. The same on every engine: no tables of Unicode, which differ by its version. */

const JOB_NAME_BYTES_MAX = 128;
export const JOB_NAME_RULE = `names of jobs are 1 to ${JOB_NAME_BYTES_MAX} bytes of UTF-8, with nothing invisible but spaces between words. Give it another one: --name NAME`;

/**
 * First and last code point of: controls, spaces other than the plain one, what joins or turns the direction of text, line
 * ends, private use, non-characters, lone surrogates and tags: what would let a name look like another one, or break a line.
 */
const UNFIT: readonly (readonly [number, number])[] = [
  [0x0, 0x1f],
  [0x7f, 0xa0],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x1680, 0x1680],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x2000, 0x200f],
  [0x2028, 0x202f],
  [0x205f, 0x206f],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  [0xd800, 0xf8ff],
  [0xfe00, 0xfe0e],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xffff],
  [0xe0000, 0x10ffff],
];

/** How a name is written down and looked for: letters with marks as one character where there is one. */
export function jobNameOf(text: string): string {
  return text.normalize("NFC");
}

export function isJobName(name: string): boolean {
  if (name === "" || name.startsWith(" ") || name.endsWith(" ")) return false;
  let bytes = 0;
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (UNFIT.some(([first, last]) => code >= first && code <= last)) return false;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > JOB_NAME_BYTES_MAX) return false;
  }
  return true;
}
