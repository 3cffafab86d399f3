import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openRaftStore } from "../../../src/platform/store/raft_store.ts";
import { contents, copyFiles, entry, live, randomFrom, refusal } from "./store_history.ts";

const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const random = randomFrom(seed);
/** Hundreds of stores, none of which need outlive the test: in memory where there is a place. */
const root = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sage-damage-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Files = Readonly<Record<string, Uint8Array>>;

/**
 * A store as a killed process leaves it, and as a clean stop does. After a `burden` of entries most of it has gone through a
 * checkpoint, and the write-ahead log begins anew over what is left of its last time.
 */
function makeImages(burden: number): { killed: Files; stopped: Files; expected: string } {
  const home = mkdtempSync(join(root, "origin-"));
  const path = join(home, "raft.db");
  openRaftStore(path).close();
  const store = openRaftStore(path);
  live(store);
  const { lastIndex } = store.load();
  for (let index = 1; index <= burden; index++) store.save({ entries: [entry(lastIndex + index, 2, 30_000)] });
  if (burden > 0) store.save({ entries: [entry(50, 3)] });
  for (let index = 51; index < 58 && burden > 0; index++) store.save({ entries: [entry(index, 3)] });
  const expected = contents(store);
  const copy = mkdtempSync(join(root, "copy-"));
  copyFiles(home, copy);
  store.close();
  const read = (directory: string, names: readonly string[]): Files =>
    Object.fromEntries(names.map((name) => [name, Uint8Array.from(readFileSync(join(directory, name)))]));
  return {
    killed: read(copy, ["raft.db", "raft.db-wal", "raft.db.ack"]),
    stopped: read(home, ["raft.db", "raft.db.ack"]),
    expected,
  };
}

const light = makeImages(0);
const { killed, stopped, expected } = light;
const heavy = makeImages(130);

/** What comes of opening these files: the contents, or why not. */
function open(files: Files): { contents: string | null; code: string | null; message: string } {
  const home = mkdtempSync(join(root, "try-"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(home, name), bytes);
  try {
    let found: string | null = null;
    const error = refusal(() => {
      const store = openRaftStore(join(home, "raft.db"));
      try {
        found = contents(store);
      } finally {
        store.close();
      }
    });
    return { contents: found, code: error?.code ?? null, message: error?.message ?? "" };
  } finally {
    rmSync(home, { recursive: true });
  }
}

function check(files: Files, what: string, wanted = expected): "same" | "refused" {
  const result = open(files);
  if (result.code === null)
    expect(result.contents === wanted, `seed ${seed}: ${what} opened with other contents`).toBe(true);
  return result.code === null ? "same" : "refused";
}

function flipped(files: Files, name: string, offset: number): Files {
  const bytes = Uint8Array.from(files[name] as Uint8Array);
  bytes[offset] = (bytes[offset] as number) ^ (1 << random(8));
  return { ...files, [name]: bytes };
}

function sizeOf(files: Files, name: string): number {
  return (files[name] as Uint8Array).length;
}

test("what a killed process leaves opens with all that was acknowledged", () => {
  console.log(`store damage: SEED=${seed}`);
  expect(open(killed)).toMatchObject({ code: null, contents: expected });
  expect(open(stopped)).toMatchObject({ code: null, contents: expected });
  expect(open(heavy.killed)).toMatchObject({ code: null, contents: heavy.expected });
});

test.each([
  ["killed", "raft.db", 40],
  ["killed", "raft.db-wal", 100],
  ["stopped", "raft.db", 200],
] as const)(
  "after a flipped bit of a %s node's %s it opens with the same contents, or is refused",
  (end, name, tries) => {
    const files = end === "killed" ? killed : stopped;
    const seen = { same: 0, refused: 0 };
    for (let round = 0; round < tries; round++) {
      const offset = random(sizeOf(files, name));
      seen[check(flipped(files, name, offset), `${end} ${name} flipped at ${offset}`)] += 1;
    }
    for (let offset = 0; offset < 100; offset += 3)
      check(flipped(files, name, offset), `${end} ${name} flipped at ${offset}`);
    console.log(`${end} ${name}: ${JSON.stringify(seen)}`);
  },
);

test.each([
  ["raft.db", 40],
  ["raft.db-wal", 40],
] as const)("the same holds for the %s of a node that was killed after a checkpoint", (name, tries) => {
  const seen = { same: 0, refused: 0 };
  for (let round = 0; round < tries; round++) {
    // Half of the tries hit what was written last.
    const size = sizeOf(heavy.killed, name);
    const offset = round % 2 ? random(size) : random(Math.min(size, 80_000));
    const what = `${name} after a checkpoint flipped at ${offset}`;
    seen[check(flipped(heavy.killed, name, offset), what, heavy.expected)] += 1;
  }
  console.log(`after a checkpoint, ${name}: ${JSON.stringify(seen)}`);
});

test("after a flipped bit in the count of acknowledged changes nothing is lost", () => {
  for (const offset of [0, 5, 8, 15, 17, 4096, 4100, 4111, 4115]) {
    expect(check(flipped(killed, "raft.db.ack", offset), `count flipped at ${offset}`)).toBe("same");
  }
  const empty = { ...killed, "raft.db.ack": new Uint8Array(0) };
  expect(open(empty)).toMatchObject({ code: "damaged" });
});

test("every frame of the write-ahead log is guarded: one wrong bit, and the node does not start", () => {
  const frameBytes = 4096 + 24;
  const frames = (sizeOf(killed, "raft.db-wal") - 32) / frameBytes;
  for (let frame = 0; frame < frames; frame += 1 + random(3)) {
    const offset = 32 + frame * frameBytes + random(frameBytes);
    const result = open(flipped(killed, "raft.db-wal", offset));
    expect(result.code, `seed ${seed}: frame ${frame}, offset ${offset}`).toBe("damaged");
  }
});

test("without the count, as a power failure may leave it, the log itself tells of all but its last change", () => {
  const frameBytes = 4096 + 24;
  const frames = (sizeOf(killed, "raft.db-wal") - 32) / frameBytes;
  const fresh = mkdtempSync(join(root, "fresh-"));
  openRaftStore(join(fresh, "raft.db")).close();
  const old = { ...killed, "raft.db.ack": Uint8Array.from(readFileSync(join(fresh, "raft.db.ack"))) };
  for (let round = 0; round < 30; round++) {
    const frame = random(frames - 4);
    const offset = 32 + frame * frameBytes + 24 + random(4096);
    expect(open(flipped(old, "raft.db-wal", offset)).code, `seed ${seed}: frame ${frame}`).toBe("damaged");
  }
});

test.each(["raft.db", "raft.db-wal", "raft.db.ack"])(
  "a %s that was cut short is refused, or nothing is missing",
  (name) => {
    const bytes = killed[name] as Uint8Array;
    const lengths = [0, 1, 31, 32, 100, 4095, 4096, ...Array.from({ length: 40 }, () => random(bytes.length))];
    for (const length of lengths) check({ ...killed, [name]: bytes.subarray(0, length) }, `${name} cut to ${length}`);
    const cutTail = { ...killed, "raft.db-wal": (killed["raft.db-wal"] as Uint8Array).slice(0, -4120) };
    expect(open(cutTail).code).toBe("damaged");
  },
);

test("a page or frame that was zeroed or overwritten is refused, or nothing is missing", () => {
  for (const [files, name] of [
    [killed, "raft.db-wal"],
    [killed, "raft.db"],
    [stopped, "raft.db"],
  ] as const) {
    for (let round = 0; round < 25; round++) {
      const bytes = Uint8Array.from(files[name] as Uint8Array);
      const start = random(Math.ceil(bytes.length / 512)) * 512;
      const from = random(bytes.length);
      if (round % 2 === 0) bytes.fill(0, start, start + 512);
      else bytes.copyWithin(start, from, from + 512);
      check({ ...files, [name]: bytes }, `${name} overwritten at ${start}`);
    }
  }
});

test.each(["raft.db", "raft.db-wal", "raft.db.ack"])("a %s that is missing is refused", (name) => {
  const { [name]: _, ...rest } = killed;
  expect(open(rest)).toMatchObject({ code: "damaged", message: expect.stringContaining("sage cluster leave NODE") });
});

test("an older copy of the database is refused", () => {
  const home = mkdtempSync(join(root, "old-"));
  const store = openRaftStore(join(home, "raft.db"));
  store.save({ entries: [entry(1)] });
  store.close();
  const older = {
    "raft.db": Uint8Array.from(readFileSync(join(home, "raft.db"))),
    "raft.db.ack": stopped["raft.db.ack"] as Uint8Array,
  };
  expect(open(older)).toMatchObject({
    code: "damaged",
    message: expect.stringContaining("acknowledged changes are gone"),
  });
});

test("a change that was never acknowledged may vanish: what was torn while writing it is no damage", () => {
  const home = mkdtempSync(join(root, "torn-"));
  const path = join(home, "raft.db");
  const store = openRaftStore(path);
  store.save({ entries: [entry(1), entry(2)] });
  const before = contents(store);
  const ack = Uint8Array.from(readFileSync(`${path}.ack`));
  store.save({ entries: [entry(3), entry(4, 1, 20_000)] });
  const after = contents(store);
  const [database, wal] = [Uint8Array.from(readFileSync(path)), Uint8Array.from(readFileSync(`${path}-wal`))];
  store.close();
  const outcomes = new Set<string>();
  for (let round = 0; round < 40; round++) {
    const torn = Uint8Array.from(wal);
    const lastFrames = wal.length - 6 * 4120;
    const start = lastFrames + random(wal.length - lastFrames);
    if (round % 2 === 0) torn.fill(0, start, start + 4096);
    const files = {
      "raft.db": database,
      "raft.db-wal": round % 2 ? torn.subarray(0, start) : torn,
      "raft.db.ack": ack,
    };
    const result = open(files);
    expect(result.code, `seed ${seed}: torn at ${start}`).toBeNull();
    outcomes.add(result.contents === before ? "before" : result.contents === after ? "after" : "neither");
  }
  expect(outcomes).not.toContain("neither");
  expect(outcomes).toContain("before");
});

test("a refusal leaves the files as they were, and a second try finds the same", () => {
  const home = mkdtempSync(join(root, "again-"));
  const files = flipped(killed, "raft.db-wal", 32 + 4120 * 10 + 100);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(home, name), bytes);
  for (let round = 0; round < 2; round++) {
    expect(refusal(() => openRaftStore(join(home, "raft.db")))).toMatchObject({ code: "damaged" });
    for (const [name, bytes] of Object.entries(files))
      expect(readFileSync(join(home, name)).equals(bytes), name).toBe(true);
  }
});
