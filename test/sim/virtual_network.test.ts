import { describe, expect, it } from "vitest";
import type { Admission, Channel, PeerId, TransportHooks } from "../../src/kernel/mod.ts";
import { Network } from "../../src/sim/network/network.ts";
import { VirtualTransport } from "../../src/sim/network/transport.ts";
import { Host } from "../../src/sim/world/host.ts";
import { World } from "../../src/sim/world/world.ts";

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const MEMBER: Admission = { kind: "member" };

interface Station {
  readonly host: Host;
  readonly transport: VirtualTransport;
  readonly posts: string[];
  readonly channels: Channel[];
  readonly events: string[];
}

async function stations(seed: number, admit: (peer: PeerId) => Admission = () => MEMBER) {
  const world = new World({ seed, settle });
  const network = new Network(world);
  const make = async (name: string): Promise<Station> => {
    const host = new Host(world, name);
    host.boot();
    const station: Station = {
      host,
      transport: new VirtualTransport(network, host, name as PeerId),
      posts: [],
      channels: [],
      events: [],
    };
    const hooks: TransportHooks = {
      credential: () => new Uint8Array(),
      admit,
      connected: (peer) => station.events.push(`connected ${peer}`),
      turnedAway: (peer, reason) => station.events.push(`turned away by ${peer}: ${reason}`),
      disconnected: (peer) => station.events.push(`disconnected ${peer}`),
      posted: (from, message) => station.posts.push(`${from}:${new TextDecoder().decode(message)}`),
      opened: (channel) => station.channels.push(channel),
    };
    await station.transport.start(hooks);
    return station;
  };
  const a = await make("a");
  const b = await make("b");
  a.transport.know(b.transport.self, b.transport.addresses);
  b.transport.know(a.transport.self, a.transport.addresses);
  return { world, network, a, b };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("the virtual network", () => {
  it("connects for the first post and delivers it", async () => {
    const { world, a, b } = await stations(1);
    a.transport.post(b.transport.self, bytes("hello"));
    await world.run(100);
    expect(b.posts).toEqual(["a:hello"]);
    expect([a.events, b.events]).toEqual([["connected b"], ["connected a"]]);
  });

  it("loses and doubles posts in bad weather", async () => {
    const { world, network, a, b } = await stations(2);
    network.links.weather = { delayMs: 1, jitterMs: 5, loss: 0.3, duplication: 0.1 };
    for (let index = 0; index < 1_000; index++)
      world.after(index * 10 + 500, () => a.transport.post(b.transport.self, bytes(`${index}`)));
    a.transport.post(b.transport.self, bytes("first"));
    await world.run(20_000);
    const distinct = new Set(b.posts).size;
    expect(distinct).toBeGreaterThan(600);
    expect(distinct).toBeLessThan(850);
    expect(b.posts.length).toBeGreaterThan(distinct);
  });

  it("keeps the order of a channel's bytes across a short cut, and resumes after it", async () => {
    const { world, network, a, b } = await stations(3);
    const opening = a.transport.open(b.transport.self, "/sage/rpc/1");
    await world.run(50);
    const channel = await opening;
    channel.receive({ data: () => undefined, closed: () => undefined });
    await world.run(10);
    let received = "";
    b.channels[0]?.receive({ data: (part) => (received += new TextDecoder().decode(part)), closed: () => undefined });
    world.after(20, () => network.links.cut("a", "b"));
    world.after(1_000, () => network.links.heal());
    let sent = "";
    for (let index = 0; index < 100; index++) {
      world.after(index, () => {
        sent += `${index};`;
        channel.send(bytes(`${index};`));
      });
    }
    await world.run(500);
    expect(received.length).toBeLessThan(sent.length);
    await world.run(2_000);
    expect(received).toBe(sent);
  });

  it("says drain when a paused reader goes on", async () => {
    const { world, a, b } = await stations(4);
    const opening = a.transport.open(b.transport.self, "/x");
    await world.run(50);
    const channel = await opening;
    let drained = 0;
    channel.receive({ data: () => undefined, drain: () => drained++, closed: () => undefined });
    await world.run(10);
    let count = 0;
    b.channels[0]?.receive({ data: (part) => (count += part.length), closed: () => undefined });
    b.channels[0]?.pause();
    while (channel.send(new Uint8Array(50_000))) await world.run(1);
    await world.run(1_000);
    expect([drained, count]).toEqual([0, 0]);
    b.channels[0]?.resume();
    await world.run(1_000);
    expect(drained).toBe(1);
    expect(count).toBeGreaterThanOrEqual(256 * 1024);
  });

  it("breaks connections of a process that is killed, and of links that stay cut", async () => {
    const { world, network, a, b } = await stations(5);
    const opening = a.transport.open(b.transport.self, "/x");
    await world.run(50);
    const errors: string[] = [];
    (await opening).receive({ data: () => undefined, closed: (error) => errors.push(String(error)) });
    network.links.cut("b", "a");
    await world.run(10_000);
    expect(errors).toHaveLength(1);
    expect(a.events.at(-1)).toBe("disconnected b");
    network.links.heal();
    a.transport.post(b.transport.self, bytes("again"));
    await world.run(10_000);
    b.host.onCrash = () => b.transport.kill();
    b.host.die();
    await world.run(100);
    expect(a.events.filter((event) => event === "disconnected b")).toHaveLength(2);
  });

  it("tells a refused peer why, and lets a guest only join", async () => {
    const refused = await stations(6, () => ({ kind: "refused", reason: "token expired" }));
    const opening = refused.a.transport.open(refused.b.transport.self, "/x").catch(String);
    await refused.world.run(100);
    expect(await opening).toContain("token expired");
    expect([refused.a.events, refused.b.events]).toEqual([["turned away by b: token expired"], []]);
    const guest = await stations(7, () => ({ kind: "guest" }));
    const joining = guest.a.transport.open(guest.b.transport.self, "/sage/join/1");
    await guest.world.run(100);
    (await joining).receive({ data: () => undefined, closed: () => undefined });
    await expect(guest.a.transport.open(guest.b.transport.self, "/x")).rejects.toThrow("not admitted");
    await guest.world.run(15_000);
    expect(guest.a.transport.isConnected(guest.b.transport.self)).toBe(false);
  });

  it("tells the one that was called when its caller will not have it", async () => {
    const { world, a, b } = await stations(9, (peer) =>
      peer === "b" ? { kind: "refused", reason: "not you" } : MEMBER,
    );
    a.transport.post(b.transport.self, bytes("hello"));
    await world.run(100);
    expect(b.events).toContain("turned away by a: not you");
    expect(a.events).toEqual([]);
    expect(b.posts).toEqual([]);
  });

  it("happens the same way twice from one seed", async () => {
    const log = async () => {
      const { world, network, a, b } = await stations(8);
      network.links.weather = { delayMs: 1, jitterMs: 5, loss: 0.2, duplication: 0.2 };
      for (let index = 0; index < 200; index++)
        world.after(index * 7, () => a.transport.post(b.transport.self, bytes(`${index}`)));
      await world.run(5_000);
      return b.posts.join();
    };
    expect(await log()).toBe(await log());
  });
});
