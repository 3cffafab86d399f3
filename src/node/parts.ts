import type { Departure } from "./departure.ts";
import type { Level } from "./level.ts";
import type { Own } from "./own.ts";
import type { NodeOptions, NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import type { Standing } from "./standing.ts";

/** What the halves of a node share: those that come in (`serving`), those that go out (`company`), and its own upkeep. */
export interface NodeParts {
  readonly ports: NodePorts;
  readonly options: NodeOptions;
  readonly own: Own;
  readonly standing: Standing;
  readonly replica: Replica;
  readonly level: Level;
  readonly departure: Departure;
}
