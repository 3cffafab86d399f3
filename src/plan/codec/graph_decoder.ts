import { ByteReader, malformed } from "./bytes.ts";
import { GRAPH_BYTES_MAX, GRAPH_DEPTH_MAX, GRAPH_OBJECTS_MAX, type GraphOptions, LIST, MAGIC, TAG } from "./graph.ts";

/**
 * The data that `encodeGraph` was given, frozen; nothing of it refers to `bytes`.
 * @throws {PlanError} encoding, for whatever is wrong with the bytes
 */
export function decodeGraph(bytes: Uint8Array, options: GraphOptions = {}): unknown {
  if (bytes.length > GRAPH_BYTES_MAX) {
    throw malformed(`it has ${bytes.length} bytes, more than the ${GRAPH_BYTES_MAX} that a plan may have`);
  }
  return new GraphDecoder(bytes, options).decode();
}

class GraphDecoder {
  readonly #in: ByteReader;
  readonly #options: GraphOptions;
  readonly #texts: string[] = [];
  readonly #keyLists: (readonly string[])[] = [];
  readonly #objects: object[] = [];
  /** Of each object: levels below and with it. */
  readonly #depths: number[] = [];
  /** Deepest child of the object that is being read. */
  #depth = 0;

  constructor(bytes: Uint8Array, options: GraphOptions) {
    this.#in = new ByteReader(bytes);
    this.#options = options;
  }

  decode(): unknown {
    for (const byte of MAGIC) if (this.#in.byte() !== byte) throw malformed("it does not begin as one");
    for (let left = this.#in.size(); left > 0; left--) this.#texts.push(this.#in.text());
    for (let left = this.#in.size(); left > 0; left--) this.#keyLists.push(this.#keyList());
    const count = this.#in.size();
    if (count > GRAPH_OBJECTS_MAX) throw malformed(`it has ${count} parts, more than ${GRAPH_OBJECTS_MAX}`);
    for (let left = count; left > 0; left--) this.#objects.push(this.#object());
    const root = this.#value(null);
    if (!this.#in.isAtEnd) throw malformed("something follows its end");
    return root;
  }

  #keyList(): readonly string[] {
    const keys: string[] = [];
    for (let left = this.#in.size(); left > 0; left--) keys.push(this.#text());
    if (new Set(keys).size !== keys.length) throw malformed("an object in it has a property twice");
    if (keys.includes("__proto__")) throw malformed('an object in it has a property named "__proto__"');
    return keys;
  }

  #object(): object {
    this.#depth = 0;
    const shape = this.#in.count();
    const object = shape === LIST ? this.#list() : this.#record(shape - 1);
    if (this.#depth >= GRAPH_DEPTH_MAX) throw malformed(`it is nested deeper than ${GRAPH_DEPTH_MAX} levels`);
    this.#depths.push(this.#depth + 1);
    return Object.freeze(object);
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    for (let left = this.#in.size(); left > 0; left--) list.push(this.#value(null));
    return list;
  }

  #record(shape: number): Record<string, unknown> {
    const keys = this.#keyLists[shape];
    if (keys === undefined) throw malformed("an object in it has no list of keys");
    const record: Record<string, unknown> = {};
    for (const key of keys) record[key] = this.#value(key);
    return record;
  }

  #text(): string {
    const text = this.#texts[this.#in.count()];
    if (text === undefined) throw malformed("it refers to a text that is not there");
    return text;
  }

  #value(key: string | null): unknown {
    const tag = this.#in.byte();
    switch (tag) {
      case TAG.null:
        return null;
      case TAG.undefined:
        return undefined;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.positive:
        return this.#in.count();
      case TAG.negative:
        return -this.#in.count();
      case TAG.float:
        return this.#in.float();
      case TAG.positiveBig:
        return this.#bigint();
      case TAG.negativeBig:
        return -this.#bigint();
      case TAG.text:
        return this.#text();
      case TAG.bytes:
        return this.#in.bytes();
      case TAG.date:
        return new Date(this.#in.float());
      case TAG.object:
        return this.#reference();
      case TAG.function:
        return this.#function(key);
      default:
        throw malformed(`it has a value of kind ${tag}, which does not exist`);
    }
  }

  #bigint(): bigint {
    const digits = this.#in.text();
    if (!/^[0-9a-f]{1,4096}$/.test(digits)) throw malformed("a whole number in it has wrong digits");
    return BigInt(`0x${digits}`);
  }

  /** Only to what has been read: what is being read is not there yet, so there are no cycles. */
  #reference(): object {
    const id = this.#in.count();
    const object = this.#objects[id];
    if (object === undefined) throw malformed("it has a cycle, or refers to a part that is not there");
    this.#depth = Math.max(this.#depth, this.#depths[id] ?? 0);
    return object;
  }

  #function(key: string | null): unknown {
    const { functionKey, standIn } = this.#options;
    if (standIn === undefined || key === null || key !== functionKey) throw malformed("it has a function in it");
    return standIn(this.#text());
  }
}
