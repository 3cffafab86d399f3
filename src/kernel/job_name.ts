/** What a job may be called. The same on every engine: no tables of Unicode, which differ by its version. */

export const JOB_NAME_BYTES_MAX = 128;
export const JOB_NAME_RULE = `names of jobs are 1 to ${JOB_NAME_BYTES_MAX} bytes of UTF-8, with nothing invisible but spaces between words. Give it another one: --name NAME`;

/**
 * Controls, spaces other than the plain one, what joins or turns the direction of text, line ends, private use,
 * non-characters, lone surrogates and tags: what would let a name look like another one, or break a line.
 */
const UNFIT =
  /[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\uffff\u{e0000}-\u{10ffff}]|^ | $/u;

/** How a name is written down and looked for: letters with marks as one character where there is one. */
export function jobNameOf(text: string): string {
  return text.normalize("NFC");
}

export function isJobName(name: string): boolean {
  return name !== "" && utf8Length(name) <= JOB_NAME_BYTES_MAX && !UNFIT.test(name);
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
