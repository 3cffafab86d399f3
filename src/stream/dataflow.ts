import { type LogicalNode, type LogicalPlan, PlanError } from "../plan/mod.ts";
import { checkParams, type GivenParams, type Params, type ParamValues, resolveParams } from "./params.ts";

/** What a builder returns: streams (their rows are the result), sinks, or several. */
export interface Root {
  readonly node: LogicalNode;
}

export type BuilderResult = Root | readonly Root[];

/** The same in every copy of the library, so that a job's bundle may carry its own. */
const BRAND = Symbol.for("sage.dataflow");

type Values = Readonly<Record<string, unknown>>;
type Build = (values: Values) => BuilderResult;

/** A named job: its builder runs when the plan is first asked for, in the client and in every worker. */
export class Dataflow {
  readonly name: string;
  /** What the builder wants to be told. */
  readonly params: Params;
  readonly [BRAND] = true;
  readonly #build: Build;
  readonly #given: GivenParams;
  #plan: LogicalPlan | null = null;

  constructor(name: string, build: Build, params: Params = {}, given: GivenParams = {}) {
    this.name = name;
    this.params = params;
    this.#build = build;
    this.#given = given;
  }

  /** A dataflow of nodes that are there already. */
  static of(name: string, roots: readonly LogicalNode[]): Dataflow {
    return new Dataflow(name, () => roots.map((node) => ({ node })));
  }

  /** The same dataflow with values for its parameters; they are checked when the plan is asked for. */
  with(given: GivenParams): Dataflow {
    return new Dataflow(this.name, this.#build, this.params, { ...this.#given, ...given });
  }

  /** Every parameter's value. Throws `PlanError` "parameter" when one is missing, unknown or of another type. */
  get values(): Values {
    return resolveParams(this.name, this.params, this.#given);
  }

  /** Throws what the builder throws, and `PlanError` when it returns no streams or its parameters are wrong. */
  get plan(): LogicalPlan {
    this.#plan ??= planOf(this.name, this.#build(this.values));
    return this.#plan;
  }
}

function isRoot(value: unknown): value is Root {
  return typeof value === "object" && value !== null && "node" in value;
}

function planOf(name: string, result: unknown): LogicalPlan {
  const roots: readonly unknown[] = Array.isArray(result) ? result : [result];
  const nodes = roots.map((root) => {
    if (isRoot(root)) return root.node;
    const got =
      root instanceof Promise
        ? "a promise (await inside the builder is not possible; await at the top of the file)"
        : String(root);
    throw new PlanError(
      "dataflow",
      `Cannot plan "${name}": its builder must return a stream, a sink or an array of them, not ${got}.`,
    );
  });
  if (nodes.length === 0) {
    throw new PlanError(
      "dataflow",
      `Cannot plan "${name}": its builder returned an empty array. Return a stream or a sink.`,
    );
  }
  return Object.freeze({ name, roots: Object.freeze(nodes) });
}

const NAME_MAX = 100;

/**
 * A job. The builder describes it and runs nothing; the same description must come out each time it is called.
 *
 * ```ts
 * export default dataflow("numbers", () => Stream.generate(10));
 * ```
 *
 * With parameters, which `--param name=value` and `connect().submit` set:
 *
 * ```ts
 * export default dataflow("numbers", { params: { count: param.int({ default: 10 }) } }, ({ count }) => Stream.generate(count));
 * ```
 *
 * Throws `PlanError` for a name that is empty, longer than 100 characters, or has control characters.
 */
export function dataflow(name: string, build: () => BuilderResult): Dataflow;
export function dataflow<const P extends Params>(
  name: string,
  options: { readonly params: P },
  build: (params: ParamValues<P>) => BuilderResult,
): Dataflow;
export function dataflow(
  name: string,
  options: (() => BuilderResult) | { readonly params?: Params },
  buildWith?: (params: never) => BuilderResult,
): Dataflow {
  if (typeof name !== "string" || name === "" || name.length > NAME_MAX || /\p{Cc}/u.test(name)) {
    throw new PlanError(
      "dataflow",
      `A dataflow needs a name of 1 to ${NAME_MAX} characters, not ${JSON.stringify(name)}.`,
    );
  }
  const build = typeof options === "function" ? options : buildWith;
  if (typeof build !== "function") {
    throw new PlanError(
      "dataflow",
      `Dataflow "${name}" needs a function that returns a stream: dataflow("${name}", () => Stream…).`,
    );
  }
  const params = typeof options === "object" && options !== null ? (options.params ?? {}) : {};
  checkParams(name, params);
  return new Dataflow(name, build as Build, Object.freeze({ ...params })); // called with the values of these parameters
}

/** Also true for a dataflow that another copy of the library made. */
export function isDataflow(value: unknown): value is Dataflow {
  return typeof value === "object" && value !== null && BRAND in value;
}
