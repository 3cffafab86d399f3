/** Methods about settings: a replicated map with versions. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { integer, list, text } from "../schema.ts";
import { consistency, freshness, requestId } from "./common.ts";

export const SETTING_KEY_LENGTH_MAX = 256;
export const SETTING_VALUE_LENGTH_MAX = 65_536;
export const SETTINGS_LISTED_MAX = 1_000;

const key = v.pipe(v.string(), v.maxLength(SETTING_KEY_LENGTH_MAX), v.regex(/^[!-~]+$/, "not a setting's key"));
const setting = v.object({ key, value: text(SETTING_VALUE_LENGTH_MAX), version: integer(1) });

export const settingGet = defineMethod({
  name: "setting.get",
  request: v.object({ key, consistency }),
  reply: v.object({ setting: v.nullable(setting), freshness }),
  minRole: "read",
});

/** Keys in order, those after `after`; `hasMore` tells whether to ask again. Pages hold as much as fits one message. */
export const settingList = defineMethod({
  name: "setting.list",
  request: v.object({ prefix: v.optional(text(SETTING_KEY_LENGTH_MAX)), after: v.optional(key), consistency }),
  reply: v.object({ settings: list(setting, SETTINGS_LISTED_MAX), hasMore: v.boolean(), freshness }),
  minRole: "read",
});

/**
 * Compare and set: applied only when the setting is at `expectedVersion` (0: absent; null: whatever it is). `value` null
 * deletes. An unmet expectation is an answer, not an error.
 */
export const settingSet = defineMethod({
  name: "setting.set",
  request: v.object({
    key,
    value: v.nullable(text(SETTING_VALUE_LENGTH_MAX)),
    expectedVersion: v.nullable(integer()),
    request: v.optional(requestId),
  }),
  reply: v.variant("result", [
    v.object({ result: v.literal("set"), version: integer(), index: integer() }),
    v.object({ result: v.literal("conflict"), actualVersion: integer() }),
  ]),
  minRole: "admin",
});
