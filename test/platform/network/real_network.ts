/** The real network for the conformance suite. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "../../../src/kernel/mod.ts";
import type { NetworkUnderTest } from "../../kernel/transport_parts.ts";
import { type Made, make, until } from "./support.ts";

export function realNetwork(): NetworkUnderTest {
  const made: Made[] = [];
  const addresses = new Map<Transport, readonly string[]>();
  return {
    create({ isClient = false } = {}) {
      const one = make(isClient ? { listen: [] } : {});
      made.push(one);
      const stop = one.transport.stop.bind(one.transport);
      one.transport.stop = async () => {
        addresses.set(one.transport, addresses.get(one.transport) ?? one.transport.addresses);
        await stop();
      };
      return one.transport;
    },
    again(stopped) {
      const before = made.find(({ transport }) => transport === stopped);
      if (before === undefined) throw new Error("not made here");
      const one = make({ keyPair: before.keyPair, listen: addresses.get(stopped) ?? [] });
      made.push(one);
      return one.transport;
    },
    run: (promise) => promise,
    until,
    pass: (ms) => sleep(ms),
    async stop() {
      await Promise.all(made.map(({ transport }) => transport.stop()));
    },
  };
}
