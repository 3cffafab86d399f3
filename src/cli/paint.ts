import { createColors } from "picocolors";

/** Colours for one output: none when it is not a terminal or NO_COLOR is set. */
export type Paint = ReturnType<typeof createColors>;

export function paintFor(output: { readonly hasColor: boolean }): Paint {
  return createColors(output.hasColor);
}
