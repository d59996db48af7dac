/**
 * Indices by hash, open addressing over typed arrays: making one of 10,000 entries costs a tenth of a Map of as many strings. It knows hashes only; who
 * asks compares what they stand for, one candidate after the other.
 */

import { keepShape, WIDE_ZERO } from '../../model/shape.ts';

const SLOTS_MIN = 64;

export class HashTable {
  /** Index + 1, or 0. At most half of them are taken; the length is a power of two. */
  #slots: Int32Array<ArrayBuffer>;
  #hashes: Int32Array<ArrayBuffer>;
  #count = 0;
  /** Of the search that goes on. */
  #hash = WIDE_ZERO;
  #at = 0;

  /** With room for so many, and some more. */
  constructor(count: number) {
    const length = Math.max(SLOTS_MIN, 1 << (33 - Math.clz32(count + (count >>> 3))));
    this.#slots = new Int32Array(length);
    this.#hashes = new Int32Array(length);
  }

  add(hash: number, index: number): void {
    if (++this.#count * 2 > this.#slots.length) this.#grow();
    this.#put(hash, index + 1);
  }

  /** The first index that was added with this hash, or −1. */
  first(hash: number): number {
    this.#hash = hash;
    this.#at = hash & (this.#slots.length - 1);
    return this.#candidate();
  }

  /** The one after it, or −1. */
  next(): number {
    this.#at = (this.#at + 1) & (this.#slots.length - 1);
    return this.#candidate();
  }

  #candidate(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = this.#at;
    while (slots[at] !== 0 && this.#hashes[at] !== this.#hash) at = (at + 1) & mask;
    this.#at = at;
    return slots[at]! - 1;
  }

  #put(hash: number, taken: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = hash & mask;
    while (slots[at] !== 0) at = (at + 1) & mask;
    slots[at] = taken;
    this.#hashes[at] = hash;
  }

  #grow(): void {
    const slots = this.#slots;
    const hashes = this.#hashes;
    this.#slots = new Int32Array(slots.length * 2);
    this.#hashes = new Int32Array(slots.length * 2);
    for (let i = 0; i < slots.length; i++) if (slots[i] !== 0) this.#put(hashes[i]!, slots[i]!);
  }
}

/** Of `bytes[start, end)`, eight at a time: a page's texts are all hashed when its first new one comes. */
export function hashOfBytes(bytes: DataView, start: number, end: number): number {
  let hash = end - start;
  let i = start;
  for (; i <= end - 8; i += 8) hash = mixed(hash, pair(bytes.getInt32(i, true), bytes.getInt32(i + 4, true)));
  if (i <= end - 4) {
    hash = mixed(hash, bytes.getInt32(i, true));
    i += 4;
  }
  for (; i < end; i++) hash = mixed(hash, bytes.getUint8(i));
  return spread(hash);
}

export function hashOfRefs(refs: Uint32Array | readonly number[], start: number, end: number): number {
  let hash = end - start;
  let i = start;
  for (; i <= end - 2; i += 2) hash = mixed(hash, pair(refs[i]!, refs[i + 1]!));
  if (i < end) hash = mixed(hash, refs[i]!);
  return spread(hash);
}

/** Two words as one: its product need not wait for that of the words before. */
const pair = (a: number, b: number): number => a ^ Math.imul(b, 0x9e3779b1);

/** High bits come down each time: a product alone would leave them where they are. */
function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x2c1b3c6d);
  return product ^ (product >>> 15);
}

function spread(hash: number): number {
  const product = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return product ^ (product >>> 15);
}

keepShape(new HashTable(0));
