/** Loaded only inside the executable: other runtimes do not know the attribute `file`, which embeds and gives a path. */
import types from "./assets/sage.d.ts.txt" with { type: "file" };
import type { AssetName } from "./assets.ts";

export const embedded: Readonly<Record<AssetName, string>> = {
  "sage.d.ts": types,
};
