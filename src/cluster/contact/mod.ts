export { ContactError, type ContactErrorCode } from "./error.ts";
export {
  askToJoin,
  JOIN_PROTOCOL,
  type JoinAs,
  type JoinInvitation,
  type JoinPorts,
  peerOfAddress,
  withPeer,
} from "./join.ts";
export { Peers, type PeersOptions, RPC_PROTOCOL } from "./peers.ts";
