import {
  COMMANDS,
  type CommandSpec,
  commandsOfGroup,
  findCommand,
  type OptionName,
  type OptionSpec,
} from "./commands.ts";
import { UsageError } from "./error.ts";

export interface ParsedCommand {
  readonly command: CommandSpec;
  readonly positionals: readonly string[];
  /** Text as typed; never turned into a number here, so that a file named 007 keeps its name. */
  readonly values: ReadonlyMap<OptionName, string>;
  /** Of options that may be given several times. */
  readonly lists: ReadonlyMap<OptionName, readonly string[]>;
  readonly flags: ReadonlySet<OptionName>;
}

export type HelpTopic =
  | { readonly kind: "all" }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "command"; readonly command: CommandSpec };

export type Parsed =
  | { readonly kind: "version" }
  | { readonly kind: "help"; readonly of: HelpTopic }
  | { readonly kind: "command"; readonly parsed: ParsedCommand };

/** @throws {UsageError} that says what was not understood and, where one is near, what was probably meant */
export async function parse(args: readonly string[]): Promise<Parsed> {
  const [first, ...rest] = args;
  if (first === undefined || first === "--help" || first === "-h") return { kind: "help", of: { kind: "all" } };
  if (first === "--version" || first === "-v" || first === "-V") return { kind: "version" };
  const isGroup = commandsOfGroup(first).length > 0;
  const [second, ...later] = rest;
  if (isGroup && (second === undefined || second === "--help" || second === "-h")) return helpFor(first);
  if (isGroup && second?.startsWith("-")) {
    throw new UsageError(`sage ${first} needs a command before ${second}.`, { command: first });
  }
  const name = isGroup ? `${first} ${second}` : first;
  const command = findCommand(name);
  if (command === null) throw await unknownCommand(name, isGroup ? first : null);
  const parsed = await parseArguments(command, isGroup ? later : rest);
  if (parsed === "help") return { kind: "help", of: { kind: "command", command } };
  checkPositionals(parsed);
  if (command.name === "help") return helpFor(parsed.positionals.join(" "));
  return { kind: "command", parsed };
}

async function helpFor(name: string): Promise<Parsed> {
  if (name === "") return { kind: "help", of: { kind: "all" } };
  if (commandsOfGroup(name).length > 0) return { kind: "help", of: { kind: "group", group: name } };
  const command = findCommand(name);
  if (command === null) throw await unknownCommand(name);
  return { kind: "help", of: { kind: "command", command } };
}

async function parseArguments(command: CommandSpec, args: readonly string[]): Promise<ParsedCommand | "help"> {
  const positionals: string[] = [];
  const values = new Map<OptionName, string>();
  const lists = new Map<OptionName, string[]>();
  const flags = new Set<OptionName>();
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") {
      positionals.push(...args.slice(index + 1));
      break;
    }
    if (arg === "--help" || arg === "-h") return "help";
    if (!arg.startsWith("-") || arg === "-") {
      positionals.push(arg);
      continue;
    }
    const [name, inline] = splitOption(arg);
    const option = await findOption(command, name);
    if (option.value === null) {
      if (inline !== null) throw wrongUse(command, `Option --${option.name} takes no value.`);
      flags.add(option.name);
      continue;
    }
    const value = inline ?? valueAfter(command, option, args[++index]);
    if (option.isList) {
      const items = option.keepsCommas ? [value] : value.split(",");
      lists.set(option.name, [...(lists.get(option.name) ?? []), ...items]);
    } else if (values.has(option.name)) throw wrongUse(command, `Option --${option.name} is given twice.`);
    else values.set(option.name, value);
  }
  return { command, positionals, values, lists, flags };
}

function wrongUse(command: CommandSpec, message: string): UsageError {
  return new UsageError(message, { command: command.name });
}

function splitOption(arg: string): [name: string, value: string | null] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg, null] : [arg.slice(0, at), arg.slice(at + 1)];
}

function valueAfter(command: CommandSpec, option: OptionSpec, next: string | undefined): string {
  if (next === undefined || next.startsWith("--")) {
    throw new UsageError(`Option --${option.name} needs a value: --${option.name} ${option.value}`, {
      command: command.name,
    });
  }
  return next;
}

async function findOption(command: CommandSpec, typed: string): Promise<OptionSpec> {
  const option = command.options.find((candidate) => `--${candidate.name}` === typed);
  if (option) return option;
  const near = await nearest(
    typed.replace(/^-+/, ""),
    command.options.map((candidate) => candidate.name),
  );
  const hint = near === null ? "" : ` Did you mean --${near}?`;
  throw new UsageError(`sage ${command.name} has no option ${typed}.${hint}`, { command: command.name });
}

/** @param group whose help is worth reading */
async function unknownCommand(name: string, group: string | null = null): Promise<UsageError> {
  if (name.startsWith("-")) return new UsageError(`sage has no option ${name}.`);
  if (/\.[cm]?[jt]s$/.test(name)) return new UsageError(`sage has no command ${name}. To run a job: sage run ${name}`);
  const names = COMMANDS.map((command) => command.name);
  const groups = names.flatMap((one) => (one.includes(" ") ? [one.split(" ", 1)[0] ?? ""] : []));
  const near = await nearest(name, group === null ? [...new Set([...groups, ...names])] : names);
  const hint = near === null ? "" : ` Did you mean: sage ${near}`;
  return new UsageError(`sage has no command ${name}.${hint}`, { command: group });
}

async function nearest(typed: string, names: readonly string[]): Promise<string | null> {
  const longer = names.filter((name) => typed.length > 1 && name.startsWith(typed));
  if (longer[0] !== undefined && longer.length === 1) return longer[0];
  const { nearestName } = await import("../plan/mod.ts");
  return nearestName(typed, names);
}

function checkPositionals({ command, positionals }: ParsedCommand): void {
  const missing = command.positionals.slice(positionals.length).find((positional) => positional.isRequired);
  if (missing) throw new UsageError(`sage ${command.name} needs <${missing.name}>.`, { command: command.name });
  if (command.positionals.at(-1)?.isList) return;
  const extra = positionals[command.positionals.length];
  if (extra !== undefined) {
    throw new UsageError(`sage ${command.name} does not take ${JSON.stringify(extra)}.`, { command: command.name });
  }
}
