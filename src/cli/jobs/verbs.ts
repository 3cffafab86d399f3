import type { JobHandle, JobVerb } from "../../client/mod.ts";
import { SageError } from "../../kernel/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import { chooseOutput, confirm, jsonText } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { failureText } from "../failure.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { checkChoice, chosenJobs } from "./choose.ts";
import { withJobs } from "./session.ts";

type VerbCommand = `jobs ${JobVerb}`;

/** What is asked before, null where nothing is lost by it. */
const QUESTIONS: Readonly<Record<JobVerb, string | null>> = {
  stop: "Stop",
  continue: null,
  cancel: "Cancel",
  restart: "Run again from the start",
  delete: "Delete, with rows and logs,",
};

/** Said of a job that has come to this by the verb. */
const DONE: Readonly<Record<JobVerb, string>> = {
  stop: "is being stopped",
  continue: "goes on",
  cancel: "is being cancelled",
  restart: "runs again",
  delete: "is deleted",
};

export function changeJobs(on: Terminal, command: VerbCommand, parsed: ParsedCommand): Promise<number> {
  const verb = command.slice("jobs ".length) as JobVerb; // as the table of commands has it
  const output = chooseOutput(parsed);
  checkChoice(parsed);
  return withJobs(on, parsed, async (context) => {
    const chosen = await chosenJobs(context, parsed);
    if (chosen.length === 0) {
      await on.out.write(output === "json" ? "[]\n" : "no jobs in these states\n");
      return EXIT.ok;
    }
    const question = QUESTIONS[verb];
    if (question !== null && !(await confirm(on, parsed, `${question} ${namesOf(chosen)}?`))) return EXIT.jobFailed;
    const answers: object[] = [];
    let failures = 0;
    for (const job of chosen) {
      const { id: jobId, number, name } = job;
      try {
        const state = await job.verb(verb, { timeoutMs: context.timeoutMs });
        answers.push({ number, jobId, name, state });
        if (output === "table") await on.out.write(`job ${number} ${name} ${DONE[verb]}\n`);
      } catch (error) {
        if (!isOfCluster(error)) throw error;
        failures++;
        answers.push({ number, jobId, name, error: error.message, code: error.code });
        await on.err.write(failureText(error, null, paintFor(on.err)));
      }
    }
    if (output === "json") await on.out.write(jsonText(answers));
    return failures === 0 ? EXIT.ok : EXIT.jobFailed;
  });
}

function isOfCluster(error: unknown): error is SageError<string> {
  return error instanceof SageError;
}

const NAMED_MAX = 5;

function namesOf(jobs: readonly JobHandle[]): string {
  const shown = jobs.slice(0, NAMED_MAX).map(({ number, name }) => `${number} (${name})`);
  const more = jobs.length > NAMED_MAX ? ` and ${jobs.length - NAMED_MAX} more` : "";
  return `${jobs.length === 1 ? "job" : `${jobs.length} jobs:`} ${shown.join(", ")}${more}`;
}
