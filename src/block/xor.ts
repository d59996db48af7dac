/**
 * XOR chunks (encoding 1): float samples of one series, after Facebook's Gorilla paper as Prometheus changed it. It is not a
 * block's chunk record (chunks.ts adds length, encoding and checksum). Values are two 32-bit halves of their IEEE 754 bits
 * throughout, so that every NaN payload survives; timestamps are whole milliseconds that a double holds exactly.
 *
 * Format, bit by bit: FORMAT.md, XOR chunk. Source: prometheus/prometheus, tsdb/chunkenc/xor.go and tsdb/docs/format/chunks.md.
 */

import { BitReader, BitWriter } from './bits.ts';
import { BlockError } from './error.ts';

/** Most samples in one chunk: the count is a u16. */
export const CHUNK_SAMPLES_MAX = 65_535;

/** Samples as columns: Unix ms, and the high and low half of the value's bits. All three have the same length. */
export interface SampleColumns {
  t: Float64Array;
  hi: Uint32Array;
  lo: Uint32Array;
}

/** Makes one chunk after another; reset() begins the next. */
export class XorEncoder {
  /** Samples in the chunk so far. */
  count = 0;
  #bits = new BitWriter();
  // In typed arrays, for a number field that leaves 31 bits becomes an object on the heap (a fifth of the time of append()).
  /** The last sample's timestamp, and its distance to the one before. */
  #time = new Float64Array(2);
  /** The halves of the last sample's value. */
  #value = new Int32Array(2);
  /** The window: how many leading and trailing bits of the last stored difference are 0. -1 while there is none. */
  #leading = -1;
  #trailing = 0;

  constructor() {
    this.reset();
  }

  /** Forgets everything: the next sample is the first of a new chunk. */
  reset(): void {
    this.count = 0;
    this.#leading = -1;
    this.#bits.reset();
    this.#bits.write(0, 16); // The count's place.
  }

  /**
   * Adds a sample: `t` in Unix ms (a safe integer, greater than the last), the halves of the value's bits. Throws BlockError
   * when the time is not so, is more than 2^53 ms after the last, or when the chunk is full.
   */
  append(t: number, hi: number, lo: number): void {
    const time = this.#time;
    const value = this.#value;
    const count = this.count;
    const delta = t - time[0]!;
    if (count >= 2) {
      if (!isStep(t, delta) || count >= CHUNK_SAMPLES_MAX) this.#refuse(t);
      const dod = delta - time[1]!;
      if (dod === 0) this.#bits.write(0, 1);
      else this.#writeDod(dod);
      this.#writeValue(hi ^ value[0]!, lo ^ value[1]!);
    } else if (count === 1) {
      if (!isStep(t, delta)) this.#refuse(t);
      writeUvarint(this.#bits, delta);
      this.#writeValue(hi ^ value[0]!, lo ^ value[1]!);
    } else {
      if (!Number.isSafeInteger(t)) this.#refuse(t);
      writeVarint(this.#bits, t);
      this.#bits.write(hi, 32);
      this.#bits.write(lo, 32);
    }
    time[0] = t;
    time[1] = delta;
    value[0] = hi;
    value[1] = lo;
    this.count = count + 1;
  }

  /** Bytes of the chunk so far, the count included. */
  get byteLength(): number {
    return this.#bits.byteLength;
  }

  /** Copies the chunk's `byteLength` bytes to `out` at `at`. */
  copyTo(out: Uint8Array, at: number): void {
    this.#bits.copyTo(out, at);
    out[at] = this.count >>> 8;
    out[at + 1] = this.count;
  }

  /** The chunk as an array that owns its buffer. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.byteLength);
    this.copyTo(out, 0);
    return out;
  }

  /**
   * A delta of deltas other than 0. Each width n holds -(2^(n-1) - 1) to 2^(n-1): one more above 0 than two's complement would, one fewer
   * below. Prefix and number are written in one go where they fit a word.
   */
  #writeDod(dod: number): void {
    const bits = this.#bits;
    if (dod >= -0x1fff && dod <= 0x2000) bits.write(0x8000 | (dod & 0x3fff), 16);
    else if (dod >= -0xffff && dod <= 0x10000) bits.write(0xc0000 | (dod & 0x1ffff), 20);
    else if (dod >= -0x7ffff && dod <= 0x80000) bits.write(0xe00000 | (dod & 0xfffff), 24);
    else {
      // Both deltas are safe integers above 0, so their difference is exact; `>>>` takes the low half modulo 2^32.
      bits.write(0xf, 4);
      bits.write(Math.floor(dod / 0x1_0000_0000) | 0, 32);
      bits.write(dod >>> 0, 32);
    }
  }

  /** Says why not. Apart from append(), which must stay small to be compiled well. */
  #refuse(t: number): never {
    const last = this.#time[0]!;
    if (!Number.isSafeInteger(t)) throw new BlockError(`timestamp ${t} is not a whole number of ms below 2^53`);
    if (t <= last) throw new BlockError(`timestamp ${t} is not after ${last}`);
    if (this.count < CHUNK_SAMPLES_MAX) throw new BlockError(`timestamp ${t} is more than 2^53 ms after ${last}`);
    throw new BlockError(`a chunk holds at most ${CHUNK_SAMPLES_MAX} samples`);
  }

  /** The difference to the last value's bits: nothing, the bits of the old window, or a new window and its bits. */
  #writeValue(hi: number, lo: number): void {
    const bits = this.#bits;
    if ((hi | lo) === 0) {
      bits.write(0, 1);
      return;
    }
    // Five bits hold the number of leading zeros, so 31 is the most that is said of them.
    const leading = hi === 0 ? 31 : Math.clz32(hi);
    const trailing = lo === 0 ? 32 + trailingZeros(hi) : trailingZeros(lo);
    if (this.#leading >= 0 && leading >= this.#leading && trailing >= this.#trailing) {
      bits.write(0b10, 2);
    } else {
      this.#leading = leading;
      this.#trailing = trailing;
      // 64 significant bits are written as 0, which their 6 bits do by themselves.
      bits.write((0b11 << 11) | (leading << 6) | ((64 - leading - trailing) & 63), 13);
    }
    const shift = this.#trailing;
    const significant = 64 - this.#leading - shift;
    if (shift >= 32) {
      bits.write(hi >>> (shift - 32), significant);
      return;
    }
    const low = shift === 0 ? lo : (lo >>> shift) | (hi << (32 - shift));
    if (significant > 32) {
      bits.write(hi >>> shift, significant - 32);
      bits.write(low, 32);
    } else {
      bits.write(low, significant);
    }
  }
}

/**
 * Decodes the chunk in bytes [start, end) of `chunk` into `out` from index `at`, and returns how many samples it held (0 for an
 * empty chunk). Spare bytes behind the last sample are allowed: Prometheus leaves one at times. Throws BlockError when the bytes
 * end too early, when time does not ascend or leaves the safe integers, and when `out` has no room: nothing is allocated by count.
 */
export function decodeXor(chunk: Uint8Array, start: number, end: number, out: SampleColumns, at: number): number {
  if (!(start >= 0 && end <= chunk.length && end - start >= 2)) {
    throw new BlockError(`no chunk in bytes ${start} to ${end} of ${chunk.length}`, start);
  }
  const count = (chunk[start]! << 8) | chunk[start + 1]!;
  const room = Math.min(out.t.length, out.hi.length, out.lo.length) - at;
  if (count > room) throw new BlockError(`chunk says ${count} samples, there is room for ${room}`, start);
  if (count === 0) return 0;
  const bits = new BitReader(chunk, start + 2, end);
  let t = readVarint(bits, start);
  let hi = bits.read(32);
  let lo = bits.read(32);
  let delta = 0;
  // Before the first window Prometheus' decoder has one of all 64 bits, and its encoder uses that after reopening a chunk.
  let leading = 0;
  let trailing = 0;
  for (let i = at; ;) {
    out.t[i] = t;
    out.hi[i] = hi;
    out.lo[i] = lo;
    if (++i === at + count) return count;

    delta = i === at + 1 ? readUvarint(bits, start) : delta + readDod(bits, start);
    t += delta;
    if (!(delta > 0 && delta <= Number.MAX_SAFE_INTEGER && t <= Number.MAX_SAFE_INTEGER)) {
      throw new BlockError(`timestamp of sample ${i - at} in the chunk does not ascend, or is beyond 2^53`, start);
    }
    if (bits.read(1) === 0) continue;
    if (bits.read(1) === 1) {
      const window = bits.read(11);
      leading = window >>> 6;
      trailing = 64 - leading - (window & 63 || 64);
      if (trailing < 0) throw new BlockError(`sample ${i - at} in the chunk has a value of more than 64 bits`, start);
    }
    const significant = 64 - leading - trailing;
    const high = significant > 32 ? bits.read(significant - 32) : 0;
    const low = bits.read(Math.min(significant, 32));
    if (trailing >= 32) {
      hi = (hi ^ (low << (trailing - 32))) >>> 0;
    } else if (trailing === 0) {
      hi = (hi ^ high) >>> 0;
      lo = (lo ^ low) >>> 0;
    } else {
      hi = (hi ^ ((high << trailing) | (low >>> (32 - trailing)))) >>> 0;
      lo = (lo ^ (low << trailing)) >>> 0;
    }
  }
}

function isStep(t: number, delta: number): boolean {
  return Number.isSafeInteger(t) && delta > 0 && delta <= Number.MAX_SAFE_INTEGER;
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function writeUvarint(bits: BitWriter, value: number): void {
  for (; value >= 128; value = Math.floor(value / 128)) bits.write((value % 128) | 128, 8);
  bits.write(value, 8);
}

/** Zigzag: the sign is the lowest bit. The first byte is split off by itself, for twice the number may not fit a double. */
function writeVarint(bits: BitWriter, value: number): void {
  const sign = value < 0 ? 1 : 0;
  const magnitude = value < 0 ? -(value + 1) : value;
  const rest = Math.floor(magnitude / 64);
  bits.write(((magnitude % 64) << 1) | sign | (rest > 0 ? 128 : 0), 8);
  if (rest > 0) writeUvarint(bits, rest);
}

/** Up to 2^53; more throws. */
function readUvarint(bits: BitReader, start: number): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 56; scale *= 128) {
    const byte = bits.read(8);
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new BlockError('varint in the chunk is beyond 2^53', start);
}

function readVarint(bits: BitReader, start: number): number {
  const byte = bits.read(8);
  const magnitude = ((byte & 127) >>> 1) + (byte < 128 ? 0 : 64 * readUvarint(bits, start));
  const value = byte & 1 ? -magnitude - 1 : magnitude;
  if (!Number.isSafeInteger(value))
    throw new BlockError(`first timestamp of the chunk, ${value}, is beyond 2^53`, start);
  return value;
}

function readDod(bits: BitReader, start: number): number {
  if (bits.read(1) === 0) return 0;
  if (bits.read(1) === 0) return fromBits(bits.read(14), 14);
  if (bits.read(1) === 0) return fromBits(bits.read(17), 17);
  if (bits.read(1) === 0) return fromBits(bits.read(20), 20);
  const dod = (bits.read(32) | 0) * 0x1_0000_0000 + bits.read(32);
  if (!Number.isSafeInteger(dod)) throw new BlockError('delta of deltas in the chunk is beyond 2^53', start);
  return dod;
}

/** Only what is strictly above 2^(n-1) is negative: see writeDod. */
function fromBits(bits: number, width: number): number {
  return bits > 1 << (width - 1) ? bits - (1 << width) : bits;
}
