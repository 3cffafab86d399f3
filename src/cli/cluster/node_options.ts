/** What `sage node` was asked for: the command line over SAGE_* variables over the file of --config. */
import type { Address, LogLevel } from "../../kernel/mod.ts";
import { NODE } from "../commands_cluster.ts";
import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { parseMemory, parseTimeout } from "../values.ts";
import { parseAddress, parseNodeAddress } from "./address.ts";

export interface NodeCommandOptions {
  readonly join: readonly Address[];
  readonly token: string | null;
  readonly dataDir: string | null;
  readonly listen: readonly Address[];
  readonly announce: readonly Address[];
  readonly name: string | null;
  readonly slots: number | null;
  readonly memoryBytes: number | null;
  /** Longest call of a job's function; undefined: as agents have it, null: any. */
  readonly userCallMsMax: number | null | undefined;
  readonly voter: "auto" | "yes" | "no";
  readonly hasMdns: boolean;
  readonly logFormat: "text" | "json";
  readonly logLevel: LogLevel;
}

/** Where texts of options come from. */
export interface NodeOptionSources {
  readonly parsed: ParsedCommand;
  readonly environment: (name: string) => string | undefined;
  /** Text of a file. @throws when it cannot be read */
  readonly readText: (path: string) => string;
  /** @throws when the text is not TOML */
  readonly parseToml: (text: string) => unknown;
}

const DEFAULT_LISTEN = "127.0.0.1:0";
const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$/;
const SLOTS_MAX = 4_096;

/** @throws {UsageError} that names the option and where it came from */
export function readNodeOptions(sources: NodeOptionSources): NodeCommandOptions {
  const texts = collect(sources);
  const one = (name: string) => texts.get(name)?.at(-1) ?? null;
  const many = (name: string) => texts.get(name) ?? [];
  const listen = many("listen").length > 0 ? many("listen") : [DEFAULT_LISTEN];
  const options: NodeCommandOptions = {
    join: many("join").map((text) => parseNodeAddress(text, { option: "join", command: "node" })),
    token: one("token"),
    dataDir: one("data-dir"),
    listen: listen.map((text) => parseAddress(text, "listen", "node")),
    announce: many("announce").map((text) => parseAddress(text, "announce", "node")),
    name: one("name"),
    slots: readSlots(one("slots")),
    memoryBytes: readMemory(one("memory")),
    userCallMsMax: readUserCall(one("user-call-timeout")),
    voter: choose("voter", one("voter"), ["auto", "yes", "no"]),
    hasMdns: choose("mdns", one("mdns"), ["false", "true"]) === "true",
    logFormat: choose("log-format", one("log-format"), ["text", "json"]),
    logLevel: choose("log-level", one("log-level"), ["info", "debug", "warn", "error"]),
  };
  if (options.name !== null && !NAME.test(options.name)) {
    throw wrong(`--name ${options.name} must be 1 to 64 letters, digits or " ._@-", and start with a letter or digit.`);
  }
  if (options.token !== null && options.join.length === 0) {
    throw wrong("--token is for joining: add --join ADDRESS.");
  }
  return options;
}

/** All options as texts, by name; the strongest source wins whole. */
function collect({ parsed, environment, readText, parseToml }: NodeOptionSources): Map<string, readonly string[]> {
  const configPath = parsed.values.get("config") ?? environment("SAGE_CONFIG");
  const texts: Map<string, readonly string[]> =
    configPath === undefined ? new Map<string, readonly string[]>() : readConfig(configPath, readText, parseToml);
  for (const option of NODE.options) {
    const fromEnvironment = environment(`SAGE_${option.name.toUpperCase().replaceAll("-", "_")}`);
    if (fromEnvironment) texts.set(option.name, option.isList ? fromEnvironment.split(",") : [fromEnvironment]);
    const list = parsed.lists.get(option.name);
    const value = parsed.values.get(option.name);
    if (list !== undefined) texts.set(option.name, list);
    else if (value !== undefined) texts.set(option.name, [value]);
    else if (parsed.flags.has(option.name)) texts.set(option.name, ["true"]);
  }
  return texts;
}

function readConfig(
  path: string,
  readText: (path: string) => string,
  parseToml: (text: string) => unknown,
): Map<string, readonly string[]> {
  const text = attempt(`--config ${path} cannot be read`, () => readText(path));
  const isJson = path.endsWith(".json");
  const parse = isJson ? (source: string): unknown => JSON.parse(source) : parseToml;
  const value = attempt(`--config ${path} is not ${isJson ? "JSON" : "TOML"}`, () => parse(text));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(`--config ${path} must hold options by name, such as listen = "0.0.0.0:7070".`);
  }
  return new Map(
    Object.entries(value).map(([key, setting]) => [optionNamed(path, key), settingTexts(path, key, setting)]),
  );
}

function optionNamed(path: string, key: string): string {
  const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
  if (name !== "config" && NODE.options.some((option) => option.name === name)) return name;
  const known = NODE.options.map((option) => option.name).filter((option) => option !== "config");
  throw wrong(`--config ${path} has an option ${key}, which sage node does not know. Options: ${known.join(", ")}.`);
}

function settingTexts(path: string, key: string, setting: unknown): string[] {
  const isList = NODE.options.some((option) => option.name === optionNamed(path, key) && option.isList);
  if (Array.isArray(setting) && !isList) throw wrong(`--config ${path}: ${key} takes one value, not a list.`);
  const settings: readonly unknown[] = Array.isArray(setting) ? setting : [setting];
  return settings.map((item) => {
    if (typeof item === "string" || typeof item === "number" || typeof item === "boolean") return String(item);
    throw wrong(`--config ${path}: ${key} must be a text, number, true or false, or a list of texts.`);
  });
}

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UsageError(`${what}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`, {
      command: "node",
      cause: error,
    });
  }
}

function choose<T extends string>(name: string, text: string | null, choices: readonly [T, ...T[]]): T {
  if (text === null) return choices[0];
  const chosen = choices.find((choice) => choice === text);
  if (chosen !== undefined) return chosen;
  throw wrong(`--${name} ${text} is not one of ${[...choices].sort().join(", ")}.`);
}

function readSlots(text: string | null): number | null {
  if (text === null) return null;
  const slots = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (slots >= 0 && slots <= SLOTS_MAX) return slots;
  throw wrong(`--slots ${text} must be a whole number from 0 to ${SLOTS_MAX}.`);
}

function readMemory(text: string | null): number | null {
  return text === null ? null : parseMemory(text, "node");
}

function readUserCall(text: string | null): number | null | undefined {
  if (text === null) return undefined;
  return text === "none" ? null : parseTimeout(text, "node", "user-call-timeout");
}

function wrong(message: string): UsageError {
  return new UsageError(message, { command: "node" });
}
