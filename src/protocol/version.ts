/**
 * Versions of the protocol, and which one two sides use.
 *
 * The version is raised when a message changes so that an older reader would misunderstand it; new methods, message
 * kinds and optional fields need no new version. A release speaks its own version and the one before, so neighbouring
 * releases run in one cluster while it is upgraded node by node.
 */
import * as v from "valibot";
import { ProtocolError } from "./error.ts";
import { integer, parse } from "./schema.ts";

/** What a process speaks, as it tells others. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
  /** Name and version of the software, for people: "sage 0.1.0". */
  readonly software: string;
}

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;
export const PROTOCOL_VERSION_MAX = 255;
export const SOFTWARE_LENGTH_MAX = 64;
/** It is shown in messages and logs. */
export const SOFTWARE = /^[ -~]*$/;

/** The range of this build. */
export function ownVersions(software: string): VersionRange {
  return { min: PROTOCOL_MIN, max: PROTOCOL_MAX, software };
}

const VERSION_RANGE = v.pipe(
  v.object({
    min: integer(1, PROTOCOL_VERSION_MAX),
    max: integer(1, PROTOCOL_VERSION_MAX),
    software: v.pipe(v.string(), v.maxLength(SOFTWARE_LENGTH_MAX), v.regex(SOFTWARE, "not printable")),
  }),
  v.check(({ min, max }) => min <= max, "min is above max"),
);

/** @throws {ProtocolError} schema */
export function parseVersionRange(value: unknown): VersionRange {
  return parse(VERSION_RANGE, value, "greeting");
}

/** The highest version that both speak, or null. */
export function commonVersion(
  a: { readonly min: number; readonly max: number },
  b: { readonly min: number; readonly max: number },
): number | null {
  const version = Math.min(a.max, b.max);
  return version >= Math.max(a.min, b.min) ? version : null;
}

function rangeText({ min, max }: VersionRange): string {
  return min === max ? `version ${min}` : `versions ${min} to ${max}`;
}

/** Says what both sides speak and which one to upgrade. */
export function noCommonVersion(own: VersionRange, other: VersionRange): ProtocolError {
  const advice = other.max < own.min ? "Upgrade the other side" : "Upgrade this side";
  return new ProtocolError(
    "unknown-version",
    `No common protocol version: this side (${own.software}) speaks ${rangeText(own)}, the other (${other.software}) ${rangeText(other)}. ${advice}, by one release at a time while a cluster runs.`,
  );
}
