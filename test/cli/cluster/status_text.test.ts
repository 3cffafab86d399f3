import { expect, test } from "vitest";
import { type Status, statusKey, statusText } from "../../../src/cli/cluster/status_text.ts";
import { paintFor } from "../../../src/cli/paint.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";

type Member = Status["members"][number];
const plain = paintFor({ hasColor: false });
const show = (status: Status, width: number) => statusText(status, { paint: plain, width });

function member(name: string, fields: Partial<Member> = {}): Member {
  const peer = `12D3KooW${name.replaceAll(/[^a-z0-9]/gi, "").padEnd(44, "x")}` as PeerId;
  return {
    peer,
    name,
    health: "alive",
    raftRole: "follower",
    isVoter: true,
    version: "0.1.0",
    addresses: [],
    slots: 4,
    memoryBytes: 16e9,
    load: 0.25,
    matchIndex: 7,
    lastHeardMs: 120,
    uptimeMs: 60_000,
    ...fields,
  };
}

function statusOf(members: Member[], fields: Partial<Status> = {}): Status {
  return {
    cluster: "74bb046fc30c690f7b98fb6dac1804ef" as Status["cluster"],
    name: "sage",
    leader: members.find(({ raftRole }) => raftRole === "leader")?.peer ?? null,
    term: 12,
    commitIndex: 12_345,
    appliedIndex: 12_345,
    members,
    freshness: { node: members[0]?.peer as PeerId, appliedIndex: 12_345, isLinearizable: false, staleMs: 40 },
    ...fields,
  };
}

const healthy = statusOf([
  member("worker-1", { raftRole: "leader", lastHeardMs: 0 }),
  member("worker-2"),
  member("worker-3", { health: "suspect", lastHeardMs: 2_400, load: 1 }),
  member("worker-4", { health: "dead", lastHeardMs: 7_300_000, load: null, raftRole: "learner", isVoter: false }),
  member("worker-5", {
    health: "unknown",
    lastHeardMs: null,
    load: null,
    version: null,
    raftRole: null,
    isVoter: false,
  }),
  member("worker-6", { health: "leaving", raftRole: "learner", isVoter: false }),
  member("worker-7", { health: "left", raftRole: "learner", isVoter: false, lastHeardMs: 400_000, load: null }),
]);

test.each([0, 160, 100, 80, 60, 40, 20])("the status of a cluster with %i columns reads as agreed", async (width) => {
  await expect(show(healthy, width)).toMatchFileSnapshot(`goldens/status_${width}.txt`);
});

test("one node is one node, and one voter", () => {
  const text = show(statusOf([member("vm", { raftRole: "leader" })]), 80);
  expect(text).toContain("1 of 1 node alive, 1 voter, term 12, commit 12345\nleader vm\n");
});

test("without a leader it says whether one is coming, or who is missing", () => {
  const [a, b] = [member("a"), member("b")];
  expect(show(statusOf([a, b]), 80)).toContain("no leader: an election is under way");
  const lost = statusOf([a, member("b", { health: "dead" }), member("c", { health: "unknown" })]);
  expect(show(lost, 80)).toContain(
    "no leader: 1 of 3 voters can be reached, 2 are needed. Start b, c again; if they are lost",
  );
});

test("a node that is cut off says how old its picture is", () => {
  const freshness = { ...healthy.freshness, staleMs: 61_000 };
  expect(show({ ...healthy, freshness }, 80)).toContain("leader worker-1, which the asked node has not heard for 61 s");
  expect(show({ ...healthy, freshness: { ...freshness, staleMs: null } }, 80)).toContain("has not heard for long");
});

test("ages, loads and log indexes are no change worth printing again; health, roles and terms are", () => {
  const [first, ...rest] = healthy.members;
  const withFirst = (fields: Partial<Member>) => ({
    ...healthy,
    members: [{ ...(first as Member), ...fields }, ...rest],
  });
  const key = statusKey(healthy);
  expect(statusKey({ ...withFirst({ lastHeardMs: 9, load: 0.9, uptimeMs: 1, matchIndex: 9 }), commitIndex: 9 })).toBe(
    key,
  );
  for (const fields of [{ health: "dead" }, { raftRole: "follower" }, { version: "0.2.0" }, { name: "x" }] as const) {
    expect(statusKey(withFirst(fields))).not.toBe(key);
  }
  expect(statusKey({ ...healthy, term: 13 })).not.toBe(key);
});
