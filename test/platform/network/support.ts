/** Real transports on loopback, and a network of them for the conformance suite. */
import { setTimeout as sleep } from "node:timers/promises";
import type { KeyPair, LogFields, LogLevel, PeerId, Transport, TransportHooks } from "../../../src/kernel/mod.ts";
import { createKeys } from "../../../src/platform/keys.ts";
import { createTransport, type TransportOptions } from "../../../src/platform/network/mod.ts";

export const LOOPBACK = "/ip4/127.0.0.1/tcp/0";
export const keys = createKeys();

export interface LogLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export interface Made {
  readonly transport: Transport;
  readonly keyPair: KeyPair;
  readonly lines: LogLine[];
}

export function make(options: Partial<TransportOptions> = {}): Made {
  const keyPair = options.keyPair ?? keys.create();
  const lines: LogLine[] = [];
  const log = {
    write: (level: LogLevel, event: string, fields: LogFields = {}) => lines.push({ level, event, fields }),
  };
  return { transport: createTransport({ listen: [LOOPBACK], log, ...options, keyPair }), keyPair, lines };
}

/** Hooks that let everybody in and take nothing. */
export function openHooks(more: Partial<TransportHooks> = {}): TransportHooks {
  return {
    credential: () => new Uint8Array(1),
    admit: (_peer: PeerId, _credential: Uint8Array) => ({ kind: "member" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("not served"),
    ...more,
  };
}

export async function until(holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not so within ${timeoutMs} ms: ${holds}`);
    await sleep(2);
  }
}
