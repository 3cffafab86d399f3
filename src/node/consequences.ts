/** What an applied command asks of this node, besides the state itself. */
import type { CommandKind } from "../cluster/mod.ts";

const OF_MEMBERS: ReadonlySet<CommandKind> = new Set<CommandKind>([
  "cluster.create",
  "token.use",
  "member.admit",
  "member.update",
  "member.remove",
]);
const ENDING_RIGHTS: ReadonlySet<CommandKind> = new Set<CommandKind>([
  "member.remove",
  "certificate.revoke",
  "key.retire",
]);

/** Members, or where they are, may be others after it. */
export function concernsMembers(kind: CommandKind): boolean {
  return OF_MEMBERS.has(kind);
}

/** Someone's right to be here may have ended with it. */
export function endsRights(kind: CommandKind): boolean {
  return ENDING_RIGHTS.has(kind);
}
