/** A client's ports on this machine. */
import { type ClientOptions, type ClientPorts, ClusterClient } from "../client/mod.ts";
import { askToJoin, type Credentials, type JoinInvitation, withPeer } from "../cluster/mod.ts";
import type { Log } from "../kernel/mod.ts";
import { systemClock } from "./clock.ts";
import { createKeys } from "./keys.ts";
import { createTransport } from "./network/mod.ts";
import { systemRandom } from "./random.ts";

/** Clients report by errors; what the transport would log is not for their users. */
const SILENT: Log = { write: () => undefined };

export type OpenOptions = Omit<ClientOptions, "ports">;

export function openClient(options: OpenOptions): Promise<ClusterClient> {
  const ports: ClientPorts = {
    clock: systemClock,
    keys: createKeys(),
    random: systemRandom,
    log: SILENT,
    transport: createTransport({ keyPair: options.credentials.key, log: SILENT }),
  };
  return ClusterClient.open({ ...options, ports });
}

/** Exchanges a token for credentials, under a new key. Errors as of `askToJoin`. */
export async function login(
  invitation: JoinInvitation,
  as: { readonly name: string; readonly software: string },
): Promise<Credentials> {
  const keys = createKeys();
  const key = keys.create();
  const transport = createTransport({ keyPair: key, log: SILENT });
  await transport.start({
    credential: () => new Uint8Array(),
    admit: () => ({ kind: "guest" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("clients serve nothing"),
  });
  try {
    const grant = await askToJoin({ clock: systemClock, keys, transport }, invitation, { ...as, member: null });
    const others = grant.members.flatMap(({ peer, addresses }) => addresses.map((address) => withPeer(address, peer)));
    const addresses = [...new Set([...invitation.addresses, ...others])].slice(0, 16);
    return { name: as.name, cluster: grant.cluster, addresses, key, certificate: grant.certificate };
  } finally {
    await transport.stop();
  }
}
