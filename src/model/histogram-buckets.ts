/**
 * Other buckets for the same observations: fewer of them by a lower resolution, or without the empty ones.
 *
 * Source: prometheus/prometheus, model/histogram (`ReduceResolution`, `Compact`).
 */

import { AT_BUCKETS, bucketCount, bucketCounts, bucketIndexes, type Histogram, spansOf } from './histogram.ts';

/** The buckets of one side: their indexes, ascending, and how many observations each has. */
interface Side {
  readonly indexes: number[];
  readonly counts: number[];
}

/** The histogram with buckets of a lower schema, which are merged from its own. For exponential schemas alone. */
export function reduceResolution(h: Histogram, schema: number): Histogram {
  const size = 2 ** (h.schema - schema);
  return { ...withSides(h, (indexes, counts) => merged(indexes, counts, size)), schema };
}

/** The histogram without empty buckets, save in gaps of at most `emptyMax`, which are filled with empty ones. */
export function compacted(h: Histogram, emptyMax: number): Histogram {
  if (emptyMax === 0 && !hasEmpty(h)) return h;
  return withSides(h, (indexes, counts) => withoutEmpty(indexes, counts, emptyMax));
}

/** How many buckets a histogram has, on both sides. */
export const bucketsOf = ({ values }: Histogram): number => values.length - AT_BUCKETS;

function hasEmpty(h: Histogram): boolean {
  const positiveEnd = AT_BUCKETS + bucketCount(h.positiveSpans);
  return (
    bucketCounts(h, AT_BUCKETS, positiveEnd).includes(0) || bucketCounts(h, positiveEnd, h.values.length).includes(0)
  );
}

function withSides(h: Histogram, change: (indexes: Int32Array, counts: Float64Array) => Side): Histogram {
  const positiveEnd = AT_BUCKETS + bucketCount(h.positiveSpans);
  const positive = change(bucketIndexes(h.positiveSpans), bucketCounts(h, AT_BUCKETS, positiveEnd));
  const negative = change(bucketIndexes(h.negativeSpans), bucketCounts(h, positiveEnd, h.values.length));
  const values = new Float64Array(AT_BUCKETS + positive.counts.length + negative.counts.length);
  values.set(h.values.subarray(0, AT_BUCKETS));
  putCounts(values, AT_BUCKETS, positive.counts, h.isFloat);
  putCounts(values, AT_BUCKETS + positive.counts.length, negative.counts, h.isFloat);
  return {
    ...h,
    positiveSpans: spansOf(Int32Array.from(positive.indexes)),
    negativeSpans: spansOf(Int32Array.from(negative.indexes)),
    values,
  };
}

function putCounts(values: Float64Array, at: number, counts: readonly number[], isFloat: boolean): void {
  for (let i = 0; i < counts.length; i++) values[at + i] = counts[i]! - (isFloat || i === 0 ? 0 : counts[i - 1]!);
}

/** Buckets of `size` neighbours each, whose last is the one with the bound that both schemas have. */
function merged(indexes: Int32Array, counts: Float64Array, size: number): Side {
  const out: Side = { indexes: [], counts: [] };
  for (let i = 0; i < indexes.length; i++) {
    const index = Math.floor((indexes[i]! - 1) / size) + 1;
    if (out.indexes.at(-1) === index) out.counts[out.counts.length - 1]! += counts[i]!;
    else {
      out.indexes.push(index);
      out.counts.push(counts[i]!);
    }
  }
  return out;
}

function withoutEmpty(indexes: Int32Array, counts: Float64Array, emptyMax: number): Side {
  const out: Side = { indexes: [], counts: [] };
  for (let i = 0; i < indexes.length; i++) {
    if (counts[i] === 0) continue;
    const before = out.indexes.at(-1);
    if (before !== undefined && indexes[i]! - before - 1 <= emptyMax) {
      for (let empty = before + 1; empty < indexes[i]!; empty++) {
        out.indexes.push(empty);
        out.counts.push(0);
      }
    }
    out.indexes.push(indexes[i]!);
    out.counts.push(counts[i]!);
  }
  return out;
}
