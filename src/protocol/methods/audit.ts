/** Methods about who did what. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { integer, list, text, wallMs } from "../schema.ts";
import { freshness, PAGE_COUNT_MAX, page } from "./common.ts";

/** Newest first. */
export const auditList = defineMethod({
  name: "audit.list",
  request: v.object(page()),
  reply: v.object({
    entries: list(
      v.object({
        index: integer(),
        atMs: wallMs,
        peer: text(64),
        name: text(128),
        role: text(16),
        kind: text(64),
        subject: text(512),
        /** "ok", or the code of the refusal. */
        outcome: text(64),
      }),
      PAGE_COUNT_MAX,
    ),
    freshness,
  }),
  minRole: "admin",
});
