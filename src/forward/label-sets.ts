/**
 * What is known of label sets that are lists of numbers: a hash table without an object or a text a label set.
 *
 * The one invariant: label sets are compared number by number, so that what is known of one is never taken for another's.
 */

const SLOTS_MIN = 1024;

export class LabelSets<T> {
  readonly #values: T[] = [];
  /** All label sets, one after the other, and where each ends. */
  #numbers = new Uint32Array(SLOTS_MIN * 4);
  #ends = new Uint32Array(SLOTS_MIN / 2);
  #hashes = new Int32Array(SLOTS_MIN / 2);
  /** Open addressing, at most half full: place + 1, or 0. The length is a power of two. */
  #slots = new Uint32Array(SLOTS_MIN);
  /** The place that was found last. Label sets come again in the order in which they came, so the next one is looked at first. */
  #last = -1;

  /** About, with 100 bytes a value. */
  get bytes(): number {
    return this.#numbers.byteLength + this.#slots.byteLength * 2 + this.#values.length * 100;
  }

  /** What is known of `numbers[0, length)`. */
  get(numbers: Uint32Array, length: number): T | undefined {
    const next = this.#last + 1;
    if (this.#equals(next, numbers, length)) {
      this.#last = next;
      return this.#values[next];
    }
    const hash = hashOf(numbers, length);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask, held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#hashes[held - 1] === hash && this.#equals(held - 1, numbers, length)) {
        this.#last = held - 1;
        return this.#values[held - 1];
      }
      slot = (slot + 1) & mask;
    }
    return undefined;
  }

  /** Adds what is not known yet. */
  add(numbers: Uint32Array, length: number, value: T): void {
    const place = this.#values.push(value) - 1;
    const start = place === 0 ? 0 : this.#ends[place - 1]!;
    while (start + length > this.#numbers.length) this.#numbers = doubled(this.#numbers);
    for (let i = 0; i < length; i++) this.#numbers[start + i] = numbers[i]!;
    this.#ends[place] = start + length;
    this.#hashes[place] = hashOf(numbers, length);
    this.#put(place);
    this.#last = place;
    if (this.#values.length < this.#ends.length) return;
    this.#ends = doubled(this.#ends);
    const hashes = new Int32Array(this.#ends.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let i = 0; i <= place; i++) this.#put(i);
  }

  #put(place: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[place]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = place + 1;
  }

  #equals(place: number, numbers: Uint32Array, length: number): boolean {
    if (place >= this.#values.length) return false;
    const held = this.#numbers;
    const start = place === 0 ? 0 : this.#ends[place - 1]!;
    if (this.#ends[place]! - start !== length) return false;
    for (let i = 0; i < length; i++) if (held[start + i] !== numbers[i]) return false;
    return true;
  }
}

function doubled(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(column.length * 2);
  wide.set(column);
  return wide;
}

function hashOf(numbers: Uint32Array, length: number): number {
  let hash = length;
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ numbers[i]!, 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash;
}
