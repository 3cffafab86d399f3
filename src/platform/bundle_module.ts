import { deflateRawSync, inflateRawSync } from "node:zlib";
import { BUNDLE_BYTES_MAX } from "../protocol/mod.ts";
import { JobError } from "./job_error.ts";
import { SourceMap } from "./source_map.ts";

/** Last line of a module that travels: what it was made of, compressed. Runtimes take it for a comment. */
const MARK = "\n//# sageSourceMap=";
/** A map that unpacks to more is not read. */
const MAP_BYTES_MAX = 256 << 20;

interface MapLine {
  readonly directory: string;
  readonly map: unknown;
}

/**
 * A bundle as it is sent to a cluster: its source map goes with it, so that errors show the user's lines wherever they
 * arise. Texts of packages stay out.
 * @throws {JobError} "bundle" when it is too large
 */
export function bundleModule(code: string, mapText: string, directory: string): Uint8Array {
  // Before its map is read, which is larger.
  const module = new TextEncoder().encode(code);
  if (module.length > BUNDLE_BYTES_MAX) throw tooLarge(module.length);
  const line: MapLine = { directory, map: withoutPackages(JSON.parse(mapText) as RawMap) };
  const packed = deflateRawSync(JSON.stringify(line)).toString("base64");
  const whole = new TextEncoder().encode(`${code}${MARK}${packed}\n`);
  return whole.length <= BUNDLE_BYTES_MAX ? whole : module;
}

function tooLarge(length: number): JobError {
  const [has, may] = [length, BUNDLE_BYTES_MAX].map((bytes) => `${Math.ceil(bytes / 2 ** 20)} MiB`);
  return new JobError(
    "bundle",
    `The job with all that it imports has ${has}, at most ${may} can be sent to a cluster. Read large data from files.`,
  );
}

interface RawMap {
  readonly sources: readonly (string | null)[];
  readonly sourcesContent?: readonly (string | null)[];
}

function withoutPackages(map: RawMap): RawMap {
  const { sources, sourcesContent } = map;
  if (sourcesContent === undefined) return map;
  const isOwn = (source: string | null | undefined) =>
    typeof source === "string" && !/(^|\/)node_modules\//.test(source);
  return { ...map, sourcesContent: sourcesContent.map((text, i) => (isOwn(sources[i]) ? text : null)) };
}

/** The source map that a module brings along; null when it has none. `url`: where the module is imported from. */
export function sourceMapOfModule(url: string, module: string): SourceMap | null {
  const at = module.lastIndexOf(MARK);
  if (at < 0) return null;
  try {
    const packed = Buffer.from(module.slice(at + MARK.length).trim(), "base64");
    const text = inflateRawSync(packed, { maxOutputLength: MAP_BYTES_MAX }).toString("utf8");
    const { directory, map } = JSON.parse(text) as MapLine;
    return new SourceMap(url, JSON.stringify(map), directory);
  } catch {
    return null; // a module without a map runs as well
  }
}
