/**
 * Reads `prometheus.WriteRequest` (Remote Write 1.0; prometheus/prometheus, prompb/remote.proto and types.proto) into columns:
 *
 *     WriteRequest { timeseries = 1, metadata = 3 }     TimeSeries { labels = 1, samples = 2, exemplars = 3, histograms = 4 }
 *     Label { name = 1, value = 2 }                     Sample { value = 1 double, timestamp = 2 int64 }
 *
 * Exemplars and histograms are counted only.
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { BAD_TIMESTAMP } from './bad.ts';
import type { Decoded } from './decoded.ts';

const REQUEST_TIMESERIES = tagOf(1, BYTES);
const REQUEST_METADATA = tagOf(3, BYTES);
/** Where a 2.0 message has its symbols and series, and 1.0 has nothing. */
const V2_SYMBOLS = tagOf(4, BYTES);
const V2_TIMESERIES = tagOf(5, BYTES);

const SERIES_LABEL = tagOf(1, BYTES);
const SERIES_SAMPLE = tagOf(2, BYTES);
const SERIES_EXEMPLAR = tagOf(3, BYTES);
const SERIES_HISTOGRAM = tagOf(4, BYTES);

const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);

const SAMPLE_VALUE = tagOf(1, FIXED64);
const SAMPLE_TIMESTAMP = tagOf(2, VARINT);

export function decodeV1(message: Uint8Array, out: Decoded): void {
  const cursor = new Cursor(message);
  const end = message.length;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === REQUEST_TIMESERIES) {
      readSeries(cursor, cursor.length(end), out);
    } else if (tag === REQUEST_METADATA) {
      cursor.offset = cursor.length(end);
      out.metadataCount++;
    } else if (tag === V2_SYMBOLS || tag === V2_TIMESERIES) {
      // Passed over as an unknown field, a whole 2.0 request would read as an empty one, and its samples would be lost.
      throw new DecodeError(
        'this is an io.prometheus.write.v2.Request, sent as prometheus.WriteRequest: the proto parameter of Content-Type is missing',
      );
    } else {
      cursor.skipOther(tag, end, 'WriteRequest', 1);
    }
  }
}

function readSeries(cursor: Cursor, end: number, out: Decoded): void {
  const s = out.beginSeries(cursor.offset, end);
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === SERIES_LABEL) {
      readLabel(cursor, cursor.length(end), out);
    } else if (tag === SERIES_SAMPLE) {
      readSample(cursor, cursor.length(end), out, s);
    } else if (tag === SERIES_EXEMPLAR) {
      cursor.offset = cursor.length(end);
      out.exemplarCount[s]!++;
    } else if (tag === SERIES_HISTOGRAM) {
      cursor.offset = cursor.length(end);
      out.histogramCount[s]!++;
    } else {
      cursor.skipOther(tag, end, 'TimeSeries', 4);
    }
  }
  out.endSeries(s);
}

function readLabel(cursor: Cursor, end: number, out: Decoded): void {
  // A field that is absent is empty: a range of no bytes, within the message.
  let nameStart = end;
  let nameEnd = end;
  let valueStart = end;
  let valueEnd = end;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === LABEL_NAME) {
      nameEnd = cursor.length(end);
      nameStart = cursor.offset;
      cursor.offset = nameEnd;
    } else if (tag === LABEL_VALUE) {
      valueEnd = cursor.length(end);
      valueStart = cursor.offset;
      cursor.offset = valueEnd;
    } else {
      cursor.skipOther(tag, end, 'Label', 2);
    }
  }
  out.addLabel(nameStart, nameEnd, valueStart, valueEnd);
}

/** A Sample. 2.0 has the same two fields, and a start timestamp that is passed over; 1.0 has nothing in its place. */
export function readSample(cursor: Cursor, end: number, out: Decoded, series: number): void {
  let t = 0;
  let hi = 0;
  let lo = 0;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === SAMPLE_VALUE) {
      lo = cursor.fixed32(end);
      hi = cursor.fixed32(end);
    } else if (tag === SAMPLE_TIMESTAMP) {
      t = cursor.int64(end);
    } else {
      cursor.skipOther(tag, end, 'Sample', 2);
    }
  }
  // Such a number is not exact any more, and no time that anybody means.
  if (t > Number.MAX_SAFE_INTEGER || t < Number.MIN_SAFE_INTEGER) out.bad[series] = BAD_TIMESTAMP;
  out.addSample(t, hi, lo);
}
