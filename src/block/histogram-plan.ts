/**
 * Which histograms of a series go into one chunk. A chunk has one layout and no counter reset inside, so it ends where the schema, the zero threshold
 * or the custom bounds change and where a count falls; buckets that come in or go out empty do not end it: its layout is all buckets that its samples have.
 * (Prometheus, which does not know what will come, encodes a chunk again when a new bucket appears.)
 *
 * Source: prometheus/prometheus, tsdb/chunkenc/histogram.go (appendable, appendableGauge, AppendHistogram).
 */

import {
  AT_BUCKETS,
  AT_COUNT,
  AT_ZERO_COUNT,
  bucketCount,
  bucketCounts,
  bucketIndexes,
  HINT_GAUGE,
  HINT_NO_RESET,
  HINT_RESET,
  HINT_UNKNOWN,
  type Histogram,
  isStale,
  type Layout,
  type ResetHint,
  sameBuckets,
  sameSchema,
  spansOf,
  wordsOf,
} from '../model/histogram.ts';

/** No chunk has more buckets of one side, unless a single histogram does: gauges may have other buckets in every sample. */
const BUCKETS_MAX = 10_000;

export interface ChunkPlan {
  /** What the chunk's header says of its first sample. */
  readonly header: ResetHint;
  readonly layout: Layout;
  /** Behind the last sample that fits. */
  readonly end: number;
}

/**
 * The chunk that begins with sample `start`, of the first histograms in [start, end), which all are of one kind. `previous` is the histogram of
 * the same kind just before it in the series, or null.
 */
export function planChunk(
  histograms: readonly (Histogram | undefined)[],
  start: number,
  end: number,
  previous: Histogram | null,
): ChunkPlan {
  const first = histograms[start]!;
  const gauge = first.resetHint === HINT_GAUGE;
  let positive = new Buckets(first.positiveSpans);
  let negative = new Buckets(first.negativeSpans);
  let last = first;
  let lastIsStale = isStale(first);
  let i = start + 1;
  for (; i < end; i++) {
    const next = histograms[i]!;
    const nextIsStale = isStale(next);
    if (next.resetHint === HINT_RESET) break;
    if (!nextIsStale) {
      if (lastIsStale || (next.resetHint === HINT_GAUGE) !== gauge) break;
      if (gauge ? !sameSchema(last, next) : resetBetween(last, next) !== HINT_NO_RESET) break;
      if (!positive.add(next.positiveSpans) || !negative.add(next.negativeSpans)) break;
      last = next;
    }
    lastIsStale = nextIsStale;
  }
  return {
    header: headerOf(first, previous),
    layout: { ...first, positiveSpans: positive.spans(), negativeSpans: negative.spans() },
    end: i,
  };
}

function headerOf(first: Histogram, previous: Histogram | null): ResetHint {
  if (first.resetHint === HINT_GAUGE || first.resetHint === HINT_RESET) return first.resetHint;
  if (previous === null || previous.resetHint === HINT_GAUGE) return HINT_UNKNOWN;
  return isStale(first) ? HINT_NO_RESET : resetBetween(previous, first);
}

/**
 * Whether the counts of a counter fell from one histogram to the next. Unknown when the buckets cannot be compared, except that other custom
 * bounds are a reset: nobody changes them while counting.
 */
function resetBetween(a: Histogram, b: Histogram): ResetHint {
  if (isStale(a)) return HINT_UNKNOWN;
  if (b.values[AT_COUNT]! < a.values[AT_COUNT]!) return HINT_RESET;
  if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) return HINT_UNKNOWN;
  if (!sameSchema(a, b) || b.values[AT_ZERO_COUNT]! < a.values[AT_ZERO_COUNT]!) return HINT_RESET;
  const aPositive = AT_BUCKETS + bucketCount(a.positiveSpans);
  const bPositive = AT_BUCKETS + bucketCount(b.positiveSpans);
  const fell =
    countsFall(
      [a.positiveSpans, bucketCounts(a, AT_BUCKETS, aPositive)],
      [b.positiveSpans, bucketCounts(b, AT_BUCKETS, bPositive)],
    ) ||
    countsFall(
      [a.negativeSpans, bucketCounts(a, aPositive, a.values.length)],
      [b.negativeSpans, bucketCounts(b, bPositive, b.values.length)],
    );
  return fell ? HINT_RESET : HINT_NO_RESET;
}

/** Whether a bucket has fewer observations in `b` than in `a`, where one that is not there has none. */
function countsFall(a: readonly [Int32Array, Float64Array], b: readonly [Int32Array, Float64Array]): boolean {
  if (same(a[0], b[0])) {
    for (let i = 0; i < a[1].length; i++) if (a[1][i]! > b[1][i]!) return true;
    return false;
  }
  const aIndexes = bucketIndexes(a[0]);
  const bIndexes = bucketIndexes(b[0]);
  for (let i = 0, j = 0; i < aIndexes.length; i++) {
    while (j < bIndexes.length && bIndexes[j]! < aIndexes[i]!) j++;
    const count = j < bIndexes.length && bIndexes[j] === aIndexes[i] ? b[1][j]! : 0;
    if (a[1][i]! > count) return true;
  }
  return false;
}

/** The values of a histogram for the buckets of a layout that has all of its own. */
export function valuesFor(layout: Layout, h: Histogram): Float64Array {
  if (sameBuckets(layout, h)) return h.values;
  const positive = AT_BUCKETS + bucketCount(layout.positiveSpans);
  const values = new Float64Array(positive + bucketCount(layout.negativeSpans));
  values.set(h.values.subarray(0, AT_BUCKETS));
  const ownPositive = AT_BUCKETS + bucketCount(h.positiveSpans);
  place(values, AT_BUCKETS, layout.positiveSpans, h, h.positiveSpans, AT_BUCKETS, ownPositive);
  place(values, positive, layout.negativeSpans, h, h.negativeSpans, ownPositive, h.values.length);
  return values;
}

/** Whether two histograms are the same sample, as sameHistogram; but buckets that one has empty and the other not at all do not count: chunks add such. */
export function sameCounts(a: Histogram, b: Histogram): boolean {
  if (a.isFloat !== b.isFloat || isStale(a) || isStale(b)) return a.isFloat === b.isFloat && isStale(a) && isStale(b);
  if (!sameSchema(a, b)) return false;
  const spans = (a: Int32Array, b: Int32Array): Int32Array => spansOf(union(bucketIndexes(a), bucketIndexes(b)));
  const layout: Layout = {
    ...a,
    positiveSpans: spans(a.positiveSpans, b.positiveSpans),
    negativeSpans: spans(a.negativeSpans, b.negativeSpans),
  };
  const words = wordsOf(valuesFor(layout, b));
  return wordsOf(valuesFor(layout, a)).every((word, i) => word === words[i]);
}

/** Puts the buckets [from, to) of a histogram, of spans `own`, where they are among those of `spans`, from place `at` of `out`. */
function place(
  out: Float64Array,
  at: number,
  spans: Int32Array,
  h: Histogram,
  own: Int32Array,
  from: number,
  to: number,
): void {
  const counts = bucketCounts(h, from, to);
  const ownIndexes = bucketIndexes(own);
  const indexes = bucketIndexes(spans);
  for (let i = 0, j = 0, before = 0; i < indexes.length; i++) {
    const count = ownIndexes[j] === indexes[i] ? counts[j++]! : 0;
    out[at + i] = h.isFloat ? count : count - before;
    before = count;
  }
}

/** Buckets that some histograms have. */
class Buckets {
  /** The spans of the last histogram added, and of all so far: most have the same. */
  #last: Int32Array;
  #all: Int32Array | null;
  #indexes: Int32Array | null = null;

  constructor(spans: Int32Array) {
    this.#last = this.#all = spans;
  }

  /** False when they would be too many; they are as before then. */
  add(spans: Int32Array): boolean {
    if (same(spans, this.#last) || (this.#all !== null && same(spans, this.#all))) return true;
    const merged = union((this.#indexes ??= bucketIndexes(this.#last)), bucketIndexes(spans));
    if (merged.length > BUCKETS_MAX) return false;
    this.#indexes = merged;
    this.#last = spans;
    this.#all = null;
    return true;
  }

  spans(): Int32Array {
    return (this.#all ??= spansOf(this.#indexes!));
  }
}

function same(a: Int32Array, b: Int32Array): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => item === b[i]));
}

/** Both, ascending, each index once. */
function union(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  let length = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const x = i < a.length ? a[i]! : Infinity;
    const y = j < b.length ? b[j]! : Infinity;
    out[length++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return out.slice(0, length);
}
