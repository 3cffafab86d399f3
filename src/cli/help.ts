import { unreachable } from "../kernel/mod.ts";
import { COMMANDS, type CommandSpec, commandsOfGroup } from "./commands.ts";
import { CLUSTER_COMMANDS } from "./commands_cluster.ts";
import { JOB_COMMANDS } from "./commands_jobs.ts";
import type { Paint } from "./paint.ts";
import type { HelpTopic } from "./parse.ts";

const COLUMN_GAP = 2;

export function helpText(topic: HelpTopic, version: string, paint: Paint): string {
  switch (topic.kind) {
    case "all":
      return generalHelp(version, paint);
    case "group":
      return groupHelp(topic.group, paint);
    case "command":
      return commandHelp(topic.command, paint);
    default:
      return unreachable(topic);
  }
}

/** What `sage help` prints. */
function generalHelp(version: string, paint: Paint): string {
  const isCluster = new Set<CommandSpec>([...JOB_COMMANDS, ...CLUSTER_COMMANDS]);
  return [
    `${paint.bold("sage")} ${version}: runs dataflows over Parquet, CSV, JSON and Arrow, on all cores and many hosts.`,
    section(
      "Commands",
      overview(
        COMMANDS.filter((command) => !isCluster.has(command)),
        paint,
      ),
      paint,
    ),
    section("Jobs on a cluster", overview(JOB_COMMANDS, paint), paint),
    section("Clusters", overview(CLUSTER_COMMANDS, paint), paint),
    section(
      "Options",
      aligned(
        [
          ["-h, --help", "Show help"],
          ["-v, --version", "Show the version"],
        ],
        paint,
      ),
      paint,
    ),
    section(
      "First steps",
      aligned(
        [
          ["sage init demo", "write a first job"],
          ["cd demo && sage run job.ts", "run it"],
          ["sage node", "start a cluster"],
        ],
        paint,
      ),
      paint,
    ),
    "\nMore on a command: sage help <command>\n",
  ].join("\n");
}

/** What `sage cluster` prints, and `sage help cluster`. */
function groupHelp(group: string, paint: Paint): string {
  const body = overview(commandsOfGroup(group), paint);
  return `${section("Commands", body, paint).trimStart()}\n\nMore on a command: sage help ${group} <command>\n`;
}

function overview(commands: readonly CommandSpec[], paint: Paint): string {
  return aligned(
    commands.map((command): [string, string] => [usageOf(command), command.summary]),
    paint,
  );
}

/** What `sage help <command>` prints. */
function commandHelp(command: CommandSpec, paint: Paint): string {
  const options = command.options.map((option): [string, string] => [
    `--${option.name}${option.value === null ? "" : ` ${option.value}`}`,
    option.description,
  ]);
  const parts = [`${paint.bold(`sage ${command.name}`)}: ${command.summary}.`];
  parts.push(section("Usage", `  sage ${usageOf(command)}${options.length > 0 ? " [options]" : ""}`, paint));
  const positionals = command.positionals.map((item): [string, string] => [`<${item.name}>`, item.description]);
  if (positionals.length > 0) parts.push(section("Arguments", aligned(positionals, paint), paint));
  if (options.length > 0) parts.push(section("Options", aligned(options, paint), paint));
  const examples = command.examples.map((example): [string, string] => [example.line, example.meaning]);
  parts.push(section("Examples", aligned(examples, paint), paint));
  if (command.notes.length > 0) parts.push(`\n${command.notes.join("\n")}`);
  return `${parts.join("\n")}\n`;
}

function usageOf(command: CommandSpec): string {
  const positionals = command.positionals.map(({ name, isRequired, isList }) => {
    const text = isList ? `${name}…` : name;
    return isRequired ? ` <${text}>` : ` [${text}]`;
  });
  return `${command.name}${positionals.join("")}`;
}

function section(title: string, body: string, paint: Paint): string {
  return `\n${paint.bold(title)}\n${body}`;
}

function aligned(rows: readonly (readonly [string, string])[], paint: Paint): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + COLUMN_GAP;
  return rows.map(([left, right]) => `  ${paint.cyan(left)}${" ".repeat(width - left.length)}${right}`).join("\n");
}
