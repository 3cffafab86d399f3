import type { NodeHost, NodeHostOptions } from "../../platform/mod.ts";

export type FoundHook = NonNullable<NodeHostOptions["found"]>;

/** A node that this process runs, as its commands see it. */
export interface Serving {
  readonly host: NodeHost;
  readonly dataDir: string;
  readonly name: string;
  /** It uses the directory that a node without --data-dir finds again. */
  readonly isOnlyOne: boolean;
  /** Peers seen on the local network go to the hook from now on. */
  readonly onFound: (hook: FoundHook) => void;
}
