import type { JobRecord } from "../../client/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import type { JobProgress } from "../../protocol/mod.ts";
import { chooseOutput, jsonText } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chosenJob } from "./choose.ts";
import { withJobs } from "./session.ts";
import { showText } from "./show_text.ts";

export function showJob(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  return withJobs(on, parsed, async (context) => {
    const { timeoutMs } = context;
    const job = await chosenJob(context, parsed);
    const [progress, record]: [JobProgress, JobRecord | null] = await Promise.all([
      job.show({ hasTasks: true, timeoutMs }),
      job.record({ timeoutMs }),
    ]);
    const history = record?.history ?? [];
    if (output === "json") await on.out.write(jsonText({ ...progress, history }));
    else {
      const style = { paint: paintFor(on.out), width: on.out.columns };
      const of = { history, nowMs: on.wallMs(), hasAllTasks: parsed.flags.has("tasks"), style };
      await on.out.write(showText(progress, of));
    }
    return EXIT.ok;
  });
}
