/**
 * Writes a Histogram message, which is the same in Remote Write 1.0 and 2.0: the counterpart of histogram.ts, whose header has the fields.
 *
 * Invariant: decodeHistogram reads from it the histogram that was written, bit by bit. That must be one as decodeHistogram makes them.
 */

import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  AT_ZERO_COUNT,
  bucketCount,
  highWord,
  type Histogram,
  lowWord,
  wordsOf,
} from '../../model/histogram.ts';
import { uvarintSize } from '../../model/label-bytes.ts';
import { BYTES, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { int64Size, Writer } from '../protobuf-writer.ts';

/** Appends the fields of the message, without a tag and length before them. `t` and `startT` are Unix ms; a `startT` of 0 is none. */
export function writeHistogram(out: Writer, t: number, histogram: Histogram, startT = 0): void {
  const { isFloat, values, schema, resetHint, customValues } = histogram;
  const words = wordsOf(values);
  const number = (field: number, value: number): void => {
    out.uint32(tagOf(field, VARINT));
    out.int64(value);
  };
  const double = (field: number, of: Uint32Array, i: number): void => {
    out.uint32(tagOf(field, FIXED64));
    out.fixed32(lowWord(of, i));
    out.fixed32(highWord(of, i));
  };
  // One of: which kind of count is there says which histogram it is, so it is written when it is 0 too.
  if (isFloat) double(2, words, AT_COUNT);
  else number(1, values[AT_COUNT]!);
  double(3, words, AT_SUM);
  number(4, zigzag(schema));
  double(5, wordsOf(Float64Array.of(histogram.zeroThreshold)), 0);
  if (isFloat) double(7, words, AT_ZERO_COUNT);
  else number(6, values[AT_ZERO_COUNT]!);
  const positiveEnd = AT_BUCKETS + bucketCount(histogram.positiveSpans);
  writeSpans(out, 8, histogram.negativeSpans);
  writeBuckets(out, isFloat ? 10 : 9, histogram, positiveEnd, values.length);
  writeSpans(out, 11, histogram.positiveSpans);
  writeBuckets(out, isFloat ? 13 : 12, histogram, AT_BUCKETS, positiveEnd);
  if (resetHint !== 0) number(14, resetHint);
  number(15, t);
  writeDoubles(out, 16, wordsOf(customValues), 0, customValues.length);
  if (startT !== 0) number(17, startT);
}

function writeSpans(out: Writer, field: number, spans: Int32Array): void {
  for (let i = 0; i < spans.length; i += 2) {
    const offset = zigzag(spans[i]!);
    const length = spans[i + 1]!;
    out.uint32(tagOf(field, BYTES));
    out.uint32(2 + uvarintSize(offset) + uvarintSize(length));
    out.tag(tagOf(1, VARINT));
    out.uint32(offset);
    out.tag(tagOf(2, VARINT));
    out.uint32(length);
  }
}

function writeBuckets(out: Writer, field: number, { isFloat, values }: Histogram, from: number, to: number): void {
  if (isFloat) {
    writeDoubles(out, field, wordsOf(values), from, to);
    return;
  }
  if (from === to) return;
  let size = 0;
  for (let i = from; i < to; i++) size += int64Size(zigzag(values[i]!));
  out.uint32(tagOf(field, BYTES));
  out.uint32(size);
  for (let i = from; i < to; i++) out.int64(zigzag(values[i]!));
}

function writeDoubles(out: Writer, field: number, words: Uint32Array, from: number, to: number): void {
  if (from === to) return;
  out.uint32(tagOf(field, BYTES));
  out.uint32(8 * (to - from));
  for (let i = from; i < to; i++) {
    out.fixed32(lowWord(words, i));
    out.fixed32(highWord(words, i));
  }
}

/** Of a whole number within ±2^52, which all counts are. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
