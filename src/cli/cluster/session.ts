/** What commands that ask a cluster share: credentials, a client, and its end. */
import packageData from "../../../package.json" with { type: "json" };
import type { ClusterClient } from "../../client/mod.ts";
import { type Credentials, decodeCredentials, encodeCredentials } from "../../cluster/mod.ts";
import {
  createKeys,
  defaultCredentialsFile,
  isReadableByOthers,
  openClient,
  readCredentialsText,
  type Terminal,
  writeCredentialsText,
} from "../../platform/mod.ts";
import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { parseTimeout } from "../values.ts";
import { parseNodeAddress } from "./address.ts";

export const SOFTWARE = `sage ${packageData.version}`;
const TIMEOUT_MS = 10_000;
/** Answers come at once, or nothing runs there. */
const UNREACHABLE_MS = 1_000;
const NOTE_MS = 1_000;

/** `$SAGE_CREDENTIALS`, or the file in the user's configuration. */
export function credentialsPath(on: Terminal): string {
  return on.environment("SAGE_CREDENTIALS") || defaultCredentialsFile();
}

export interface AskContext {
  readonly client: ClusterClient;
  readonly timeoutMs: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  /** Ctrl-C is the command's own matter; it ends nothing by itself. */
  readonly ownsInterrupt?: boolean;
  /** `--timeout` means something else to the command. */
  readonly ownsTimeout?: boolean;
}

/** Runs `ask` with a client for the cluster that the credentials file names. Errors as of `ClusterClient.call`. */
export async function withClient<T>(
  on: Terminal,
  { command, values, lists }: ParsedCommand,
  ask: (context: AskContext) => Promise<T>,
  { ownsInterrupt = false, ownsTimeout = false }: SessionOptions = {},
): Promise<T> {
  const timeout = ownsTimeout ? undefined : values.get("timeout");
  const timeoutMs = timeout === undefined ? TIMEOUT_MS : parseTimeout(timeout, command.name);
  const credentials = await loadCredentials(on);
  const known = credentials.addresses;
  const to = lists.get("to")?.map((text) => parseNodeAddress(text, { option: "to", command: command.name, known }));
  const client = await openClient({
    credentials,
    software: SOFTWARE,
    ...(timeout === undefined ? { unreachableMs: UNREACHABLE_MS } : {}),
    ...(to === undefined ? {} : { addresses: to }),
    changed: (current) => writeCredentialsText(credentialsPath(on), encodeCredentials(current)),
  });
  const stop = new AbortController();
  const release = ownsInterrupt
    ? () => undefined
    : on.onInterrupt((code) => {
        stop.abort();
        on.exit(code);
      });
  try {
    const answer = await ask({ client, timeoutMs, signal: stop.signal });
    // The command is done; where this fails only the next one may have to look longer for a node.
    await client.keepCurrent({ timeoutMs: NOTE_MS }).catch(() => undefined);
    return answer;
  } finally {
    release();
    await client.close();
  }
}

async function loadCredentials(on: Terminal): Promise<Credentials> {
  const path = credentialsPath(on);
  const text = readCredentialsText(path);
  if (text === null) {
    throw new UsageError(
      `There are no credentials at ${path}. The first node of a cluster writes them for its own user; elsewhere get them with: sage login --to ADDRESS --token TOKEN`,
      { command: "login" },
    );
  }
  if (isReadableByOthers(path)) {
    throw new UsageError(`${path} can be read by others, who could pass for you. If nobody has: chmod 600 ${path}`);
  }
  return decodeCredentials(await createKeys(), text);
}
