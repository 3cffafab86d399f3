import { nearestName, PlanError } from "../plan/mod.ts";

/** Parameters of a job: what its builder wants to be told, with types that TypeScript and the command line know. */

export type ParamKind = "int" | "float" | "text" | "boolean" | "oneOf" | "list";

/** One parameter, made by `param`. */
export interface Param<T> {
  readonly kind: ParamKind;
  /** Undefined: it must be given. */
  readonly default: T | undefined;
  readonly description: string | null;
  /** Of `oneOf`. */
  readonly choices: readonly string[] | null;
  /** Of `list`. */
  readonly item: Param<unknown> | null;
  readonly min: number | null;
  readonly max: number | null;
}

export type Params = Readonly<Record<string, Param<unknown>>>;

/** What the builder gets: `{ year: number; carrier: string }`. */
export type ParamValues<P> = { readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never };

/** Values as they are given: all without a default, and any others. */
export type GivenParams = Readonly<Record<string, unknown>>;

interface ParamOptions<T> {
  /** Without one the parameter must be given. */
  readonly default?: T;
  /** Shown where a parameter is missing or wrong. */
  readonly description?: string;
}

interface NumberOptions extends ParamOptions<number> {
  readonly min?: number;
  readonly max?: number;
}

const COUNT_MAX = 256;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

function make<T>(
  kind: ParamKind,
  options: ParamOptions<T> & { readonly min?: number; readonly max?: number },
  of: { readonly choices?: readonly string[]; readonly item?: Param<unknown> } = {},
): Param<T> {
  const { min = null, max = null, description = null } = options;
  const param: Param<T> = { kind, default: options.default, description, choices: null, item: null, ...of, min, max };
  if (options.default !== undefined && !fits(param, options.default)) {
    throw new PlanError("parameter", `The default ${show(options.default)} of a parameter is not ${typeText(param)}.`);
  }
  return Object.freeze(param);
}

/**
 * Parameters of a dataflow.
 *
 * ```ts
 * dataflow("late", { params: { year: param.int({ default: 2008 }), carrier: param.text() } }, ({ year, carrier }) => …)
 * ```
 */
export const param = Object.freeze({
  /** A whole number that a double holds exactly. */
  int: (options: NumberOptions = {}): Param<number> => make("int", options),
  /** A finite number. */
  float: (options: NumberOptions = {}): Param<number> => make("float", options),
  text: (options: ParamOptions<string> = {}): Param<string> => make("text", options),
  /** On the command line true or false. */
  boolean: (options: ParamOptions<boolean> = {}): Param<boolean> => make("boolean", options),
  /** One of these texts. */
  oneOf: <const C extends string>(choices: readonly C[], options: ParamOptions<C> = {}): Param<C> => {
    if (choices.length === 0) throw new PlanError("parameter", "A parameter of kind oneOf needs at least one choice.");
    return make("oneOf", options, { choices });
  },
  /** On the command line with commas, or the parameter several times. */
  list: <T>(item: Param<T>, options: ParamOptions<readonly T[]> = {}): Param<readonly T[]> => {
    if (item.kind === "list") throw new PlanError("parameter", "A parameter cannot be a list of lists.");
    return make("list", options, { item });
  },
});

/** Throws `PlanError` "parameter" for names that a command line cannot have. */
export function checkParams(flow: string, params: Params): void {
  const names = Object.keys(params);
  if (names.length > COUNT_MAX) {
    throw new PlanError("parameter", `Dataflow "${flow}" has ${names.length} parameters, at most ${COUNT_MAX} can be.`);
  }
  for (const name of names) {
    if (!NAME.test(name)) {
      const rule = "Names are letters, digits, _ and -, at most 64 of them, and do not begin with a digit.";
      throw new PlanError("parameter", `Dataflow "${flow}" has a parameter named ${JSON.stringify(name)}. ${rule}`);
    }
    const { kind } = (params[name] ?? {}) as { readonly kind?: unknown };
    if (typeof kind === "string" && kind in TYPE_TEXTS) continue;
    throw new PlanError(
      "parameter",
      `Parameter ${name} of "${flow}" is not made by param: param.int(), param.text(), ….`,
    );
  }
}

/**
 * The value of every parameter: given, else its default.
 * @throws {PlanError} parameter, once, with all that is wrong and a list of the parameters
 */
export function resolveParams(flow: string, params: Params, given: GivenParams): Readonly<Record<string, unknown>> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(params, name)) continue;
    const near = nearestName(name, Object.keys(params));
    faults.push(`there is no parameter ${name}${near === null ? "" : ` (did you mean ${near}?)`}`);
  }
  for (const [name, spec] of Object.entries(params)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined && spec.default === undefined) faults.push(`${name} is missing`);
    else if (value !== undefined && !fits(spec, value))
      faults.push(`${name} must be ${typeText(spec)}, not ${show(value)}`);
    else values[name] = value ?? spec.default;
  }
  if (faults.length > 0) throw new PlanError("parameter", faultText(flow, params, faults));
  return Object.freeze(values);
}

/**
 * Values from texts such as `year=2008`; texts of a list may come several times or with commas. What cannot be read is
 * left as text, so that `resolveParams` says what it must be.
 * @throws {PlanError} parameter, for one that is given twice and is no list
 */
export function paramsFromTexts(
  params: Params,
  texts: readonly (readonly [name: string, text: string])[],
): GivenParams {
  const given: Record<string, unknown> = {};
  for (const [name, text] of texts) {
    const spec = Object.hasOwn(params, name) ? params[name] : undefined;
    if (spec?.kind === "list" && spec.item !== null) {
      const { item } = spec;
      const before: readonly unknown[] = Array.isArray(given[name]) ? given[name] : [];
      const items = text === "" ? [] : text.split(",").map((each) => fromText(item, each));
      given[name] = [...before, ...items];
    } else if (Object.hasOwn(given, name)) {
      throw new PlanError("parameter", `Parameter ${name} is given twice, and is no list.`);
    } else given[name] = spec === undefined ? text : fromText(spec, text);
  }
  return given;
}

function fromText({ kind }: Param<unknown>, text: string): unknown {
  if (kind === "boolean") return text === "true" ? true : text === "false" ? false : text;
  const isNumber = (kind === "int" || kind === "float") && text.trim() !== "";
  const number = isNumber ? Number(text) : Number.NaN;
  return Number.isNaN(number) ? text : number;
}

function fits(spec: Param<unknown>, value: unknown): boolean {
  const { kind, item, choices, min, max } = spec;
  switch (kind) {
    case "int":
    case "float": {
      if (typeof value !== "number" || !(kind === "int" ? Number.isSafeInteger(value) : Number.isFinite(value)))
        return false;
      return (min === null || value >= min) && (max === null || value <= max);
    }
    case "text":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "oneOf":
      return typeof value === "string" && choices !== null && choices.includes(value);
    case "list":
      return Array.isArray(value) && item !== null && value.every((each) => fits(item, each));
    default:
      return false;
  }
}

const TYPE_TEXTS: Readonly<Record<ParamKind, string>> = {
  int: "a whole number",
  float: "a number",
  text: "a text",
  boolean: "true or false",
  oneOf: "one of",
  list: "a list, each",
};

function typeText({ kind, choices, item, min, max }: Param<unknown>): string {
  const base = TYPE_TEXTS[kind];
  if (kind === "oneOf") return `${base} ${choices?.join(", ")}`;
  if (kind === "list") return `${base} ${item === null ? "" : typeText(item)}`;
  if (min !== null && max !== null) return `${base} from ${min} to ${max}`;
  if (min !== null) return `${base} from ${min} on`;
  return max === null ? base : `${base} up to ${max}`;
}

function show(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return JSON.stringify(value) ?? `a ${typeof value}`;
}

function faultText(flow: string, params: Params, faults: readonly string[]): string {
  const head = `Cannot plan "${flow}": ${faults.join("; ")}.`;
  const specs = Object.entries(params);
  if (specs.length === 0) return `${head} It has no parameters.`;
  const width = Math.max(...specs.map(([name]) => name.length));
  const lines = specs.map(([name, spec]) => {
    const otherwise = spec.default === undefined ? "must be given" : `default ${show(spec.default)}`;
    const about = spec.description === null ? "" : `: ${spec.description}`;
    return `  ${name.padEnd(width)}  ${typeText(spec)}, ${otherwise}${about}`;
  });
  return [`${head} Its parameters:`, ...lines].join("\n");
}
