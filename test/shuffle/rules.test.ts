import { expect, test } from "vitest";
import { Arena, batchFromRows, field, int64, schema } from "../../src/arrow/mod.ts";
import type { Channel } from "../../src/kernel/mod.ts";
import { ExchangeReader, GetInput } from "../../src/shuffle/mod.ts";
import { type OutgoingMessage, OutgoingStream } from "../../src/shuffle/outgoing.ts";
import { encodeControl } from "../../src/shuffle/wire/control.ts";
import { sendMessage } from "../../src/shuffle/wire/message_frames.ts";
import { loopback } from "../support/loopback.ts";
import { compression, keyOf, readAll, remote, storeOf } from "./support.ts";

const near = Arena.create({ limitBytes: 2 ** 28 });
const far = Arena.create({ limitBytes: 2 ** 28 });
const NUMBERS = schema([field("k", int64)]);
const WINDOW_BYTES = 2_000;

/** What an honest writer would send, and who sends it as the test wants. */
function writer(write: (messages: readonly OutgoingMessage[], say: Writer) => void) {
  const store = storeOf(near);
  const log = store.create(keyOf(), NUMBERS);
  for (let i = 0; i < 8; i++) {
    const rows = Array.from({ length: 100 }, (_, row) => ({ k: BigInt(100 * i + row) }));
    log.append(batchFromRows(near, NUMBERS, rows, 1));
  }
  log.finish();
  const stream = new OutgoingStream(log, { arena: near, compression, codec: "none" });
  const messages: OutgoingMessage[] = [];
  for (let next = stream.next(); next !== null; next = stream.next()) messages.push(next);
  const connect = (): Promise<Channel> => {
    const [mine, theirs] = loopback();
    let hasAsked = false;
    theirs.receive({
      data: () => {
        if (hasAsked) return;
        hasAsked = true;
        write(messages, {
          message: ({ sequence, epoch, payload }, as = sequence) =>
            sendMessage({ sequence: as, epoch, bytes: payload.bytes, crc32: payload.crc32 }, payload, (bytes) =>
              theirs.send(bytes.slice()),
            ),
          end: (sequence) => theirs.send(encodeControl({ kind: "end", sequence })),
        });
      },
      closed: () => undefined,
    });
    return Promise.resolve(mine);
  };
  const input = new GetInput(keyOf(), connect, remote(far, { windowBytes: WINDOW_BYTES, awayMsMax: 5_000 }));
  const reader = new ExchangeReader(far, [input], { order: "arrival" });
  const close = (): void => {
    stream.close();
    store.close();
    reader.close();
  };
  return { reader, close };
}

interface Writer {
  /** Sends it, perhaps under another number. */
  readonly message: (message: OutgoingMessage, as?: number) => unknown;
  readonly end: (sequence: number) => unknown;
}

const BREAKS: readonly [string, (messages: readonly OutgoingMessage[], say: Writer) => void, RegExp][] = [
  ["ends before all has come", (_, { end }) => end(3), /ended after 3 messages, but 0 came/],
  [
    "leaves out a message",
    ([first, , third], { message }) => [first, third].map((each) => each && message(each)),
    /Message 2 came instead of 1/,
  ],
  [
    "sends a message again",
    ([first], { message }) => [first, first].map((each) => each && message(each)),
    /Message 0 came instead of 1/,
  ],
  [
    "sends more than it was granted",
    (all, { message }) => all.map((each) => message(each)),
    /came beyond the \d+ bytes granted/,
  ],
];

test.each(BREAKS)("a writer that %s is refused, and nothing of it is kept", async (_, write, reason) => {
  const { reader, close } = writer(write);
  const rows = readAll(far, reader);
  await expect(rows).rejects.toMatchObject({ code: "protocol" });
  await expect(rows).rejects.toThrow(reason);
  close();
  expect([near.bytesInUse(), far.bytesInUse()]).toEqual([0, 0]);
});
