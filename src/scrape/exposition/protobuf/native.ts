/**
 * The native part of a Histogram message: whether it has one, the histogram, and the exemplars that belong to it (model/textparse,
 * protobufparse.go: `isNativeHistogram`, `Histogram`, `Exemplar`).
 */

import {
  float,
  HistogramError,
  Numbers,
  readDouble,
  readSpan,
  sint32,
  sint64,
  Spans,
} from '../../../encoding/histogram-parts.ts';
import { type Cursor } from '../../../encoding/protobuf-reader.ts';
import { compacted } from '../../../model/histogram-buckets.ts';
import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  AT_ZERO_COUNT,
  HINT_GAUGE,
  HINT_UNKNOWN,
  type Histogram,
  wordsOf,
} from '../../../model/histogram.ts';
import type { PageCursor } from '../cursor.ts';
import { readExemplar } from './exemplar.ts';
import { BUCKET, MANY, NATIVE } from './messages.ts';

const NO_VALUES = new Float64Array(0);

export class NativeReader {
  readonly #reader: Cursor;
  /** Whether there is a native histogram, and classic buckets. */
  isNative = false;
  hasBuckets = false;
  #hasExemplars = false;
  #start = 0;
  #end = 0;
  /** Where the next exemplar is looked for. */
  #exemplarAt = 0;

  constructor(reader: Cursor) {
    this.#reader = reader;
  }

  clear(): void {
    this.isNative = this.hasBuckets = this.#hasExemplars = false;
    this.#start = this.#end = this.#exemplarAt = 0;
  }

  /** Begins with the message that stands in [start, end). A span makes it native, even an empty one; so does what is about the zero bucket. */
  begin(start: number, end: number): void {
    const reader = this.#reader;
    this.#start = this.#exemplarAt = start;
    this.#end = end;
    this.isNative = this.hasBuckets = this.#hasExemplars = false;
    for (reader.offset = start; reader.offset < end;) {
      const tag = reader.tag(end);
      if (tag === NATIVE.zeroThreshold) {
        if (float(reader, end) > 0) this.isNative = true;
      } else if (tag === NATIVE.zeroCount) {
        if (reader.int64(end) !== 0) this.isNative = true;
      } else {
        if (tag === NATIVE.positiveSpan || tag === NATIVE.negativeSpan) this.isNative = true;
        else if (tag === MANY.point) this.hasBuckets = true;
        else if (tag === NATIVE.exemplars) this.#hasExemplars = true;
        reader.skip(tag, end);
      }
    }
  }

  /** The native histogram, without empty buckets. Throws DecodeError; whether it is valid is not judged. */
  histogram(isGauge: boolean): Histogram {
    const reader = this.#reader;
    const end = this.#end;
    let count = 0;
    let zeroCount = 0;
    let schema = 0;
    let zeroThreshold = 0;
    const floats = new Float64Array(AT_BUCKETS);
    const words = wordsOf(floats);
    const positive = new Side('positive');
    const negative = new Side('negative');
    for (reader.offset = this.#start; reader.offset < end;) {
      const tag = reader.tag(end);
      if (tag === MANY.count) count = reader.int64(end);
      else if (tag === MANY.countFloat) readDouble(reader, end, words, AT_COUNT);
      else if (tag === MANY.sum) readDouble(reader, end, words, AT_SUM);
      else if (tag === NATIVE.schema) schema = sint32(reader.uint32(end));
      else if (tag === NATIVE.zeroThreshold) zeroThreshold = float(reader, end);
      else if (tag === NATIVE.zeroCount) zeroCount = reader.int64(end);
      else if (tag === NATIVE.zeroCountFloat) readDouble(reader, end, words, AT_ZERO_COUNT);
      else if (tag === NATIVE.positiveSpan) readSpan(reader, reader.length(end), positive.spans);
      else if (tag === NATIVE.negativeSpan) readSpan(reader, reader.length(end), negative.spans);
      else if (tag === NATIVE.positiveDelta) positive.deltas.push(sint64(reader, end));
      else if (tag === NATIVE.negativeDelta) negative.deltas.push(sint64(reader, end));
      else if (tag === NATIVE.positiveDeltas) readDeltas(reader, reader.length(end), positive.deltas);
      else if (tag === NATIVE.negativeDeltas) readDeltas(reader, reader.length(end), negative.deltas);
      else if (tag === NATIVE.positiveCount) positive.counts.pushDouble(reader, end);
      else if (tag === NATIVE.negativeCount) negative.counts.pushDouble(reader, end);
      else if (tag === NATIVE.positiveCounts) readCounts(reader, reader.length(end), positive.counts);
      else if (tag === NATIVE.negativeCounts) readCounts(reader, reader.length(end), negative.counts);
      else reader.skip(tag, end);
    }
    const isFloat = floats[AT_COUNT]! > 0 || floats[AT_ZERO_COUNT]! > 0;
    const above = isFloat ? positive.counts : positive.deltas;
    const below = isFloat ? negative.counts : negative.deltas;
    const values = new Float64Array(AT_BUCKETS + above.length + below.length);
    values.set(floats);
    if (!isFloat) {
      // Beyond 2^63 they read as negative, and are none that a counter reaches.
      if (count < 0 || zeroCount < 0) throw new HistogramError('a count is beyond 2^63');
      values[AT_COUNT] = count;
      values[AT_ZERO_COUNT] = zeroCount;
    }
    values.set(above.items.subarray(0, above.length), AT_BUCKETS);
    values.set(below.items.subarray(0, below.length), AT_BUCKETS + above.length);
    const histogram: Histogram = {
      isFloat,
      resetHint: isGauge ? HINT_GAUGE : HINT_UNKNOWN,
      schema,
      zeroThreshold,
      positiveSpans: positive.spans.finish(above.length),
      negativeSpans: negative.spans.finish(below.length),
      customValues: NO_VALUES,
      values,
    };
    return compacted(histogram, 0);
  }

  /** Reads the next exemplar into `out`; false when there is none. They are its own or, when it has none of its own, those of classic buckets. */
  nextExemplar(out: PageCursor): boolean {
    const reader = this.#reader;
    const end = this.#end;
    for (reader.offset = this.#exemplarAt; reader.offset < end;) {
      const tag = reader.tag(end);
      if (tag === NATIVE.exemplars) {
        const stop = (this.#exemplarAt = reader.length(end));
        readExemplar(reader, stop, out);
        return true;
      }
      if (tag === MANY.point && !this.#hasExemplars) {
        const stop = (this.#exemplarAt = reader.length(end));
        if (readExemplarOfBucket(reader, stop, out)) return true;
      } else {
        reader.skip(tag, end);
      }
    }
    this.#exemplarAt = end;
    out.exemplarEnd = 0;
    return false;
  }
}

class Side {
  readonly spans: Spans;
  readonly deltas = new Numbers();
  readonly counts = new Numbers();

  constructor(name: string) {
    this.spans = new Spans(name);
  }
}

function readExemplarOfBucket(reader: Cursor, end: number, out: PageCursor): boolean {
  let found = false;
  while (reader.offset < end) {
    const tag = reader.tag(end);
    if (tag === BUCKET.exemplar) {
      readExemplar(reader, reader.length(end), out);
      found = true;
    } else reader.skip(tag, end);
  }
  return found;
}

function readDeltas(reader: Cursor, end: number, out: Numbers): void {
  while (reader.offset < end) out.push(sint64(reader, end));
}

function readCounts(reader: Cursor, end: number, out: Numbers): void {
  while (reader.offset < end) out.pushDouble(reader, end);
}
