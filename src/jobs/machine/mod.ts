export {
  type Action,
  type Fact,
  type InputPlace,
  MACHINE_DEFAULTS,
  type MachineSettings,
  type TaskReport,
  type UserVerb,
} from "./facts.ts";
export { JobMachine, type MachineOptions } from "./machine.ts";
export type { TaskRecord, TaskStatus } from "./tasks.ts";
