import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type ClusterId, type KeyPair, type Keys, type PeerId, StoreError } from "../kernel/mod.ts";
import { type KeptPorts, parseKeptPorts } from "./kept_ports.ts";
import { syncDirectory } from "./store/acknowledged.ts";
import { damaged, storeError } from "./store/database.ts";

/**
 * A node's directory: its key, what it belongs to, and its store. One process uses it at a time.
 *
 * The lock is SQLite's on an empty file: the system gives it up when its process ends, however it ends, so that no lock is
 * ever stale and no process id is taken for another's. The id in `lock.pid` is for people.
 */
export interface DataDirectory {
  readonly path: string;
  readonly peer: PeerId;
  readonly keyPair: KeyPair;
  /** Null until the node has joined or made one. */
  readonly cluster: ClusterId | null;
  /** Where `openRaftStore` finds the store. */
  readonly storePath: string;
  /** Notes, durably, which cluster this is the directory of. @throws {StoreError} when it is another's */
  belongTo(cluster: ClusterId): void;
  /** A small file for what the node notes about its cluster. */
  readonly keepsake: { load(): Uint8Array | null; save(bytes: Uint8Array): void };
  /** Ports of the last start; none when they cannot be read: they are a help, not a need. */
  keptPorts(): KeptPorts;
  keepPorts(ports: KeptPorts): void;
  /** Lets others use it. */
  close(): void;
}

export interface DataDirectoryOptions {
  /** The cluster that the node is to join, where known. */
  readonly cluster?: ClusterId;
}

const FORMAT = 1;
const LOCK = "lock";
const LOCK_PID = "lock.pid";
const KEY = "identity.key";
const NODE = "node.json";
const STORE = "raft.db";
const KEEPSAKE = "membership";
const PORTS = "ports.json";
/** What may lie in a directory that has no node.json yet: a start that was broken off. */
const EARLY_FILES: readonly string[] = [LOCK, `${LOCK}-journal`, LOCK_PID, KEY, `${KEY}.tmp`, `${NODE}.tmp`];
const KEY_HEAD = "sage-ed25519-1";
const isPosix = process.platform !== "win32";

type NodeFile = { readonly format: number; readonly peer: string; readonly cluster: string | null };

/**
 * Opens the directory, or makes it with a new key.
 * @throws {StoreError} in use, damaged, of another cluster, of a newer version, not a node's, not private, not writable
 */
export function openDataDirectory(path: string, keys: Keys, options: DataDirectoryOptions = {}): DataDirectory {
  let unlock: (() => void) | null = null;
  try {
    makePrivate(path);
    unlock = lock(path);
    const keyPair = readOrMakeKey(path, keys);
    const peer = keys.peerOf(keyPair.publicKey);
    const node = readNode(path, peer);
    if (options.cluster !== undefined) checkCluster(path, node, options.cluster);
    return opened({ path, peer, keyPair, unlock, cluster: node.cluster as ClusterId | null });
  } catch (cause) {
    unlock?.();
    throw directoryError(path, cause);
  }
}

type Opened = {
  readonly path: string;
  readonly peer: PeerId;
  readonly keyPair: KeyPair;
  readonly unlock: () => void;
  readonly cluster: ClusterId | null;
};

function opened({ path, peer, keyPair, unlock, cluster: found }: Opened): DataDirectory {
  let cluster = found;
  return {
    path,
    peer,
    keyPair,
    storePath: join(path, STORE),
    get cluster() {
      return cluster;
    },
    belongTo(joined) {
      const node: NodeFile = { format: FORMAT, peer, cluster };
      checkCluster(path, node, joined);
      if (cluster === joined) return;
      try {
        writeDurably(path, NODE, `${JSON.stringify({ ...node, cluster: joined })}\n`);
      } catch (cause) {
        throw directoryError(path, cause);
      }
      cluster = joined;
    },
    keepsake: {
      load: () => {
        const file = join(path, KEEPSAKE);
        return existsSync(file) ? Uint8Array.from(readFileSync(file)) : null;
      },
      save: (bytes) => {
        try {
          writeDurably(path, KEEPSAKE, bytes);
        } catch (cause) {
          throw directoryError(path, cause);
        }
      },
    },
    keptPorts: () => readPorts(path),
    keepPorts: (ports) => {
      const text = `${JSON.stringify(ports)}\n`;
      if (text === `${JSON.stringify(readPorts(path))}\n`) return;
      try {
        writeDurably(path, PORTS, text);
      } catch (cause) {
        throw directoryError(path, cause);
      }
    },
    close: unlock,
  };
}

function readPorts(path: string): KeptPorts {
  const file = join(path, PORTS);
  return (existsSync(file) ? parseKeptPorts(readFileSync(file, "utf8")) : null) ?? {};
}

/** Makes the directory for its user alone; one that holds something else is not taken over. */
function makePrivate(path: string): void {
  if (existsSync(path)) {
    const names = readdirSync(path);
    const stranger = names.includes(NODE) ? undefined : names.find((name) => !EARLY_FILES.includes(name));
    if (stranger === STORE) throw damaged(join(path, NODE), `${NODE} is missing`);
    if (stranger !== undefined) {
      const what = `${path} is no node's data directory: it holds ${stranger} and no ${NODE}.`;
      throw new StoreError("foreign", `${what} Name an empty or a new directory with --data-dir.`);
    }
  } else {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  if (isPosix && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
}

/** Keeps the locks' databases from being collected as garbage, which would close them. */
const held = new Set<DatabaseSync>();

function lock(path: string): () => void {
  const database = new DatabaseSync(join(path, LOCK));
  try {
    database.prepare("BEGIN EXCLUSIVE").run();
  } catch (cause) {
    database.close();
    const error = storeError(join(path, LOCK), cause);
    if (!(error instanceof StoreError && error.code === "in-use")) throw error;
    const what = `Node data directory ${path} is in use by ${ownerOf(path)}.`;
    throw new StoreError("in-use", `${what} Stop that node, or name another directory with --data-dir.`, { cause });
  }
  try {
    writeWhole(join(path, LOCK_PID), `${process.pid}\n`, "w");
  } catch (cause) {
    database.close();
    throw cause;
  }
  held.add(database);
  return () => {
    if (!held.delete(database)) return;
    rmSync(join(path, LOCK_PID), { force: true });
    database.close();
  };
}

function ownerOf(path: string): string {
  try {
    const pid = /^\d+/.exec(readFileSync(join(path, LOCK_PID), "utf8"))?.[0];
    return pid === undefined ? "another process" : `process ${pid}`;
  } catch {
    return "another process";
  }
}

function readOrMakeKey(path: string, keys: Keys): KeyPair {
  const file = join(path, KEY);
  if (!existsSync(file)) {
    if (existsSync(join(path, NODE))) throw damaged(file, `${KEY} is missing`);
    const pair = keys.create();
    writeDurably(path, KEY, `${KEY_HEAD} ${base64(pair.privateKey)} ${base64(pair.publicKey)}\n`);
    return pair;
  }
  if (isPosix && (statSync(file).mode & 0o077) !== 0) {
    const what = `${file} can be read by others, who could pass for this node.`;
    throw new StoreError("not-private", `${what} If nobody has copied it: chmod 600 ${file}`);
  }
  const [head, privateText = "", publicText = "", ...rest] = readFileSync(file, "utf8").trimEnd().split(" ");
  const pair = { privateKey: unbase64(privateText), publicKey: unbase64(publicText) };
  const isSound = head === KEY_HEAD && rest.length === 0 && isPair(pair, keys);
  if (!isSound) throw damaged(file, `${KEY} is unreadable`);
  return pair;
}

function isPair(pair: KeyPair, keys: Keys): boolean {
  if (pair.privateKey.length !== 32 || pair.publicKey.length !== 32) return false;
  const message = Uint8Array.of(1);
  return keys.verify(pair.publicKey, message, keys.sign(pair, message));
}

function readNode(path: string, peer: PeerId): NodeFile {
  const file = join(path, NODE);
  if (!existsSync(file)) {
    const node: NodeFile = { format: FORMAT, peer, cluster: null };
    writeDurably(path, NODE, `${JSON.stringify(node)}\n`);
    return node;
  }
  const node = parseNode(readFileSync(file, "utf8"));
  if (node && node.format > FORMAT) {
    const what = `${path} was written by a newer version of SAGE (format ${node.format}; this one knows ${FORMAT}).`;
    throw new StoreError("newer-version", `${what} Start the node with that version or a later one.`);
  }
  if (!node) throw damaged(file, `${NODE} is unreadable`);
  if (node.peer !== peer) throw damaged(file, `${NODE} is of node ${node.peer}, and ${KEY} of ${peer}`);
  return node;
}

/** Null when it is none; of a newer format only the number is looked at. */
function parseNode(text: string): NodeFile | null {
  try {
    const node = JSON.parse(text) as Partial<NodeFile> | null;
    if (typeof node?.format !== "number" || !(node.format >= 1)) return null;
    if (node.format > FORMAT) return { format: node.format, peer: "", cluster: null };
    const { format, peer, cluster } = node;
    if (typeof peer !== "string") return null;
    if (cluster === null) return { format, peer, cluster };
    return typeof cluster === "string" && /^[0-9a-f]{32}$/.test(cluster) ? { format, peer, cluster } : null;
  } catch {
    return null;
  }
}

function checkCluster(path: string, node: NodeFile, cluster: ClusterId): void {
  if (node.cluster === null || node.cluster === cluster) return;
  const what = `${path} belongs to cluster ${node.cluster}, not to ${cluster}.`;
  throw new StoreError("wrong-cluster", `${what} Name another directory with --data-dir to join that cluster.`);
}

/** All of it or the old one, whatever happens meanwhile; readable by this user alone. */
function writeDurably(path: string, name: string, content: string | Uint8Array): void {
  const temporary = join(path, `${name}.tmp`);
  rmSync(temporary, { force: true });
  writeWhole(temporary, content, "wx");
  renameSync(temporary, join(path, name));
  syncDirectory(path);
}

function writeWhole(path: string, content: string | Uint8Array, flags: "w" | "wx"): void {
  const file = openSync(path, flags, 0o600);
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function directoryError(path: string, cause: unknown): unknown {
  const { code, errcode, message } = cause as { code?: unknown; errcode?: unknown; message?: string };
  if (code === "ENOSPC" || errcode !== undefined) return storeError(join(path, NODE), cause);
  if (typeof code !== "string" || !/^E[A-Z]+$/.test(code)) return cause;
  const what = `Cannot use ${path} as data directory: ${message}.`;
  return new StoreError("not-writable", `${what} Name a directory of your own with --data-dir.`, { cause });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function unbase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64url"));
}
