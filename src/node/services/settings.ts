import { on, type Served, settingGet, settingList, settingSet } from "../../protocol/mod.ts";
import { command, freshen, RefusedError, type ServiceContext } from "./context.ts";

/** Settings in one page, and their characters. */
const PAGE_COUNT = 1_000;
const PAGE_CHARS = 1 << 20;

export function settingServices(context: ServiceContext): Served[] {
  const { replica } = context;
  return [
    on(settingGet, async ({ key, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      return { setting: replica.state.settings.get(key) ?? null, freshness };
    }),
    on(settingList, async ({ prefix = "", after = "", consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const keys = [...replica.state.settings.keys()].filter((key) => key > after && key.startsWith(prefix)).sort();
      const settings = [];
      let chars = 0;
      for (const key of keys.slice(0, PAGE_COUNT)) {
        const setting = replica.state.settings.get(key);
        if (setting === undefined) continue;
        chars += setting.value.length;
        if (settings.length > 0 && chars > PAGE_CHARS) break;
        settings.push(setting);
      }
      return { settings, hasMore: settings.length < keys.length, freshness };
    }),
    on(settingSet, async ({ key, value, expectedVersion, request }, call) => {
      try {
        const done = await command(
          context,
          call,
          value === null
            ? { kind: "setting.delete", key, expectedVersion }
            : { kind: "setting.set", key, value, expectedVersion },
          request,
        );
        const version = done.type === "version" ? done.version : 0;
        return { result: "set" as const, version, index: version };
      } catch (error) {
        if (!(error instanceof RefusedError) || error.code !== "stale") throw error;
        return { result: "conflict" as const, actualVersion: replica.state.settings.get(key)?.version ?? 0 };
      }
    }),
  ];
}
