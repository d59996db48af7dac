/**
 * From histograms of OTLP to native ones, as Prometheus makes them (storage/remote/otlptranslator/prometheusremotewrite/histograms.go, 3.15). What
 * OTLP cannot say of resets stays unknown. Whether the result is valid is judged with the request it goes into.
 */

import {
  AT_BUCKETS,
  type Histogram,
  SCHEMA_CUSTOM,
  SCHEMA_MAX,
  SCHEMA_MIN,
  spansOf,
  staleHistogram,
} from '../../model/histogram.ts';
import type { Buckets, Point } from './model.ts';

/** Prometheus does not read OTLP's zero_threshold yet, and takes this instead. */
const ZERO_THRESHOLD = 1e-128;
/** Gaps of so few empty buckets are filled with them: cheaper than a span of its own, and the layout changes less often. */
const GAP_MAX = 2;
/** Beyond ±2^30 no bucket is stored; an index above is none that a sender means. */
const INDEX_MAX = 2 ** 30;

const NO_BUCKETS: Buckets = { offset: 0, counts: [] };
const NO_BOUNDS = new Float64Array(0);

/** An exponential histogram. An Error says why it cannot be one. */
export function exponentialHistogram(point: Point): Histogram {
  const { scale, zeroCount, positive, negative } = point.exponential!;
  if (scale < SCHEMA_MIN) {
    throw new Error(`cannot convert exponential to native histogram. Scale must be >= ${SCHEMA_MIN}, was ${scale}`);
  }
  if (point.stale) return staleHistogram(false, 0);
  const merged = Math.max(0, scale - SCHEMA_MAX);
  return assembled(point, {
    schema: scale - merged,
    zeroThreshold: ZERO_THRESHOLD,
    zeroCount,
    // OTLP's bucket 0 begins at 1, Prometheus' ends there.
    positive: sparse(positive, merged, 1),
    negative: sparse(negative, merged, 1),
    bounds: NO_BOUNDS,
  });
}

/** A histogram with bounds of its own, for `convert_histograms_to_nhcb`. */
export function customHistogram(point: Point): Histogram {
  if (point.stale) return staleHistogram(false, 0);
  return assembled(point, {
    schema: SCHEMA_CUSTOM,
    zeroThreshold: 0,
    zeroCount: 0,
    positive: sparse({ offset: 0, counts: point.bucketCounts }, 0, 0),
    negative: sparse(NO_BUCKETS, 0, 0),
    bounds: Float64Array.from(point.bounds),
  });
}

interface Sparse {
  readonly spans: Int32Array;
  readonly counts: readonly number[];
}

interface Parts {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly positive: Sparse;
  readonly negative: Sparse;
  readonly bounds: Float64Array;
}

function assembled({ count, sum }: Point, parts: Parts): Histogram {
  const { positive, negative } = parts;
  const values = new Float64Array(AT_BUCKETS + positive.counts.length + negative.counts.length);
  values.set([count, parts.zeroCount, sum ?? 0]);
  let at = AT_BUCKETS;
  for (const { counts } of [positive, negative]) {
    for (let i = 0; i < counts.length; i++) values[at++] = counts[i]! - (i === 0 ? 0 : counts[i - 1]!);
  }
  return {
    isFloat: false,
    resetHint: 0,
    schema: parts.schema,
    zeroThreshold: parts.zeroThreshold,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    customValues: parts.bounds,
    values,
  };
}

/** Buckets by their indexes plus `shift`, 2^merged neighbours as one, without the empty ones but in small gaps. */
function sparse({ offset, counts }: Buckets, merged: number, shift: number): Sparse {
  const size = 2 ** merged;
  const indexes: number[] = [];
  const sums: number[] = [];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    const index = Math.floor((offset + i) / size) + shift;
    if (Math.abs(index) > INDEX_MAX) throw new Error(`a bucket's index is beyond ±2^30: ${index}`);
    const last = indexes.at(-1);
    if (last === index) {
      sums[sums.length - 1]! += count;
      continue;
    }
    if (last !== undefined && index - last - 1 <= GAP_MAX) {
      for (let gap = last + 1; gap < index; gap++) {
        indexes.push(gap);
        sums.push(0);
      }
    }
    indexes.push(index);
    sums.push(count);
  }
  return { spans: spansOf(Int32Array.from(indexes)), counts: sums };
}
