/**
 * Histogram chunks (encoding 2: integer, 3: float): histograms of one series that have one layout. The two differ only in how counts are written. Which
 * samples go into one chunk, and what its header says of counter resets, is decided elsewhere (histogram-plan.ts, digest/segment.ts).
 *
 * Format, bit by bit: FORMAT.md, histogram chunks. Source: prometheus/prometheus, tsdb/chunkenc/histogram.go and float_histogram.go.
 */

import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  AT_ZERO_COUNT,
  bucketCount,
  highWord,
  HINT_GAUGE,
  HINT_NO_RESET,
  HINT_RESET,
  HINT_UNKNOWN,
  type Histogram,
  type Layout,
  lowWord,
  type ResetHint,
  setWords,
  staleHistogram,
  wordsOf,
} from '../model/histogram.ts';
import { STALE_HI, STALE_LO } from '../model/sample.ts';
import { BitReader, BitWriter } from './bits.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_HISTOGRAM, type MixedColumns } from './columns.ts';
import { BlockError } from './error.ts';
import { readLayout, writeLayout } from './histogram-layout.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';
import { newWindows, readXor, writeXor } from './xor-value.ts';
import { CHUNK_SAMPLES_MAX } from './xor.ts';

/** Count and flags. */
const HEADER_BYTES = 3;

/** The two highest bits of the flags: a chunk that begins with a reset, one that does not for certain, one of gauges; else unknown. */
const FLAGS: Readonly<Record<ResetHint, number>> = {
  [HINT_UNKNOWN]: 0,
  [HINT_RESET]: 0x80,
  [HINT_NO_RESET]: 0x40,
  [HINT_GAUGE]: 0xc0,
};
const HINT_OF_FLAGS: readonly ResetHint[] = [HINT_UNKNOWN, HINT_NO_RESET, HINT_RESET, HINT_GAUGE];

/** Makes one chunk after another; begin() begins each. */
export class HistogramEncoder {
  /** Samples in the chunk so far. */
  count = 0;
  #isFloat = false;
  #flags = 0;
  #t = 0;
  #tDelta = 0;
  /** What the last sample had, and, of integers, how much each was above the one before. */
  #values = new Float64Array(AT_BUCKETS);
  #deltas = new Float64Array(AT_BUCKETS);
  #words = wordsOf(this.#values);
  #windows = newWindows(AT_BUCKETS);
  readonly #bits = new BitWriter();

  /** The encoding of the chunk. */
  get encoding(): number {
    return this.#isFloat ? ENCODING_FLOAT_HISTOGRAM : ENCODING_HISTOGRAM;
  }

  /** Begins a chunk of histograms of this layout. `header` is what it says of a counter reset at its first sample. */
  begin(layout: Layout, isFloat: boolean, header: ResetHint): void {
    this.count = 0;
    this.#isFloat = isFloat;
    this.#flags = FLAGS[header];
    this.#t = this.#tDelta = 0;
    const count = AT_BUCKETS + bucketCount(layout.positiveSpans) + bucketCount(layout.negativeSpans);
    this.#values = new Float64Array(count);
    this.#words = wordsOf(this.#values);
    this.#deltas = new Float64Array(isFloat ? 0 : count);
    this.#windows = newWindows(isFloat ? count : AT_BUCKETS);
    this.#bits.reset();
    this.#bits.write(0, 8 * HEADER_BYTES);
    writeLayout(this.#bits, layout);
  }

  /**
   * Adds a sample: `t` in Unix ms (a safe integer above the last), and values as in Histogram.values for the buckets of the layout. A stale
   * marker's buckets are not looked at, and only stale markers may follow it. Throws BlockError when the chunk is full, or for a bad time.
   */
  append(t: number, values: Float64Array): void {
    const tDelta = this.count === 0 ? 0 : t - this.#t;
    if (!Number.isSafeInteger(t) || (this.count > 0 && !(tDelta > 0 && Number.isSafeInteger(tDelta)))) {
      throw new BlockError(`timestamp ${t} is not after ${this.#t}, or is no whole number of ms below 2^53`);
    }
    if (this.count === CHUNK_SAMPLES_MAX) throw new BlockError(`a chunk holds at most ${CHUNK_SAMPLES_MAX} samples`);
    const words = wordsOf(values);
    const stale = highWord(words, AT_SUM) === STALE_HI && lowWord(words, AT_SUM) === STALE_LO;
    if (!stale && values.length !== this.#values.length) {
      throw new BlockError(`${values.length - AT_BUCKETS} buckets, the chunk has ${this.#values.length - AT_BUCKETS}`);
    }
    writeVarbitInt(this.#bits, this.count === 0 ? t : tDelta - this.#tDelta);
    const end = stale ? AT_BUCKETS : values.length;
    if (this.#isFloat) this.#floats(words, end);
    else this.#integers(values, words, end, stale);
    this.#t = t;
    this.#tDelta = tDelta;
    this.count++;
  }

  #integers(values: Float64Array, words: Uint32Array, end: number, stale: boolean): void {
    const bits = this.#bits;
    const first = this.count === 0;
    for (let i = 0; i < end; i++) {
      if (i === AT_SUM) {
        this.#xor(words, i, first);
        continue;
      }
      if (first) {
        if (i < AT_SUM) writeVarbitUint(bits, values[i]!);
        else writeVarbitInt(bits, values[i]!);
      } else {
        const delta = values[i]! - this.#values[i]!;
        writeVarbitInt(bits, stale ? 0 : delta - this.#deltas[i]!);
        this.#deltas[i] = delta;
      }
      this.#values[i] = values[i]!;
    }
  }

  #floats(words: Uint32Array, end: number): void {
    for (let i = 0; i < end; i++) this.#xor(words, i, this.count === 0);
  }

  #xor(words: Uint32Array, i: number, first: boolean): void {
    const hi = highWord(words, i);
    const lo = lowWord(words, i);
    if (first) {
      this.#bits.write(hi, 32);
      this.#bits.write(lo, 32);
    } else {
      writeXor(this.#bits, hi ^ highWord(this.#words, i), lo ^ lowWord(this.#words, i), this.#windows, i);
    }
    setWords(this.#words, i, hi, lo);
  }

  /** Bytes of the chunk so far, the header included. */
  get byteLength(): number {
    return this.#bits.byteLength;
  }

  /** Copies the chunk's `byteLength` bytes to `out` at `at`. */
  copyTo(out: Uint8Array, at: number): void {
    this.#bits.copyTo(out, at);
    out[at] = this.count >>> 8;
    out[at + 1] = this.count;
    out[at + 2] = this.#flags;
  }

  /** The chunk as an array that owns its buffer. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.byteLength);
    this.copyTo(out, 0);
    return out;
  }
}

/**
 * Decodes the chunk in bytes [start, end) of `chunk` into `out` from index `at`, and returns how many samples it held. The first has the hint of
 * the header; of the others only gauges have one. All share the arrays of one layout. Throws BlockError as decodeXor does.
 */
export function decodeHistograms(
  chunk: Uint8Array,
  start: number,
  end: number,
  isFloat: boolean,
  out: MixedColumns,
  at: number,
): number {
  if (!(start >= 0 && end <= chunk.length && end - start >= HEADER_BYTES)) {
    throw new BlockError(`no histogram chunk in bytes ${start} to ${end} of ${chunk.length}`, start);
  }
  const count = (chunk[start]! << 8) | chunk[start + 1]!;
  const room = out.t.length - at;
  if (count > room) throw new BlockError(`chunk says ${count} samples, there is room for ${room}`, start);
  if (count === 0) return 0;
  const header = HINT_OF_FLAGS[chunk[start + 2]! >>> 6]!;
  const bits = new BitReader(chunk, start + HEADER_BYTES, end);
  const layout = readLayout(bits, 8 * (end - start));
  const length = AT_BUCKETS + bucketCount(layout.positiveSpans) + bucketCount(layout.negativeSpans);
  const reader = isFloat ? new FloatReader(bits, length) : new IntegerReader(bits, length);
  const histograms = (out.histograms ??= []);
  let t = 0;
  let tDelta = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0) t = readVarbitInt(bits);
    else t += tDelta += readVarbitInt(bits);
    if (!Number.isSafeInteger(t) || (i > 0 && !(tDelta > 0))) {
      throw new BlockError(`timestamp of sample ${i} in the histogram chunk does not ascend, or is beyond 2^53`, start);
    }
    const values = reader.next(i === 0);
    const resetHint = i === 0 || header === HINT_GAUGE ? header : HINT_UNKNOWN;
    const histogram: Histogram =
      values === null
        ? staleHistogram(isFloat, resetHint)
        : {
            isFloat,
            resetHint,
            schema: layout.schema,
            zeroThreshold: layout.zeroThreshold,
            positiveSpans: layout.positiveSpans,
            negativeSpans: layout.negativeSpans,
            customValues: layout.customValues,
            values,
          };
    out.t[at + i] = t;
    out.hi[at + i] = 0;
    out.lo[at + i] = 0;
    histograms[at + i] = histogram;
  }
  return count;
}

/** Reads values after values; null is a stale marker. */
class IntegerReader {
  readonly #bits: BitReader;
  readonly #values: Float64Array;
  readonly #deltas: Float64Array;
  readonly #words: Uint32Array;
  readonly #windows = newWindows(AT_BUCKETS);
  readonly #xor = new Uint32Array(2);

  constructor(bits: BitReader, length: number) {
    this.#bits = bits;
    this.#values = new Float64Array(length);
    this.#deltas = new Float64Array(length);
    this.#words = wordsOf(this.#values);
  }

  next(first: boolean): Float64Array | null {
    this.#number(AT_COUNT, first, true);
    this.#number(AT_ZERO_COUNT, first, true);
    readXorValue(this.#bits, this.#windows, AT_SUM, first, this.#words, this.#xor);
    if (isStaleSum(this.#words)) return null;
    for (let i = AT_BUCKETS; i < this.#values.length; i++) this.#number(i, first, false);
    return this.#values.slice();
  }

  #number(i: number, first: boolean, unsigned: boolean): void {
    if (first) this.#values[i] = unsigned ? readVarbitUint(this.#bits) : readVarbitInt(this.#bits);
    else {
      this.#deltas[i]! += readVarbitInt(this.#bits);
      this.#values[i]! += this.#deltas[i]!;
    }
  }
}

class FloatReader {
  readonly #bits: BitReader;
  readonly #values: Float64Array;
  readonly #words: Uint32Array;
  readonly #windows: Uint8Array;
  readonly #xor = new Uint32Array(2);

  constructor(bits: BitReader, length: number) {
    this.#bits = bits;
    this.#values = new Float64Array(length);
    this.#words = wordsOf(this.#values);
    this.#windows = newWindows(length);
  }

  next(first: boolean): Float64Array | null {
    for (let i = 0; i < this.#values.length; i++) {
      readXorValue(this.#bits, this.#windows, i, first, this.#words, this.#xor);
      if (i === AT_SUM && isStaleSum(this.#words)) return null;
    }
    return this.#values.slice();
  }
}

function readXorValue(
  bits: BitReader,
  windows: Uint8Array,
  i: number,
  first: boolean,
  words: Uint32Array,
  xor: Uint32Array,
): void {
  if (first) {
    const hi = bits.read(32);
    setWords(words, i, hi, bits.read(32));
  } else {
    readXor(bits, windows, i, xor);
    setWords(words, i, highWord(words, i) ^ xor[0]!, lowWord(words, i) ^ xor[1]!);
  }
}

const isStaleSum = (words: Uint32Array): boolean =>
  highWord(words, AT_SUM) === STALE_HI && lowWord(words, AT_SUM) === STALE_LO;
