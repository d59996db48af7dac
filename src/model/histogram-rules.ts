/**
 * What makes a native histogram valid, in the words of Prometheus' Histogram.Validate and FloatHistogram.Validate (model/histogram).
 */

import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  AT_ZERO_COUNT,
  bucketCount,
  COUNT_MAX,
  type Histogram,
  isStale,
  SCHEMA_CUSTOM,
  SCHEMA_MAX,
  SCHEMA_MIN,
} from './histogram.ts';

/** What is wrong with a histogram, or null. Its spans must be as Layout has them, and its values as many as they say. */
export function histogramFault(h: Histogram): string | null {
  const positive = AT_BUCKETS + bucketCount(h.positiveSpans);
  const custom = h.schema === SCHEMA_CUSTOM;
  if (custom) {
    const fault = customFault(h, positive);
    if (fault !== null) return fault;
  } else if (!(h.schema >= SCHEMA_MIN && h.schema <= SCHEMA_MAX)) {
    return `histogram has an invalid schema, which must be between ${SCHEMA_MIN} and ${SCHEMA_MAX} for exponential buckets, or ${SCHEMA_CUSTOM} for custom buckets, got schema ${h.schema}`;
  } else if (h.customValues.length > 0) {
    return 'histogram with exponential schema must not have custom bounds';
  }
  const count = h.values[AT_COUNT]!;
  const zeroCount = h.values[AT_ZERO_COUNT]!;
  if (zeroCount < 0) return `zero bucket has observation count of ${zeroCount}, which is negative`;
  if (count < 0) return `observation count is ${count}, which is negative`;
  const below = bucketsFault(h, positive, h.values.length);
  if (typeof below === 'string') return `negative side: ${below}`;
  const above = bucketsFault(h, AT_BUCKETS, positive);
  if (typeof above === 'string') return `positive side: ${above}`;
  if (h.isFloat) return null;

  const found = below + above + zeroCount;
  // Of a stale marker nothing is stored but the sum; a Collector gives it the marker's bits as a count too.
  if (Math.max(count, found) > COUNT_MAX && !isStale(h))
    return `${Math.max(count, found)} observations; at most ${COUNT_MAX} are stored`;
  // Observations of NaN are in no bucket, and make the sum NaN.
  const wrong = Number.isNaN(h.values[AT_SUM]!) ? found > count : found !== count;
  if (!wrong) return null;
  return `${found} observations found in buckets, but the Count field is ${count}`;
}

function customFault(h: Histogram, positive: number): string | null {
  const bounds = h.customValues;
  for (let i = 0; i < bounds.length; i++) {
    const bound = bounds[i]!;
    if (Number.isNaN(bound)) return 'custom buckets: histogram custom bounds must not be NaN';
    if (i > 0 && !(bound > bounds[i - 1]!))
      return `custom buckets: previous bound is ${bounds[i - 1]} and current is ${bound}: histogram custom bounds must be in strictly increasing order`;
  }
  if (bounds.at(-1) === Infinity) return 'custom buckets: last +Inf bound must not be explicitly defined';
  let end = 0;
  for (let i = 0; i < h.positiveSpans.length; i += 2) {
    if (h.positiveSpans[i]! < 0) return `custom buckets: histogram has a span whose offset is negative`;
    end += h.positiveSpans[i]! + h.positiveSpans[i + 1]!;
  }
  if (bounds.length + 1 < end)
    return `custom buckets: only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${end}`;
  if (h.values[AT_ZERO_COUNT] !== 0) return 'custom buckets: must have zero count of 0';
  if (h.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0';
  if (h.values.length > positive) return 'custom buckets: must not have negative buckets';
  return null;
}

/** The observations in buckets [from, to) of the values, or what is wrong with them. */
function bucketsFault({ isFloat, values }: Histogram, from: number, to: number): number | string {
  let sum = 0;
  for (let i = from, count = 0; i < to; i++) {
    count = isFloat ? values[i]! : count + values[i]!;
    if (count < 0) return `bucket number ${i - from + 1} has observation count of ${count}, which is negative`;
    if (!isFloat && count > COUNT_MAX)
      return `bucket number ${i - from + 1} has observation count of ${count}; at most ${COUNT_MAX} are stored`;
    sum += count;
  }
  return sum;
}
