import type { CommandOf } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { SETTINGS_CHARS_MAX, SETTINGS_MAX } from "./limits.ts";
import { give, type Outcome, refuse } from "./result.ts";

/** Why the setting is not as the proposer believed; null when it is. */
function staleness(key: string, found: number, expected: number | null): Outcome | null {
  if (expected === null || expected === found) return null;
  const now = found === 0 ? "it is not set" : `its version is ${found}`;
  const wanted = expected === 0 ? "not to be set" : `version ${expected}`;
  return refuse("stale", `Cannot change setting ${key}: ${now}, expected ${wanted}. Read it and try again.`);
}

export function setSetting(data: StateData, command: CommandOf<"setting.set">, context: Context): Outcome {
  const { key, value, expectedVersion } = command;
  const old = data.settings.get(key);
  const stale = staleness(key, old?.version ?? 0, expectedVersion);
  if (stale !== null) return stale;
  if (old === undefined && data.settings.size >= SETTINGS_MAX) {
    return refuse(
      "limit",
      `Cannot set ${key}: there are ${SETTINGS_MAX} settings, the most there can be. Delete some.`,
    );
  }
  const chars = data.derived.settingChars + value.length - (old?.value.length ?? 0);
  if (chars > SETTINGS_CHARS_MAX && chars > data.derived.settingChars) {
    return refuse("limit", `Cannot set ${key}: all settings together may have ${SETTINGS_CHARS_MAX} characters.`);
  }
  data.derived.settingChars = chars;
  data.settings.set(key, { key, value, version: context.index });
  return give({ type: "version", version: context.index });
}

export function deleteSetting(data: StateData, command: CommandOf<"setting.delete">): Outcome {
  const { key, expectedVersion } = command;
  const old = data.settings.get(key);
  const stale = staleness(key, old?.version ?? 0, expectedVersion);
  if (stale !== null) return stale;
  if (old === undefined) return refuse("not-found", `Cannot delete setting ${key}: it is not set.`);
  data.derived.settingChars -= old.value.length;
  data.settings.delete(key);
  return give({ type: "version", version: 0 });
}
