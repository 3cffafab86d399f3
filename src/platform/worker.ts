/** Entry of a worker thread: carries out the requests of its pool, one after the other. */
import { Arena } from "../arrow/mod.ts";
import { ControlBlock, carryOut, type WorkerContext, type WorkerRequest } from "../exec/mod.ts";
import { unpackBatches } from "./batch_transfer.ts";
import { nodeCompression } from "./compression.ts";
import { muteConsole, sendConsoleToStderr } from "./console.ts";
import { nodeDisk } from "./disk.ts";
import { serializeError } from "./error_transfer.ts";
import { garbageCollector } from "./garbage.ts";
import { userFunctionsOfBundle } from "./job_module.ts";
import { workerPort } from "./worker_host.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker_messages.ts";

const port = workerPort();
const setup = port.data as WorkerSetup;
const arena = Arena.attach(setup.memory);
let currentRequest = 0;
let functions: WorkerContext["userFunctions"] | null = null;

function post(message: FromWorker): void {
  port.postMessage(message);
}

async function context(): Promise<WorkerContext> {
  functions ??= setup.bundleUrl === null ? new Map() : await loadFunctions(setup.bundleUrl);
  return { ...base, userFunctions: functions };
}

/** What the job logs while it is built was said by the main thread already. */
async function loadFunctions(bundleUrl: string): Promise<WorkerContext["userFunctions"]> {
  muteConsole();
  const loaded = await userFunctionsOfBundle(bundleUrl);
  sendConsoleToStderr();
  return loaded;
}

const base: Omit<WorkerContext, "userFunctions"> = {
  arena,
  tools: { disk: nodeDisk(), compression: nodeCompression() },
  index: setup.index,
  states: new Map(),
  output: (output) => post({ kind: "output", id: currentRequest, output }),
  awaitConsumed: (control, point) => new ControlBlock(arena, control).waitReached(point),
  pause: garbageCollector(arena),
};

function requestOf({ request, batches }: ToWorker): WorkerRequest {
  if (batches === null || request.kind !== "pipeline" || request.source.kind !== "batches") return request;
  return { ...request, source: { ...request.source, batches: unpackBatches(batches) } };
}

async function handle(message: ToWorker): Promise<void> {
  const { id } = message;
  currentRequest = id;
  try {
    post({ kind: "done", id, value: await carryOut(await context(), requestOf(message)) });
  } catch (error) {
    post({ kind: "failed", id, error: serializeError(error) });
  }
}

let last = Promise.resolve();
port.onMessage((message) => {
  last = last.then(() => handle(message as ToWorker));
});
