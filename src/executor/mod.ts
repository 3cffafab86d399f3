export type { EnginePort, ExecutorPorts, ExecutorSettings, JobCode } from "./ports.ts";
