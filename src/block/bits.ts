/**
 * A stream of bits, most significant first, as XOR chunks are made of. It knows nothing of samples. Both sides hold one 32-bit
 * word and touch memory once a word: no shift ever reaches 32, which in JavaScript would be a shift by 0.
 */

import { BlockError } from './error.ts';
import { keepShape } from '../model/shape.ts';

export class BitWriter {
  #bytes = new Uint8Array(1280);
  #view = new DataView(this.#bytes.buffer);
  /** Bytes that are complete. */
  #at = 0;
  /** Bits not stored yet, at the word's upper end. */
  #word = 0;
  /** Bits still free in the word, 1 to 32. */
  #free = 32;

  reset(): void {
    this.#at = 0;
    this.#word = 0;
    this.#free = 32;
  }

  /** Appends the low `count` bits (1 to 32) of `value`. Bits above them must be 0 unless `count` is 32. */
  write(value: number, count: number): void {
    const free = this.#free;
    if (count < free) {
      this.#word |= value << (free - count);
      this.#free = free - count;
      return;
    }
    const rest = count - free;
    const at = this.#at;
    // Room for this word and the next, which copyTo() lays down unfinished.
    if (at + 8 > this.#bytes.length) this.#grow();
    this.#view.setUint32(at, this.#word | (value >>> rest));
    this.#at = at + 4;
    this.#word = rest === 0 ? 0 : value << (32 - rest);
    this.#free = 32 - rest;
  }

  /** Bytes so far, the last one padded with zero bits. */
  get byteLength(): number {
    return this.#at + ((39 - this.#free) >>> 3);
  }

  /** Copies `byteLength` bytes to `out` at `at`. The stream can be written on. */
  copyTo(out: Uint8Array, at: number): void {
    this.#view.setUint32(this.#at, this.#word);
    const { byteLength } = this;
    // A call into the engine costs more than a few moves.
    if (byteLength > 64) out.set(this.#bytes.subarray(0, byteLength), at);
    else for (let i = 0, bytes = this.#bytes; i < byteLength; i++) out[at + i] = bytes[i]!;
  }

  #grow(): void {
    const bytes = new Uint8Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #word = 0;
  /** Bits of the word not read yet, 0 to 32: its low ones. */
  #left = 0;

  /** Reads `bytes` from `start` to `end` (exclusive), which the caller has checked to be inside. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** The next `count` bits (1 to 32) as an unsigned number. Throws BlockError behind the last bit. */
  read(count: number): number {
    const left = this.#left;
    if (count <= left) {
      this.#left = left - count;
      return ((this.#word >>> (left - count)) << (32 - count)) >>> (32 - count);
    }
    const missing = count - left;
    const high = left === 0 ? 0 : this.#word & ((1 << left) - 1);
    this.#fill();
    if (missing > this.#left) throw new BlockError('chunk ends in the middle of a sample', this.#end);
    this.#left -= missing;
    const low = this.#word >>> this.#left;
    return missing === 32 ? low : ((high << missing) | low) >>> 0;
  }

  #fill(): void {
    const bytes = this.#bytes;
    const at = this.#at;
    const count = Math.min(4, this.#end - at);
    if (count === 4) {
      this.#word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    } else {
      this.#word = 0;
      for (let i = 0; i < count; i++) this.#word = (this.#word << 8) | bytes[at + i]!;
    }
    this.#at = at + count;
    this.#left = 8 * count;
  }
}

keepShape(new BitReader(new Uint8Array(0), 0, 0));
