/** Methods about jobs as records. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { blobHash, integer, list, text, wallMs } from "../schema.ts";
import { consistency, freshness, PAGE_COUNT_MAX, reason } from "./common.ts";

export const jobId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "not a job id"));

/** A short text, not a closed set: a newer node may know states that this one does not. */
export const jobState = text(32);

const jobSummary = {
  jobId,
  number: integer(1),
  name: text(128),
  state: jobState,
  attempt: integer(1),
  createdBy: text(128),
  createdAtMs: wallMs,
};

export const jobList = defineMethod({
  name: "job.list",
  request: v.object({
    /** Only jobs of lower numbers: for paging. */
    beforeNumber: v.optional(integer()),
    limit: v.optional(integer(1, PAGE_COUNT_MAX)),
    consistency,
  }),
  reply: v.object({ jobs: list(v.object(jobSummary), PAGE_COUNT_MAX), freshness }),
  minRole: "read",
});

export const jobGet = defineMethod({
  name: "job.get",
  request: v.object({ jobId, consistency }),
  reply: v.object({
    job: v.nullable(
      v.object({
        ...jobSummary,
        blobs: list(blobHash, 64),
        history: list(v.object({ state: jobState, attempt: integer(1), atMs: wallMs, reason }), 256),
      }),
    ),
    freshness,
  }),
  minRole: "read",
});
