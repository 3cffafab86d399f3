import { SageError } from "../kernel/mod.ts";

/** `unsupported`: a valid plan asks for a combination of types that no code can be generated for. */
export type CodegenErrorCode = "unsupported";

export class CodegenError extends SageError<CodegenErrorCode> {
  override readonly name = "CodegenError";
}
