/** What `sage cluster status` shows. */
import type * as v from "valibot";
import type { clusterStatus, MemberStatus } from "../../protocol/mod.ts";
import { bytesText } from "../quantity.ts";
import { ageText, type Cell, type Column, type TableStyle, table } from "./table.ts";

export type Status = v.InferOutput<typeof clusterStatus.reply>;

/** An asked node that has not heard of a leader for longer says so. */
const STALE_MS = 5_000;

const COLUMNS: readonly Column[] = [
  { head: "node" },
  { head: "health" },
  { head: "role" },
  { head: "slots", isRight: true, giveWay: 2 },
  { head: "load", isRight: true, giveWay: 1 },
  { head: "memory", isRight: true, giveWay: 4 },
  { head: "version", giveWay: 5 },
  { head: "seen", isRight: true, giveWay: 3 },
  { head: "id", giveWay: 6 },
];

const MARKS: Readonly<Record<MemberStatus["health"], string>> = {
  alive: "●",
  suspect: "◐",
  dead: "✕",
  leaving: "◌",
  left: "○",
  unknown: "?",
};

export function statusText(status: Status, style: TableStyle): string {
  const { cluster, name, leader, term, commitIndex, members } = status;
  const { paint } = style;
  const alive = members.filter(({ health }) => health === "alive").length;
  const voters = members.filter(({ isVoter }) => isVoter);
  const counts = `${alive} of ${countText(members.length, "node")} alive, ${countText(voters.length, "voter")}`;
  const leaderName = members.find(({ peer }) => peer === leader)?.name;
  const lines = [
    `${paint.bold(`cluster ${name}`)} ${paint.dim(cluster)}`,
    `${counts}, term ${term}, commit ${commitIndex}`,
    leaderName === undefined
      ? paint.red(`no leader: ${lossText(voters)}`)
      : `leader ${paint.green(leaderName)}${staleText(status, style)}`,
  ];
  const rows = members.map((member) => memberCells(member, style));
  return `${lines.join("\n")}\n\n${table(COLUMNS, rows, style)}`;
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Why there may be no leader, and what brings one back. A node that is alone can only suspect the others. */
function lossText(voters: readonly MemberStatus[]): string {
  const missing = voters.filter(({ health }) => health !== "alive").map(({ name }) => name);
  const alive = voters.length - missing.length;
  const majority = Math.floor(voters.length / 2) + 1;
  if (alive >= majority) return "an election is under way";
  const what = `${alive} of ${voters.length} voters can be reached, ${majority} are needed`;
  return `${what}. Start ${missing.join(", ")} again; if they are lost for ever: sage help cluster recover`;
}

function staleText({ freshness: { staleMs } }: Status, { paint }: TableStyle): string {
  if (staleMs !== null && staleMs <= STALE_MS) return "";
  return paint.yellow(`, which the asked node has not heard for ${staleMs === null ? "long" : ageText(staleMs)}`);
}

function memberCells(member: MemberStatus, { paint }: TableStyle): Cell[] {
  const { health, raftRole, name, slots, load, memoryBytes, version, lastHeardMs, peer } = member;
  const paints: Partial<Record<MemberStatus["health"], (text: string) => string>> = {
    alive: paint.green,
    suspect: paint.yellow,
    dead: paint.red,
  };
  return [
    { text: name },
    { text: `${MARKS[health]} ${health}`, paint: paints[health] ?? paint.dim },
    { text: raftRole ?? "–", ...(raftRole === "leader" ? { paint: paint.bold } : {}) },
    { text: String(slots) },
    { text: load === null ? "–" : `${Math.round(load * 100)} %` },
    { text: bytesText(memoryBytes) },
    { text: version ?? "–" },
    { text: ageText(lastHeardMs) },
    { text: peer, paint: paint.dim },
  ];
}

/** What of a status counts as a change where it is printed again and again: not ages, loads and log indexes. */
export function statusKey({ leader, term, members }: Status): string {
  const facts = members.map(({ peer, name, health, raftRole, isVoter, version, slots }) => [
    peer,
    name,
    health,
    raftRole,
    isVoter,
    version,
    slots,
  ]);
  return JSON.stringify([leader, term, facts]);
}
