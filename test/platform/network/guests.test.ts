import { expect, test } from "vitest";
import { make, openHooks, until } from "./support.ts";

test("a guest that does nothing for ten seconds is disconnected", async () => {
  const gone: string[] = [];
  const host = make();
  const guest = make();
  await host.transport.start(
    openHooks({
      admit: () => ({ kind: "guest" }),
      disconnected: (peer) => gone.push(peer),
      opened: (channel) => channel.receive({ data() {}, closed() {} }),
    }),
  );
  await guest.transport.start(openHooks());
  guest.transport.know(host.transport.self, host.transport.addresses);
  const startMs = performance.now();
  const channel = await guest.transport.open(host.transport.self, "/sage/join/1");
  let closedCount = 0;
  channel.receive({ data() {}, closed: () => closedCount++ });
  await until(() => gone.length === 1 && closedCount === 1, 14_000);
  expect(gone).toEqual([guest.transport.self]);
  expect(performance.now() - startMs).toBeGreaterThan(9_500);
  await Promise.all([host.transport.stop(), guest.transport.stop()]);
}, 20_000);
