/**
 * What `import … from "sage"` gives inside a job: the library that is running, never a second copy. A bundled job reads
 * it from a global, which the main thread and every worker set before they import the bundle.
 */
const LIBRARY_KEY = "sage.library";

type Library = Readonly<Record<string, unknown>>;
type Holder = Record<symbol, Library | undefined>;

/** Makes the library known to bundles in this thread and gives it. */
export async function installLibrary(): Promise<Library> {
  const holder = globalThis as unknown as Holder;
  const key = Symbol.for(LIBRARY_KEY);
  holder[key] ??= (await import("../../mod.ts")) as unknown as Library;
  return holder[key];
}

/** The module that stands for "sage" in a bundle. */
export function libraryShim(library: Library): string {
  const names = Object.keys(library).filter((name) => name !== "default");
  return `const l=globalThis[Symbol.for(${JSON.stringify(LIBRARY_KEY)})];export const{${names.join(",")}}=l;`;
}
