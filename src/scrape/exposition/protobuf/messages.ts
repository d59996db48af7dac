/**
 * The messages of Prometheus' protobuf format as they stand on the wire: tags of their fields (prometheus/prometheus,
 * prompb/io/prometheus/client/metrics.proto).
 */

import { BYTES, FIXED64, tagOf, VARINT } from '../../../encoding/protobuf-reader.ts';
import { COUNTER, GAUGE, GAUGE_HISTOGRAM, HISTOGRAM, SUMMARY, UNKNOWN } from '../cursor.ts';

export const FAMILY = {
  name: tagOf(1, BYTES),
  help: tagOf(2, BYTES),
  type: tagOf(3, VARINT),
  metric: tagOf(4, BYTES),
  unit: tagOf(5, BYTES),
};

/** By the number of `MetricType`: the type as Remote Write has it, and the tag of the field of Metric that holds the value. */
export const TYPES: readonly (readonly [type: number, field: number])[] = [
  [COUNTER, tagOf(3, BYTES)],
  [GAUGE, tagOf(2, BYTES)],
  [SUMMARY, tagOf(4, BYTES)],
  [UNKNOWN, tagOf(5, BYTES)],
  [HISTOGRAM, tagOf(7, BYTES)],
  [GAUGE_HISTOGRAM, tagOf(7, BYTES)],
];

/** Of Metric, besides the value. */
export const METRIC = { label: tagOf(1, BYTES), timestampMs: tagOf(6, VARINT) };
export const LABEL = { name: tagOf(1, BYTES), value: tagOf(2, BYTES) };

/** Of Gauge, Counter and Untyped; the exemplar is a counter's. */
export const SCALAR = { value: tagOf(1, FIXED64), exemplar: tagOf(2, BYTES) };

/** Of Summary and Histogram; points are quantiles and buckets. Counts of type double are a histogram's. */
export const MANY = {
  count: tagOf(1, VARINT),
  sum: tagOf(2, FIXED64),
  point: tagOf(3, BYTES),
  countFloat: tagOf(4, FIXED64),
};
/** Of Histogram, what is native. A repeated number stands alone in proto2, as most clients write it, or packed. */
export const NATIVE = {
  schema: tagOf(5, VARINT),
  zeroThreshold: tagOf(6, FIXED64),
  zeroCount: tagOf(7, VARINT),
  zeroCountFloat: tagOf(8, FIXED64),
  negativeSpan: tagOf(9, BYTES),
  negativeDelta: tagOf(10, VARINT),
  negativeDeltas: tagOf(10, BYTES),
  negativeCount: tagOf(11, FIXED64),
  negativeCounts: tagOf(11, BYTES),
  positiveSpan: tagOf(12, BYTES),
  positiveDelta: tagOf(13, VARINT),
  positiveDeltas: tagOf(13, BYTES),
  positiveCount: tagOf(14, FIXED64),
  positiveCounts: tagOf(14, BYTES),
  exemplars: tagOf(16, BYTES),
};
/** Since when it counts: of Counter, Summary and Histogram, by the type. */
export const START_TIMESTAMP: Readonly<Record<number, number>> = {
  [COUNTER]: tagOf(3, BYTES),
  [SUMMARY]: tagOf(4, BYTES),
  [HISTOGRAM]: tagOf(15, BYTES),
  [GAUGE_HISTOGRAM]: tagOf(15, BYTES),
};
export const QUANTILE = { quantile: tagOf(1, FIXED64), value: tagOf(2, FIXED64) };
export const BUCKET = {
  count: tagOf(1, VARINT),
  bound: tagOf(2, FIXED64),
  exemplar: tagOf(3, BYTES),
  countFloat: tagOf(4, FIXED64),
};

export const EXEMPLAR = { label: tagOf(1, BYTES), value: tagOf(2, FIXED64), timestamp: tagOf(3, BYTES) };
export const TIMESTAMP = { seconds: tagOf(1, VARINT), nanos: tagOf(2, VARINT) };
