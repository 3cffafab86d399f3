/** Methods about blobs: content by hash. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { blobHash, bytes, integer } from "../schema.ts";
import { requestId } from "./common.ts";

export const BLOB_CHUNK_BYTES_MAX = 256 << 10;
export const BLOB_BYTES_MAX = 64 << 20;

const blobBytes = integer(1, BLOB_BYTES_MAX);

/**
 * The next part of a blob, in order, each answered with how far the cluster has it: go on from there. A blob is there
 * for good when `isComplete`; a part that was sent before changes nothing.
 */
export const blobPut = defineMethod({
  name: "blob.put",
  request: v.object({
    hash: blobHash,
    blobBytes,
    offset: integer(),
    bytes: bytes(BLOB_CHUNK_BYTES_MAX),
    request: v.optional(requestId),
  }),
  reply: v.object({ nextOffset: integer(), isComplete: v.boolean() }),
  minRole: "submit",
});

/** Parts of at most `BLOB_CHUNK_BYTES_MAX`, in order, from `offset` on. The reader checks the hash of the whole. */
export const blobGet = defineMethod({
  name: "blob.get",
  request: v.object({ hash: blobHash, offset: integer() }),
  item: "bytes",
  minRole: "read",
});

/** Whether and how large; null when the asked node does not know it. */
export const blobFind = defineMethod({
  name: "blob.find",
  request: v.object({ hash: blobHash }),
  reply: v.object({ blob: v.nullable(v.object({ blobBytes, isHere: v.boolean() })) }),
  minRole: "read",
});
