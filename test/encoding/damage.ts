/** Bytes for tests: written as hex, drawn from a seed, and damaged in the ways that wires and disks damage them. */

import { concat } from '../../src/model/bytes.ts';

/** `0a 03 61…`, spaces as you like. */
export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s/g, '').match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

/** A small deterministic generator (mulberry32), so that a failing case can be named by its seed. */
export class Rng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An unsigned 32-bit number. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(n: number): number {
    return this.next() % n;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() & 0xff);
  }
}

/** A damaged copy: some bits flipped, bytes replaced, cut short, a piece removed, doubled or inserted. */
export function mutate(source: Uint8Array, rng: Rng): Uint8Array {
  let copy = source.slice();
  for (let n = 1 + rng.below(3); n > 0 && copy.length > 0; n--) {
    const at = rng.below(copy.length);
    const piece = copy.subarray(at, at + 1 + rng.below(8));
    switch (rng.below(7)) {
      case 0:
        copy[at]! ^= 1 << rng.below(8);
        break;
      case 1:
        copy[at] = rng.next();
        break;
      case 2:
        copy[at] = [0x00, 0x7f, 0x80, 0xff][rng.below(4)]!;
        break;
      case 3:
        copy = copy.slice(0, at);
        break;
      case 4:
        copy = concat([copy.subarray(0, at), copy.subarray(at + piece.length)]);
        break;
      case 5:
        copy = concat([copy.subarray(0, at), piece, copy.subarray(at)]);
        break;
      default:
        copy = concat([copy.subarray(0, at), rng.bytes(1 + rng.below(8)), copy.subarray(at)]);
    }
  }
  return copy;
}
