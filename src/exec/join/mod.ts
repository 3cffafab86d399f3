import { closeBuild, linkEntries, restOfBuild } from "./phases.ts";

export { BuildState } from "./build_state.ts";
export { openJoin } from "./open.ts";

export const joinPhases = { "join.link": linkEntries, "join.rest": restOfBuild };
export const joinEach = { "join.close": closeBuild };
