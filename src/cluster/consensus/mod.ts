export { Consensus, type ConsensusOptions, type Machine, type SnapshotPolicy } from "./consensus.ts";
export { ConsensusError, type ConsensusErrorCode } from "./error.ts";
export { Lanes } from "./lanes.ts";
export { Proposer, type ProposerOptions } from "./proposer.ts";
