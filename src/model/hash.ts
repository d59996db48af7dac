/** Hashes of 32 bits, for tables and for choosing a shard: unsigned numbers. They identify nothing. */

/** FNV-1a, whose weak bits are mixed. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return mixed(hash);
}

/** The finish of MurmurHash3: every bit of the input changes half of the output's. */
export function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * A table of open addressing that is filled anew: `size` slots, a power of two, of which at most half are taken, each with the number of a hash + 1.
 * 0 is nothing.
 */
export function slotsOf(size: number, hashes: Uint32Array, count: number): Uint32Array<ArrayBuffer> {
  const slots = new Uint32Array(size);
  const mask = size - 1;
  for (let id = 0; id < count; id++) {
    let slot = hashes[id]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id + 1;
  }
  return slots;
}
