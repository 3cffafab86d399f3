import { MemoryStore } from "./memory_store.ts";
import { describeStore } from "./store_conformance.ts";

describeStore("in memory", () => {
  const store = new MemoryStore();
  return { open: () => store };
});
