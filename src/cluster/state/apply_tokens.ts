import { durationText } from "../duration.ts";
import type { CommandOf } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { TOKEN_TTL_MS_MAX, TOKENS_MAX } from "./limits.ts";
import type { TokenRecord } from "./records.ts";
import { give, NOTHING, type Outcome, refuse } from "./result.ts";

function isSpent(token: TokenRecord, atMs: number): boolean {
  return token.isRevoked || token.used >= token.usesMax || token.expiresAtMs <= atMs;
}

/** Makes room for one more: tokens that nobody can use any more go. */
function hasRoom(data: StateData, context: Context): boolean {
  if (data.tokens.size < TOKENS_MAX) return true;
  for (const [tokenId, token] of data.tokens) if (isSpent(token, context.atMs)) data.tokens.delete(tokenId);
  return data.tokens.size < TOKENS_MAX;
}

export function createToken(data: StateData, command: CommandOf<"token.create">, context: Context): Outcome {
  const { tokenId, role, keyId, expiresAtMs, uses } = command;
  if (data.tokens.has(tokenId)) return refuse("conflict", `Cannot create token ${tokenId}: there is one with this id.`);
  if (!data.keys.has(keyId)) return refuse("not-found", `Cannot create a token: the cluster has no key ${keyId}.`);
  if (expiresAtMs <= context.atMs || expiresAtMs > context.atMs + TOKEN_TTL_MS_MAX) {
    return refuse("limit", "Cannot create a token: it has to expire later than now and within 366 days.");
  }
  if (!hasRoom(data, context)) {
    return refuse("limit", `Cannot create a token: ${TOKENS_MAX} are in force. Revoke some with: sage token revoke ID`);
  }
  data.tokens.set(tokenId, {
    tokenId,
    role,
    keyId,
    expiresAtMs,
    usesMax: uses,
    used: 0,
    isRevoked: false,
    createdAtMs: context.atMs,
    createdBy: context.by.name,
  });
  return give({ type: "id", id: tokenId });
}

export function revokeToken(data: StateData, command: CommandOf<"token.revoke">): Outcome {
  const token = data.tokens.get(command.tokenId);
  if (token === undefined) return refuse("not-found", `Cannot revoke token ${command.tokenId}: there is none.`);
  data.tokens.set(token.tokenId, { ...token, isRevoked: true });
  return NOTHING;
}

export interface TokenUse {
  readonly tokenId: string;
  readonly isNode: boolean;
  /** Used by the peer before: coming again, as after a lost answer, takes no further use. */
  readonly isAgain: boolean;
}

/** Why the token cannot be used now; null when it can. */
export function tokenProblem(
  token: TokenRecord | undefined,
  use: Omit<TokenUse, "tokenId"> & { readonly atMs: number },
): Extract<Outcome, { ok: false }> | null {
  const role = use.isNode ? "node" : "submit";
  const again = `Create one with: sage token create --role ${token?.role ?? role}`;
  if (token === undefined) return refuse("not-found", `Cannot join cluster: it has no such token. ${again}`);
  if (token.isRevoked) return refuse("token-revoked", `Cannot join cluster: the token was revoked. ${again}`);
  if (token.expiresAtMs <= use.atMs) {
    const ago = durationText(use.atMs - token.expiresAtMs);
    return refuse("token-expired", `Cannot join cluster: token expired ${ago} ago. ${again}`);
  }
  if ((token.role === "node") !== use.isNode) {
    const as = use.isNode ? "a node" : "a client";
    const other = `Create one with: sage token create --role ${role}`;
    return refuse("token-role", `Cannot join cluster as ${as}: the token is for the role ${token.role}. ${other}`);
  }
  if (token.used >= token.usesMax && !use.isAgain) {
    const uses = token.usesMax === 1 ? "once" : `${token.usesMax} times`;
    return refuse("token-used", `Cannot join cluster: the token may be used ${uses}, and was. ${again}`);
  }
  return null;
}

/** Takes one use of a token; gives why not when it cannot. */
export function takeUse(data: StateData, use: TokenUse, context: Context): Outcome | null {
  const token = data.tokens.get(use.tokenId);
  const refusal = tokenProblem(token, { isNode: use.isNode, isAgain: use.isAgain, atMs: context.atMs });
  if (refusal !== null || token === undefined) return refusal;
  if (!use.isAgain) data.tokens.set(token.tokenId, { ...token, used: token.used + 1 });
  return null;
}
