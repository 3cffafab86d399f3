export { Consensus, type ConsensusOptions, type Machine, type SnapshotPolicy } from "./consensus.ts";
export { ConsensusError, type ConsensusErrorCode } from "./error.ts";
export { Lanes, type LanesOptions } from "./lanes.ts";
export { Proposer, type ProposerOptions } from "./proposer.ts";
