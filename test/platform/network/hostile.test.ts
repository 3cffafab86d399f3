import { connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { type Address, type PeerId, TransportError } from "../../../src/kernel/mod.ts";
import { createIdentity } from "../../../src/platform/network/certificate.ts";
import { STRANGERS_PACE } from "../../../src/platform/network/limits.ts";
import { createTransport, parseAddress } from "../../../src/platform/network/mod.ts";
import { keys, LOOPBACK, type Made, make, openHooks, until } from "./support.ts";

const made: Made[] = [];
const sockets: { destroy(): unknown }[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(made.splice(0).map(({ transport }) => transport.stop()));
});

async function victim(): Promise<Made & { port: number }> {
  const one = make();
  made.push(one);
  await one.transport.start(openHooks({ opened: (channel) => channel.receive({ data() {}, closed() {} }) }));
  return { ...one, port: parseAddress(one.transport.addresses[0] ?? "").port };
}

/** `from` another address of this machine: what a host may do is counted by address. */
async function tcp(port: number, from?: string): Promise<Socket> {
  const localAddress = process.platform === "linux" ? from : undefined;
  const socket = connectTcp({ port, host: "127.0.0.1", ...(localAddress === undefined ? {} : { localAddress }) });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

function isClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.resume();
  });
}

/** An honest node can still open a channel, and soon. */
async function expectServed(there: Made): Promise<void> {
  const honest = make({ listen: [] });
  made.push(honest);
  await honest.transport.start(openHooks());
  honest.transport.know(there.transport.self, there.transport.addresses);
  const startMs = performance.now();
  const channel = await honest.transport.open(there.transport.self, "/test/1");
  channel.receive({ data() {}, closed() {} });
  expect(performance.now() - startMs).toBeLessThan(3_000);
}

test("plain text, random bytes and a huge header are dropped with one line each that names the address and reason", async () => {
  const there = await victim();
  const attacks = [
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    crypto.getRandomValues(new Uint8Array(4_096)),
    // A TLS record that claims the longest handshake message there is, and begins to deliver it.
    Uint8Array.from([22, 3, 1, 64, 0, 1, 255, 255, 255, ...new Uint8Array(16_380)]),
  ];
  for (const attack of attacks) {
    const before = there.lines.length;
    const socket = await tcp(there.port);
    const closed = isClosed(socket);
    socket.write(attack);
    await closed;
    await until(() => there.lines.length > before);
  }
  expect(there.lines.length).toBeLessThanOrEqual(attacks.length);
  for (const { level, event, fields } of there.lines) {
    expect([level, event]).toEqual(["warn", "connection dropped"]);
    expect(String(fields.remote)).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
    expect(String(fields.reason)).toMatch(/TLS/);
  }
  await expectServed(there);
});

test("the same offence again and again is logged once", async () => {
  const there = await victim();
  for (let index = 0; index < 30; index++) {
    const socket = await tcp(there.port);
    const closed = isClosed(socket);
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed;
  }
  expect(there.lines.length).toBe(1);
});

test("old TLS, a missing certificate and one without proof are refused", async () => {
  const there = await victim();
  const identity = createIdentity(keys.create(), keys);
  const cases = [
    { options: { maxVersion: "TLSv1.2", minVersion: "TLSv1.2" }, reason: /TLS 1.3/ },
    { options: { ALPNProtocols: ["/yamux/1.0.0"] }, reason: /no certificate/ },
    {
      options: { cert: identity.certificate, key: identity.privateKey, ALPNProtocols: ["h2"] },
      reason: /TLS|protocol of SAGE/,
    },
    { options: { cert: identity.certificate, key: identity.privateKey }, reason: /protocol of SAGE/ },
  ] as const;
  for (const { options, reason } of cases) {
    const before = there.lines.length;
    const socket = connectTls({ host: "127.0.0.1", port: there.port, rejectUnauthorized: false, ...options } as object);
    sockets.push(socket);
    socket.on("error", () => undefined);
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.resume();
    });
    await until(() => there.lines.length > before);
    expect(String(there.lines.at(-1)?.fields.reason)).toMatch(reason);
  }
  await expectServed(there);
});

test("a thousand connections that never finish their handshake keep nobody out", async () => {
  const there = await victim();
  const hosts = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`);
  const half = await Promise.all(hosts.flatMap((host) => Array.from({ length: 50 }, () => tcp(there.port, host))));
  for (const socket of half) socket.resume();
  await expectServed(there);
  await until(() => half.every((socket) => socket.destroyed), 12_000);
  expect(there.lines.length).toBeLessThan(64);
  expect(there.lines.length).toBeGreaterThan(0);
});

test.skipIf(process.platform !== "linux")(
  "a host that begins too many connections is slowed down, and no other",
  async () => {
    const there = await victim();
    const many = await Promise.all(Array.from({ length: 300 }, () => tcp(there.port, "127.0.0.9")));
    for (const socket of many) socket.resume();
    await expectServed(there);
    await until(() => many.filter((socket) => socket.destroyed).length >= 200, 2_000);
    expect(many.filter((socket) => !socket.destroyed).length).toBeGreaterThanOrEqual(STRANGERS_PACE.atOnce);
    const slowed = there.lines.filter(({ fields }) => fields.reason === "its host begins too many connections");
    expect(slowed.length).toBe(1);
    expect(String(slowed[0]?.fields.remote)).toMatch(/^\/ip4\/127\.0\.0\.9\/tcp\/\d+$/);
  },
);

test("peers that have a key but say nothing are dropped and named", async () => {
  const there = await victim();
  const own = keys.create();
  const identity = createIdentity(own, keys);
  const options = { cert: identity.certificate, key: identity.privateKey, ALPNProtocols: ["/yamux/1.0.0"] };
  const socket = connectTls({ host: "127.0.0.1", port: there.port, rejectUnauthorized: false, ...options });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.resume();
  });
  await until(() => there.lines.length > 0);
  expect(there.lines[0]?.fields.peer).toBe(keys.peerOf(own.publicKey));
  await expectServed(there);
}, 10_000);

test("garbage within an encrypted connection ends that connection only", async () => {
  const there = await victim();
  const identity = createIdentity(keys.create(), keys);
  const options = { cert: identity.certificate, key: identity.privateKey, ALPNProtocols: ["/yamux/1.0.0"] };
  for (let round = 0; round < 20; round++) {
    const socket = connectTls({ host: "127.0.0.1", port: there.port, rejectUnauthorized: false, ...options });
    sockets.push(socket);
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    const bytes = crypto.getRandomValues(new Uint8Array(1_000));
    // Half of the rounds look like yamux for a while: a valid version, a wild type, flags and length.
    if (round % 2 === 0) bytes.set([0, round % 5, 0, 1, 0, 0, 0, 1]);
    socket.write(bytes);
    await sleep(2);
  }
  await expectServed(there);
});

test("a taken port is told with the address and what to do", async () => {
  const there = await victim();
  const second = make({ listen: [`/ip4/127.0.0.1/tcp/${there.port}`] });
  const error = await second.transport.start(openHooks()).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TransportError);
  expect((error as TransportError).code).toBe("address-in-use");
  expect((error as TransportError).message).toBe(
    `Cannot listen on /ip4/127.0.0.1/tcp/${there.port}: another process has port ${there.port}. Stop it, or listen on another port (0 takes any free one).`,
  );
  await second.transport.stop();
});

test("an address that cannot be, or is not of this machine, is refused with the reason", async () => {
  const wrong = [
    "127.0.0.1:4001",
    "/ip4/300.0.0.1/tcp/1",
    "/ip6/::g/tcp/1",
    "/ip4/127.0.0.1/tcp/99999",
    "/ip4/127.0.0.1/udp/1",
    "",
  ];
  for (const listen of wrong) {
    expect(() => createTransport({ keyPair: keys.create(), log: { write() {} }, listen: [listen] })).toThrow(
      TransportError,
    );
  }
  const foreign = make({ listen: ["/ip4/192.0.2.1/tcp/0"] });
  const error = await foreign.transport.start(openHooks()).catch((thrown: unknown) => thrown);
  expect((error as TransportError).code).toBe("bad-address");
  expect((error as TransportError).message).toContain("192.0.2.1 is not an address of this machine");
  await foreign.transport.stop();
});

test("a silent address among several does not hold up the others", async () => {
  const there = await victim();
  const silent = createTcpServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", () => resolve()));
  const port = (silent.address() as { port: number }).port;
  const client = make({ listen: [] });
  made.push(client);
  await client.transport.start(openHooks());
  const self: PeerId = there.transport.self;
  const dead = [`/ip4/127.0.0.1/tcp/1/p2p/${self}`, `/ip4/127.0.0.1/tcp/${port}/p2p/${self}`] as Address[];
  client.transport.know(self, [...dead, ...there.transport.addresses]);
  const startMs = performance.now();
  const channel = await client.transport.open(self, "/test/1");
  channel.receive({ data() {}, closed() {} });
  expect(performance.now() - startMs).toBeLessThan(2_000);
  silent.close();
});

test("several addresses, IPv6 and names are listened on and reached", async () => {
  const one = make({ listen: [LOOPBACK, "/ip6/::1/tcp/0", "/ip4/127.0.0.1/tcp/0/tls"] });
  made.push(one);
  await one.transport.start(openHooks({ opened: (channel) => channel.receive({ data() {}, closed() {} }) }));
  expect(one.transport.addresses.length).toBe(3);
  const port = parseAddress(one.transport.addresses[0] ?? "").port;
  for (const address of [...one.transport.addresses, `/dns4/localhost/tcp/${port}` as Address]) {
    const client = make({ listen: [] });
    made.push(client);
    await client.transport.start(openHooks());
    client.transport.know(one.transport.self, [address]);
    const channel = await client.transport.open(one.transport.self, "/test/1");
    channel.receive({ data() {}, closed() {} });
  }
});
