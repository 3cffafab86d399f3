/** Set to true by `scripts/build.ts`; undefined when running from source. */
declare const SAGE_COMPILED: boolean | undefined;

/** True inside the executable: files are then the embedded ones and not those beside the source. */
export const isCompiled: boolean = typeof SAGE_COMPILED !== "undefined" && SAGE_COMPILED;
