/**
 * Who may do what. A role may do what those below it may: node ⊃ admin ⊃ submit ⊃ read. Nodes are trusted with
 * everything: each holds the cluster key, and passes on what clients ask of it.
 */
export const ROLE_NAMES = ["read", "submit", "admin", "node"] as const;
export type Role = (typeof ROLE_NAMES)[number];

/** What each role adds to those below it. */
export const ROLES: Readonly<Record<Role, string>> = {
  read: "look at the cluster and its jobs",
  submit: "run jobs, and end them",
  admin: "change the cluster: members, tokens, keys, settings",
  node: "be a member: hold the cluster key, propose, run tasks",
};

/** Whether `role` may do all that `least` may. */
export function includesRole(role: Role, least: Role): boolean {
  return ROLE_NAMES.indexOf(role) >= ROLE_NAMES.indexOf(least);
}

/** A method with the least role that may call it; a guest has no credential at all. */
export interface MethodRight {
  readonly name: string;
  readonly minRole: Role | "guest";
}

export function mayCall(role: Role, method: MethodRight): boolean {
  return method.minRole === "guest" || includesRole(role, method.minRole);
}

/** Names of the methods that each role may call: the table of the documentation. */
export function permittedMethods(methods: readonly MethodRight[]): Readonly<Record<Role, readonly string[]>> {
  const namesFor = (role: Role): string[] => methods.filter((method) => mayCall(role, method)).map(({ name }) => name);
  return { read: namesFor("read"), submit: namesFor("submit"), admin: namesFor("admin"), node: namesFor("node") };
}
