import type { ClusterClient } from "../../client/mod.ts";
import { type PeerId, SageError } from "../../kernel/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import {
  clusterLeave,
  clusterRetireKeys,
  clusterRotateKey,
  clusterStatus,
  clusterTransferLeader,
  type MemberStatus,
} from "../../protocol/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { confirm } from "./confirm.ts";
import { printer } from "./output.ts";
import { type AskContext, withClient } from "./session.ts";

export function leave(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const print = printer(on, parsed);
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    const wanted = await chosenMember(client, parsed, timeoutMs);
    const what = wanted === null ? "the node that answers" : `${wanted.name} (${wanted.peer})`;
    const isSure = await confirm(on, parsed, `Take ${what} out of the cluster for good?`);
    if (!isSure) return EXIT.jobFailed;
    const { peer } = await client.call(clusterLeave, wanted === null ? {} : { peer: wanted.peer }, { timeoutMs });
    const name = wanted?.name ?? null;
    await print(`${name ?? peer} has left the cluster`, { peer, name });
    return EXIT.ok;
  });
}

export function transferLeader(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const print = printer(on, parsed);
  return withClient(on, parsed, async ({ client, timeoutMs }) => {
    const wanted = await chosenMember(client, parsed, timeoutMs);
    const { leader, term } = await client.call(clusterTransferLeader, wanted === null ? {} : { to: wanted.peer }, {
      timeoutMs,
    });
    const { members } = await client.call(clusterStatus, {}, { timeoutMs });
    const name = nameOf(members, leader);
    await print(`${name} leads in term ${term}`, { leader, name, term });
    return EXIT.ok;
  });
}

export function rotateKey(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const print = printer(on, parsed);
  return withClient(on, parsed, async (context) => {
    const { client, timeoutMs } = context;
    const isLast = parsed.flags.has("retire-old");
    const question = "End the old key at once? Clients that have not renewed by then must log in again.";
    if (isLast && !(await confirm(on, parsed, question))) return EXIT.jobFailed;
    const { keyId } = await client.call(clusterRotateKey, {}, { timeoutMs });
    const signs = `the cluster signs with key ${keyId} now`;
    if (!isLast) {
      const then = "nodes renew their certificates by themselves, then the old key is retired";
      await print(`${signs}; ${then}`, { keyId });
      return EXIT.ok;
    }
    await client.renew(keyId); // or this very client would be locked out
    const retired = await retireOld(on, context);
    await print(`${signs}; what older keys have signed is worthless, tokens too`, { keyId, retired });
    return EXIT.ok;
  });
}

const RETIRE_LOOK_MS = 250;

/** Nodes need a moment to renew. Errors as of `ClusterClient.call`; the last answer when the time is over. */
async function retireOld(on: Terminal, { client, timeoutMs, signal }: AskContext): Promise<readonly string[]> {
  const endMs = on.wallMs() + timeoutMs;
  while (true) {
    try {
      return (await client.call(clusterRetireKeys, {}, { timeoutMs, signal })).keyIds;
    } catch (error) {
      const isEarly = error instanceof SageError && error.code === "in-use";
      if (!isEarly || on.wallMs() >= endMs) throw error;
    }
    await new Promise<void>((resolve) => void on.schedule(RETIRE_LOOK_MS, resolve));
  }
}

/** The member that the command names by name, id or the beginning of its id; null when it names none. */
async function chosenMember(
  client: ClusterClient,
  { positionals, command }: ParsedCommand,
  timeoutMs: number,
): Promise<MemberStatus | null> {
  const [wanted] = positionals;
  if (wanted === undefined) return null;
  const { members } = await client.call(clusterStatus, {}, { timeoutMs });
  const exact = members.find(({ peer, name }) => peer === wanted || name === wanted);
  if (exact !== undefined) return exact;
  const near = members.filter(({ peer }) => peer.startsWith(wanted));
  const [only, second] = near;
  if (only !== undefined && second === undefined) return only;
  const names = members.map(({ name }) => name).join(", ");
  const problem = only === undefined ? `No node is called ${wanted}` : `${wanted} is the beginning of several ids`;
  throw new UsageError(`${problem}. Nodes: ${names}.`, { command: command.name });
}

function nameOf(members: readonly MemberStatus[], peer: PeerId): string {
  return members.find((member) => member.peer === peer)?.name ?? peer;
}
