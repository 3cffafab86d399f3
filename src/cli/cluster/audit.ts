import type * as v from "valibot";
import type { Terminal } from "../../platform/mod.ts";
import { auditList } from "../../protocol/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chooseOutput, jsonText } from "./output.ts";
import { withClient } from "./session.ts";
import { type Column, table } from "./table.ts";

type Entry = v.InferOutput<typeof auditList.reply>["entries"][number];

const COLUMNS: readonly Column[] = [
  { head: "time (UTC)" },
  { head: "index", isRight: true, giveWay: 1 },
  { head: "who" },
  { head: "role", giveWay: 2 },
  { head: "what" },
  { head: "outcome" },
  { head: "about" },
];
const LIMIT = 50;
const LIMIT_MAX = 10_000;
const PAGE = 1_000;

export function showAudit(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const limit = readLimit(parsed.values.get("limit"));
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    const entries: Entry[] = [];
    let beforeIndex: number | undefined;
    while (entries.length < limit) {
      const page: { limit: number; beforeIndex?: number } = {
        limit: Math.min(PAGE, limit - entries.length),
        ...(beforeIndex === undefined ? {} : { beforeIndex }),
      };
      const { entries: more }: { entries: Entry[] } = await client.call(auditList, page, { timeoutMs });
      entries.push(...more);
      beforeIndex = more.at(-1)?.index;
      if (more.length < page.limit) break;
    }
    entries.reverse();
    if (output === "json") await on.out.write(jsonText(entries));
    else {
      const paint = paintFor(on.out);
      const style = { paint, width: on.out.columns };
      const rows = entries.map(({ index, atMs, name, role, kind, subject, outcome }) => [
        { text: new Date(atMs).toISOString().replace("T", " ").slice(0, 19), paint: paint.dim },
        { text: String(index) },
        { text: name },
        { text: role },
        { text: kind },
        { text: outcome, paint: outcome === "ok" ? paint.green : paint.red },
        { text: subject },
      ]);
      await on.out.write(table(COLUMNS, rows, style));
    }
    return EXIT.ok;
  });
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new UsageError(`--limit ${text} must be a whole number from 1 to ${LIMIT_MAX}.`, { command: "audit" });
}
