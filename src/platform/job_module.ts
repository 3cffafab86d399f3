import { InvariantError } from "../kernel/mod.ts";
import { type OperatorId, type UserFunction, userFunctionsOf } from "../plan/mod.ts";
import { type GivenParams, isDataflow } from "../stream/mod.ts";
import { installLibrary } from "./library.ts";

/**
 * Runs the builder of a bundled job in this thread and gives the users' functions by operator. `params`: values of its
 * parameters as JSON, as the client's builder had them.
 */
export async function userFunctionsOfBundle(
  url: string,
  params = "{}",
): Promise<ReadonlyMap<OperatorId, UserFunction>> {
  await installLibrary();
  const module = (await import(url)) as { readonly default?: unknown };
  if (!isDataflow(module.default)) throw new InvariantError("Invariant broken: the bundle is no dataflow in a worker");
  return userFunctionsOf(module.default.with(JSON.parse(params) as GivenParams).plan);
}
