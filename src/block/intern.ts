/**
 * Byte strings, each kept once and known by a number: 0, 1, 2 … in the order they came. Nothing here becomes a JavaScript string
 * or an object, so a million labels are a few typed arrays.
 */

import { hashOf, slotsOf } from '../model/hash.ts';
import { ByteList, U32List } from './lists.ts';

export class Interner {
  #bytes = new ByteList(4096);
  #ends = new U32List();
  #hashes = new U32List();
  /** Open addressing: id + 1, or 0 where nothing is. At most half full. */
  #slots = new Uint32Array(2048);

  get count(): number {
    return this.#ends.length;
  }

  /** Bytes of memory that it takes. */
  get memory(): number {
    const numbers = this.#ends.items.length + this.#hashes.items.length + this.#slots.length;
    return this.#bytes.items.length + 4 * numbers;
  }

  /** All strings one after the other; where each one is, start() and end() say. Valid until the next intern(). */
  get bytes(): Uint8Array {
    return this.#bytes.items;
  }

  /** Where each one ends, exclusive, which is where the next begins. Valid until the next intern(). */
  get ends(): Uint32Array {
    return this.#ends.items;
  }

  start(id: number): number {
    return id === 0 ? 0 : this.#ends.items[id - 1]!;
  }

  /** Exclusive. */
  end(id: number): number {
    return this.#ends.items[id]!;
  }

  /** The number of the string in bytes [start, end) of `from`. */
  intern(from: Uint8Array, start: number, end: number): number {
    const hash = hashOf(from, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]! - 1;
      if (this.#hashes.items[id] === hash && this.is(id, from, start, end)) return id;
    }
    const id = this.count;
    this.#slots[slot] = id + 1;
    this.#bytes.append(from, start, end);
    this.#ends.push(this.#bytes.length);
    this.#hashes.push(hash);
    if (2 * this.count > this.#slots.length)
      this.#slots = slotsOf(2 * this.#slots.length, this.#hashes.items, this.count);
    return id;
  }

  /** Whether bytes [start, end) of `from` are string `id`. */
  is(id: number, from: Uint8Array, start: number, end: number): boolean {
    const at = this.start(id);
    if (this.end(id) - at !== end - start) return false;
    const bytes = this.#bytes.items;
    for (let i = at - start, j = start; j < end; j++) if (bytes[i + j] !== from[j]) return false;
    return true;
  }
}
