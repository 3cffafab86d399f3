import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import type { Address, PeerId, Transport } from "../../../src/kernel/mod.ts";
import { make, openHooks, until } from "./support.ts";

const script = fileURLToPath(new URL("other_peer.ts", import.meta.url));
const deno = fileURLToPath(new URL("../../../node_modules/.bin/deno", import.meta.url));
const children: ChildProcess[] = [];
const transports: Transport[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(transports.splice(0).map((transport) => transport.stop()));
});

async function other(
  command: string,
  args: readonly string[],
): Promise<{ peer: PeerId; addresses: Address[]; child: ChildProcess }> {
  const child = spawn(command, [...args, script], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (data: Uint8Array) => resolve(new TextDecoder().decode(data)));
    child.once("exit", (code) => reject(new Error(`the other process ended with ${code}`)));
  });
  return { ...(JSON.parse(line) as { peer: PeerId; addresses: Address[] }), child };
}

async function talk(there: { peer: PeerId; addresses: Address[] }): Promise<void> {
  const posted: string[] = [];
  const { transport } = make();
  transports.push(transport);
  await transport.start(openHooks({ posted: (_, message) => posted.push(new TextDecoder().decode(message)) }));
  transport.know(there.peer, there.addresses);
  const size = 8 << 20;
  let received = 0;
  let isSame = true;
  const channel = await transport.open(there.peer, "/test/echo/1");
  const closed = new Promise<Error | null>((resolve) => {
    channel.receive({
      data: (bytes) => {
        for (let at = 0; at < bytes.length; at += 997) isSame &&= bytes[at] === ((received + at) & 0xff);
        received += bytes.length;
      },
      closed: resolve,
    });
  });
  const piece = Uint8Array.from({ length: 1 << 16 }, (_, at) => at & 0xff);
  for (let sent = 0; sent < size; sent += piece.length) channel.send(piece);
  channel.end();
  expect(await closed).toBe(null);
  expect([received, isSame]).toEqual([size, true]);
  transport.post(there.peer, new TextEncoder().encode("and back"));
  await until(() => posted.includes("and back"));
}

async function exits(child: ChildProcess): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  child.stdin?.end();
  return exited;
}

test("a node on Bun talks to one on Deno", async () => {
  const there = await other(deno, ["run", "-A", "--no-check", "--no-lock"]);
  await talk(there);
});

test("a node talks to one in another process on Bun, which ends by itself once it is stopped", async () => {
  const there = await other(process.execPath, []);
  await talk(there);
  expect(await exits(there.child)).toBe(0);
});
