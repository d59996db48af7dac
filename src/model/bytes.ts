/** Arrays of bytes. Those that cross an object's door own their whole buffer: RPC sends, and reveals, all of the buffer under a view. */

/** The same bytes in a buffer of their own; copies only when the array is a view of something larger. */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer) {
    return bytes as Uint8Array<ArrayBuffer>;
  }
  return bytes.slice() as Uint8Array<ArrayBuffer>;
}

/** Throws when an array is a view of a larger buffer: called on both sides of an RPC, where a view would leak its neighbours. */
export function assertOwned(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength !== bytes.buffer.byteLength) {
    throw new Error(
      `bytes must own their buffer to cross an object's door: a view of ${bytes.byteLength} B would move ${bytes.buffer.byteLength} B (use owned())`,
    );
  }
  return bytes;
}

/** One array holding all parts, in order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.byteLength;
  }
  return out;
}

/** Compares two byte strings as Go compares strings. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
