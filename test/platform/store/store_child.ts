/** A process of its own for tests: `save PATH FROM` saves until it is killed, `live PATH` and `show PATH` as they say. */
import { writeSync } from "node:fs";
import { openRaftStore } from "../../../src/platform/store/raft_store.ts";
import { contents, entry, live } from "./store_history.ts";

const [mode, path = "", from = "1"] = process.argv.slice(2);
const store = openRaftStore(path);
if (mode === "save") {
  for (let index = Number(from); ; index++) {
    store.save({
      hardState: { term: 1, vote: null, commit: index - 1 },
      entries: [entry(index, 1, 50 + ((index * 37) % 9000))],
    });
    writeSync(1, `${index}\n`);
  }
}
if (mode === "live") live(store);
writeSync(1, contents(store));
store.close();
