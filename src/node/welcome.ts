/** How a member lets others in: it judges the token by the replicated state and brings the admission into the log. */
import type * as v from "valibot";
import { type Actor, type AdmissionErrorCode, admitJoin, grantJoin, type MemberInfo } from "../cluster/mod.ts";
import type { PeerId } from "../kernel/mod.ts";
import type { join } from "../protocol/mod.ts";
import type { NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";

export interface WelcomeOptions {
  readonly ports: Pick<NodePorts, "clock" | "keys" | "log">;
  readonly replica: Replica;
  /** This node, in whose name a guest is admitted. */
  readonly self: () => Actor;
}

const FINAL: ReadonlySet<AdmissionErrorCode> = new Set(["malformed", "wrong-cluster", "tampered", "stolen"]);

export type JoinBody = v.InferOutput<typeof join.request>;

/** The answer to a guest. @throws {AdmissionError} with what the guest should do; {ConsensusError} no majority */
export async function welcome(options: WelcomeOptions, guest: PeerId, body: JoinBody): Promise<Uint8Array> {
  const { ports, replica, self } = options;
  const { token, name } = body;
  const member: MemberInfo | null = body.member === null ? null : { ...body.member, peer: guest, name };
  const refuse = (error: unknown): never => {
    const reason = error instanceof Error ? error.message : String(error);
    ports.log.write("warn", "guest refused", { name, peer: guest, reason });
    throw error;
  };
  const decide = () => {
    const nowMs = Math.floor(ports.clock.wallMs());
    return admitJoin(ports.keys, replica.state, { token, peer: guest, name, member, nowMs });
  };
  // What no other node would judge otherwise costs the cluster nothing.
  const early = decide();
  if (replica.state.cluster !== null && !early.ok && FINAL.has(early.error.code)) return refuse(early.error);
  // What was decided before the guest asked counts: a token revoked a moment ago is revoked here too.
  await replica.catchUp();
  const decision = decide();
  if (!decision.ok) return refuse(decision.error);
  const outcome = await replica.propose(decision.command, self());
  try {
    const grant = grantJoin(ports.keys, replica.state, { outcome, token });
    ports.log.write("info", member === null ? "client admitted" : "node admitted", { name, peer: guest });
    return grant;
  } catch (error) {
    return refuse(error);
  }
}
