import { describe, expect, test } from "vitest";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue, ScalarFunction } from "../../../src/plan/mod.ts";
import { call, column, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";
import { SeededRandom } from "../random.ts";

const { utf8, int64, bool } = arrow;
const seed = 77001;
const ALPHABET = ["a", "b", "A", "z", " ", "%", "_", "é", "ß", "日", "😀", "\t", "\u00a0"];

function randomText(random: SeededRandom, lengthMax: number, alphabet: readonly string[] = ALPHABET): string {
  return Array.from({ length: random.below(lengthMax + 1) }, () => random.pick(alphabet)).join("");
}

const random = new SeededRandom(seed);
const TEXTS = [
  "",
  "a",
  "hello",
  "Hello, World",
  "ÄÖÜ straße",
  "日本語テキスト",
  "😀😁",
  "  padded \t\n",
  "\u00a0x\u2003",
  "exactly sixteen!",
  "seventeen letters",
  "x".repeat(1000),
  "ab".repeat(40),
  "é".repeat(33),
  ...Array.from({ length: 150 }, () => randomText(random, 40)),
  ...Array.from({ length: 60 }, () => randomText(random, 70, ["a", "b"])),
];

function run(
  fn: ScalarFunction,
  args: readonly (readonly LiteralValue[])[],
  type: arrow.DataType = utf8,
  dictionary = false,
) {
  const columns = args.map((values, i) => ({
    name: `c${i}`,
    type: typeof values.find((v) => v !== null) === "bigint" ? int64 : utf8,
    values,
    dictionary,
  }));
  return evaluate(
    call(
      fn,
      columns.map(({ name, type: of }) => column(name, of)),
      { type },
    ),
    { columns },
  );
}

describe("text functions", () => {
  test("lower, upper and trim are JavaScript's, for any text", () => {
    expect(run("lower", [TEXTS])).toEqual(TEXTS.map((text) => text.toLowerCase()));
    expect(run("upper", [TEXTS])).toEqual(TEXTS.map((text) => text.toUpperCase()));
    expect(run("trim", [TEXTS])).toEqual(TEXTS.map((text) => text.trim()));
    expect(run("trimStart", [TEXTS])).toEqual(TEXTS.map((text) => text.trimStart()));
    expect(run("trimEnd", [TEXTS])).toEqual(TEXTS.map((text) => text.trimEnd()));
  });

  test("length counts code points of text and bytes of binary", () => {
    expect(run("length", [TEXTS], int64)).toEqual(TEXTS.map((text) => BigInt(Array.from(text).length)));
    expect(run("length", [TEXTS], arrow.int32)).toEqual(TEXTS.map((text) => Array.from(text).length));
    const bytes = { name: "b", type: arrow.binary, values: [new Uint8Array([0xff, 0x80]), new Uint8Array(0)] };
    expect(evaluate(call("length", [column("b", arrow.binary)], { type: int64 }), { columns: [bytes] })).toEqual([
      2n,
      0n,
    ]);
  });

  test("contains, startsWith and endsWith find parts wherever they are", () => {
    const needles = TEXTS.map((text, i) => {
      const points = Array.from(text);
      const from = random.below(points.length + 1);
      return i % 4 === 0 ? randomText(random, 3) : points.slice(from, from + random.below(25)).join("");
    });
    const check = (fn: "contains" | "startsWith" | "endsWith", holds: (text: string, part: string) => boolean) => {
      expect({ seed, fn, result: run(fn, [TEXTS, needles], bool) }).toEqual({
        seed,
        fn,
        result: TEXTS.map((text, i) => holds(text, needles[i] as string)),
      });
      for (const part of [
        "",
        "a",
        "ab",
        "é",
        "hello",
        "exactly sixteen!",
        "seventeen letters",
        ...needles.slice(0, 40),
      ]) {
        const result = evaluate(call(fn, [column("t", utf8), literal(part, utf8)], { type: bool }), {
          columns: [{ name: "t", type: utf8, values: TEXTS }],
        });
        expect({ fn, part, result }).toEqual({ fn, part, result: TEXTS.map((text) => holds(text, part)) });
      }
    };
    check("contains", (text, part) => text.includes(part));
    check("startsWith", (text, part) => text.startsWith(part));
    check("endsWith", (text, part) => text.endsWith(part));
  });

  test("like matches by code point with % and _ and the escape \\", () => {
    const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    const asRegExp = (pattern: string) => {
      const points = Array.from(pattern);
      let source = "";
      for (let i = 0; i < points.length; i++) {
        const point = points[i] as string;
        if (point === "\\" && i + 1 < points.length) source += escape(points[++i] as string);
        else if (point === "%") source += "[^]*";
        else if (point === "_") source += "[^]";
        else source += escape(point);
      }
      return new RegExp(`^${source}$`, "u");
    };
    const patterns = [
      "",
      "%",
      "%%",
      "_",
      "__",
      "a%",
      "%a",
      "%a%",
      "a%b",
      "%a%b%",
      "a%b%a",
      "%_a",
      "_%é",
      "hello",
      "he__o",
      "%World",
      "Hello%World",
      "100\\%",
      "\\_%",
      "a\\",
      "%日本%",
      "%😀",
      "_😀",
      ...Array.from({ length: 80 }, () => randomText(random, 7, ["a", "b", "%", "_", "é", "%"])),
    ];
    for (const pattern of patterns) {
      const result = evaluate(call("like", [column("t", utf8), literal(pattern, utf8)], { type: bool }), {
        columns: [{ name: "t", type: utf8, values: TEXTS }],
      });
      const expected = TEXTS.map((text) => asRegExp(pattern).test(text));
      expect({ seed, pattern, result }).toEqual({ seed, pattern, result: expected });
    }
    const escaped = evaluate(call("like", [column("t", utf8), literal("100\\%", utf8)], { type: bool }), {
      columns: [{ name: "t", type: utf8, values: ["100%", "1000"] }],
    });
    expect(escaped).toEqual([true, false]);
  });

  test("regexMatch finds any part that matches", () => {
    const result = evaluate(call("regexMatch", [column("t", utf8), literal("^h.*o$|日", utf8)], { type: bool }), {
      columns: [{ name: "t", type: utf8, values: ["hello", "Hello", "日本", "", null] }],
    });
    expect(result).toEqual([true, false, true, false, null]);
    expect(() => evaluate(call("regexMatch", [literal("a", utf8), literal("(", utf8)], { type: bool }))).toThrow(
      /"\(" is no regular expression/,
    );
  });

  test("slice takes the window of code points, from the end when start is negative", () => {
    const window = (text: string, start: number, count: number) => {
      const points = Array.from(text);
      const from = start < 0 ? points.length + start : start;
      return points.slice(Math.max(0, from), Math.max(0, from + Math.max(0, count))).join("");
    };
    const starts = TEXTS.map(() => random.below(60) - 30);
    const counts = TEXTS.map(() => random.below(50) - 5);
    const result = run("slice", [TEXTS, starts.map(BigInt), counts.map(BigInt)]);
    expect({ seed, result }).toEqual({
      seed,
      result: TEXTS.map((text, i) => window(text, starts[i] as number, counts[i] as number)),
    });
    expect(run("slice", [TEXTS, starts.map(BigInt)])).toEqual(
      TEXTS.map((text, i) => window(text, starts[i] as number, 1e9)),
    );
    const max = (1n << 63n) - 1n;
    expect(
      run("slice", [
        ["abc", "abc", "abc"],
        [max, -max - 1n, -2n],
        [max, max, max],
      ]),
    ).toEqual(["", "abc", "bc"]);
  });

  test("concat, replace and nested text functions keep every part of the row", () => {
    const others = TEXTS.map((_, i) => TEXTS[(i * 7 + 3) % TEXTS.length] as string);
    expect(run("concat", [TEXTS, others, TEXTS])).toEqual(TEXTS.map((text, i) => text + others[i] + text));
    for (const [from, to] of [
      ["a", "xyz"],
      ["ab", ""],
      ["é", "日本"],
      ["", "never"],
      ["b", "b"],
    ] as const) {
      const result = evaluate(
        call("replace", [column("t", utf8), literal(from, utf8), literal(to, utf8)], { type: utf8 }),
        { columns: [{ name: "t", type: utf8, values: TEXTS }] },
      );
      expect(result).toEqual(TEXTS.map((text) => (from === "" ? text : text.replaceAll(from, to))));
    }
    const upper = call("upper", [column("t", utf8)], { type: utf8 });
    const both = call("concat", [upper, call("lower", [upper], { type: utf8 })], { type: utf8 });
    expect(evaluate(both, { columns: [{ name: "t", type: utf8, values: TEXTS }] })).toEqual(
      TEXTS.map((text) => text.toUpperCase() + text.toUpperCase().toLowerCase()),
    );
  });

  test("null in gives null out, and text larger than scratch memory is made all the same", () => {
    expect(
      run("concat", [
        ["a", null, "b"],
        [null, "x", "c"],
      ]),
    ).toEqual([null, null, "bc"]);
    expect(run("upper", [["a", null]], utf8, true)).toEqual(["A", null]);
    const long = "long text ".repeat(30_000);
    expect(
      run("concat", [
        [long, long],
        [long, "x"],
      ]),
    ).toEqual([long + long, `${long}x`]);
    expect(run("upper", [[long]])).toEqual([long.toUpperCase()]);
  });
});
