/** Methods between nodes about the replicated log. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { integer } from "../schema.ts";
import { actor, requestId } from "./common.ts";

/**
 * A node passes a command to the leader, which stamps and proposes it and answers once it is applied. What commands and
 * outcomes look like is the state machine's matter, which checks both.
 */
export const logPropose = defineMethod({
  name: "log.propose",
  request: v.object({ by: actor, request: requestId, command: v.unknown() }),
  reply: v.object({ index: integer(), term: integer(), outcome: v.unknown() }),
  minRole: "node",
});
