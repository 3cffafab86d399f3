import type { LogicalNode } from "./logical.ts";

/** Where an operator was written: its stack was taken as the method was read, and its first frame of the user is that. */
export class OperatorOrigin extends Error {
  override readonly name = "OperatorOrigin";
}

/** Beside the plan, which is data and travels without. */
const origins = new WeakMap<LogicalNode, OperatorOrigin>();

/** The first one counts: an operator that is handed on was not written again. */
export function noteOrigin(node: LogicalNode, origin: OperatorOrigin): void {
  if (!origins.has(node)) origins.set(node, origin);
}

/** Null for plans that were decoded, or put together by hand. */
export function originOf(node: LogicalNode): OperatorOrigin | null {
  return origins.get(node) ?? null;
}

/** Longest chain of causes that is followed. */
const CAUSES_MAX = 10;

/** The same error, whose last cause is from now on that, unless it leads to an operator already. */
export function setCause(error: unknown, cause: OperatorOrigin | null): unknown {
  let last = error;
  for (let depth = 0; depth < CAUSES_MAX && last instanceof Error && last.cause instanceof Error; depth++) {
    last = last.cause;
  }
  if (last instanceof OperatorOrigin) return error;
  if (cause !== null && last instanceof Error && last.cause === undefined && Object.isExtensible(last)) {
    Object.defineProperty(last, "cause", { value: cause, configurable: true, writable: true });
  }
  return error;
}
