import { unreachable } from "../../kernel/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import type { ClusterCommandName } from "../commands_cluster.ts";
import type { ParsedCommand } from "../parse.ts";

export { confirm } from "./confirm.ts";
export { chooseOutput, jsonLine, jsonText } from "./output.ts";
export { frameText } from "./screen.ts";
export { type AskContext, type SessionOptions, withClient } from "./session.ts";
export { ageText, type Cell, type Column, cutTo, type TableStyle, table } from "./table.ts";

/** Carries out a command about clusters; gives the exit code. */
export async function runClusterCommand(
  on: Terminal,
  name: ClusterCommandName,
  parsed: ParsedCommand,
): Promise<number> {
  switch (name) {
    case "node":
      return (await import("./node.ts")).runNode(on, parsed);
    case "cluster status":
      return (await import("./status.ts")).showStatus(on, parsed);
    case "cluster leave":
      return (await import("./change.ts")).leave(on, parsed);
    case "cluster transfer-leader":
      return (await import("./change.ts")).transferLeader(on, parsed);
    case "cluster rotate-key":
      return (await import("./change.ts")).rotateKey(on, parsed);
    case "cluster recover":
      return (await import("./recover.ts")).recover(on, parsed);
    case "token create":
      return (await import("./tokens.ts")).createToken(on, parsed);
    case "token list":
      return (await import("./tokens.ts")).listTokens(on, parsed);
    case "token revoke":
      return (await import("./tokens.ts")).revokeToken(on, parsed);
    case "login":
      return (await import("./login.ts")).loginCommand(on, parsed);
    case "audit":
      return (await import("./audit.ts")).showAudit(on, parsed);
    default:
      return unreachable(name);
  }
}
