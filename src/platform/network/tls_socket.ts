/** TLS 1.3 with certificates of both sides, on the sockets of the runtime; the PeerId comes from the certificate. */
import { type ConnectionOptions, connect as connectTls, type TLSSocket, type TlsOptions } from "node:tls";
import { type Keys, type PeerId, TransportError } from "../../kernel/mod.ts";
import { formatAddress, type ParsedAddress } from "./address.ts";
import { CertificateError, type Identity, peerOfCertificate } from "./certificate.ts";
import { HANDSHAKE_TIMEOUT_MS } from "./limits.ts";

/** The muxer is agreed on within the TLS handshake, which saves a round trip ("inlined muxer negotiation"). */
const APPLICATION_PROTOCOL = "/yamux/1.0.0";

function commonOptions(identity: Identity): ConnectionOptions & TlsOptions {
  return {
    cert: identity.certificate,
    key: identity.privateKey,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    ALPNProtocols: [APPLICATION_PROTOCOL],
    // There is no authority: `provenPeer` judges the certificate.
    rejectUnauthorized: false,
  };
}

export function serverOptions(identity: Identity): TlsOptions {
  // The listener watches the time; the runtime's own limit comes after it.
  return { ...commonOptions(identity), requestCert: true, handshakeTimeout: 2 * HANDSHAKE_TIMEOUT_MS };
}

/**
 * Who is at the other end of a socket whose TLS handshake is over.
 * @throws {CertificateError} no certificate, or one that proves nothing; another protocol
 */
export function provenPeer(socket: TLSSocket, keys: Keys): PeerId {
  if (socket.alpnProtocol !== APPLICATION_PROTOCOL)
    throw new CertificateError("it does not speak the protocol of SAGE");
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) throw new CertificateError("it showed no certificate");
  return peerOfCertificate(raw, keys, Date.now());
}

export interface DialOptions {
  readonly address: ParsedAddress;
  readonly peer: PeerId;
  readonly identity: Identity;
  readonly keys: Keys;
  readonly signal: AbortSignal;
}

/**
 * A socket to `address` whose other end has proven to be `peer`.
 * @throws {TransportError} "unreachable", "wrong-peer", "refused", "timeout", "aborted"
 */
export function dialSocket({ address, peer, identity, keys, signal }: DialOptions): Promise<TLSSocket> {
  const where = formatAddress(address.host, address.port, null);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal, where));
    const family = address.kind === "dns4" ? 4 : address.kind === "dns6" ? 6 : 0;
    const socket = connectTls({
      ...commonOptions(identity),
      host: address.host,
      port: address.port,
      checkServerIdentity: () => undefined,
      ...(family === 0 ? {} : { family }),
    });
    const timer = setTimeout(() => {
      fail(new TransportError("timeout", `${where} did not answer within ${HANDSHAKE_TIMEOUT_MS / 1000} s.`));
    }, HANDSHAKE_TIMEOUT_MS);
    const onAbort = (): void => fail(abortError(signal, where));
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: TransportError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", (error) => fail(connectError(error, where)));
    socket.once("close", () => fail(new TransportError("unreachable", `${where} closed the connection.`)));
    socket.once("secureConnect", () => {
      try {
        const proven = provenPeer(socket, keys);
        if (proven !== peer) return fail(wrongPeer(where, peer, proven));
      } catch (error) {
        if (!(error instanceof CertificateError)) throw error;
        return fail(new TransportError("refused", `${where} is not a node of SAGE: ${error.message}.`));
      }
      settle();
      socket.removeAllListeners("close");
      resolve(socket);
    });
  });
}

function abortError(signal: AbortSignal, where: string): TransportError {
  const { reason } = signal as { reason: unknown };
  return reason instanceof TransportError
    ? reason
    : new TransportError("aborted", `Connecting to ${where} was given up.`);
}

function wrongPeer(where: string, peer: PeerId, proven: PeerId): TransportError {
  return new TransportError("wrong-peer", `At ${where} there is ${proven}, not ${peer}. Use the address of that node.`);
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "no route to that host",
  ENETUNREACH: "no route to that network",
  ENOTFOUND: "the name is not known",
  ECONNRESET: "the connection was reset",
};

function connectError(error: Error & { code?: string }, where: string): TransportError {
  const other = /SSL routines/.test(error.message) ? "what listens there is no sage node" : error.message;
  const cause = CAUSES[error.code ?? ""] ?? other;
  return new TransportError("unreachable", `Cannot reach ${where}: ${cause}.`, { cause: error });
}
