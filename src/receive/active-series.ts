/**
 * How many different series a shard saw lately, and which of a request are new: linear counting (Whang et al., 1990) over hashes of
 * their labels, one bit a hash. A series is active for 10 to 20 minutes after it was seen last: there are two bitmaps, the older is forgotten every ten
 * minutes.
 *
 * Its error: there are eight bits or more for every series of the limit. The count is within 1 % of the truth (0.3 % is its standard
 * error at 1,000 series, less with more), and a new series is taken for a known one where its bit is set already: by chance of one in
 * nine when the limit is reached, less before.
 *
 * As bytes, little endian: version 1 (u32), the limit (u32), since when the newer bitmap counts (f64, Unix ms), the newer bitmap, the older.
 */

import { SERIES_LIMIT_MAX } from './limits.ts';

const WINDOW_MS = 10 * 60 * 1000;
const BITS_MIN = 1 << 16;
const VERSION = 1;
const HEADER_BYTES = 16;
/** A sketch has a megabyte at most. */
const SKETCH_BITS_MAX = 1 << 23;

/**
 * Which series were active, for whoever is to tell without the shard what it would refuse. A larger bitmap is folded: a new series is taken for a
 * known one more often then, a known one never for a new one.
 */
export interface Sketch {
  /** One for each series by its hash, modulo their number, which is a power of two. In a buffer of its own. */
  readonly bits: Uint32Array<ArrayBuffer>;
  /** How many new series there was room for, and when more may be, Unix ms: until then it only gets less. */
  readonly room: number;
  readonly untilMs: number;
  readonly active: number;
  readonly seriesMax: number;
}

/** How many series, at least, were not active when the sketch was made. */
export const freshIn = ({ bits }: Sketch, hashes: Uint32Array): number => {
  const marked = mark(bits, hashes);
  for (const bit of marked) bits[bit >>> 5]! &= ~(1 << (bit & 31));
  return marked.length;
};

/** Sets the bits of the hashes, and returns those that were not set. The bitmap has a power of two of them. */
function mark(bits: Uint32Array, hashes: Uint32Array): number[] {
  const mask = bits.length * 32 - 1;
  const marked: number[] = [];
  for (const hash of hashes) {
    const bit = hash & mask;
    const flag = 1 << (bit & 31);
    if ((bits[bit >>> 5]! & flag) !== 0) continue;
    bits[bit >>> 5]! |= flag;
    marked.push(bit);
  }
  return marked;
}

function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export const tooManySeries = (active: number, seriesMax: number, fresh: number): string =>
  `about ${active} series are active, at most ${seriesMax} may be (series_limit in NARTHEX_LIMITS), and ${fresh} of the request are new; nothing of it was kept`;

export class ActiveSeries {
  readonly seriesMax: number;
  readonly #bitsMax: number;
  #current: Uint32Array;
  #previous: Uint32Array;
  /** Bits of `#current`, and of both together. */
  #currentBits = 0;
  #bits = 0;
  #sinceMs = 0;
  #isStored = true;

  constructor(seriesMax: number) {
    this.seriesMax = seriesMax;
    const bits = Math.max(BITS_MIN, 2 ** Math.ceil(Math.log2(seriesMax * 8)));
    // So many are set by as many series as there may be, rounded.
    this.#bitsMax = Math.floor(-bits * Math.expm1(-(seriesMax + 0.5) / bits));
    this.#current = new Uint32Array(bits / 32);
    this.#previous = new Uint32Array(bits / 32);
  }

  /** How many series are active. */
  estimate(): number {
    const bits = this.#current.length * 32;
    return Math.round(-bits * Math.log1p(-Math.min(this.#bits, bits - 1) / bits));
  }

  /**
   * Counts the series of a request, a hash each. When some are new and the limit does not allow them, nothing is counted, and the
   * answer is how many are new; else null.
   */
  add(nowMs: number, hashes: Uint32Array): number | null {
    this.#rotate(nowMs);
    const marked = mark(this.#current, hashes);
    let fresh = 0;
    for (const bit of marked) if ((this.#previous[bit >>> 5]! & (1 << (bit & 31))) === 0) fresh++;
    if (fresh > 0 && this.#bits + fresh > this.#bitsMax) {
      for (const bit of marked) this.#current[bit >>> 5]! &= ~(1 << (bit & 31));
      return fresh;
    }
    this.#bits += fresh;
    this.#currentBits += marked.length;
    if (marked.length > 0) this.#isStored = false;
    return null;
  }

  /** Counts series that were let in before, whatever the limit is; `atMs` is when they came. */
  recall(atMs: number, hashes: Uint32Array): void {
    this.#rotate(atMs);
    const marked = mark(this.#current, hashes);
    for (const bit of marked) if ((this.#previous[bit >>> 5]! & (1 << (bit & 31))) === 0) this.#bits++;
    this.#currentBits += marked.length;
    if (marked.length > 0) this.#isStored = false;
  }

  /** Whether something was counted since it was stored. */
  isChanged(): boolean {
    return !this.#isStored;
  }

  stored(): void {
    this.#isStored = true;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(HEADER_BYTES + this.#current.byteLength * 2);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, VERSION, true);
    view.setUint32(4, this.seriesMax, true);
    view.setFloat64(8, this.#sinceMs, true);
    new Uint32Array(bytes.buffer, HEADER_BYTES).set(this.#current);
    new Uint32Array(bytes.buffer, HEADER_BYTES + this.#current.byteLength).set(this.#previous);
    return bytes;
  }

  /** As it was stored; null when it was not, or not in a way that is known. */
  static decode(bytes: Uint8Array | null): ActiveSeries | null {
    if (bytes === null || bytes.byteLength < HEADER_BYTES) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const seriesMax = view.getUint32(4, true);
    if (view.getUint32(0, true) !== VERSION || seriesMax === 0 || seriesMax > SERIES_LIMIT_MAX) return null;
    const series = new ActiveSeries(seriesMax);
    const size = series.#current.byteLength;
    if (bytes.byteLength !== HEADER_BYTES + 2 * size) return null;
    series.#sinceMs = view.getFloat64(8, true);
    const own = bytes.slice().buffer;
    series.#current = new Uint32Array(own, HEADER_BYTES, size / 4);
    series.#previous = new Uint32Array(own, HEADER_BYTES + size, size / 4);
    for (let i = 0; i < size / 4; i++) {
      series.#currentBits += ones(series.#current[i]!);
      series.#bits += ones(series.#current[i]! | series.#previous[i]!);
    }
    return series;
  }

  /** What `add` would refuse until series are forgotten. */
  sketch(): Sketch {
    const size = Math.min(this.#current.length, SKETCH_BITS_MAX / 32);
    const bits = new Uint32Array(size);
    for (let i = 0; i < this.#current.length; i++) bits[i & (size - 1)]! |= this.#current[i]! | this.#previous[i]!;
    const room = Math.max(0, this.#bitsMax - this.#bits);
    return { bits, room, untilMs: this.#sinceMs + WINDOW_MS, active: this.estimate(), seriesMax: this.seriesMax };
  }

  #rotate(nowMs: number): void {
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs < WINDOW_MS) return;
    const old = this.#previous;
    this.#previous = this.#current;
    this.#current = old;
    this.#current.fill(0);
    this.#bits = this.#currentBits;
    this.#currentBits = 0;
    if (ageMs >= 2 * WINDOW_MS) {
      this.#previous.fill(0);
      this.#bits = 0;
    }
    this.#sinceMs = nowMs;
  }
}
