/**
 * The replicated state machine. Every node applies the same entries in the same order and so has the same state; the Raft
 * leader, which is the JobManager, is the one that proposes them.
 *
 * Pure and deterministic: no clock but the `atMs` of commands, no chance, no I/O. What cannot be done is refused, with
 * an outcome that all replicas share; what cannot be understood because it is newer stops the replica.
 */
import { type BlobHash, invariant, type Keys, type PeerId } from "../../kernel/mod.ts";
import type { CertificateFacts } from "../admission/facts.ts";
import { decodeValueOrNull } from "../codec.ts";
import { applyCommand, subjectOf } from "./apply.ts";
import { keyUsers } from "./apply_cluster.ts";
import { isRevoked } from "./apply_members.ts";
import type { AuditQuery } from "./audit.ts";
import { type Envelope, FORMAT_MAX, type RequestId, readEnvelope } from "./command.ts";
import { emptyState, type StateData } from "./data.ts";
import { AUDIT_SUBJECT_CHARS_MAX } from "./limits.ts";
import type * as r from "./records.ts";
import { type ApplyResult, type Effect, type Outcome, refuse } from "./result.ts";
import { decodeSnapshot, encodeSnapshot, newerFormat, snapshotDigest } from "./snapshot.ts";

export interface ClusterStateOptions {
  readonly sha256: Keys["sha256"];
}

export class ClusterState {
  readonly #sha256: Keys["sha256"];
  #data: StateData = emptyState();

  constructor(options: ClusterStateOptions) {
    this.#sha256 = options.sha256;
  }

  /**
   * Applies one entry of the log. Indexes go up, with gaps where the log has entries that are no commands. `bytes` may be
   * kept by the effects: they must not change.
   *
   * @throws {StateError} newer-format; nothing has changed then, and the replica must stop
   */
  apply(index: number, bytes: Uint8Array): ApplyResult {
    const data = this.#data;
    invariant(index > data.appliedIndex, `entry ${index} applied after ${data.appliedIndex}`);
    const format = bytes[0] ?? 0;
    if (format > FORMAT_MAX) throw newerFormat("a command", { format, formatMax: FORMAT_MAX });
    data.appliedIndex = index;
    const read = readEnvelope(format === 0 ? null : decodeValueOrNull(bytes, 1));
    if ("reason" in read) {
      const outcome = refuse("malformed", `Cannot apply entry ${index}: ${read.reason}.`);
      const { header } = read;
      if (header === null || data.sessions.find(header.request) === null) {
        if (header !== null) data.sessions.record(header.request, index, outcome);
        this.#audit(index, { ...header, kind: read.kind, subject: "" }, outcome);
      }
      const request = header?.request ?? null;
      return {
        index,
        kind: null,
        command: null,
        request,
        by: header?.by ?? null,
        isRepeated: false,
        outcome,
        effects: [],
      };
    }
    return this.#applyOnce(index, read, format);
  }

  #applyOnce(index: number, envelope: Envelope, format: number): ApplyResult {
    const data = this.#data;
    const { request, by, atMs, command } = envelope;
    const shared = { index, kind: command.kind, command, request, by };
    const known = data.sessions.find(request);
    if (known !== null) return { ...shared, isRepeated: true, outcome: known, effects: [] };
    const effects: Effect[] = [];
    const outcome =
      data.format !== 0 && format !== data.format
        ? refuse("format", `Cannot apply a command of format ${format}: the cluster is at ${data.format}. Try again.`)
        : applyCommand(data, command, { index, atMs, by, format, sha256: this.#sha256, effects });
    invariant(outcome.ok || effects.length === 0, "a refused command has effects");
    data.sessions.record(request, index, outcome);
    // The parts of a blob would drown the rest; its commit tells who sent it.
    const isTold = command.kind !== "blob.chunk" || !outcome.ok;
    if (isTold) this.#audit(index, { by, atMs, kind: command.kind, subject: subjectOf(command) }, outcome);
    return { ...shared, isRepeated: false, outcome, effects };
  }

  #audit(
    index: number,
    what: Partial<Pick<Envelope, "by" | "atMs">> & { readonly kind: string; readonly subject: string },
    outcome: Outcome,
  ): void {
    const { by, atMs, kind, subject } = what;
    this.#data.audit.add({
      index,
      atMs: atMs ?? 0,
      peer: by?.peer ?? "",
      name: by?.name ?? "",
      role: by?.role ?? "",
      kind,
      subject: subject.length > AUDIT_SUBJECT_CHARS_MAX ? subject.slice(0, AUDIT_SUBJECT_CHARS_MAX) : subject,
      outcome: outcome.ok ? "ok" : outcome.code,
    });
  }

  /** Equal states give equal bytes. Contains the cluster's private keys: for members and their disks only. */
  snapshot(): Uint8Array {
    return encodeSnapshot(this.#data, this.#sha256);
  }

  /**
   * Replaces the whole state.
   *
   * @throws {StateError} bad-snapshot, newer-format; the state is as before then
   */
  restore(snapshot: Uint8Array): void {
    this.#data = decodeSnapshot(snapshot, this.#sha256);
  }

  /** SHA-256 of the state: 64 hexadecimal digits. Costs as much as a snapshot. */
  digest(): string {
    return snapshotDigest(this.snapshot());
  }

  get appliedIndex(): number {
    return this.#data.appliedIndex;
  }

  /** Format in which commands are to be proposed now. */
  get format(): number {
    return this.#data.format === 0 ? FORMAT_MAX : this.#data.format;
  }

  /** Newest format that all members can apply: what `cluster.upgrade` may ask for. */
  get formatOfAll(): number {
    let format = FORMAT_MAX;
    for (const { info } of this.#data.members.values()) format = Math.min(format, info.formatMax);
    return format;
  }

  get cluster(): r.ClusterRecord | null {
    return this.#data.cluster;
  }

  /** With the private keys: never to be shown. */
  get keys(): ReadonlyMap<string, r.KeyRecord> {
    return this.#data.keys;
  }

  get members(): ReadonlyMap<PeerId, r.MemberEntry> {
    return this.#data.members;
  }

  get clients(): ReadonlyMap<PeerId, r.ClientEntry> {
    return this.#data.clients;
  }

  get tokens(): ReadonlyMap<string, r.TokenRecord> {
    return this.#data.tokens;
  }

  get settings(): ReadonlyMap<string, r.SettingRecord> {
    return this.#data.settings;
  }

  get jobs(): ReadonlyMap<string, r.JobRecord> {
    return this.#data.jobs;
  }

  get blobs(): ReadonlyMap<BlobHash, r.BlobRecord> {
    return this.#data.blobs;
  }

  get uploads(): ReadonlyMap<BlobHash, r.UploadRecord> {
    return this.#data.uploads;
  }

  /** Hashes of all chunks that the store is to hold, of blobs and of uploads. */
  chunkHashes(): IterableIterator<BlobHash> {
    return this.#data.derived.chunkRefs.keys();
  }

  isRevoked(certificate: Pick<CertificateFacts, "peer" | "serial">): boolean {
    return isRevoked(this.#data, certificate);
  }

  /** What was answered to the request; null when it was not applied yet. */
  outcomeOf(request: RequestId): Outcome | null {
    return this.#data.sessions.find(request);
  }

  /** Keys that may be retired at `atMs`: nothing in force needs them. */
  unusedKeys(atMs: number): string[] {
    const active = this.#data.cluster?.activeKeyId;
    return [...this.#data.keys.keys()].filter((id) => id !== active && keyUsers(this.#data, id, atMs) === 0);
  }

  /** Blobs and uploads that nothing held or fed since `idleSinceMs`: what the leader may drop. */
  idleBlobs(idleSinceMs: number): BlobHash[] {
    const blobs = [...this.#data.blobs.values()].filter((b) => b.refCount === 0 && b.idleSinceMs <= idleSinceMs);
    const uploads = [...this.#data.uploads.values()].filter(({ atMs }) => atMs <= idleSinceMs);
    return [...blobs, ...uploads].map(({ hash }) => hash);
  }

  /** Newest first. */
  audit(query: AuditQuery = {}): r.AuditEntry[] {
    return this.#data.audit.list(query);
  }
}
