/**
 * The symbol table of a 2.0 message that is made from texts that are bytes already: a text is written once, and looked up without
 * ever becoming a string. The reference of the empty text is 0. It also serves to number texts over many messages.
 */

import { BYTES, tagOf } from '../protobuf-reader.ts';
import { Writer } from '../protobuf-writer.ts';
import { keepShape } from '../../model/shape.ts';

const REQUEST_SYMBOLS = tagOf(4, BYTES);
const SLOTS_MIN = 1024;

export class SymbolTable {
  /** The fields `symbols` of the message, in the order of their references. */
  readonly out = new Writer();
  #count = 0;
  /** Per symbol: where its text stands in `out`, and its hash. */
  #start = new Uint32Array(SLOTS_MIN / 2);
  #end = new Uint32Array(SLOTS_MIN / 2);
  #hash = new Uint32Array(SLOTS_MIN / 2);
  /** Open addressing, at most half full: reference + 1, or 0. The length is a power of two. */
  #slots = new Uint32Array(SLOTS_MIN);

  constructor() {
    this.ref(new Uint8Array(0), 0, 0);
  }

  /** How many texts there are. */
  get count(): number {
    return this.#count;
  }

  /** Where a text stands in `out.bytes`; the end is exclusive. */
  startOf(ref: number): number {
    return this.#start[ref]!;
  }

  endOf(ref: number): number {
    return this.#end[ref]!;
  }

  /** The reference of `bytes[start, end)`. */
  ref(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let held = this.#slots[slot]!; held !== 0; slot = (slot + 1) & mask, held = this.#slots[slot]!) {
      if (this.#hash[held - 1] === hash && this.#equals(held - 1, bytes, start, end)) return held - 1;
    }
    const ref = this.#count++;
    this.out.field(REQUEST_SYMBOLS, bytes, start, end);
    this.#start[ref] = this.out.length - (end - start);
    this.#end[ref] = this.out.length;
    this.#hash[ref] = hash;
    this.#slots[slot] = ref + 1;
    if (this.#count === this.#start.length) this.#grow();
    return ref;
  }

  #equals(ref: number, bytes: Uint8Array, start: number, end: number): boolean {
    const held = this.out.bytes;
    let at = this.#start[ref]!;
    if (this.#end[ref]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (held[at++] !== bytes[i]) return false;
    return true;
  }

  #grow(): void {
    const double = (column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const wide = new Uint32Array(column.length * 2);
      wide.set(column);
      return wide;
    };
    this.#start = double(this.#start);
    this.#end = double(this.#end);
    this.#hash = double(this.#hash);
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let ref = 0; ref < this.#count; ref++) {
      let slot = this.#hash[ref]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = ref + 1;
    }
  }
}

keepShape(new SymbolTable());

/** FNV-1a with a finish that spreads it over the low bits, which alone choose the slot. Texts are compared on a hit. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
