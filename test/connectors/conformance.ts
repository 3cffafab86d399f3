import { expect, it } from "vitest";
import { sourceOf } from "../../src/connectors/mod.ts";
import type { ConnectorSpec } from "../../src/plan/mod.ts";
import { arena, load, plainRows, tools } from "./support.ts";

/** What every source must do, whatever it reads. The source has at least two columns and three rows. */
export function sourceConformance(source: () => ConnectorSpec): void {
  it("gives the same rows at any batch size", async () => {
    const whole = plainRows(await load(source()));
    expect(whole.length).toBeGreaterThanOrEqual(3);
    for (const batchRows of [1, 2, 7, 100_000]) expect(plainRows(await load(source(), { batchRows }))).toEqual(whole);
  });

  it("gives exactly the columns asked for, in that order", async () => {
    const whole = await load(source());
    const names = whole.schema.fields.map((field) => field.name);
    const last = names.length - 1;
    const picked = await load(source(), { columns: [names[last] as string, names[0] as string] });
    expect(picked.rows).toEqual(whole.rows.map((row) => [row[last], row[0]]));
  });

  it("gives rows without columns when none are asked for", async () => {
    const whole = await load(source());
    expect((await load(source(), { columns: [] })).rows.length).toBe(whole.rows.length);
  });

  it("gives at least as many rows as a limit asks for", async () => {
    const whole = await load(source());
    expect((await load(source(), { rowLimit: 2 })).rows.slice(0, 2)).toEqual(whole.rows.slice(0, 2));
  });

  it("frees everything when it is closed early, and may be closed twice", async () => {
    const before = arena.bytesInUse();
    const connector = sourceOf(source());
    const { schema } = await connector.describe(source(), tools);
    const request = { columns: schema.fields.map((field) => field.name), predicate: null, rowLimit: null };
    const [split] = await connector.splits(source(), request, tools);
    expect(structuredClone(split)).toEqual(split);
    if (split === undefined) throw new Error("no split");
    const reader = connector.open(source(), request, split, {
      ...tools,
      arena,
      owner: 3,
      batchRows: 1,
      signal: { aborted: false },
    });
    const batch = await reader.read(1);
    expect(batch?.schema.fields.map((field) => field.name)).toEqual(request.columns);
    for (const block of batch?.blocks ?? []) arena.release(block);
    reader.close();
    reader.close();
    expect(arena.bytesInUse()).toBe(before);
  });

  it("stops when it is told to", async () => {
    const connector = sourceOf(source());
    const { schema } = await connector.describe(source(), tools);
    const request = { columns: schema.fields.map((field) => field.name), predicate: null, rowLimit: null };
    const [split] = await connector.splits(source(), request, tools);
    if (split === undefined) throw new Error("no split");
    const reader = connector.open(source(), request, split, {
      ...tools,
      arena,
      owner: 3,
      batchRows: 1,
      signal: { aborted: true },
    });
    expect(await reader.read(1)).toBe(null);
    reader.close();
  });
}
