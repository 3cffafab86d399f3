import fc from "fast-check";
import { expect, test } from "vitest";
import busiestRoutes from "../../examples/busiest_routes.ts";
import flights from "../../examples/flights.ts";
import greatCircle from "../../examples/great_circle.ts";
import orders from "../../examples/orders.ts";
import weather from "../../examples/weather.ts";
import { dataflow, lit, Stream } from "../../mod.ts";
import { field, int64, type Schema, schema } from "../../src/arrow/mod.ts";
import { decodePhysicalPlan, encodePhysicalPlan, explainPhysical, planPhysical } from "../../src/jobs/mod.ts";
import {
  bind,
  decodeGraph,
  decodeLogicalPlan,
  decodePlan,
  type Expression,
  encodeGraph,
  encodeLogicalPlan,
  encodePlan,
  expr,
  type LogicalNode,
  type LogicalPlan,
  optimise,
  PlanError,
  userFunctionsOf,
} from "../../src/plan/mod.ts";
import { randomCase } from "../differential/plans.ts";
import { Random } from "../differential/random.ts";
import { randomTable } from "../differential/tables.ts";

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);
const EXAMPLES = { busiestRoutes, flights, greatCircle, orders, weather };

/** Functions are not compared. */
function withoutFunctions(plan: LogicalPlan): unknown {
  const strip = (_: string, value: unknown) => (typeof value === "function" ? "function" : value);
  return JSON.parse(
    JSON.stringify(plan, (key, value) => (typeof value === "bigint" ? `${value}n` : strip(key, value))),
  );
}

function faultOf(run: () => unknown): PlanError {
  try {
    run();
  } catch (error) {
    if (error instanceof PlanError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

for (const [name, flow] of Object.entries(EXAMPLES)) {
  test(`the example ${name} is the same after it was written and read`, () => {
    const bytes = encodeLogicalPlan(flow.plan);
    const decoded = decodeLogicalPlan(bytes);
    expect(withoutFunctions(decoded)).toEqual(withoutFunctions(flow.plan));
    expect(encodeLogicalPlan(decoded)).toEqual(bytes);
    expect([...userFunctionsOf(decoded).keys()]).toEqual([...userFunctionsOf(flow.plan).keys()]);
  });
}

test("every kind of value stays what it is", () => {
  const values = [null, undefined, true, false, 0, -0, 1.5, -7, 2 ** 53, Number.NaN, Infinity, -Infinity, 5e-324];
  const more = [0n, -(1n << 127n), 1n << 64n, "", "ä🙂\0", new Uint8Array([1, 2]), new Date(-5), new Date(Number.NaN)];
  const decoded = decodeGraph(encodeGraph([...values, ...more])) as unknown[];
  expect(decoded.slice(0, -1)).toEqual([...values, ...more].slice(0, -1));
  expect(Object.is(decoded[5], -0)).toBe(true);
  expect((decoded.at(-1) as Date).getTime()).toBeNaN();
});

test("whatever plain data there is comes back", () => {
  const leaf = fc.oneof(
    fc.constant(undefined),
    fc.bigInt(),
    fc.double(),
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
  );
  const key = fc.string({ unit: "grapheme" }).filter((each) => each !== "__proto__");
  const { data } = fc.letrec<{ data: unknown }>((tie) => ({
    data: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie("data")),
      fc.dictionary(key, tie("data"), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(data, (value) => {
      expect(decodeGraph(encodeGraph(value))).toEqual(value);
    }),
  );
});

test("shared parts stay shared, and all is frozen", () => {
  const shared = { a: 1 };
  const decoded = decodeGraph(encodeGraph({ x: shared, y: [shared], z: { a: 1 } })) as Record<string, unknown>;
  expect((decoded["y"] as unknown[])[0]).toBe(decoded["x"]);
  expect(decoded["z"]).not.toBe(decoded["x"]);
  expect(Object.isFrozen(decoded) && Object.isFrozen(decoded["y"]) && Object.isFrozen(decoded["x"])).toBe(true);
});

test("a function that stayed behind says so when it is called", () => {
  const plan = dataflow("f", () => Stream.generate(3).map((row) => row, { value: "int64" })).plan;
  const [fn] = [...userFunctionsOf(decodeLogicalPlan(encodeLogicalPlan(plan))).values()];
  expect(() => fn?.()).toThrow(/run its builder/);
});

test("what is no plain data is refused with its place", () => {
  const spec = (value: unknown) => ({
    name: "x",
    roots: [{ kind: "scan", source: { connector: "rows", options: { value } } }],
  });
  const cases: [unknown, RegExp][] = [
    [new Map(), /dataflow "x": roots\[0\]\.source\.options\.value is an object of class Map/],
    [() => 1, /options\.value is a function/],
    [Symbol("s"), /is a symbol/],
    ["\ud800", /half a character/],
    [JSON.parse('{"__proto__": 1}'), /__proto__/],
  ];
  for (const [value, message] of cases) {
    const error = faultOf(() => encodeLogicalPlan(spec(value) as LogicalPlan));
    expect(error.code).toBe("encoding");
    expect(error.message).toMatch(message);
  }
});

test("a cycle is refused on both sides", () => {
  const cyclic: Record<string, unknown> = { kind: "limit", count: 1, offset: 0 };
  cyclic["input"] = cyclic;
  const plan = { name: "x", roots: [cyclic as unknown as LogicalNode] };
  expect(faultOf(() => encodeLogicalPlan(plan)).message).toMatch(/must not have a cycle/);
  // magic, no texts, no key lists, one object: a list of one that refers to object 0, itself; root: object 0
  const bytes = new Uint8Array([0x53, 0x50, 0x4c, 0x31, 0, 0, 1, 0, 1, 12, 0, 12, 0]);
  expect(faultOf(() => decodeGraph(bytes)).message).toMatch(/cycle/);
});

test("10,000 operators, 4 MiB and endless nesting are refused", () => {
  let stream: LogicalNode = Stream.generate(1).node;
  for (let i = 0; i < 2_000; i++) stream = { kind: "limit", input: stream, count: 1, offset: 0 };
  expect(faultOf(() => encodeLogicalPlan({ name: "x", roots: [stream] })).message).toMatch(/2001 operators/);
  for (let i = 0; i < 10_000; i++) stream = { kind: "limit", input: stream, count: 1, offset: 0 };
  expect(faultOf(() => encodeLogicalPlan({ name: "x", roots: [stream] })).message).toMatch(/operators/);
  const rows = Array.from({ length: 9 }, (_, i) => ({ a: String(i).repeat(1 << 19) }));
  const big = dataflow("big", () => Stream.fromRows(rows)).plan;
  expect(faultOf(() => encodeLogicalPlan(big)).message).toMatch(/dataflow "big": it takes more than the 4 MiB/);
});

test("expressions that unfold without end are refused", () => {
  let e: Expression = expr.column("value");
  for (let i = 0; i < 40; i++) e = expr.call("add", [e, e]);
  const input = Stream.generate(1).node;
  const plan: LogicalPlan = { name: "x", roots: [{ kind: "filter", input, predicate: e }] };
  expect(faultOf(() => decodeLogicalPlan(encodeLogicalPlan(plan))).message).toMatch(/more than 1000000 parts/);
});

test("kinds that do not exist and fields of a wrong kind are refused", () => {
  const scan = { kind: "scan", source: { connector: "rows", options: {} } };
  const wrong: unknown[] = [
    null,
    [],
    { name: "x" },
    { name: "x", roots: [] },
    { name: 1, roots: [scan] },
    { name: "x", roots: [null] },
    { name: "x", roots: [{ kind: "constructor" }] },
    { name: "x", roots: [{ kind: "drop", input: scan, names: [1] }] },
    { name: "x", roots: [{ kind: "filter", input: scan, predicate: { kind: "column", name: "a" } }] },
    {
      name: "x",
      roots: [{ kind: "filter", input: scan, predicate: { kind: "call", fn: "toString", args: [], unit: null } }],
    },
    { name: "x", roots: [{ kind: "limit", input: scan, count: -1, offset: 0 }] },
    { name: "x", roots: [{ kind: "limit", input: scan, count: Number.NaN, offset: 0 }] },
    { name: "x", roots: [{ kind: "userFunction", input: scan, mode: "map", fn: 1, schema: null }] },
    { name: "x", roots: [{ kind: "union", inputs: [] }] },
    { name: "x", roots: [{ kind: "scan", source: { connector: "rows", options: [] } }] },
  ];
  for (const value of wrong) expect(faultOf(() => decodeLogicalPlan(encodeGraph(value))).code).toBe("encoding");
  for (const value of wrong) expect(faultOf(() => decodePlan(encodeGraph(value))).code).toBe("encoding");
});

test("damaged bytes give a PlanError or a plan, nothing else", () => {
  const plans = Object.values(EXAMPLES).map((flow) => encodeLogicalPlan(flow.plan));
  const damage = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...plans),
      fc.array(damage, { maxLength: 4 }),
      fc.nat(),
      fc.boolean(),
      (plan, hits, cut, cuts) => {
        const bytes = new Uint8Array(cuts ? plan.subarray(0, cut % plan.length) : plan);
        for (const [at, value] of hits) if (bytes.length > 0) bytes[at % bytes.length] = value;
        try {
          decodeLogicalPlan(bytes);
        } catch (error) {
          if (!(error instanceof PlanError)) throw error;
        }
        expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
      },
    ),
    { numRuns: 2_000 },
  );
});

test("300 random plans are bound, optimised and cut into tasks as before they were written", {
  timeout: 120_000,
}, async () => {
  const random = new Random(SEED);
  let planned = 0;
  for (let i = 0; i < 300; i++) {
    const tables = ["t", "u"].map((name) => randomTable(random, name));
    const { query } = await randomCase(random, tables, async () => 10);
    const schemas = new Map(tables.map((table) => [table.name, schema([...table.fields])]));
    const plan = { name: "case", roots: [query.node] };
    const decoded = decodeLogicalPlan(encodeLogicalPlan(plan));
    const [ours, theirs] = [plan, decoded].map((each) => {
      try {
        return optimise(bind(each, (spec) => schemas.get(String(spec.options["table"])) as Schema));
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(theirs, `seed ${SEED}, plan ${i}`).toEqual(ours);
    if (ours === undefined || typeof ours === "string") continue;
    planned++;
    expect(decodePlan(encodePlan(ours))).toEqual(ours);
    const physical = planPhysical(ours, { slots: 7, parallelism: random.pick([1, 2, 7]) });
    const read = decodePhysicalPlan(encodePhysicalPlan(physical));
    expect(read).toEqual(physical);
    expect(explainPhysical(read)).toBe(explainPhysical(physical));
  }
  expect(planned).toBeGreaterThan(200);
});

test("the text of an operator is not cut within a character", () => {
  for (const length of [196, 197, 198, 199]) {
    const { node } = Stream.generate(1).select(lit(`${"x".repeat(length)}😀😀`).alias("a"));
    const { operators } = bind({ name: "cut", roots: [node] }, () => schema([field("index", int64)]));
    expect(operators?.map(({ text }) => text.isWellFormed())).toEqual([true, true]);
  }
});
