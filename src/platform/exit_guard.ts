import { writeSync } from "node:fs";

/** As of any job file that is wrong. */
const EXIT_CODE = 2;

/**
 * Says so when the process is ended by code that should not, such as a job's file while it is loaded: that would pass for
 * success. The returned function calls it off.
 */
export function guardExit(message: string): () => void {
  const ended = () => {
    writeSync(process.stderr.fd, message);
    process.exitCode = EXIT_CODE;
  };
  process.once("exit", ended);
  return () => void process.off("exit", ended);
}
