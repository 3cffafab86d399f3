/**
 * Posts: messages that may be lost, one a `Transport.post`.
 *
 *     u8 version · u8 min · u8 max · u8 software length · software (ASCII) · msgpack [kind, message]
 *
 * `version` is the one that the message is written in, the rest is what its sender speaks. These first bytes keep their
 * place in all versions, so any two releases can tell each other apart.
 */
import * as v from "valibot";
import { POST_BYTES_MAX, unreachable } from "../kernel/mod.ts";
import type { Message } from "../raft/mod.ts";
import { ProtocolError } from "./error.ts";
import type { GossipMessage } from "./gossip.ts";
import { gossipMessage, gossipToWire } from "./gossip_schema.ts";
import { hotGossipMessage, hotRaftMessage } from "./hot_messages.ts";
import { raftMessage, raftToWire } from "./raft_schema.ts";
import { parse } from "./schema.ts";
import { decodeValue, encodeValueTo, type ValueSink } from "./value.ts";
import { commonVersion, noCommonVersion, SOFTWARE, SOFTWARE_LENGTH_MAX, type VersionRange } from "./version.ts";

export type Post =
  | { readonly kind: "raft"; readonly message: Message }
  | { readonly kind: "gossip"; readonly message: GossipMessage };

export type PostKind = Post["kind"];

/** A post that came, and what its sender speaks. */
export interface ReceivedPost {
  readonly post: Post;
  readonly version: number;
  readonly from: VersionRange;
}

const PREFIX_BYTES = 4;
const utf8 = new TextEncoder();
const text = new TextDecoder();

const ENVELOPE = v.tuple([v.picklist(["raft", "gossip"]), v.unknown()]);

/** Writes and reads posts for a process that speaks `own`. */
export class PostCodec {
  private readonly own: VersionRange;
  private readonly prefix: Uint8Array;
  private readonly sink: PrefixedSink;

  constructor(own: VersionRange) {
    this.own = own;
    const software = utf8.encode(own.software).subarray(0, SOFTWARE_LENGTH_MAX);
    this.prefix = Uint8Array.from([own.max, own.min, own.max, software.length, ...software]);
    this.sink = new PrefixedSink(this.prefix);
  }

  /**
   * `to` is what the receiver is known to speak (its member record says). Without it the lowest version of this process
   * is used, which most releases read.
   *
   * @throws {ProtocolError} too-large, unknown-version
   */
  encode(post: Post, to?: { readonly min: number; readonly max: number }): Uint8Array {
    const version = to === undefined ? this.own.min : commonVersion(this.own, to);
    if (version === null)
      throw noCommonVersion(this.own, { software: "the receiver", min: to?.min ?? 0, max: to?.max ?? 0 });
    encodeValueTo([post.kind, postToWire(post)], this.sink);
    const { bytes } = this.sink;
    if (bytes.length > POST_BYTES_MAX) {
      throw new ProtocolError(
        "too-large",
        `Cannot post a ${post.kind} message of ${bytes.length} bytes: at most ${POST_BYTES_MAX} fit. Send it in parts.`,
      );
    }
    bytes[0] = version;
    return bytes;
  }

  /**
   * Nothing of the result refers to `bytes`.
   *
   * @throws {ProtocolError} malformed, schema, too-large, unknown-version (says which side to upgrade)
   */
  decode(bytes: Uint8Array): ReceivedPost {
    if (bytes.length > POST_BYTES_MAX) {
      throw new ProtocolError("too-large", `Post of ${bytes.length} bytes refused: at most ${POST_BYTES_MAX} fit.`);
    }
    const from = this.isOfOwnKind(bytes) ? this.own : readSender(bytes);
    const version = bytes[0] as number;
    if (version < from.min || version > from.max) {
      throw new ProtocolError(
        "malformed",
        `Post refused: it is written in version ${version}, which its sender does not speak.`,
      );
    }
    if (version < this.own.min || version > this.own.max) throw unreadable(this.own, from, version);
    const start = PREFIX_BYTES + (bytes[3] as number);
    return { post: parsePost(decodeValue(bytes, start)), version, from };
  }

  /** The sender is of the same release: its prefix needs no reading. The first byte is not looked at. */
  private isOfOwnKind(bytes: Uint8Array): boolean {
    const { prefix } = this;
    if (bytes.length < prefix.length) return false;
    for (let at = 1; at < prefix.length; at++) if (bytes[at] !== prefix[at]) return false;
    return true;
  }
}

function unreadable(own: VersionRange, from: VersionRange, version: number): ProtocolError {
  if (commonVersion(own, from) === null) return noCommonVersion(own, from);
  return new ProtocolError(
    "unknown-version",
    `Post refused: it is written in version ${version}, this side (${own.software}) speaks ${own.min} to ${own.max}. The other side (${from.software}) should write in a version that both speak.`,
  );
}

function readSender(bytes: Uint8Array): VersionRange {
  const length = bytes[3];
  if (length === undefined || PREFIX_BYTES + length > bytes.length || length > SOFTWARE_LENGTH_MAX) {
    throw new ProtocolError("malformed", "Post refused: it is shorter than its prefix says.");
  }
  const min = bytes[1] as number;
  const max = bytes[2] as number;
  if (min === 0 || min > max)
    throw new ProtocolError("malformed", `Post refused: versions ${min} to ${max} are no range.`);
  const software = text.decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
  if (!SOFTWARE.test(software))
    throw new ProtocolError("malformed", "Post refused: its sender's name is not printable.");
  return { min, max, software };
}

function postToWire(post: Post): unknown {
  switch (post.kind) {
    case "raft":
      return raftToWire(post.message);
    case "gossip":
      return gossipToWire(post.message);
    default:
      return unreachable(post);
  }
}

function parsePost(value: unknown): Post {
  return hotPost(value) ?? parseAnyPost(value);
}

/** Null: not one of the messages that come all the time. */
function hotPost(value: unknown): Post | null {
  if (!Array.isArray(value)) return null;
  const [kind, wire] = value as unknown[];
  if (kind === "raft") {
    const message = hotRaftMessage(wire);
    return message === null ? null : { kind, message };
  }
  if (kind !== "gossip") return null;
  const message = hotGossipMessage(wire);
  return message === null ? null : { kind, message };
}

function parseAnyPost(value: unknown): Post {
  const [kind, message] = parse(ENVELOPE, value, "post");
  switch (kind) {
    case "raft":
      return { kind, message: parse(raftMessage, message, "raft message") };
    case "gossip":
      return { kind, message: parse(gossipMessage, message, "gossip message") };
    default:
      return unreachable(kind);
  }
}

/** Puts a prefix before the encoded value. */
class PrefixedSink implements ValueSink {
  bytes = new Uint8Array(0);
  private readonly prefix: Uint8Array;

  constructor(prefix: Uint8Array) {
    this.prefix = prefix;
  }

  write(encoded: Uint8Array, start: number, end: number): void {
    const bytes = new Uint8Array(this.prefix.length + end - start);
    bytes.set(this.prefix);
    bytes.set(encoded.subarray(start, end), this.prefix.length);
    this.bytes = bytes;
  }
}
