/** Options that commands about a running cluster share. */
import type { OptionSpec } from "./commands.ts";

export const TO: OptionSpec = {
  name: "to",
  value: "ADDRESS",
  isList: true,
  description: "Node to talk to, instead of those in the credentials file",
};
export const TIMEOUT: OptionSpec = {
  name: "timeout",
  value: "TIME",
  description: "Keep trying for this time (default: 10s, or 1s where no node runs)",
};
export const FORMAT: OptionSpec = { name: "format", value: "FORMAT", description: "table (default) or json" };
export const TEXT: OptionSpec = { name: "format", value: "FORMAT", description: "text (default) or json" };
export const FORCE: OptionSpec = { name: "force", value: null, description: "Do not ask" };
