export { InvariantError, invariant, SageError, type SageErrorOptions, unreachable } from "./error.ts";
