import { VirtualDisk } from "../../src/sim/disk/virtual_disk.ts";
import { VirtualStore } from "../../src/sim/disk/virtual_store.ts";
import { Host } from "../../src/sim/world/host.ts";
import { World } from "../../src/sim/world/world.ts";
import { describeStore } from "../raft/store_conformance.ts";

describeStore("on a virtual disk", () => {
  const host = new Host(new World({ seed: 1, settle: () => Promise.resolve() }), "a");
  host.boot();
  const disk = new VirtualDisk();
  return { open: () => new VirtualStore(host, disk) };
});
