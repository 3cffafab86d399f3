import { createConnection, createServer, type Server, type Socket } from "node:net";

/** A long way to a node: what goes in at one end comes out at the other so much later, in either direction. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  delayMs = 0;

  private constructor(to: { readonly host: string; readonly port: number }) {
    this.#server = createServer((near) => {
      const far = createConnection(to);
      this.#pipe(near, far);
      this.#pipe(far, near);
    });
  }

  static async open(
    at: { readonly host: string; readonly port: number },
    to: { readonly host: string; readonly port: number },
  ): Promise<Relay> {
    const relay = new Relay(to);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once("error", reject).listen(at, resolve);
    });
    return relay;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pipe(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      setTimeout(() => to.write(bytes), this.delayMs);
    });
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      setTimeout(() => to.destroy(), this.delayMs);
    });
  }
}
