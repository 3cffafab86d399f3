import * as v from "valibot";
import { count, keyId, name, peerId, positive } from "../fields.ts";
import { ROLE_NAMES } from "./roles.ts";

export const role = v.picklist(ROLE_NAMES);

/** What a certificate says, without the cluster and the signature. The replicated state decides all of it. */
export const certificateFacts = v.object({
  /** Counts up through the life of the cluster. */
  serial: positive,
  peer: peerId,
  role,
  name,
  /** Key of the cluster that signs it. */
  keyId,
  issuedAtMs: count,
  expiresAtMs: count,
});
export type CertificateFacts = Readonly<v.InferOutput<typeof certificateFacts>>;

const DAY_MS = 86_400_000;
export const NODE_CERTIFICATE_TTL_MS = 30 * DAY_MS;
export const CLIENT_CERTIFICATE_TTL_MS = 90 * DAY_MS;
