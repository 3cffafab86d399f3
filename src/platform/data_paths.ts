import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** `$XDG_DATA_HOME/sage/node`, or `~/.local/share/sage/node`. */
export function defaultDataDirectory(): string {
  return join(baseDirectory("XDG_DATA_HOME", [".local", "share"]), "sage", "node");
}

/** `$XDG_CONFIG_HOME/sage/credentials.json`, or below `~/.config`. */
export function defaultCredentialsFile(): string {
  return join(baseDirectory("XDG_CONFIG_HOME", [".config"]), "sage", "credentials.json");
}

/** The XDG base directory specification has relative paths ignored. */
function baseDirectory(variable: string, fallback: readonly string[]): string {
  const given = process.env[variable];
  return given && isAbsolute(given) ? given : join(homedir(), ...fallback);
}
