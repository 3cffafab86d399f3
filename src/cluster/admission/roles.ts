/**
 * Who may do what. A role may do what those below it may: node ⊃ admin ⊃ submit ⊃ read. Nodes are trusted with
 * everything: each holds the cluster key, and passes on what clients ask of it.
 */
export const ROLE_NAMES = ["read", "submit", "admin", "node"] as const;
export type Role = (typeof ROLE_NAMES)[number];

interface RoleRow {
  readonly purpose: string;
  /** Methods that this role may call and those below it may not. A name that ends in `.*` stands for a whole domain. */
  readonly adds: readonly string[];
}

export const ROLES: Readonly<Record<Role, RoleRow>> = {
  read: {
    purpose: "look at the cluster and its jobs",
    adds: [
      "node.status",
      "cluster.status",
      "cluster.watch",
      "watch",
      "setting.get",
      "setting.list",
      "job.get",
      "job.list",
      "job.watch",
      "certificate.renew",
    ],
  },
  submit: {
    purpose: "run jobs",
    adds: [
      "blob.put",
      "blob.get",
      "job.submit",
      "job.create",
      "job.stop",
      "job.continue",
      "job.cancel",
      "job.restart",
      "job.delete",
      "job.logs",
      "job.result",
    ],
  },
  admin: {
    purpose: "change the cluster",
    adds: [
      "cluster.leave",
      "cluster.remove",
      "cluster.transferLeader",
      "cluster.rotateKey",
      "cluster.retireKey",
      "token.*",
      "certificate.*",
      "audit.*",
      "setting.*",
    ],
  },
  node: { purpose: "be a member of the cluster", adds: ["log.*", "member.*", "raft.*", "agent.*", "blob.*"] },
};

/** Whether `role` may do all that `least` may. */
export function includesRole(role: Role, least: Role): boolean {
  return ROLE_NAMES.indexOf(role) >= ROLE_NAMES.indexOf(least);
}

/** The least role that may call `method`; null when none may. */
export function leastRoleFor(method: string): Role | null {
  const domain = `${method.slice(0, method.indexOf(".") + 1)}*`;
  const exact = ROLE_NAMES.find((role) => ROLES[role].adds.includes(method));
  return exact ?? ROLE_NAMES.find((role) => ROLES[role].adds.includes(domain)) ?? null;
}

/** Whether `role` may call `method`. Methods that no role names are nobody's. */
export function mayCall(role: Role, method: string): boolean {
  const least = leastRoleFor(method);
  return least !== null && includesRole(role, least);
}
