/** Base58 with Bitcoin's alphabet, for short values such as PeerIds: the time grows with the square of the length. */

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export function base58Text(bytes: Uint8Array): string {
  const digits: number[] = [];
  for (const byte of bytes) {
    let carry = byte;
    for (let index = 0; index < digits.length; index++) {
      carry += (digits[index] as number) << 8;
      digits[index] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58);
  }
  const zeros = countWhile(bytes, (byte) => byte === 0);
  return (
    "1".repeat(zeros) +
    digits
      .reverse()
      .map((digit) => ALPHABET.charAt(digit))
      .join("")
  );
}

/** Null when `text` has a character that is not of the alphabet. */
export function base58Bytes(text: string): Uint8Array | null {
  const bytes: number[] = [];
  for (const character of text) {
    let carry = ALPHABET.indexOf(character);
    if (carry < 0) return null;
    for (let index = 0; index < bytes.length; index++) {
      carry += (bytes[index] as number) * 58;
      bytes[index] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  const zeros = countWhile(text, (character) => character === "1");
  return Uint8Array.from([...new Uint8Array(zeros), ...bytes.reverse()]);
}

function countWhile<T>(items: ArrayLike<T>, holds: (item: T) => boolean): number {
  let count = 0;
  while (count < items.length && holds(items[count] as T)) count++;
  return count;
}
