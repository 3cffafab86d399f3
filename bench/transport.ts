/**
 * One encrypted stream between two processes, against a plain pair of `node:tls` sockets in the same run; and how long
 * a posted message and the opening of a channel take.
 *
 *     bun bench/transport.ts [--megabytes 1024]        also: deno run -A bench/transport.ts, node bench/transport.ts
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { connect, createServer, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Address, Channel, PeerId, Transport, TransportHooks } from "../src/kernel/mod.ts";
import { createKeys } from "../src/platform/keys.ts";
import { createIdentity } from "../src/platform/network/certificate.ts";
import { createTransport } from "../src/platform/network/mod.ts";

const PIECE = new Uint8Array(64 << 10).fill(7);
const ROUNDS = 3;
const ECHOES = 500;
const keys = createKeys();

type Hello = { port: number; peer: PeerId; addresses: Address[] };

function hooks(more: Partial<TransportHooks>): TransportHooks {
  return {
    credential: () => new Uint8Array(1),
    admit: () => ({ kind: "member" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("not served"),
    ...more,
  };
}

const log = { write: (level: string, event: string, fields?: unknown) => console.error(level, event, fields) };

/** The other process: counts what comes on either kind of stream, and posts back what is posted. */
async function serve(): Promise<void> {
  const identity = createIdentity(keys.create(), keys);
  const server = createServer({ cert: identity.certificate, key: identity.privateKey, minVersion: "TLSv1.3" });
  server.on("secureConnection", (socket: TLSSocket) => {
    let bytes = 0;
    socket.on("data", (chunk: Uint8Array) => {
      bytes += chunk.length;
    });
    socket.on("end", () => socket.end(`${bytes}`));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const transport = createTransport({ keyPair: keys.create(), log, listen: ["/ip4/127.0.0.1/tcp/0"] });
  await transport.start(
    hooks({
      posted: (from, message) => transport.post(from, message.slice()),
      opened(channel) {
        let bytes = 0;
        channel.receive({
          data: (chunk) => {
            bytes += chunk.length;
          },
          end: () => {
            channel.send(new TextEncoder().encode(`${bytes}`));
            channel.end();
          },
          closed: () => undefined,
        });
      },
    }),
  );
  const { port } = server.address() as { port: number };
  console.log(JSON.stringify({ port, peer: transport.self, addresses: transport.addresses }));
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}

async function startOther(): Promise<[ChildProcess, Hello]> {
  const isDeno = process.execPath.includes("deno");
  const script = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [...(isDeno ? ["run", "-A"] : []), script, "--serve"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve) => child.stdout.once("data", (data) => resolve(String(data))));
  return [child, JSON.parse(line) as Hello];
}

/** Bytes a second through a plain TLS socket. */
async function plain(port: number, size: number): Promise<number> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const startMs = performance.now();
  const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
  for (let sent = 0; sent < size; sent += PIECE.length) {
    if (!socket.write(PIECE)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  socket.end();
  if (Number(await answer) !== size) throw new Error("bytes were lost");
  return size / ((performance.now() - startMs) / 1000);
}

async function channelled(channel: Channel, size: number): Promise<number> {
  const startMs = performance.now();
  let sent = 0;
  let text = "";
  await new Promise<void>((resolve, reject) => {
    const pump = (): void => {
      while (sent < size) {
        sent += PIECE.length;
        if (!channel.send(PIECE)) return;
      }
      channel.end();
    };
    channel.receive({
      data: (bytes) => {
        text += new TextDecoder().decode(bytes);
      },
      drain: pump,
      closed: (error) => (error === null ? resolve() : reject(error)),
    });
    pump();
  });
  if (Number(text) !== size) throw new Error(`bytes were lost: ${text} of ${size}`);
  return size / ((performance.now() - startMs) / 1000);
}

async function echoes(transport: Transport, peer: PeerId, heard: { onPost: () => void }): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < ECHOES; index++) {
    const startMs = performance.now();
    await new Promise<void>((resolve) => {
      heard.onPost = resolve;
      transport.post(peer, new Uint8Array(200));
    });
    times.push(performance.now() - startMs);
  }
  return times.sort((left, right) => left - right);
}

function quantile(sorted: readonly number[], share: number): string {
  return `${(sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(2)} ms`;
}

async function main(size: number): Promise<void> {
  const [child, other] = await startOther();
  const heard = { onPost: (): void => undefined };
  const startMs = performance.now();
  const transport = createTransport({ keyPair: keys.create(), log, listen: ["/ip4/127.0.0.1/tcp/0"] });
  await transport.start(hooks({ posted: () => heard.onPost() }));
  console.log(`start to listening      ${(performance.now() - startMs).toFixed(0)} ms`);
  transport.know(other.peer, other.addresses);
  const rates = { plain: 0, ours: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    rates.plain = Math.max(rates.plain, await plain(other.port, size));
    const opening = transport.open(other.peer, "/bench/1").then((channel) => channelled(channel, size));
    rates.ours = Math.max(rates.ours, await opening);
  }
  console.log(`plain TLS socket        ${(rates.plain / 1e6).toFixed(0)} MB/s`);
  console.log(`channel                 ${(rates.ours / 1e6).toFixed(0)} MB/s`);
  console.log(`channel / plain         ${((100 * rates.ours) / rates.plain).toFixed(0)} %  (at least 70 %)`);
  await echoes(transport, other.peer, heard);
  const times = await echoes(transport, other.peer, heard);
  console.log(`post there and back     p50 ${quantile(times, 0.5)}, p99 ${quantile(times, 0.99)}`);
  const opens: number[] = [];
  for (let index = 0; index < 100; index++) {
    const openMs = performance.now();
    await transport.open(other.peer, "/bench/1").then((channel) => channelled(channel, 0));
    opens.push(performance.now() - openMs);
  }
  opens.sort((left, right) => left - right);
  console.log(`open and close          p50 ${quantile(opens, 0.5)}, p99 ${quantile(opens, 0.99)}`);
  console.log(`resident                ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`);
  await transport.stop();
  child.stdin?.end();
}

const { values } = parseArgs({
  options: { serve: { type: "boolean" }, megabytes: { type: "string", default: "512" } },
});
if (values.serve === true) await serve();
else await main(Number(values.megabytes) << 20);
