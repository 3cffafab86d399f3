/** What decoded data must look like. Shapes are checked from a list of work, not by recursion, and each object once. */
import { malformed } from "./bytes.ts";

/** True when the value itself is right; what it holds is put on the list. */
export type Shape = (value: unknown, work: Work) => boolean;

type Fields = Readonly<Record<string, Shape>>;

export class Work {
  readonly #todo: { readonly shape: Shape; readonly value: unknown; readonly place: string }[] = [];
  readonly #seen = new Map<Shape, Set<object>>();
  #place = "the plan";

  /** Checked later; objects once for each shape. */
  later(shape: Shape, value: unknown, place: string): void {
    if (typeof value === "object" && value !== null) {
      const seen = this.#seen.get(shape) ?? new Set();
      if (seen.has(value)) return;
      this.#seen.set(shape, seen.add(value));
    }
    this.#todo.push({ shape, value, place: place === "" ? this.#place : place });
  }

  finish(): void {
    for (let next = this.#todo.pop(); next !== undefined; next = this.#todo.pop()) {
      this.#place = next.place;
      if (!next.shape(next.value, this)) throw malformed(`${next.place} in it is not what it has to be`);
    }
  }
}

/** @throws {PlanError} encoding */
export function check(shape: Shape, value: unknown): void {
  const work = new Work();
  work.later(shape, value, "the plan");
  work.finish();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

export const anyText: Shape = (value) => typeof value === "string";
export const anyBoolean: Shape = (value) => typeof value === "boolean";
export const anyNumber: Shape = (value) => typeof value === "number";
export const anyCount: Shape = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
export const anyInteger: Shape = (value) => Number.isSafeInteger(value);
export const anyFunction: Shape = (value) => typeof value === "function";
/** Plain data whatever it is: whoever uses it looks at it. */
export const anyRecord: Shape = (value) => isObject(value) && !(value instanceof Date);

export function oneOf(...values: readonly unknown[]): Shape {
  const set = new Set(values);
  return (value) => set.has(value);
}

export function where(test: (value: unknown) => boolean): Shape {
  return test;
}

export function orNull(shape: Shape): Shape {
  return (value, work) => value === null || shape(value, work);
}

export function optional(shape: Shape): Shape {
  return (value, work) => value === undefined || shape(value, work);
}

export function listOf(item: Shape, lengthMin = 0): Shape {
  return (value, work) => {
    if (!Array.isArray(value) || value.length < lengthMin) return false;
    for (const each of value) work.later(item, each, "");
    return true;
  };
}

export function record(fields: Fields, name = ""): Shape {
  const entries = Object.entries(fields);
  return (value, work) => {
    if (!isObject(value)) return false;
    for (const [key, shape] of entries) {
      work.later(shape, Object.hasOwn(value, key) ? value[key] : undefined, `${name === "" ? "" : `${name}.`}${key}`);
    }
    return true;
  };
}

/** A closed union by `kind`; `common` fields are of every member. */
export function union(name: string, kinds: Readonly<Record<string, Fields>>, common: Fields = {}): Shape {
  const shapes = new Map(Object.entries(kinds).map(([kind, own]) => [kind, record({ ...common, ...own }, kind)]));
  return (value, work) => {
    if (!isObject(value)) return false;
    const shape = shapes.get(String(value["kind"]));
    if (shape === undefined) throw malformed(`there is no ${name} of kind ${JSON.stringify(value["kind"])}`);
    return shape(value, work);
  };
}

/** For shapes that refer to themselves. */
export function lazy(shape: () => Shape): Shape {
  return (value, work) => shape()(value, work);
}
