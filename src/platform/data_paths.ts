import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** `$XDG_DATA_HOME/sage/node`, or `~/.local/share/sage/node`. */
export function defaultDataDirectory(): string {
  return join(baseDirectory("XDG_DATA_HOME", [".local", "share"]), "sage", "node");
}

export interface DataDirectoryChoice {
  readonly path: string;
  /** 1 for the default directory, 2 for `…-2`, and so on. */
  readonly number: number;
  readonly isNew: boolean;
}

/** Nodes of one user on one machine. */
const NODES_MAX = 64;

/** The default directory and its numbered neighbours, for nodes that run side by side: those that exist, then a new one. */
export function dataDirectoryChoices(): readonly DataDirectoryChoice[] {
  const first = defaultDataDirectory();
  const choices: DataDirectoryChoice[] = [];
  for (let number = 1; number <= NODES_MAX; number++) {
    const path = number === 1 ? first : `${first}-${number}`;
    const isNew = !existsSync(path);
    choices.push({ path, number, isNew });
    if (isNew) break;
  }
  return choices;
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
