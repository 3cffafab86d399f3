/**
 * Blobs: plans and bundles, by the SHA-256 of their content. The state knows names and sizes; the content is in the store,
 * in chunks, each under its own SHA-256, so that replicas can fetch what they miss piece by piece and trust it.
 */
import type { BlobHash } from "../../kernel/mod.ts";
import type { CommandOf, Part } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { BLOBS_BYTES_MAX, BLOBS_MAX, CHUNK_BYTES_MAX, UPLOADS_MAX } from "./limits.ts";
import type { BlobRecord, UploadRecord } from "./records.ts";
import { NOTHING, type Outcome, refuse } from "./result.ts";

function holdChunk(data: StateData, hash: BlobHash, bytes: Uint8Array, context: Context): void {
  const count = data.derived.chunkRefs.get(hash) ?? 0;
  data.derived.chunkRefs.set(hash, count + 1);
  if (count === 0) context.effects.push({ kind: "putBlob", hash, bytes });
}

function releaseChunks(data: StateData, chunks: readonly BlobHash[], context: Context): void {
  for (const hash of chunks) {
    const count = data.derived.chunkRefs.get(hash) ?? 0;
    if (count > 1) data.derived.chunkRefs.set(hash, count - 1);
    else if (data.derived.chunkRefs.delete(hash)) context.effects.push({ kind: "dropBlob", hash });
  }
}

function dropUpload(data: StateData, upload: UploadRecord, context: Context): void {
  data.uploads.delete(upload.hash);
  data.derived.blobBytes -= upload.blobBytes;
  releaseChunks(data, upload.chunks, context);
}

/** Makes room for one more upload: the one that rested longest goes. */
function makeRoom(data: StateData, context: Context): void {
  if (data.uploads.size < UPLOADS_MAX) return;
  let oldest: UploadRecord | null = null;
  for (const upload of data.uploads.values()) if (oldest === null || upload.index < oldest.index) oldest = upload;
  if (oldest !== null) dropUpload(data, oldest, context);
}

function openUpload(data: StateData, command: CommandOf<"blob.chunk">, context: Context): UploadRecord | Outcome {
  const { hash, blobBytes, offset } = command;
  if (offset !== 0) return refuse("not-found", `Cannot add to blob ${hash}: it is not being sent. Start at offset 0.`);
  if (data.blobs.size >= BLOBS_MAX) return refuse("limit", `Cannot add a blob: there are ${BLOBS_MAX}. Delete jobs.`);
  if (data.derived.blobBytes + blobBytes > BLOBS_BYTES_MAX) {
    return refuse("limit", `Cannot add a blob of ${blobBytes} bytes: all may have ${BLOBS_BYTES_MAX}. Delete jobs.`);
  }
  makeRoom(data, context);
  data.derived.blobBytes += blobBytes;
  return { hash, blobBytes, chunks: [], index: context.index, atMs: context.atMs };
}

export function addChunk(data: StateData, command: CommandOf<"blob.chunk">, context: Context): Outcome {
  const { hash, blobBytes, offset, bytes } = command;
  if (data.blobs.has(hash)) return NOTHING;
  const length = Math.min(CHUNK_BYTES_MAX, blobBytes - offset);
  if (offset % CHUNK_BYTES_MAX !== 0 || bytes.length !== length) {
    return refuse(
      "bad-blob",
      `Cannot add to blob ${hash}: a chunk has ${CHUNK_BYTES_MAX} bytes, only the last has less.`,
    );
  }
  const chunk = context.sha256(bytes) as BlobHash; // the port gives text
  if (blobBytes === length && chunk !== hash) {
    return refuse("bad-blob", `Cannot add blob ${hash}: its content has the hash ${chunk}.`);
  }
  const place = offset / CHUNK_BYTES_MAX;
  const known = data.uploads.get(hash);
  if (known !== undefined) {
    if (known.blobBytes !== blobBytes) {
      return refuse("conflict", `Cannot add to blob ${hash}: it is being sent with ${known.blobBytes} bytes.`);
    }
    if (place < known.chunks.length) {
      if (known.chunks[place] === chunk) return NOTHING;
      return refuse("conflict", `Cannot add to blob ${hash}: another content was sent for offset ${offset}.`);
    }
    if (place > known.chunks.length) {
      const next = known.chunks.length * CHUNK_BYTES_MAX;
      return refuse("bad-blob", `Cannot add to blob ${hash} at offset ${offset}: offset ${next} comes next.`);
    }
  }
  const upload = known ?? openUpload(data, command, context);
  if ("ok" in upload) return upload;
  const { index, atMs } = context;
  data.uploads.set(hash, { ...upload, chunks: [...upload.chunks, chunk], index, atMs });
  holdChunk(data, chunk, bytes, context);
  return NOTHING;
}

export function commitBlob(data: StateData, command: CommandOf<"blob.commit">, context: Context): Outcome {
  const { hash } = command;
  if (data.blobs.has(hash)) return NOTHING;
  const upload = data.uploads.get(hash);
  if (upload === undefined) return refuse("not-found", `Cannot finish blob ${hash}: it is not being sent.`);
  const { blobBytes, chunks } = upload;
  if (chunks.length * CHUNK_BYTES_MAX < blobBytes) {
    const sent = chunks.length * CHUNK_BYTES_MAX;
    return refuse("bad-blob", `Cannot finish blob ${hash}: only ${sent} of its ${blobBytes} bytes were sent.`);
  }
  data.uploads.delete(hash);
  data.blobs.set(hash, { hash, blobBytes, chunks, refCount: 0, isInline: false, idleSinceMs: context.atMs });
  return NOTHING;
}

export function dropBlob(data: StateData, command: CommandOf<"blob.drop">, context: Context): Outcome {
  const { hash } = command;
  const upload = data.uploads.get(hash);
  if (upload !== undefined) {
    dropUpload(data, upload, context);
    return NOTHING;
  }
  const blob = data.blobs.get(hash);
  if (blob === undefined) return refuse("not-found", `Cannot drop blob ${hash}: there is none.`);
  if (blob.refCount > 0) return refuse("in-use", `Cannot drop blob ${hash}: ${blob.refCount} jobs hold it.`);
  removeBlob(data, blob, context);
  return NOTHING;
}

function removeBlob(data: StateData, blob: BlobRecord, context: Context): void {
  data.blobs.delete(blob.hash);
  data.derived.blobBytes -= blob.blobBytes;
  releaseChunks(data, blob.chunks, context);
}

/** Why blobs that come with a command cannot be taken; null when they can. Changes nothing. */
export function checkParts(data: StateData, parts: readonly Part[], context: Context): Outcome | null {
  for (const { hash, bytes } of parts) {
    const found = context.sha256(bytes);
    if (found !== hash) return refuse("bad-blob", `Cannot add blob ${hash}: its content has the hash ${found}.`);
  }
  const isNew = new Map(
    parts.filter(({ hash }) => !data.blobs.has(hash)).map(({ hash, bytes }) => [hash, bytes.length]),
  );
  const newBytes = [...isNew.values()].reduce((sum, length) => sum + length, 0);
  if (data.blobs.size + isNew.size > BLOBS_MAX) {
    return refuse("limit", `Cannot add a blob: there are ${data.blobs.size} of ${BLOBS_MAX}. Delete jobs.`);
  }
  if (data.derived.blobBytes + newBytes > BLOBS_BYTES_MAX) {
    return refuse("limit", `Cannot add blobs of ${newBytes} bytes: all may have ${BLOBS_BYTES_MAX}. Delete jobs.`);
  }
  return null;
}

/** Takes blobs that `checkParts` has found good. */
export function addParts(data: StateData, parts: readonly Part[], context: Context): void {
  for (const { hash, bytes } of parts) {
    if (data.blobs.has(hash)) continue;
    const blobBytes = bytes.length;
    data.derived.blobBytes += blobBytes;
    holdChunk(data, hash, bytes, context);
    const upload = data.uploads.get(hash);
    if (upload !== undefined) dropUpload(data, upload, context);
    data.blobs.set(hash, { hash, blobBytes, chunks: [hash], refCount: 0, isInline: true, idleSinceMs: context.atMs });
  }
}

/** A job takes hold of its blobs, or lets go of them; those that came by themselves stay until dropped. */
export function countRefs(data: StateData, hashes: readonly BlobHash[], by: 1 | -1, context: Context): void {
  for (const hash of hashes) {
    const blob = data.blobs.get(hash);
    if (blob === undefined) continue;
    const refCount = blob.refCount + by;
    if (refCount === 0 && blob.isInline) removeBlob(data, blob, context);
    else data.blobs.set(hash, { ...blob, refCount, idleSinceMs: refCount === 0 ? context.atMs : blob.idleSinceMs });
  }
}
