import { readFileSync } from "node:fs";
import { isCompiled } from "./build_flags.ts";

/** Files that are not code: in the executable embedded, else beside the source. */
export type AssetName = "sage.d.ts";

/** The file's bytes. Read anew each time: callers keep what they need. */
export async function loadAsset(name: AssetName): Promise<Uint8Array<ArrayBuffer>> {
  const location = isCompiled ? (await import("./assets_embedded.ts")).embedded[name] : locate(name);
  return new Uint8Array(readFileSync(location));
}

function locate(name: AssetName): URL {
  switch (name) {
    case "sage.d.ts":
      return new URL("./assets/sage.d.ts.txt", import.meta.url);
  }
}
