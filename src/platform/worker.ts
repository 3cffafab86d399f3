/** Entry of a worker thread: carries out the requests of its pool, one after the other. */
import { Arena } from "../arrow/mod.ts";
import { ControlBlock, carryOut, type WorkerContext, type WorkerRequest } from "../exec/mod.ts";
import { unpackBatches } from "./batch_transfer.ts";
import { nodeCompression } from "./compression.ts";
import { markConsole, muteConsole, sendConsoleToBoth, sendConsoleToStderr } from "./console.ts";
import { nodeDisk } from "./disk.ts";
import { serializeError } from "./error_transfer.ts";
import { garbageCollector } from "./garbage.ts";
import { userFunctionsOfBundle } from "./job_module.ts";
import { workerPort } from "./worker_host.ts";
import {
  BEAT_COUNT,
  BEAT_IS_COMPUTING,
  BEAT_WORDS,
  type FromWorker,
  type LoadMessage,
  type RequestMessage,
  type ToWorker,
  type WorkerSetup,
} from "./worker_messages.ts";

const port = workerPort();
const setup = port.data as WorkerSetup;
const arena = Arena.attach(setup.memory);
const beatAt = setup.index * BEAT_WORDS;
/** The job's module; may become known later. */
let job: Pick<LoadMessage, "params"> & { readonly bundleUrl: string | null } = setup;
let currentRequest = 0;
let functions: WorkerContext["userFunctions"] | null = null;

function post(message: FromWorker): void {
  port.postMessage(message);
}

async function context(): Promise<WorkerContext> {
  functions ??= job.bundleUrl === null ? new Map() : await loadFunctions(job.bundleUrl, job.params);
  return { ...base, userFunctions: functions };
}

/** What the job logs while it is built was said by the main thread already. */
async function loadFunctions(bundleUrl: string, params: string): Promise<WorkerContext["userFunctions"]> {
  muteConsole();
  const loaded = await userFunctionsOfBundle(bundleUrl, params);
  if (setup.hasRowsOnStdout) sendConsoleToStderr();
  else sendConsoleToBoth();
  return loaded;
}

function beat(isComputing: 0 | 1): void {
  Atomics.add(setup.beats, beatAt + BEAT_COUNT, 1);
  Atomics.store(setup.beats, beatAt + BEAT_IS_COMPUTING, isComputing);
}

const collectGarbage = garbageCollector(arena);

const base: Omit<WorkerContext, "userFunctions"> = {
  arena,
  tools: { disk: nodeDisk(), compression: nodeCompression() },
  index: setup.index,
  states: new Map(),
  output: (output) => post({ kind: "output", id: currentRequest, output }),
  awaitConsumed: (control, point) => {
    beat(0);
    new ControlBlock(arena, control).waitReached(point);
    beat(1);
  },
  pause: () => {
    beat(1);
    collectGarbage();
  },
};

function requestOf({ request, batches }: RequestMessage): WorkerRequest {
  if (batches === null || request.kind !== "pipeline" || request.source.kind !== "batches") return request;
  return { ...request, source: { ...request.source, batches: unpackBatches(batches) } };
}

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === "load") {
    job = message;
    functions = null;
    return;
  }
  if (message.kind === "prints") return markConsole(message.mark);
  const { id } = message;
  currentRequest = id;
  beat(1);
  try {
    post({ kind: "done", id, value: await carryOut(await context(), requestOf(message)) });
  } catch (error) {
    post({ kind: "failed", id, error: serializeError(error) });
  } finally {
    beat(0);
  }
}

let last = Promise.resolve();
port.onMessage((message) => {
  last = last.then(() => handle(message as ToWorker));
});
