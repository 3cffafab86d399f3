/** Ids that never pass for one another, though all are text. */

declare const brand: unique symbol;

export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A node or client: the base58 text of the libp2p PeerId of its Ed25519 key, `12D3Koo…`. */
export type PeerId = Branded<string, "PeerId">;
/** A cluster: 32 hexadecimal digits, made with its first node. */
export type ClusterId = Branded<string, "ClusterId">;
/** SHA-256 of some bytes: 64 hexadecimal digits. */
export type BlobHash = Branded<string, "BlobHash">;
/** A multiaddr that ends in `/p2p/<PeerId>`, or lacks that part where the peer is known. */
export type Address = Branded<string, "Address">;
