import { workerPort } from "../../src/platform/worker_host.ts";

/** A worker for the tests of threads: adds into shared memory, runs a module, fails or loops on demand. */
type Request =
  | { readonly kind: "add"; readonly memory: WebAssembly.Memory; readonly module: WebAssembly.Module }
  | { readonly kind: "throw" | "loop" };

const port = workerPort();
port.onMessage((message) => {
  const request = message as Request;
  switch (request.kind) {
    case "add": {
      new WebAssembly.Instance(request.module, {});
      const words = new Int32Array(request.memory.buffer);
      port.postMessage({ before: Atomics.add(words, words.length - 1, 41), data: port.data });
      return;
    }
    case "throw":
      throw new Error("boom in worker");
    case "loop":
      for (;;);
  }
});
