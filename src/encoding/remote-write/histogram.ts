/**
 * Reads a Histogram message, which is the same in Remote Write 1.0 and 2.0 (prometheus/prometheus, prompb/types.proto and
 * prompb/io/prometheus/write/v2/types.proto):
 *
 *     Histogram { count_int = 1 | count_float = 2, sum = 3 double, schema = 4 sint32, zero_threshold = 5 double,
 *       zero_count_int = 6 | zero_count_float = 7, negative_spans = 8, negative_deltas = 9 sint64, negative_counts = 10 double,
 *       positive_spans = 11, positive_deltas = 12, positive_counts = 13, reset_hint = 14, timestamp = 15 int64, custom_values = 16 double,
 *       start_timestamp = 17 int64 (2.0) }     BucketSpan { offset = 1 sint32, length = 2 uint32 }
 *
 * Requests are decoded without it (decoded.ts keeps byte ranges), since most have none; whoever needs the histograms asks for each.
 */

import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  AT_ZERO_COUNT,
  type Histogram,
  isStale,
  type ResetHint,
  SCHEMA_MAX,
  SCHEMA_MAX_RESERVED,
  staleHistogram,
  wordsOf,
} from '../../model/histogram.ts';
import { reduceResolution } from '../../model/histogram-buckets.ts';
import { histogramFault } from '../../model/histogram-rules.ts';
import { float, HistogramError, Numbers, readDouble, readSpan, sint32, sint64, Spans } from '../histogram-parts.ts';
import { BYTES, Cursor, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';

export { HISTOGRAM_BUCKETS_MAX, HistogramError, HistogramTooLargeError } from '../histogram-parts.ts';

const COUNT_INT = tagOf(1, VARINT);
const COUNT_FLOAT = tagOf(2, FIXED64);
const SUM = tagOf(3, FIXED64);
const SCHEMA = tagOf(4, VARINT);
const ZERO_THRESHOLD = tagOf(5, FIXED64);
const ZERO_COUNT_INT = tagOf(6, VARINT);
const ZERO_COUNT_FLOAT = tagOf(7, FIXED64);
const NEGATIVE_SPANS = tagOf(8, BYTES);
const NEGATIVE_DELTAS = tagOf(9, BYTES);
const NEGATIVE_DELTA = tagOf(9, VARINT);
const NEGATIVE_COUNTS = tagOf(10, BYTES);
const NEGATIVE_COUNT = tagOf(10, FIXED64);
const POSITIVE_SPANS = tagOf(11, BYTES);
const POSITIVE_DELTAS = tagOf(12, BYTES);
const POSITIVE_DELTA = tagOf(12, VARINT);
const POSITIVE_COUNTS = tagOf(13, BYTES);
const POSITIVE_COUNT = tagOf(13, FIXED64);
const RESET_HINT = tagOf(14, VARINT);
const TIMESTAMP = tagOf(15, VARINT);
const CUSTOM_VALUES = tagOf(16, BYTES);
const CUSTOM_VALUE = tagOf(16, FIXED64);
/** The highest field that is known. */
const FIELD_MAX = 17;

export interface HistogramSample {
  /** Unix ms. */
  readonly t: number;
  readonly histogram: Histogram;
}

/**
 * The histogram in bytes [start, end) of a message, as it is to be stored: valid, its spans without empty ones, a resolution that is too high
 * reduced, a stale marker without anything else. Throws DecodeError when it is malformed, HistogramError when it is not valid.
 */
export function decodeHistogram(message: Uint8Array, start: number, end: number): HistogramSample {
  const { t, histogram: sent } = readHistogram(message, start, end);
  const tooFine = sent.schema > SCHEMA_MAX && sent.schema <= SCHEMA_MAX_RESERVED;
  const histogram = tooFine ? reduceResolution(sent, SCHEMA_MAX) : sent;
  const fault = histogramFault(histogram);
  if (fault !== null) throw new HistogramError(fault);
  return { t, histogram: isStale(histogram) ? staleHistogram(histogram.isFloat, histogram.resetHint) : histogram };
}

/** Everything that fields of a histogram may say, of either kind. */
class Fields {
  isFloat = false;
  countInt = 0;
  zeroCountInt = 0;
  /** Of float counts and the sum: places as in Histogram.values. */
  readonly floats = new Float64Array(AT_BUCKETS);
  readonly words = wordsOf(this.floats);
  schema = 0;
  zeroThreshold = 0;
  readonly positiveSpans = new Spans('positive');
  readonly negativeSpans = new Spans('negative');
  readonly positiveDeltas = new Numbers();
  readonly negativeDeltas = new Numbers();
  readonly positiveCounts = new Numbers();
  readonly negativeCounts = new Numbers();
  readonly customValues = new Numbers();
  resetHint = 0;
  t = 0;
}

function readHistogram(message: Uint8Array, start: number, end: number): HistogramSample {
  const cursor = new Cursor(message);
  const f = new Fields();
  for (cursor.offset = start; cursor.offset < end;) {
    const tag = cursor.tag(end);
    switch (tag) {
      case COUNT_INT:
        f.countInt = cursor.int64(end);
        f.isFloat = false;
        break;
      case COUNT_FLOAT:
        readDouble(cursor, end, f.words, AT_COUNT);
        f.isFloat = true;
        break;
      case SUM:
        readDouble(cursor, end, f.words, AT_SUM);
        break;
      case SCHEMA:
        f.schema = sint32(cursor.uint32(end));
        break;
      case ZERO_THRESHOLD:
        f.zeroThreshold = float(cursor, end);
        break;
      case ZERO_COUNT_INT:
        f.zeroCountInt = cursor.int64(end);
        f.floats[AT_ZERO_COUNT] = 0;
        break;
      case ZERO_COUNT_FLOAT:
        readDouble(cursor, end, f.words, AT_ZERO_COUNT);
        f.zeroCountInt = 0;
        break;
      case NEGATIVE_SPANS:
        readSpan(cursor, cursor.length(end), f.negativeSpans);
        break;
      case POSITIVE_SPANS:
        readSpan(cursor, cursor.length(end), f.positiveSpans);
        break;
      case NEGATIVE_DELTAS:
        for (const stop = cursor.length(end); cursor.offset < stop;) f.negativeDeltas.push(sint64(cursor, stop));
        break;
      case NEGATIVE_DELTA:
        f.negativeDeltas.push(sint64(cursor, end));
        break;
      case POSITIVE_DELTAS:
        for (const stop = cursor.length(end); cursor.offset < stop;) f.positiveDeltas.push(sint64(cursor, stop));
        break;
      case POSITIVE_DELTA:
        f.positiveDeltas.push(sint64(cursor, end));
        break;
      case NEGATIVE_COUNTS:
        for (const stop = cursor.length(end); cursor.offset < stop;) f.negativeCounts.pushDouble(cursor, stop);
        break;
      case NEGATIVE_COUNT:
        f.negativeCounts.pushDouble(cursor, end);
        break;
      case POSITIVE_COUNTS:
        for (const stop = cursor.length(end); cursor.offset < stop;) f.positiveCounts.pushDouble(cursor, stop);
        break;
      case POSITIVE_COUNT:
        f.positiveCounts.pushDouble(cursor, end);
        break;
      case RESET_HINT:
        f.resetHint = cursor.uint32(end);
        break;
      case TIMESTAMP:
        f.t = cursor.int64(end);
        break;
      case CUSTOM_VALUES:
        for (const stop = cursor.length(end); cursor.offset < stop;) f.customValues.pushDouble(cursor, stop);
        break;
      case CUSTOM_VALUE:
        f.customValues.pushDouble(cursor, end);
        break;
      default:
        if (tag === tagOf(FIELD_MAX, VARINT)) cursor.skip(tag, end);
        else cursor.skipOther(tag, end, 'Histogram', FIELD_MAX);
    }
  }
  return { t: f.t, histogram: assembled(f) };
}

/** The fields of the kind that it is; the other kind's are ignored, as by Prometheus. */
function assembled(f: Fields): Histogram {
  const positive = f.isFloat ? f.positiveCounts : f.positiveDeltas;
  const negative = f.isFloat ? f.negativeCounts : f.negativeDeltas;
  const values = new Float64Array(AT_BUCKETS + positive.length + negative.length);
  values.set(f.floats);
  if (!f.isFloat) {
    // Beyond 2^63 they read as negative, and are none that a counter reaches.
    if (f.countInt < 0 || f.zeroCountInt < 0) throw new HistogramError('a count is beyond 2^63');
    values[AT_COUNT] = f.countInt;
    values[AT_ZERO_COUNT] = f.zeroCountInt;
  }
  values.set(positive.items.subarray(0, positive.length), AT_BUCKETS);
  values.set(negative.items.subarray(0, negative.length), AT_BUCKETS + positive.length);
  return {
    isFloat: f.isFloat,
    // An enum that is open: what is not known says nothing.
    resetHint: f.resetHint <= 3 ? (f.resetHint as ResetHint) : 0,
    schema: f.schema,
    zeroThreshold: f.zeroThreshold,
    positiveSpans: f.positiveSpans.finish(positive.length),
    negativeSpans: f.negativeSpans.finish(negative.length),
    customValues: f.customValues.items.slice(0, f.customValues.length),
    values,
  };
}
