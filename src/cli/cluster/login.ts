import { AdmissionError, encodeCredentials } from "../../cluster/mod.ts";
import { login, type Terminal, writeCredentialsText } from "../../platform/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { parseNodeAddress } from "./address.ts";
import { printer } from "./output.ts";
import { credentialsPath, SOFTWARE } from "./session.ts";

export async function loginCommand(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { values, lists } = parsed;
  const print = printer(on, parsed);
  const addresses = (lists.get("to") ?? []).map((text) => parseNodeAddress(text, { option: "to", command: "login" }));
  const token = values.get("token") || on.environment("SAGE_TOKEN");
  if (addresses.length === 0 || !token) {
    throw new UsageError("sage login needs --to ADDRESS, and --token TOKEN or the variable SAGE_TOKEN.", {
      command: "login",
    });
  }
  const name = values.get("name") ?? on.environment("USER") ?? on.environment("LOGNAME") ?? "user";
  const credentials = await login({ addresses, token }, { name, software: SOFTWARE }).catch((error: unknown) => {
    throw inOtherWords(error);
  });
  const path = credentialsPath(on);
  writeCredentialsText(path, encodeCredentials(credentials));
  const { cluster } = credentials;
  await print(`logged in to cluster ${cluster} as ${name}; credentials are in ${path}`, { cluster, name, path });
  return EXIT.ok;
}

/** Nodes join and people log in, by the same exchange. */
function inOtherWords(error: unknown): unknown {
  if (!(error instanceof AdmissionError)) return error;
  const message = error.message.replace(/^Cannot join cluster/, "Cannot log in to the cluster");
  return new AdmissionError(error.code, message, { cause: error, retryable: error.retryable });
}
