/** 32-bit hashes that are the same on every node: places on the ring, and states in digests. */

/** Mixes all bits of `value` into all others (the finaliser of MurmurHash3). */
export function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a over the UTF-16 units, mixed. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** Of a member with hash `peerHash` in one state; never 0, which stands for "not counted". */
export function hashState(peerHash: number, incarnation: number, rank: number): number {
  const low = mix(peerHash ^ (incarnation >>> 0));
  return mix(low ^ mix(Math.floor(incarnation / 2 ** 32) * 8 + rank)) || 1;
}
