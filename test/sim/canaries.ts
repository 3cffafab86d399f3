/** Bugs put in on purpose. Each must be found by the simulator, or the simulator sees nothing. */
import { type RaftRules, type RaftStore, RULES, type StoreChange } from "../../src/raft/mod.ts";
import type { Canary, WrapStore } from "../../src/sim/mod.ts";

/** What is saved reaches the disk only so much later: a crash before that loses it, though it was sent and answered. */
const FLUSH_MS = 1_500;

/** A node that sends before what it saved is durable. */
const skipPersist: WrapStore = (store, host, disk) => {
  const image = () => ({
    hardState: disk.hardState,
    snapshot: disk.snapshot,
    firstIndex: disk.firstIndex,
    log: disk.log.slice(),
  });
  let durable = image();
  let flushedMs = host.nowMs();
  const crashed = host.onCrash;
  const { life } = host;
  host.onCrash = () => {
    // `life` has gone up by one: this is the end of the life that the wrapper was made in.
    if (host.life === life + 1) Object.assign(disk, durable);
    host.onCrash = crashed;
    crashed();
  };
  const save = (change: StoreChange): void => {
    if (host.nowMs() - flushedMs > FLUSH_MS) {
      durable = image();
      flushedMs = host.nowMs();
    }
    store.save(change);
  };
  return new Proxy(store, {
    get(target, name: keyof RaftStore) {
      return name === "save" ? save : target[name].bind(target);
    },
  });
};

/** A vote that the network doubled counts twice. */
const countTwice: RaftRules = {
  ...RULES,
  tally(voters, ballots) {
    const granted = ballots.filter(({ isGranted }) => isGranted).length;
    return 2 * granted > voters.length ? "won" : "open";
  },
};

/** A leader that hears of a newer term goes on. */
const stayLeader: RaftRules = { ...RULES, yields: (own, term) => own.role !== "leader" && RULES.yields(own, term) };

export const CANARIES: Readonly<Record<string, Canary>> = {
  "skip persist before send": { wrapStore: skipPersist },
  "count a vote twice": { rules: countTwice },
  "forget to step down": { rules: stayLeader },
};
