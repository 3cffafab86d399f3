export type { JobDriver } from "./driver.ts";
export { Jobs } from "./jobs.ts";
export { JobManager } from "./manager.ts";
export { merged } from "./merge.ts";
export { pause } from "./pause.ts";
export { progressOf } from "./progress.ts";
export { rowsOf } from "./rows.ts";
export { encodeSubmission } from "./submission.ts";
export { summaryOf } from "./summary.ts";
