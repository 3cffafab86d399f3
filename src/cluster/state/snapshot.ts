/**
 * Snapshots: equal states give equal bytes, so their hash compares replicas.
 *
 * One byte of snapshot format, 32 bytes of SHA-256 over the rest, and then rows: four bytes of length (little-endian) and
 * a value `[section, row]`. Sections come in the order of the table, rows in that of their keys; sessions in the order
 * of their last use, audit entries in that of the log, many in one row.
 */

import * as v from "valibot";
import { isForgettable } from "../../jobs/mod.ts";
import { joinBytes } from "../../kernel/mod.ts";
import { canonical, decodeAs, encodeValue } from "../codec.ts";
import * as f from "../fields.ts";
import { auditRows, readAuditRow } from "./audit_rows.ts";
import { FORMAT_MAX } from "./command.ts";
import { emptyState, type StateData } from "./data.ts";
import { StateError } from "./error.ts";
import * as r from "./records.ts";
import { outcome } from "./result.ts";
import { Sessions } from "./sessions.ts";

const SNAPSHOT_FORMAT = 1;
const HASH_BYTES = 32;
const HEADER_BYTES = 1 + HASH_BYTES;

const head = v.object({
  appliedIndex: f.count,
  format: f.count,
  cluster: v.nullable(r.clusterRecord),
  nextSerial: f.positive,
  nextJobNumber: f.positive,
  forgottenTo: f.count,
});
const sessionRow = v.object({
  session: v.string(),
  lastIndex: f.positive,
  floor: f.count,
  outcomes: v.array(v.tuple([f.positive, outcome])),
});

const ROWS = {
  head,
  key: r.keyRecord,
  member: r.memberEntry,
  client: r.clientEntry,
  token: r.tokenRecord,
  revokedPeer: r.revokedPeer,
  revokedSerial: r.revokedSerial,
  setting: r.settingRecord,
  job: r.jobRecord,
  blob: r.blobRecord,
  upload: r.uploadRecord,
  session: sessionRow,
  audit: v.unknown(), // `readAuditRow` reads it
} as const;
type Section = keyof typeof ROWS;
type RowOf<Name extends Section> = v.InferOutput<(typeof ROWS)[Name]>;

/** Sorted by code units: no locale, so alike on every runtime. */
function sorted<Row>(map: ReadonlyMap<string | number, Row>): Row[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function sections(data: StateData): { readonly [Name in Section]: readonly unknown[] } {
  const { appliedIndex, format, cluster, nextSerial, nextJobNumber, sessions } = data;
  return {
    head: [{ appliedIndex, format, cluster, nextSerial, nextJobNumber, forgottenTo: sessions.forgottenTo }],
    key: sorted(data.keys),
    member: sorted(data.members),
    client: sorted(data.clients),
    token: sorted(data.tokens),
    revokedPeer: sorted(data.revokedPeers),
    revokedSerial: sorted(data.revokedSerials),
    setting: sorted(data.settings),
    job: sorted(data.jobs),
    blob: sorted(data.blobs),
    upload: sorted(data.uploads),
    session: sessions.rows(),
    audit: auditRows(data.audit.rows()),
  };
}

/** The rows of a snapshot, without its header. */
function encodeRows(data: StateData): Uint8Array {
  const parts: Uint8Array[] = [];
  let byteCount = 0;
  for (const [section, rows] of Object.entries(sections(data))) {
    for (const row of rows) {
      // The audit's rows are made in canonical order; they are too long to be made again.
      const value = encodeValue([section, section === "audit" ? row : canonical(row)]);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, value.length, true);
      parts.push(length, value);
      byteCount += 4 + value.length;
    }
  }
  return joinBytes(parts);
}

type Sha256 = (bytes: Uint8Array) => string;

export function encodeSnapshot(data: StateData, sha256: Sha256): Uint8Array {
  const rows = encodeRows(data);
  const hash = sha256(rows).match(/../g) ?? [];
  const header = Uint8Array.of(SNAPSHOT_FORMAT, ...hash.map((digits) => Number.parseInt(digits, 16)));
  return joinBytes([header, rows]);
}

/** The hash in a snapshot's header, which is that of its rows. */
export function snapshotDigest(snapshot: Uint8Array): string {
  return [...snapshot.subarray(1, HEADER_BYTES)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bad(why: string): StateError {
  return new StateError("bad-snapshot", `Cannot restore the cluster's state: the snapshot ${why}. Take another copy.`);
}

const rowShape = v.tuple([v.picklist(Object.keys(ROWS) as Section[]), v.unknown()]);

function* decodeRows(bytes: Uint8Array): Generator<readonly [Section, unknown]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw bad("is cut off");
    const pair = decodeAs(rowShape, bytes.subarray(at + 4, end));
    if (pair === null) throw bad("has a row that cannot be read");
    yield pair;
    at = end;
  }
}

function parseRow<Name extends Section>(section: Name, row: unknown): RowOf<Name> {
  const parsed = v.safeParse(ROWS[section], row);
  if (!parsed.success) throw bad(`has a wrong row of section ${section}`);
  return parsed.output as RowOf<Name>; // the schema was chosen by the same name
}

/** @throws {StateError} bad-snapshot, newer-format */
export function decodeSnapshot(bytes: Uint8Array, sha256: Sha256): StateData {
  if (bytes.length < HEADER_BYTES) throw bad("is cut off");
  const format = bytes[0] as number;
  if (format > SNAPSHOT_FORMAT) throw newerFormat("a snapshot", { format, formatMax: SNAPSHOT_FORMAT });
  if (format !== SNAPSHOT_FORMAT) throw bad("is of an unknown format");
  if (sha256(bytes.subarray(HEADER_BYTES)) !== snapshotDigest(bytes)) throw bad("is damaged: its hash differs");
  const rows: { [Name in Section]: RowOf<Name>[] } = {
    head: [],
    key: [],
    member: [],
    client: [],
    token: [],
    revokedPeer: [],
    revokedSerial: [],
    setting: [],
    job: [],
    blob: [],
    upload: [],
    session: [],
    audit: [],
  };
  for (const [section, row] of decodeRows(bytes)) (rows[section] as unknown[]).push(parseRow(section, row));
  const [first] = rows.head;
  if (first === undefined || rows.head.length > 1) throw bad("has no single head");
  if (first.format > FORMAT_MAX) throw newerFormat("a cluster", { format: first.format, formatMax: FORMAT_MAX });
  const { forgottenTo, ...fields } = first;
  const data: StateData = { ...emptyState(), ...fields, sessions: Sessions.restore(rows.session, forgottenTo) };
  fill(data, rows);
  derive(data);
  return data;
}

function fill(data: StateData, rows: { readonly [Name in Section]: readonly RowOf<Name>[] }): void {
  for (const row of rows.key) data.keys.set(row.keyId, row);
  for (const row of rows.member) data.members.set(row.info.peer, row);
  for (const row of rows.client) data.clients.set(row.certificate.peer, row);
  for (const row of rows.token) data.tokens.set(row.tokenId, row);
  for (const row of rows.revokedPeer) data.revokedPeers.set(row.peer, row);
  for (const row of rows.revokedSerial) data.revokedSerials.set(row.serial, row);
  for (const row of rows.setting) data.settings.set(row.key, row);
  for (const row of rows.job) data.jobs.set(row.jobId, row);
  for (const row of rows.blob) data.blobs.set(row.hash, row);
  for (const row of rows.upload) data.uploads.set(row.hash, row);
  for (const row of rows.audit) {
    const entries = readAuditRow(row);
    if (entries === null) throw bad("has a wrong row of section audit");
    for (const entry of entries) data.audit.add(entry);
  }
}

function derive(data: StateData): void {
  const { derived } = data;
  for (const { value } of data.settings.values()) derived.settingChars += value.length;
  for (const { info } of data.members.values()) derived.memberNames.set(info.name, info.peer);
  for (const { blobBytes, chunks } of [...data.blobs.values(), ...data.uploads.values()]) {
    derived.blobBytes += blobBytes;
    for (const hash of chunks) derived.chunkRefs.set(hash, (derived.chunkRefs.get(hash) ?? 0) + 1);
  }
  const ended = [...data.jobs.values()].filter(({ state }) => isForgettable(state));
  for (const { jobId } of ended.sort((a, b) => a.movedAtIndex - b.movedAtIndex)) derived.endedJobs.add(jobId);
}

/** Stopping is the only safe answer to what cannot be understood: skipping it would fork the state. */
export function newerFormat(
  what: string,
  { format, formatMax }: { readonly format: number; readonly formatMax: number },
): StateError {
  return new StateError(
    "newer-format",
    `Cannot follow the cluster: it uses ${what} of format ${format}, and this software knows formats up to ` +
      `${formatMax}. Stop this node and start it with the version of the others.`,
  );
}
