import packageData from "../../package.json" with { type: "json" };
import { unreachable } from "../kernel/mod.ts";
import { ClosedOutputError, type Terminal, terminal } from "../platform/mod.ts";
import { EXIT } from "./error.ts";
import { type ParsedCommand, parse } from "./parse.ts";

/** Not for people: nodes start their executors so. */
const EXECUTOR_COMMAND = "executor";

/** The executable: reads the command line, carries it out and ends the process with its exit code. */
export async function main(): Promise<never> {
  terminal.exit(await runCommand(terminal));
}

/** Nothing heavy is loaded before the command is known. */
async function runCommand(on: Terminal): Promise<number> {
  try {
    if (on.args[0] === EXECUTOR_COMMAND) return await (await import("./executor.ts")).executor();
    const parsed = await parse(on.args);
    switch (parsed.kind) {
      case "version":
        await on.out.write(`sage ${packageData.version}\n`);
        return EXIT.ok;
      case "help": {
        const { helpText } = await import("./help.ts");
        const paint = (await import("./paint.ts")).paintFor(on.out);
        await on.out.write(helpText(parsed.of, packageData.version, paint));
        return EXIT.ok;
      }
      case "command":
        return await dispatch(on, parsed.parsed);
      default:
        return unreachable(parsed);
    }
  } catch (error) {
    if (error instanceof ClosedOutputError) return EXIT.ok;
    return (await import("./failure.ts")).reportFailure(on, error, null);
  }
}

async function dispatch(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { name } = parsed.command;
  switch (name) {
    case "run": {
      const options = (await import("./run_options.ts")).readRunOptions(on, parsed);
      return (await import("./run.ts")).run(on, options);
    }
    case "explain":
      return (await import("./explain.ts")).explain(on, parsed);
    case "init":
      return (await import("./init.ts")).init(on, parsed);
    case "help":
      return EXIT.ok; // the parser has answered it
    case "submit":
    case "jobs list":
    case "jobs show":
    case "jobs stop":
    case "jobs continue":
    case "jobs cancel":
    case "jobs restart":
    case "jobs delete":
    case "jobs logs":
    case "jobs wait":
    case "jobs watch":
      return (await import("./jobs/mod.ts")).runJobCommand(on, name, parsed);
    default:
      return (await import("./cluster/mod.ts")).runClusterCommand(on, name, parsed);
  }
}
