export {
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  decodeCertificate,
  issueCertificate,
  needsRenewal,
} from "./certificate.ts";
export {
  type ClusterKey,
  createClusterId,
  createClusterKey,
  createTokenId,
  type PublicClusterKey,
} from "./cluster_key.ts";
export { type Credentials, decodeCredentials, encodeCredentials } from "./credentials.ts";
export { AdmissionError, type AdmissionErrorCode } from "./error.ts";
export { type CertificateFacts, CLIENT_CERTIFICATE_TTL_MS, NODE_CERTIFICATE_TTL_MS } from "./facts.ts";
export {
  admitJoin,
  certificateOf,
  type Grant,
  grantJoin,
  type JoinDecision,
  type JoinRequest,
  openGrant,
  refusalError,
} from "./join.ts";
export { CLOCK_TOLERANCE_MS, isRevocation, type JudgeFacts, judge, toAdmission, type Verdict } from "./judge.ts";
export { keyIdOf } from "./key_id.ts";
export { includesRole, type MethodRight, permittedMethods, ROLE_NAMES, type Role } from "./roles.ts";
export { createToken, parseToken, TOKEN_PREFIX, type Token, type TokenFacts, verifyToken } from "./token.ts";
