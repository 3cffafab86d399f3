/** What two executors send each other over the real, encrypted network, as other implementations of Arrow read it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { dataflow, Stream } from "../../mod.ts";
import { decodePhysicalPlan } from "../../src/jobs/mod.ts";
import type { Channel, Transport } from "../../src/kernel/mod.ts";
import { encodeLogicalPlan } from "../../src/plan/mod.ts";
import { SHUFFLE_PROTOCOL } from "../../src/shuffle/mod.ts";
import { MessageReader } from "../../src/shuffle/wire/message_frames.ts";
import { TestCluster } from "./cluster.ts";

/** More than one task sorts alone. */
const ROWS = 450_000;
const END_MARK = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Copies what arrives on the channels of exchanges that this side opens: one stream each. */
function tap(transport: Transport): Uint8Array[][] {
  const streams: Uint8Array[][] = [];
  const open = transport.open.bind(transport);
  transport.open = async (...args) => {
    const channel: Channel = await open(...args);
    if (args[1] !== SHUFFLE_PROTOCOL) return channel;
    const pieces: Uint8Array[] = [];
    streams.push(pieces);
    const reader = new MessageReader({
      control: () => undefined,
      begin: () => undefined,
      piece: (bytes) => void pieces.push(bytes.slice()),
      complete: () => undefined,
    });
    const receive = channel.receive.bind(channel);
    channel.receive = (handlers) => {
      receive({
        ...handlers,
        data(bytes) {
          reader.push(bytes);
          handlers.data(bytes);
        },
      });
    };
    return channel;
  };
  return streams;
}

const PYTHON = `
import sys, json, pyarrow as pa
table = pa.ipc.open_stream(sys.stdin.buffer).read_all()
table.validate(full=True)
print(json.dumps({"rows": table.num_rows, "total": sum(table["id"].to_pylist()),
  "words": sum(len(word) for word in table["word"].to_pylist() if word is not None),
  "nulls": table["word"].null_count}))
`;

interface Facts {
  readonly rows: number;
  readonly total: number;
  readonly words: number;
  readonly nulls: number;
}

function readByApacheArrow(bytes: Uint8Array): Facts {
  const table = tableFromIPC(bytes);
  const facts = { rows: table.numRows, total: 0, words: 0, nulls: 0 };
  for (const row of table) {
    facts.total += Number(row["id"]);
    if (row["word"] === null) facts.nulls++;
    else facts.words += String(row["word"]).length;
  }
  return facts;
}

function readByPyarrow(bytes: Uint8Array): Facts {
  const { stdout, stderr, status } = spawnSync("python3", ["-c", PYTHON], { input: bytes, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Facts;
}

const hasPyarrow = spawnSync("python3", ["-c", "import pyarrow"]).status === 0;

const READERS = [
  ["none", "apache-arrow", readByApacheArrow],
  ["none", "pyarrow", readByPyarrow],
  ["lz4", "pyarrow", readByPyarrow],
  ["zstd", "pyarrow", readByPyarrow],
] as const;

for (const [codec, name, reader] of READERS) {
  test(`partitions with codec ${codec} are read by ${name}`, async ({ skip }) => {
    if (name === "pyarrow" && !hasPyarrow) skip("pyarrow is not here");
    const directory = mkdtempSync(join(tmpdir(), "sage-wire-"));
    const cluster = new TestCluster({
      agents: 2,
      slots: 2,
      directory,
      codec,
      isReal: true,
      settings: { strategy: "roundRobin" },
    });
    try {
      const streams = cluster.agents.map(({ executorTransport }) => tap(executorTransport));
      await cluster.start();
      const flow = dataflow("wire", () =>
        Stream.generate({
          rows: ROWS,
          seed: 3,
          columns: {
            id: { kind: "sequence" },
            key: { kind: "random", min: 0, max: 1_000, type: "int64" },
            word: { kind: "text", length: [0, 9], nulls: 0.1 },
          },
        }).orderBy("key", "id"),
      );
      const request = { slots: 4, parallelism: 4 };
      const { plan } = await cluster.compile(encodeLogicalPlan(flow.plan), request);
      const [rows = []] = await cluster.run(decodePhysicalPlan(plan));
      expect(rows).toHaveLength(ROWS);
      const captured = streams
        .flat()
        .map((pieces) => Buffer.concat([...pieces, END_MARK]))
        .filter(({ length }) => length > END_MARK.length);
      const [largest = END_MARK] = captured.sort((one, other) => other.length - one.length);
      const facts = reader(largest);
      expect(facts.rows).toBeGreaterThan(10_000);
      expect(facts.words).toBeGreaterThan(10_000);
      expect(facts.nulls).toBeGreaterThan(0);
      await cluster.release();
    } finally {
      await cluster.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
