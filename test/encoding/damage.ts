/** Bytes for tests: written as hex, drawn from a seed, and damaged in the ways that wires and disks damage them. */

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
  const copy = Array.from(source);
  for (let n = 1 + rng.below(3); n > 0; n--) {
    const at = rng.below(Math.max(1, copy.length));
    const length = 1 + rng.below(8);
    switch (rng.below(7)) {
      case 0:
        copy[at] = (copy[at] ?? 0) ^ (1 << rng.below(8));
        break;
      case 1:
        copy[at] = rng.next() & 0xff;
        break;
      case 2:
        copy[at] = [0x00, 0x7f, 0x80, 0xff][rng.below(4)]!;
        break;
      case 3:
        copy.length = at;
        break;
      case 4:
        copy.splice(at, length);
        break;
      case 5:
        copy.splice(at, 0, ...copy.slice(at, at + length));
        break;
      default:
        copy.splice(at, 0, ...rng.bytes(length));
    }
  }
  return Uint8Array.from(copy);
}
