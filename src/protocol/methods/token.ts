/** Methods about tokens: what lets peers in. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { durationMs, integer, list, text, wallMs } from "../schema.ts";
import { committed, credentialRole, requestId, TOKEN_LENGTH_MAX } from "./common.ts";

export const TOKENS_LISTED_MAX = 1_000;

const tokenId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, "not a token id"));

export const tokenCreate = defineMethod({
  name: "token.create",
  request: v.object({
    role: credentialRole,
    ttlMs: durationMs,
    uses: integer(1, 10_000),
    request: v.optional(requestId),
  }),
  reply: v.object({ tokenId, token: text(TOKEN_LENGTH_MAX), expiresAtMs: wallMs }),
  minRole: "admin",
});

export const tokenList = defineMethod({
  name: "token.list",
  request: v.object({}),
  reply: v.object({
    tokens: list(
      v.object({
        tokenId,
        role: credentialRole,
        expiresAtMs: wallMs,
        usesMax: integer(),
        used: integer(),
        isRevoked: v.boolean(),
        createdAtMs: wallMs,
        /** Name of who made it. */
        createdBy: text(128),
      }),
      TOKENS_LISTED_MAX,
    ),
  }),
  minRole: "admin",
});

export const tokenRevoke = defineMethod({
  name: "token.revoke",
  request: v.object({ tokenId, request: v.optional(requestId) }),
  reply: committed,
  minRole: "admin",
});
