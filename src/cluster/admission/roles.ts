/**
 * Who may do what. A role may do what those below it may: node ⊃ admin ⊃ submit ⊃ read. Nodes are trusted with
 * everything: each holds the cluster key, and passes on what clients ask of it.
 *
 * - read: look at the cluster and its jobs
 * - submit: run jobs, and end them
 * - admin: change the cluster: members, tokens, keys, settings
 * - node: be a member: hold the cluster key, propose, run tasks
 */
import { CREDENTIAL_ROLES, type CredentialRole, type Role as RoleOrGuest, reaches } from "../../protocol/mod.ts";

export const ROLE_NAMES = CREDENTIAL_ROLES;
export type Role = CredentialRole;

/** Whether `role` may do all that `least` may. */
export function includesRole(role: Role, least: Role): boolean {
  return reaches(role, least);
}

/** A method with the least role that may call it. */
export interface MethodRight {
  readonly name: string;
  readonly minRole: RoleOrGuest;
}

/** Names of the methods that each role may call: the table of the documentation. */
export function permittedMethods(methods: readonly MethodRight[]): Readonly<Record<Role, readonly string[]>> {
  const namesFor = (role: Role): string[] =>
    methods.filter(({ minRole }) => reaches(role, minRole)).map(({ name }) => name);
  return { read: namesFor("read"), submit: namesFor("submit"), admin: namesFor("admin"), node: namesFor("node") };
}
