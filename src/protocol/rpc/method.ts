/**
 * Methods as data: caller and server share one definition, and with it names, types, schemas and the role needed.
 *
 *     const nodeStatus = defineMethod({ name: "node.status", request: v.object({}), reply: NODE_STATUS, minRole: "read" });
 *     session.serve(methodTable([on(nodeStatus, () => status())]));
 *     const status = await otherSession.call(nodeStatus, {});
 */
import type * as v from "valibot";
import { invariant, type PeerId } from "../../kernel/mod.ts";

/** Roles that a credential can have, from least to most: who may do something, may do all that those before may. */
export const CREDENTIAL_ROLES = ["read", "submit", "admin", "node"] as const;
export type CredentialRole = (typeof CREDENTIAL_ROLES)[number];
/** A guest has no credential. */
export const ROLES = ["guest", ...CREDENTIAL_ROLES] as const;
export type Role = (typeof ROLES)[number];

export function reaches(role: Role, min: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(min);
}

/** What a sender gives: as the schema takes it in, read-only throughout. */
export type Sent<T> = T extends string | number | bigint | boolean | null | undefined | Uint8Array
  ? T
  : { readonly [Key in keyof T]: Sent<T[Key]> };

type Common<Request extends v.GenericSchema> = {
  readonly name: string;
  readonly request: Request;
  /** What the caller must be at least. */
  readonly minRole: Role;
  /** First protocol version that has it; default 1. */
  readonly since?: number;
};

/** One request, one reply. */
export type CallMethod<Request extends v.GenericSchema, Reply extends v.GenericSchema> = Common<Request> & {
  readonly reply: Reply;
};

/** Items of a stream: values of a schema, or "bytes" that travel as they are in frames of their own. */
export type ItemShape = v.GenericSchema | "bytes";

/** One request, any number of items. */
export type StreamMethod<Request extends v.GenericSchema, Item extends ItemShape> = Common<Request> & {
  readonly item: Item;
};

export type ItemInput<Item extends ItemShape> = Item extends v.GenericSchema ? Sent<v.InferInput<Item>> : Uint8Array;
export type ItemOutput<Item extends ItemShape> = Item extends v.GenericSchema ? v.InferOutput<Item> : Uint8Array;

export function defineMethod<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
  method: CallMethod<Request, Reply>,
): CallMethod<Request, Reply>;
export function defineMethod<Request extends v.GenericSchema, Item extends ItemShape>(
  method: StreamMethod<Request, Item>,
): StreamMethod<Request, Item>;
export function defineMethod(method: Common<v.GenericSchema>): Common<v.GenericSchema> {
  return Object.freeze(method);
}

/** What a handler knows of its call. */
export interface CallContext {
  readonly peer: PeerId;
  /** Role of the caller when the call came. */
  readonly role: Role;
  /** Version that the session speaks. */
  readonly version: number;
  /** On the monotonic clock; null when the caller waits for ever. */
  readonly deadlineMs: number | null;
  /** Aborted when nobody waits any more: cancelled, past the deadline, or the session closed. Handlers must end then. */
  readonly signal: AbortSignal;
}

/** Type-erased: the table holds handlers of all types, and each only ever sees what its own schema gave. */
export type Served =
  | {
      readonly kind: "call";
      readonly method: CallMethod<v.GenericSchema, v.GenericSchema>;
      readonly run: (request: unknown, context: CallContext) => unknown;
    }
  | {
      readonly kind: "stream";
      readonly method: StreamMethod<v.GenericSchema, ItemShape>;
      readonly run: (request: unknown, context: CallContext) => AsyncIterable<unknown>;
    };

export type MethodTable = ReadonlyMap<string, Served>;

/** Joins a method and what answers it. What it throws as `SageError` crosses with code, message and `retryable`. */
export function on<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
  method: CallMethod<Request, Reply>,
  run: (
    request: v.InferOutput<Request>,
    context: CallContext,
  ) => Sent<v.InferInput<Reply>> | Promise<Sent<v.InferInput<Reply>>>,
): Served {
  // The request has passed the method's own schema before it gets here.
  return { kind: "call", method, run: run as (request: unknown, context: CallContext) => unknown };
}

/** The same for a stream. Items are asked for one by one, as the caller takes them. */
export function onStream<Request extends v.GenericSchema, Item extends ItemShape>(
  method: StreamMethod<Request, Item>,
  run: (request: v.InferOutput<Request>, context: CallContext) => AsyncIterable<ItemInput<Item>>,
): Served {
  // As above.
  return {
    kind: "stream",
    method,
    run: run as (request: unknown, context: CallContext) => AsyncIterable<unknown>,
  };
}

export function methodTable(served: readonly Served[]): MethodTable {
  const table = new Map(served.map((one) => [one.method.name, one]));
  invariant(table.size === served.length, "a method is served twice");
  return table;
}
