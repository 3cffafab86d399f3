import type { NodeHost } from "../../platform/mod.ts";

/** A node that this process runs, as its commands see it. */
export interface Serving {
  readonly host: NodeHost;
  readonly dataDir: string;
  readonly name: string;
  /** It uses the directory that a node without --data-dir finds again. */
  readonly isOnlyOne: boolean;
}
