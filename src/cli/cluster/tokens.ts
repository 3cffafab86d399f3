import type { PeerId } from "../../kernel/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import { certificateRevoke, tokenCreate, tokenList, tokenRevoke } from "../../protocol/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { parseTtl } from "../values.ts";
import { chooseOutput, jsonText, printer } from "./output.ts";
import { withClient } from "./session.ts";
import { ageText, type Column, table } from "./table.ts";

const COLUMNS: readonly Column[] = [
  { head: "id" },
  { head: "role" },
  { head: "used", isRight: true },
  { head: "expires" },
  { head: "made by", giveWay: 1 },
];
const ROLES = ["node", "admin", "submit", "read"] as const;
type Role = (typeof ROLES)[number];
const TTL_MS = 3_600_000;
const USES_MAX = 10_000;

export function createToken(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { values, command } = parsed;
  const role = readRole(values.get("role"));
  const ttl = values.get("ttl");
  const ttlMs = ttl === undefined ? TTL_MS : parseTtl(ttl);
  const uses = readUses(values.get("uses"), command.name);
  const output = chooseOutput(parsed);
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    const made = await client.call(tokenCreate, { role, ttlMs, uses }, { timeoutMs });
    await on.out.write(output === "json" ? jsonText({ ...made, role, uses }) : `${made.token}\n`);
    if (output !== "json" && on.out.isTerminal) {
      const use = role === "node" ? "sage node --join ADDRESS --token …" : "sage login --to ADDRESS --token …";
      await on.err.write(`good for ${ageText(ttlMs)}; use it with: ${use}\n`);
    }
    return EXIT.ok;
  });
}

export function listTokens(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    const { tokens } = await client.call(tokenList, {}, { timeoutMs });
    const nowMs = on.wallMs();
    if (output === "json") await on.out.write(jsonText(tokens));
    else if (tokens.length === 0) await on.out.write("no tokens\n");
    else {
      const rows = tokens.map(({ tokenId, role, used, usesMax, expiresAtMs, isRevoked, createdBy }) => [
        { text: tokenId },
        { text: role },
        { text: usesMax >= USES_MAX ? String(used) : `${used} of ${usesMax}` },
        { text: endOf({ used, usesMax, expiresAtMs, isRevoked }, nowMs) },
        { text: createdBy },
      ]);
      await on.out.write(table(COLUMNS, rows, { paint: paintFor(on.out), width: on.out.columns }));
    }
    return EXIT.ok;
  });
}

type TokenEnd = {
  readonly used: number;
  readonly usesMax: number;
  readonly expiresAtMs: number;
  readonly isRevoked: boolean;
};

function endOf({ used, usesMax, expiresAtMs, isRevoked }: TokenEnd, nowMs: number): string {
  if (isRevoked) return "revoked";
  if (expiresAtMs <= nowMs) return "expired";
  return used >= usesMax ? "used up" : `in ${ageText(expiresAtMs - nowMs)}`;
}

/** By the id of a token, or by that of a client whom one let in. */
export function revokeToken(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const id = parsed.positionals[0] ?? "";
  const print = printer(on, parsed);
  const isClient = /^12D3[A-Za-z0-9]{40,60}$/.test(id);
  if (!isClient && !/^[0-9a-f]{16}$/.test(id)) {
    throw new UsageError(
      `${id} is not the id of a token: 16 hexadecimal digits, from sage token list; nor of a client: 12D3…, from sage audit.`,
      { command: parsed.command.name },
    );
  }
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    if (isClient) {
      await client.call(certificateRevoke, { peer: id as PeerId }, { timeoutMs });
      await print(`client ${id} may not come in any more`, { peer: id });
    } else {
      await client.call(tokenRevoke, { tokenId: id }, { timeoutMs });
      await print(`token ${id} is revoked`, { tokenId: id });
    }
    return EXIT.ok;
  });
}

function readRole(text: string | undefined): Role {
  const role = ROLES.find((candidate) => candidate === text);
  if (role !== undefined) return role;
  const problem = text === undefined ? "Say what the token is for" : `--role ${text} is not a role`;
  throw new UsageError(`${problem}: --role node, admin, submit or read.`, { command: "token create" });
}

function readUses(text: string | undefined, command: string): number {
  if (text === undefined) return USES_MAX;
  const uses = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (uses >= 1 && uses <= USES_MAX) return uses;
  throw new UsageError(`--uses ${text} must be a whole number from 1 to ${USES_MAX}.`, { command });
}
