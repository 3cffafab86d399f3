/** The network of a node: the kernel's `Transport` on libp2p over TLS. */
export { parseAddress } from "./address.ts";
export { createTransport, type TransportOptions } from "./network.ts";
