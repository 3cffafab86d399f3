/** A node in another process, on another runtime: echoes channels and posts. Its first line says who and where it is. */
import process from "node:process";
import { LOOPBACK, make, openHooks } from "./support.ts";

const { transport } = make({ listen: [LOOPBACK] });
await transport.start(
  openHooks({
    posted: (from, message) => transport.post(from, message.slice()),
    opened(channel) {
      channel.receive({
        data: (bytes) => {
          if (!channel.send(bytes.slice())) channel.pause();
        },
        drain: () => channel.resume(),
        end: () => channel.end(),
        closed: () => undefined,
      });
    },
  }),
);
console.log(JSON.stringify({ peer: transport.self, addresses: transport.addresses }));
process.stdin.on("end", () => {
  void transport.stop();
});
process.stdin.resume();
