export {
  type Action,
  type Fact,
  type InputPlace,
  MACHINE_DEFAULTS,
  type MachineSettings,
  type Prepared,
  type TaskReport,
  type UserVerb,
} from "./facts.ts";
export { finalReason, JobMachine, type MachineOptions, shownReason } from "./machine.ts";
export { isLive, runName, type TaskRecord, type TaskStatus } from "./task_record.ts";
