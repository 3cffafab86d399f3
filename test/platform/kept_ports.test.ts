import { createServer } from "node:net";
import { expect, test } from "vitest";
import type { Address } from "../../src/kernel/mod.ts";
import { parseKeptPorts, portsToKeep, withKeptPorts } from "../../src/platform/kept_ports.ts";

const at = (text: string) => text as Address;

test("a port that the system chose is asked for again, one that was asked for is not changed", async () => {
  const port = await freePort();
  const kept = portsToKeep(
    [at("/ip4/127.0.0.1/tcp/0"), at("/ip4/127.0.0.2/tcp/7070")],
    [at(`/ip4/127.0.0.1/tcp/${port}`), at("/ip4/127.0.0.2/tcp/7070")],
  );
  expect(kept).toEqual({ "/ip4/127.0.0.1/tcp/0": port });
  expect(await withKeptPorts([at("/ip4/127.0.0.1/tcp/0"), at("/ip4/127.0.0.2/tcp/7070")], kept)).toEqual([
    `/ip4/127.0.0.1/tcp/${port}`,
    "/ip4/127.0.0.2/tcp/7070",
  ]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("a wildcard's port is found among the machine's own addresses", () => {
  const bound = [at("/ip4/127.0.0.1/tcp/1000"), at("/ip4/10.0.0.5/tcp/2000")];
  expect(portsToKeep([at("/ip4/127.0.0.1/tcp/0"), at("/ip4/0.0.0.0/tcp/0")], bound)).toEqual({
    "/ip4/127.0.0.1/tcp/0": 1000,
    "/ip4/0.0.0.0/tcp/0": 2000,
  });
});

test("a port that somebody has taken in the meantime is left to him", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  try {
    const listen = [at("/ip4/127.0.0.1/tcp/0")];
    expect(await withKeptPorts(listen, { "/ip4/127.0.0.1/tcp/0": port })).toEqual(listen);
  } finally {
    server.close();
  }
});

test("what is no list of ports is no list of ports", () => {
  expect(parseKeptPorts('{"/ip4/127.0.0.1/tcp/0":7070}')).toEqual({ "/ip4/127.0.0.1/tcp/0": 7070 });
  for (const text of ["", "null", "7", '{"a":"b"}', '{"a":70000}', '{"a":0}', '{"a":1.5}']) {
    expect(parseKeptPorts(text)).toBeNull();
  }
});
