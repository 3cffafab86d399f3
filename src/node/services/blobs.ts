import { CHUNK_BYTES_MAX } from "../../cluster/mod.ts";
import { type BlobHash, joinBytes } from "../../kernel/mod.ts";
import { blobFind, blobGet, blobPut, type CallContext, on, onStream, type Served } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { command, type ServiceContext } from "./context.ts";

export function blobServices(context: ServiceContext): Served[] {
  const { replica } = context;
  return [
    on(blobPut, async ({ hash, blobBytes, offset, bytes, request }, call) => {
      if (replica.state.blobs.has(hash)) return { nextOffset: blobBytes, isComplete: true };
      await command(context, call, { kind: "blob.chunk", hash, blobBytes, offset, bytes }, request);
      const nextOffset = Math.min(blobBytes, offset + bytes.length);
      if (nextOffset < blobBytes) return { nextOffset, isComplete: false };
      await commit(context, call, hash);
      return { nextOffset, isComplete: true };
    }),
    onStream(blobGet, ({ hash, offset }) => chunksFrom(context, hash, offset)),
    on(blobFind, ({ hash }) => {
      const blob = replica.state.blobs.get(hash);
      if (blob === undefined) return { blob: null };
      const isHere = blob.chunks.every((chunk) => context.ports.store.blob(chunk) !== null);
      return { blob: { blobBytes: blob.blobBytes, isHere } };
    }),
  ];
}

/** The content is what its hash says: looked at here once, before it counts, and again by each reader. */
async function commit(context: ServiceContext, call: CallContext, hash: BlobHash): Promise<void> {
  const { blobs, uploads } = context.replica.state;
  const upload = uploads.get(hash);
  if (upload === undefined && !blobs.has(hash)) {
    throw new NodeError("refused", `Cannot keep blob ${hash}: what was sent of it was dropped. Send it anew.`);
  }
  if (upload !== undefined) {
    const whole = joinBytes(upload.chunks.map((chunk) => storedChunk(context, chunk)));
    const found = context.ports.keys.sha256(whole);
    if (found !== hash) {
      await command(context, { ...call, peer: context.ports.transport.self }, { kind: "blob.drop", hash });
      throw new NodeError("refused", `Cannot keep blob ${hash}: its content has the hash ${found}. Send it anew.`);
    }
  }
  await command(context, call, { kind: "blob.commit", hash });
}

async function* chunksFrom(context: ServiceContext, hash: BlobHash, offset: number): AsyncGenerator<Uint8Array> {
  const { state } = context.replica;
  const blob = state.blobs.get(hash) ?? state.uploads.get(hash);
  if (blob === undefined) throw new NodeError("not-found", `There is no blob ${hash}.`);
  if (offset % CHUNK_BYTES_MAX !== 0) {
    throw new NodeError("refused", `Blobs are read from multiples of ${CHUNK_BYTES_MAX} on, not from ${offset}.`);
  }
  for (const chunk of blob.chunks.slice(offset / CHUNK_BYTES_MAX)) yield storedChunk(context, chunk);
}

function storedChunk({ ports }: ServiceContext, chunk: BlobHash): Uint8Array {
  const bytes = ports.store.blob(chunk);
  if (bytes !== null) return bytes;
  throw new NodeError("not-found", `Part ${chunk} has not arrived at this node yet. Ask another one, or try again.`, {
    retryable: true,
  });
}
