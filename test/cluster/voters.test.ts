import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type VoterCandidate, type VoterChange, type VoterFacts, voterChange } from "../../src/cluster/mod.ts";
import type { PeerId } from "../../src/kernel/mod.ts";
import type { Membership } from "../../src/raft/mod.ts";

const NOW_MS = 1_000_000;
const peer = (text: string): PeerId => text as PeerId;
type Health = VoterCandidate["health"];

/** "b dead no": peer, and what differs from an admitted, live, caught-up one that does not mind. */
function candidate(text: string): VoterCandidate {
  const [name = "", ...words] = text.split(" ");
  const health = (["suspect", "dead", "leaving", "left"] as Health[]).find((word) => words.includes(word)) ?? "alive";
  const agoMs = Number(words.find((word) => word.endsWith("s") && /^\d/.test(word))?.slice(0, -1) ?? 60) * 1_000;
  return {
    peer: peer(name),
    isAdmitted: !words.includes("stranger"),
    wish: words.includes("yes") ? "yes" : words.includes("no") ? "no" : "auto",
    health,
    sinceMs: NOW_MS - agoMs,
    isCaughtUp: !words.includes("behind"),
  };
}

/** Voters and learners, the leader first; `others` follow nothing yet. */
function facts(voters: string[], learners: string[] = [], others: string[] = []): VoterFacts {
  const names = (texts: string[]): PeerId[] => texts.map((text) => candidate(text).peer);
  return {
    self: names(voters)[0] ?? peer("a"),
    membership: { voters: names(voters), learners: names(learners) },
    candidates: [...voters, ...learners, ...others].map(candidate),
    isChanging: false,
    nowMs: NOW_MS,
  };
}

const shown = (change: VoterChange | null): string => (change === null ? "nothing" : `${change.kind} ${change.peer}`);

const rows: readonly (readonly [string, VoterFacts, string])[] = [
  ["a lone node stays as it is", facts(["a"]), "nothing"],
  ["a new member first follows the log", facts(["a"], [], ["b"]), "addLearner b"],
  ["a dead new member does not", facts(["a"], [], ["b dead"]), "nothing"],
  ["a stranger does not", facts(["a"], [], ["b stranger"]), "nothing"],
  ["a learner that lags waits", facts(["a"], ["b behind"]), "nothing"],
  ["the second node votes", facts(["a"], ["b"]), "promote b"],
  ["the third node votes", facts(["a", "b"], ["c"]), "promote c"],
  ["the fourth node does not", facts(["a", "b", "c"], ["d"]), "nothing"],
  ["the fourth votes once there is a fifth", facts(["a", "b", "c"], ["d 9s", "e 8s"]), "promote d"],
  ["the fifth votes", facts(["a", "b", "c", "d"], ["e"]), "promote e"],
  ["the sixth does not", facts(["a", "b", "c", "d", "e"], ["f"]), "nothing"],
  ["the fourth votes if it was told to", facts(["a", "b", "c"], ["d yes"]), "promote d"],
  ["the sixth takes a place if it was told to vote", facts(["a", "b", "c yes", "d", "e"], ["f yes"]), "demote e"],
  ["a node that was told to vote goes first", facts(["a"], ["b 90s", "c yes"]), "promote c"],
  ["a node that was told not to vote does not", facts(["a"], ["b no"]), "nothing"],
  ["a voter that was told not to vote stops", facts(["a", "b no", "c"]), "demote b"],
  ["a dead voter is kept for a while", facts(["a", "b dead 29s", "c"], ["d"]), "nothing"],
  ["a dead voter makes place for a learner", facts(["a", "b dead 30s", "c"], ["d"]), "demote b"],
  ["the learner then takes it", facts(["a", "c"], ["d", "b dead 40s"]), "promote d"],
  ["a dead voter that nobody can replace is kept", facts(["a", "b dead 999s", "c"]), "nothing"],
  ["of four voters a dead one only harms", facts(["a", "b dead 300s", "c", "d"]), "demote b"],
  ["two dead of five go", facts(["a", "b dead 300s", "c dead 301s", "d", "e"]), "demote b"],
  ["the dead of two stays: nothing could be committed", facts(["a", "b dead 999s"]), "nothing"],
  ["nothing is proposed without a majority", facts(["a", "b dead 99s", "c dead 99s"], ["d"]), "nothing"],
  ["a leaving node gives up its vote", facts(["a", "b leaving"]), "demote b"],
  ["a node that has left loses its vote", facts(["a", "b", "c left"]), "demote c"],
  ["a removed learner is no longer served", facts(["a"], ["b stranger"]), "remove b"],
  ["a removed voter is gone from the group", facts(["a", "b", "c stranger"]), "remove c"],
  ["a removed voter whose vote is needed stays until it is not", facts(["a", "b stranger", "c dead 9s"]), "nothing"],
  ["the dead one of two removed voters goes first", facts(["a", "b stranger", "c dead stranger 9s"]), "remove c"],
  ["the leader does not remove itself", facts(["a stranger no", "b", "c"]), "nothing"],
  ["one change at a time", { ...facts(["a"], ["b"]), isChanging: true }, "nothing"],
];

describe("who votes", () => {
  test.each(rows)("%s", (_, given, expected) => {
    expect(shown(voterChange(given))).toBe(expected);
  });
});

function changed({ voters, learners }: Membership, { kind, peer }: VoterChange): Membership {
  const without = (peers: readonly PeerId[]): PeerId[] => peers.filter((other) => other !== peer);
  if (kind === "remove") return { voters: without(voters), learners: without(learners) };
  if (kind === "promote") return { voters: [...voters, peer], learners: without(learners) };
  return { voters: without(voters), learners: [...without(learners), peer] };
}

test("changes never cost the majority, and come to an end", () => {
  const anyCandidate = fc.record({
    isAdmitted: fc.boolean(),
    wish: fc.constantFrom("auto" as const, "yes" as const, "no" as const),
    health: fc.constantFrom<Health>("alive", "alive", "alive", "suspect", "dead", "leaving", "left"),
    sinceMs: fc.integer({ min: 0, max: NOW_MS }),
    isCaughtUp: fc.boolean(),
    place: fc.constantFrom("voter", "learner", "none"),
  });
  const isLive = ({ health }: VoterCandidate): boolean => ["alive", "suspect", "leaving"].includes(health);
  fc.assert(
    fc.property(fc.array(anyCandidate, { maxLength: 12 }), (drawn) => {
      const self = candidate("self");
      const candidates = [self, ...drawn.map(({ place: _, ...rest }, i) => ({ ...rest, peer: peer(`p${i}`) }))];
      const live = new Set(candidates.filter(isLive).map((c) => c.peer));
      const placed = (wanted: string): PeerId[] =>
        drawn.flatMap(({ place }, i) => (place === wanted ? peer(`p${i}`) : []));
      let membership: Membership = { voters: [self.peer, ...placed("voter")], learners: placed("learner") };
      for (let step = 0; ; step++) {
        expect(step, "changes without end").toBeLessThan(60);
        const change = voterChange({ self: self.peer, membership, candidates, isChanging: false, nowMs: NOW_MS });
        if (change === null) break;
        const before = membership;
        membership = changed(membership, change);
        for (const { voters } of [before, membership]) {
          if (change.kind === "addLearner") continue;
          if (before.voters.length === membership.voters.length && voters === before.voters) continue;
          const count = voters.filter((voter) => live.has(voter)).length;
          expect(count, `${shown(change)} in ${voters.join()}`).toBeGreaterThan(voters.length / 2);
        }
        expect(membership.voters).toContain(self.peer);
        if (change.kind === "promote") expect(membership.voters.length).toBeLessThanOrEqual(5);
      }
    }),
    { numRuns: 500 },
  );
});
