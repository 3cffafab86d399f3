/**
 * Threads and shared memory on whatever runtime this is run with: `bun`, `deno run -A`, `node` ≥ 24, or compiled.
 * Prints "ok" or fails. Not a vitest file: vitest itself runs on one runtime only.
 */
import { spawnWorker } from "../../src/platform/worker_host.ts";

const EMPTY_MODULE = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

const memory = new WebAssembly.Memory({ initial: 65_536, maximum: 65_536, shared: true });
const words = new Int32Array(memory.buffer);
words[words.length - 1] = 1;
const entry = new URL("./echo_worker.ts", import.meta.url);

const adder = spawnWorker({ entry, data: 7 });
adder.postMessage({ kind: "add", memory, module: new WebAssembly.Module(EMPTY_MODULE) });
const reply = await new Promise<unknown>((resolve) => adder.onMessage(resolve));
expect(JSON.stringify(reply) === JSON.stringify({ before: 1, data: 7 }), `wrong reply ${JSON.stringify(reply)}`);
expect(Atomics.load(words, words.length - 1) === 42, "the last word of 4 GiB is not shared");
await adder.terminate();

const looper = spawnWorker({ entry });
const loopExited = new Promise<void>((resolve) => looper.onExit(() => resolve()));
looper.postMessage({ kind: "loop" });
await new Promise((resolve) => setTimeout(resolve, 200));
await looper.terminate();
await loopExited;

const thrower = spawnWorker({ entry });
const thrown = new Promise<Error>((resolve) => thrower.onError(resolve));
const exited = new Promise<number>((resolve) => thrower.onExit(resolve));
thrower.postMessage({ kind: "throw" });
expect((await thrown).message === "boom in worker", "error lost");
expect((await exited) === 1, "exit code of a failed worker");
console.log("ok");
