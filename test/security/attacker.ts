/** What an attacker can do with a key of its own: any credential, any stream, any bytes. */
import type { Connection } from "@libp2p/interface";
import type { Address, KeyPair, PeerId } from "../../src/kernel/mod.ts";
import { protocolFrame } from "../../src/platform/network/channel.ts";
import { type HelloOutcome, sayHello } from "../../src/platform/network/hello.ts";
import { type Links, type StreamProtocol, startLinks } from "../../src/platform/network/links.ts";
import { parseAddress } from "../../src/platform/network/mod.ts";
import { Pipe } from "../../src/platform/network/pipe.ts";
import { RefusalLog } from "../../src/platform/network/refusal_log.ts";
import { keys } from "./cluster.ts";

const SILENT = { write: () => undefined };

export class Attacker {
  readonly keyPair: KeyPair;
  readonly peer: PeerId;
  readonly #links: Links;

  private constructor(keyPair: KeyPair, links: Links) {
    this.keyPair = keyPair;
    this.peer = keys.peerOf(keyPair.publicKey);
    this.#links = links;
  }

  static async start(keyPair: KeyPair = keys.create()): Promise<Attacker> {
    const links = await startLinks({
      keyPair,
      keys,
      listen: [],
      announce: [],
      refusals: new RefusalLog(SILENT, () => performance.now()),
      mdns: false,
      found: () => undefined,
      mayConnect: () => null,
      isKnownHost: () => true,
      connected: () => undefined,
      streamed: (_protocol, stream) => stream.abort(new Error("nothing is served here")),
    });
    return new Attacker(keyPair, links);
  }

  /** Encrypted, and nothing said yet. */
  connect(address: Address): Promise<Connection> {
    const parsed = parseAddress(address);
    return this.#links.dial(parsed.peer as PeerId, [parsed], AbortSignal.timeout(10_000));
  }

  /** Shows `credential`. Rejects with the victim's reason. */
  async enter(address: Address, credential: Uint8Array): Promise<{ connection: Connection; outcome: HelloOutcome }> {
    const connection = await this.connect(address);
    const pipe = await openPipe(connection, "/sage/hello/1");
    const outcome = await new Promise<HelloOutcome>((resolve, reject) => {
      sayHello(pipe, { credential, judge: () => ({ kind: "member" }), done: resolve, failed: reject });
    });
    return { connection, outcome };
  }

  stop(): Promise<void> {
    return this.#links.stop();
  }
}

export async function openPipe(connection: Connection, protocol: StreamProtocol): Promise<Pipe> {
  return new Pipe(await connection.newStream([protocol]));
}

export interface RawChannel {
  readonly send: (bytes: Uint8Array) => boolean;
  /** Bytes that came back so far. */
  readonly received: () => Uint8Array;
  readonly closed: Promise<Error | null>;
  readonly isClosed: () => boolean;
  readonly end: () => void;
}

/** A channel of `protocol` on which any bytes can be sent. */
export async function openChannel(connection: Connection, protocol: string): Promise<RawChannel> {
  const pipe = await openPipe(connection, "/sage/channel/1");
  const parts: Uint8Array[] = [];
  let isClosed = false;
  const closed = new Promise<Error | null>((resolve) => {
    pipe.receive({
      data: (bytes) => void parts.push(bytes.slice()),
      end: () => pipe.end(),
      closed: (error) => {
        isClosed = true;
        resolve(error);
      },
    });
  });
  pipe.send(protocolFrame(protocol));
  return {
    send: (bytes) => pipe.send(bytes),
    received: () => Uint8Array.from(Buffer.concat(parts)),
    closed,
    isClosed: () => isClosed,
    end: () => pipe.end(),
  };
}
