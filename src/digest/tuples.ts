/**
 * Tuples of numbers, each kept once and known by a number: 0, 1, 2 … in the order they came. The numbers are symbols or labels here,
 * a tuple is mostly a label set as some message spells it. Two tuples have the same id exactly when they are equal: hashes only
 * say where to look.
 */

import { U32List } from '../block/lists.ts';

export class TupleInterner {
  readonly #items = new U32List();
  readonly #ends = new U32List();
  /** The first hash says where a tuple is looked for; the second tells most others apart without comparing them. */
  readonly #hashes = new U32List();
  readonly #tags = new U32List();
  /** Open addressing: id + 1, or 0 where nothing is. At most half full. */
  #slots = new Uint32Array(2048);
  readonly #seed1: number;
  readonly #seed2: number;

  constructor(seed: number) {
    this.#seed1 = mix32(seed);
    this.#seed2 = mix32(seed ^ 0x9e3779b9);
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    const lists = [this.#items, this.#ends, this.#hashes, this.#tags];
    return lists.reduce((sum, { items }) => sum + items.byteLength, this.#slots.byteLength);
  }

  /** All tuples one after the other; where each one is, start() and end() say. Valid until the next intern(). */
  get items(): Uint32Array {
    return this.#items.items;
  }

  start(id: number): number {
    return id === 0 ? 0 : this.#ends.items[id - 1]!;
  }

  /** Exclusive. */
  end(id: number): number {
    return this.#ends.items[id]!;
  }

  /** The number of the first `size` items of `tuple`. */
  intern(tuple: Uint32Array, size: number): number {
    let hash = this.#seed1 ^ size;
    let tag = this.#seed2 ^ size;
    for (let i = 0; i < size; i++) {
      const item = tuple[i]!;
      hash = Math.imul(hash ^ Math.imul(item + 1, 0xcc9e2d51), 0x1b873593);
      hash ^= hash >>> 15;
      tag = Math.imul(((tag << 13) | (tag >>> 19)) + item, 0x9e3779b1);
    }
    hash = mix32(hash);
    tag = mix32(tag);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]! - 1;
      if (this.#tags.items[id] === tag && this.#isSame(id, tuple, size)) return id;
    }
    const id = this.count;
    this.#slots[slot] = id + 1;
    for (let i = 0; i < size; i++) this.#items.push(tuple[i]!);
    this.#ends.push(this.#items.length);
    this.#hashes.push(hash);
    this.#tags.push(tag);
    if (2 * this.count > this.#slots.length) this.#grow();
    return id;
  }

  #isSame(id: number, tuple: Uint32Array, size: number): boolean {
    const start = this.start(id);
    if (this.end(id) - start !== size) return false;
    const items = this.#items.items;
    for (let i = 0; i < size; i++) if (items[start + i] !== tuple[i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Uint32Array(4 * this.#slots.length);
    const mask = slots.length - 1;
    for (let id = 0; id < this.count; id++) {
      let slot = this.#hashes.items[id]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    }
    this.#slots = slots;
  }
}

/** Murmur3's finish: every bit of the input reaches every bit of the output. Unsigned. */
function mix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
