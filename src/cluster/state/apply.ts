import { unreachable } from "../../kernel/mod.ts";
import { includesRole, type Role } from "../admission/roles.ts";
import * as blobs from "./apply_blobs.ts";
import * as cluster from "./apply_cluster.ts";
import * as jobs from "./apply_jobs.ts";
import * as members from "./apply_members.ts";
import * as settings from "./apply_settings.ts";
import * as tokens from "./apply_tokens.ts";
import type { Command, CommandKind } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { type Outcome, refuse } from "./result.ts";

/** Least role for which a command may be proposed. What a guest asks for, a node proposes as itself. */
export const COMMAND_ROLES: Readonly<Record<CommandKind, Role>> = {
  "cluster.create": "node",
  "cluster.upgrade": "admin",
  "member.admit": "node",
  "member.update": "admin",
  "member.remove": "admin",
  "token.create": "admin",
  "token.use": "node",
  "token.revoke": "admin",
  "key.rotate": "admin",
  "key.retire": "admin",
  "certificate.renew": "read",
  "certificate.revoke": "admin",
  "setting.set": "admin",
  "setting.delete": "admin",
  "job.create": "submit",
  "job.move": "submit",
  "job.delete": "submit",
  "blob.chunk": "submit",
  "blob.commit": "submit",
  "blob.drop": "node",
};

/** Changes `data` as the command says, or refuses and leaves it as it is. */
export function applyCommand(data: StateData, command: Command, context: Context): Outcome {
  const least = COMMAND_ROLES[command.kind];
  if (!includesRole(context.by.role, least)) {
    return refuse("forbidden", `Cannot do ${command.kind} with the role ${context.by.role}: it needs ${least}.`);
  }
  if (command.kind === "cluster.create") return cluster.createCluster(data, command, context);
  if (data.cluster === null) return refuse("no-cluster", `Cannot do ${command.kind}: there is no cluster yet.`);
  switch (command.kind) {
    case "cluster.upgrade":
      return cluster.upgradeCluster(data, command);
    case "member.admit":
      return members.joinMember(data, command, context);
    case "member.update":
      return members.updateMember(data, command);
    case "member.remove":
      return members.removeMember(data, command, context);
    case "token.create":
      return tokens.createToken(data, command, context);
    case "token.use":
      return members.useToken(data, command, context);
    case "token.revoke":
      return tokens.revokeToken(data, command);
    case "key.rotate":
      return cluster.rotateKey(data, command, context);
    case "key.retire":
      return cluster.retireKey(data, command, context);
    case "certificate.renew":
      return members.renewCertificate(data, command, context);
    case "certificate.revoke":
      return members.revokeCertificate(data, command, context);
    case "setting.set":
      return settings.setSetting(data, command, context);
    case "setting.delete":
      return settings.deleteSetting(data, command);
    case "job.create":
      return jobs.createJob(data, command, context);
    case "job.move":
      return jobs.moveJob(data, command, context);
    case "job.delete":
      return jobs.deleteJob(data, command, context);
    case "blob.chunk":
      return blobs.addChunk(data, command, context);
    case "blob.commit":
      return blobs.commitBlob(data, command, context);
    case "blob.drop":
      return blobs.dropBlob(data, command, context);
    default:
      return unreachable(command);
  }
}

/** What a command is about, for the audit. */
export function subjectOf(command: Command): string {
  switch (command.kind) {
    case "cluster.create":
      return command.cluster;
    case "cluster.upgrade":
      return `format ${command.format}`;
    case "member.admit":
    case "member.update":
      return `${command.member.name} ${command.member.peer}`;
    case "member.remove":
    case "certificate.renew":
    case "certificate.revoke":
      return command.peer;
    case "token.use":
      return `${command.tokenId} ${command.name} ${command.peer}`;
    case "token.create":
      return `${command.tokenId} ${command.role}`;
    case "token.revoke":
      return command.tokenId;
    case "key.rotate":
    case "key.retire":
      return command.keyId;
    case "setting.set":
    case "setting.delete":
      return command.key;
    case "job.create":
      return `${command.name} ${command.jobId}`;
    case "job.move":
      return `${command.jobId} ${command.from} → ${command.to}`;
    case "job.delete":
      return command.jobId;
    case "blob.chunk":
    case "blob.commit":
    case "blob.drop":
      return command.hash;
    default:
      return unreachable(command);
  }
}
