/**
 * A native histogram: one sample of a series whose values are distributions. Integer histograms count observations in whole numbers, float
 * histograms in any. It is the shape and what makes it valid; how it stands in messages and chunks is said in encoding/ and block/.
 *
 * Invariant of `values`: nobody reads a NaN out of it as a number to store it again, so the bits of a sum that is a stale marker stay.
 *
 * Source: prometheus/prometheus, model/histogram.
 */

import { STALE_HI, STALE_LO } from './sample.ts';

/** What the sender knows of a counter reset (prompb Histogram.ResetHint). A gauge histogram has none by definition. */
export const HINT_UNKNOWN = 0;
export const HINT_RESET = 1;
export const HINT_NO_RESET = 2;
export const HINT_GAUGE = 3;
export type ResetHint = 0 | 1 | 2 | 3;

/** Exponential buckets: each power of two is divided into 2^schema. Higher ones (up to 52) are known, and reduced when they come. */
export const SCHEMA_MIN = -4;
export const SCHEMA_MAX = 8;
export const SCHEMA_MAX_RESERVED = 52;
/** Buckets with bounds of their own (NHCB). */
export const SCHEMA_CUSTOM = -53;

/** Integer counts above this are refused: differences of differences of counts must be exact in a double. Prometheus ends at 2^63. */
export const COUNT_MAX = 2 ** 51;

/** What all histograms of a chunk have in common. */
export interface Layout {
  readonly schema: number;
  readonly zeroThreshold: number;
  /**
   * Offset and length by turns. An offset is the gap to the span before; of the first span the index of its first bucket. No span is empty
   * and no gap but the first is 0, so equal buckets have equal spans.
   */
  readonly positiveSpans: Int32Array;
  readonly negativeSpans: Int32Array;
  /** Upper bounds of the buckets, ascending; only with SCHEMA_CUSTOM. */
  readonly customValues: Float64Array;
}

/** Places in `values`; the positive buckets come behind, then the negative ones. */
export const AT_COUNT = 0;
export const AT_ZERO_COUNT = 1;
export const AT_SUM = 2;
export const AT_BUCKETS = 3;

export interface Histogram extends Layout {
  readonly isFloat: boolean;
  readonly resetHint: ResetHint;
  /**
   * Count, zero count, sum, and the buckets. Those of an integer histogram are as on the wire: the first of each side as it is, the others as the
   * difference to the one before. Those of a float histogram are counts.
   */
  readonly values: Float64Array;
}

/** Which half of a double's two 32-bit words is the low one: as the machine has them. */
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;

/** The bits of `values`, to be read with highWord and lowWord. */
export const wordsOf = (values: Float64Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
export const highWord = (words: Uint32Array, i: number): number => words[2 * i + 1 - LOW]!;
export const lowWord = (words: Uint32Array, i: number): number => words[2 * i + LOW]!;
export function setWords(words: Uint32Array, i: number, hi: number, lo: number): void {
  words[2 * i + 1 - LOW] = hi;
  words[2 * i + LOW] = lo;
}

/** Whether it is the marker that ends a series; nothing but its sum means anything then. */
export function isStale({ values }: Histogram): boolean {
  const words = wordsOf(values);
  return highWord(words, AT_SUM) === STALE_HI && lowWord(words, AT_SUM) === STALE_LO;
}

const NO_SPANS = new Int32Array(0);
const NO_VALUES = new Float64Array(0);

/** A stale marker as Prometheus stores it: with nothing but the sum. */
export function staleHistogram(isFloat: boolean, resetHint: ResetHint): Histogram {
  const values = new Float64Array(AT_BUCKETS);
  setWords(wordsOf(values), AT_SUM, STALE_HI, STALE_LO);
  return {
    isFloat,
    resetHint,
    schema: 0,
    zeroThreshold: 0,
    positiveSpans: NO_SPANS,
    negativeSpans: NO_SPANS,
    customValues: NO_VALUES,
    values,
  };
}

/** What a histogram like this one began with: nothing was observed, in buckets of the same schema (prometheus/prometheus, tsdb/agent/db_append_v2.go). */
export const zeroHistogram = ({ isFloat, schema, zeroThreshold, customValues }: Histogram): Histogram => ({
  isFloat,
  resetHint: HINT_RESET,
  schema,
  zeroThreshold,
  positiveSpans: NO_SPANS,
  negativeSpans: NO_SPANS,
  customValues,
  values: new Float64Array(AT_BUCKETS),
});

/** How many buckets spans are of. */
export function bucketCount(spans: Int32Array): number {
  let count = 0;
  for (let i = 1; i < spans.length; i += 2) count += spans[i]!;
  return count;
}

/** The index of each bucket, ascending. */
export function bucketIndexes(spans: Int32Array): Int32Array {
  const indexes = new Int32Array(bucketCount(spans));
  for (let i = 0, at = 0, index = 0; i < spans.length; i += 2) {
    index += spans[i]!;
    for (let left = spans[i + 1]!; left > 0; left--) indexes[at++] = index++;
  }
  return indexes;
}

/** The spans of buckets, given by ascending indexes. */
export function spansOf(indexes: Int32Array): Int32Array {
  const spans: number[] = [];
  for (let i = 0, next = 0; i < indexes.length; i++) {
    const gap = indexes[i]! - next;
    if (i > 0 && gap === 0) spans[spans.length - 1]!++;
    else spans.push(gap, 1);
    next = indexes[i]! + 1;
  }
  return Int32Array.from(spans);
}

/** Absolute counts of buckets [from, to) of `values`; of a float histogram those themselves. */
export function bucketCounts({ isFloat, values }: Histogram, from: number, to: number): Float64Array {
  if (isFloat) return values.subarray(from, to);
  const counts = new Float64Array(to - from);
  for (let i = from, count = 0; i < to; i++) counts[i - from] = count += values[i]!;
  return counts;
}

/** Whether two histograms are the same sample, bit by bit. What their senders know of resets does not count, as in Prometheus. */
export function sameHistogram(a: Histogram, b: Histogram): boolean {
  return a.isFloat === b.isFloat && sameLayout(a, b) && sameItems(wordsOf(a.values), wordsOf(b.values));
}

export function sameLayout(a: Layout, b: Layout): boolean {
  return sameSchema(a, b) && sameBuckets(a, b);
}

export function sameBuckets(a: Layout, b: Layout): boolean {
  return sameItems(a.positiveSpans, b.positiveSpans) && sameItems(a.negativeSpans, b.negativeSpans);
}

/** Whether a bucket of the same index is the same bucket. */
export function sameSchema(a: Layout, b: Layout): boolean {
  return a.schema === b.schema && a.zeroThreshold === b.zeroThreshold && sameItems(a.customValues, b.customValues);
}

function sameItems<T extends Int32Array | Uint32Array | Float64Array>(a: T, b: T): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
