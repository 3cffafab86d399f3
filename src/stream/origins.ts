import { type LogicalNode, noteOrigin, OperatorOrigin, setCause } from "../plan/mod.ts";

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Lets the operators among the methods note where they are called, so that an error that is found when the dataflow is
 * planned shows the user's line.
 *
 * The place is taken when the method is read, not when it runs: a builder such as `() => stream.filter(…)` ends by that
 * call, and JavaScriptCore, which has proper tail calls, has forgotten the builder by the time the operator runs.
 */
export function noteOrigins(methods: object, names: readonly string[]): void {
  for (const name of names) {
    const method = (methods as Readonly<Record<string, Method>>)[name];
    if (method === undefined) continue;
    const get = () => {
      const origin = new OperatorOrigin(`${name} is called here`);
      return function noting(this: unknown, ...args: unknown[]): unknown {
        return called(() => method.apply(this, args), origin);
      };
    };
    Object.defineProperty(methods, name, { get, configurable: true });
  }
}

function called(call: () => unknown, origin: OperatorOrigin): unknown {
  try {
    const made = call();
    if (isMade(made)) noteOrigin(made.node, origin);
    return made;
  } catch (error) {
    throw setCause(error, origin);
  }
}

/** A stream or a sink. */
function isMade(value: unknown): value is { readonly node: LogicalNode } {
  return typeof value === "object" && value !== null && "node" in value;
}
