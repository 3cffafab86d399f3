import { invariant } from "../../kernel/mod.ts";
import { PlanError } from "../error.ts";
import { ByteWriter } from "./bytes.ts";
import { GRAPH_BYTES_MAX, GRAPH_DEPTH_MAX, GRAPH_OBJECTS_MAX, type GraphOptions, LIST, MAGIC, TAG } from "./graph.ts";

type PlainObject = Readonly<Record<string, unknown>>;

interface Frame {
  readonly object: object;
  /** Null: a list. */
  readonly keys: readonly string[] | null;
  readonly children: readonly unknown[];
  next: number;
}

/**
 * The data as bytes; equal data gives equal bytes.
 * @throws {PlanError} encoding: a cycle, a value that is no plain data, more than the limits
 */
export function encodeGraph(root: unknown, options: GraphOptions = {}): Uint8Array {
  return new GraphEncoder(options).encode(root);
}

class GraphEncoder {
  readonly #options: GraphOptions;
  readonly #objects = new ByteWriter();
  readonly #ids = new Map<object, number>();
  /** Of each object: levels below and with it. */
  readonly #depths: number[] = [];
  /** Deepest child of the object that is being written. */
  #depth = 0;
  readonly #texts = new Map<string, number>();
  readonly #keyLists = new Map<string, number>();
  readonly #keyListBytes = new ByteWriter();

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  encode(root: unknown): Uint8Array {
    if (isNode(root)) this.#walk(root);
    this.#value(root, []);
    const out = new ByteWriter();
    for (const byte of MAGIC) out.byte(byte);
    out.count(this.#texts.size);
    for (const text of this.#texts.keys()) out.text(text);
    out.count(this.#keyLists.size);
    out.append(this.#keyListBytes);
    out.count(this.#ids.size);
    out.append(this.#objects);
    this.#checkLength(out.length);
    return out.take();
  }

  #walk(root: object): void {
    const stack = [this.#frame(root, [])];
    const open = new Set<object>([root]);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const child = this.#nextOf(top);
      if (child === undefined) {
        this.#write(top, stack);
        open.delete(top.object);
        stack.pop();
        continue;
      }
      if (open.has(child)) throw this.#refused(stack, "refers to itself: a dataflow must not have a cycle");
      stack.push(this.#frame(child, stack));
      open.add(child);
    }
  }

  /** The next object in the frame that has no number yet. */
  #nextOf(frame: Frame): object | undefined {
    while (frame.next < frame.children.length) {
      const child = frame.children[frame.next];
      if (isNode(child) && !this.#ids.has(child)) return child;
      frame.next++;
    }
    return undefined;
  }

  #frame(object: object, stack: readonly Frame[]): Frame {
    if (Array.isArray(object)) return { object, keys: null, children: object, next: 0 };
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) {
      throw this.#refused(stack, `is an object of class ${object.constructor?.name ?? "?"}, not plain data`);
    }
    const keys = Object.keys(object);
    if (keys.includes("__proto__")) throw this.#refused(stack, 'has a property named "__proto__"');
    return { object, keys, children: keys.map((key) => (object as PlainObject)[key]), next: 0 };
  }

  #write(frame: Frame, stack: readonly Frame[]): void {
    const { keys, children } = frame;
    this.#depth = 0;
    if (keys === null) {
      this.#objects.count(LIST);
      this.#objects.count(children.length);
    } else this.#objects.count(this.#keyList(keys, stack) + 1);
    for (let i = 0; i < children.length; i++) {
      frame.next = i;
      this.#value(children[i], stack);
    }
    if (this.#depth >= GRAPH_DEPTH_MAX) throw this.#refused([], `is nested deeper than ${GRAPH_DEPTH_MAX} levels`);
    this.#depths.push(this.#depth + 1);
    this.#ids.set(frame.object, this.#ids.size);
    if (this.#ids.size > GRAPH_OBJECTS_MAX) throw this.#refused([], `has more than ${GRAPH_OBJECTS_MAX} parts`);
    this.#checkLength(this.#objects.length);
  }

  #keyList(keys: readonly string[], stack: readonly Frame[]): number {
    const name = JSON.stringify(keys);
    const known = this.#keyLists.get(name);
    if (known !== undefined) return known;
    this.#keyListBytes.count(keys.length);
    for (const key of keys) this.#keyListBytes.count(this.#text(key, stack));
    this.#keyLists.set(name, this.#keyLists.size);
    return this.#keyLists.size - 1;
  }

  #text(text: string, stack: readonly Frame[]): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (!text.isWellFormed()) throw this.#refused(stack, "has a text with half a character (a lone surrogate)");
    this.#texts.set(text, this.#texts.size);
    return this.#texts.size - 1;
  }

  #value(value: unknown, stack: readonly Frame[]): void {
    const out = this.#objects;
    switch (typeof value) {
      case "undefined":
        return out.byte(TAG.undefined);
      case "boolean":
        return out.byte(value ? TAG.true : TAG.false);
      case "number":
        return writeNumber(out, value);
      case "bigint":
        return writeBigint(out, value);
      case "string":
        out.byte(TAG.text);
        return out.count(this.#text(value, stack));
      case "object":
        return this.#object(value);
      case "function":
        if (keyAt(stack) !== this.#options.functionKey) throw this.#refused(stack, "is a function, not plain data");
        out.byte(TAG.function);
        return out.count(this.#text(value.name, stack));
      default:
        throw this.#refused(stack, `is a ${typeof value}, not plain data`);
    }
  }

  #object(value: object | null): void {
    const out = this.#objects;
    if (value === null) return out.byte(TAG.null);
    if (value instanceof Uint8Array) {
      out.byte(TAG.bytes);
      return out.bytes(value);
    }
    if (value instanceof Date) {
      out.byte(TAG.date);
      return out.float(value.getTime());
    }
    const id = this.#ids.get(value);
    invariant(id !== undefined, "an object is written after those that it refers to");
    this.#depth = Math.max(this.#depth, this.#depths[id] ?? 0);
    out.byte(TAG.object);
    out.count(id);
  }

  #checkLength(length: number): void {
    if (length <= GRAPH_BYTES_MAX) return;
    const advice = "Rows of fromRows are part of it: write large ones to a file and read that";
    throw this.#refused([], `takes more than the ${GRAPH_BYTES_MAX >> 20} MiB that a plan may have. ${advice}`);
  }

  #refused(stack: readonly Frame[], rule: string): PlanError {
    const { name = "the plan" } = this.#options;
    const path = pathOf(stack);
    return new PlanError("encoding", `Cannot send ${name}: ${path === "" ? "it" : path} ${rule}.`);
  }
}

/** Of a record of its own: bytes and dates are values. */
function isNode(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !(value instanceof Date);
}

function writeNumber(out: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    out.byte(value < 0 ? TAG.negative : TAG.positive);
    out.count(Math.abs(value));
    return;
  }
  out.byte(TAG.float);
  out.float(value);
}

function writeBigint(out: ByteWriter, value: bigint): void {
  out.byte(value < 0n ? TAG.negativeBig : TAG.positiveBig);
  out.text((value < 0n ? -value : value).toString(16));
}

function keyAt(stack: readonly Frame[]): string | null {
  const top = stack.at(-1);
  return top?.keys?.[top.next] ?? null;
}

/** `roots[0].input.predicate`, shortened in the middle. */
function pathOf(stack: readonly Frame[]): string {
  const steps = stack.map((frame) => (frame.keys === null ? `[${frame.next}]` : `.${frame.keys[frame.next]}`));
  const shown = steps.length > 16 ? [...steps.slice(0, 4), "…", ...steps.slice(-8)] : steps;
  return shown.join("").replace(/^\./, "");
}
