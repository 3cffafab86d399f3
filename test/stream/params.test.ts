import { expect, expectTypeOf, test } from "vitest";
import { dataflow, param, Stream } from "../../mod.ts";
import { PlanError } from "../../src/plan/mod.ts";
import { paramsFromTexts } from "../../src/stream/mod.ts";

const flow = dataflow(
  "flow",
  {
    params: {
      year: param.int({ default: 2008, min: 1900, max: 2100, description: "Which year" }),
      share: param.float({ default: 0.5 }),
      carrier: param.text(),
      late: param.boolean({ default: false }),
      mode: param.oneOf(["fast", "exact"], { default: "fast" }),
      ids: param.list(param.int(), { default: [] }),
    },
  },
  (params) => {
    expectTypeOf(params).toEqualTypeOf<{
      readonly year: number;
      readonly share: number;
      readonly carrier: string;
      readonly late: boolean;
      readonly mode: "fast" | "exact";
      readonly ids: readonly number[];
    }>();
    return Stream.fromRows([{ text: JSON.stringify(params) }]);
  },
);

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PlanError && error.code === "parameter") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("what is not given has its default, and the builder sees every value", () => {
  const values = { year: 2008, share: 0.5, carrier: "WN", late: false, mode: "fast", ids: [] };
  expect(flow.with({ carrier: "WN" }).values).toEqual(values);
  expect(flow.with({ carrier: "WN" }).with({ year: 2001, ids: [1, 2] }).values).toEqual({
    ...values,
    year: 2001,
    ids: [1, 2],
  });
  expect(JSON.stringify(flow.with({ carrier: "WN", late: true }).plan)).toContain('\\"late\\":true');
});

test("missing, unknown and mistyped parameters are one error that lists all parameters", () => {
  const message = messageOf(
    () => flow.with({ yaer: 1, year: "x", share: Number.NaN, mode: "slow", ids: [1, "2"] }).plan,
  );
  expect(
    message,
  ).toBe(`Cannot plan "flow": there is no parameter yaer (did you mean year?); year must be a whole number from 1900 to 2100, not "x"; share must be a number, not NaN; carrier is missing; mode must be one of fast, exact, not "slow"; ids must be a list, each a whole number, not [1,"2"]. Its parameters:
  year     a whole number from 1900 to 2100, default 2008: Which year
  share    a number, default 0.5
  carrier  a text, must be given
  late     true or false, default false
  mode     one of fast, exact, default "fast"
  ids      a list, each a whole number, default []`);
});

test("texts of the command line become values of the parameters' kinds", () => {
  const texts = [
    ["year", "2001"],
    ["share", "1e-3"],
    ["carrier", "a,b=c"],
    ["late", "true"],
    ["ids", "1,2"],
    ["ids", "3"],
  ] as const;
  const given = paramsFromTexts(flow.params, texts);
  expect(given).toEqual({ year: 2001, share: 0.001, carrier: "a,b=c", late: true, ids: [1, 2, 3] });
  for (const [name, text] of [
    ["year", ""],
    ["year", "1.5"],
    ["late", "yes"],
    ["year", "1e99"],
    ["ids", "1,,2"],
  ] as const) {
    expect(messageOf(() => flow.with({ carrier: "x", ...paramsFromTexts(flow.params, [[name, text]]) }).plan)).toMatch(
      `${name} must be`,
    );
  }
});

test("names of the language itself are no parameters", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    const given = paramsFromTexts(flow.params, [[name, "1"]]);
    if (name !== "__proto__") expect(messageOf(() => flow.with(given).plan)).toMatch(`there is no parameter ${name}`);
    expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
  }
});

test("parameters that cannot be are refused when they are written", () => {
  const build = () => Stream.generate(1);
  expect(messageOf(() => dataflow("x", { params: { "a b": param.int() } }, build))).toMatch(/parameter named "a b"/);
  expect(messageOf(() => dataflow("x", { params: { a: 1 as never } }, build))).toMatch(/not made by param/);
  expect(messageOf(() => param.int({ default: 1.5 }))).toMatch(/default 1.5 of a parameter is not a whole number/);
  expect(messageOf(() => param.oneOf([]))).toMatch(/at least one choice/);
});

test("a dataflow without parameters takes none", () => {
  const plain = dataflow("plain", () => Stream.generate(1));
  expect(plain.values).toEqual({});
  expect(messageOf(() => plain.with({ a: 1 }).plan)).toBe(
    'Cannot plan "plain": there is no parameter a. It has no parameters.',
  );
});

test("what is no list is given once on the command line", () => {
  const twice = [
    ["year", "2001"],
    ["year", "2002"],
  ] as const;
  expect(messageOf(() => paramsFromTexts(flow.params, twice))).toBe("Parameter year is given twice, and is no list.");
});
