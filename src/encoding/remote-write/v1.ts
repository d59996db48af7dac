/**
 * Reads `prometheus.WriteRequest` (Remote Write 1.0; prometheus/prometheus, prompb/remote.proto and types.proto) into columns:
 *
 *     WriteRequest { timeseries = 1, metadata = 3 }     TimeSeries { labels = 1, samples = 2, exemplars = 3, histograms = 4 }
 *     Label { name = 1, value = 2 }                     Sample { value = 1 double, timestamp = 2 int64 }
 *
 * Exemplars { labels = 1, value = 2, timestamp = 3 } are walked and counted, as is metadata; of histograms the byte ranges are kept (histogram.ts reads them).
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { BAD_TIMESTAMP } from './bad.ts';
import type { Decoded, SeriesReader } from './decoded.ts';

const REQUEST_TIMESERIES = tagOf(1, BYTES);
const REQUEST_METADATA = tagOf(3, BYTES);
/** Where a 2.0 message has its symbols and series, and 1.0 has nothing. */
const V2_SYMBOLS = tagOf(4, BYTES);
const V2_TIMESERIES = tagOf(5, BYTES);

const SERIES_LABEL = tagOf(1, BYTES);
const SERIES_SAMPLE = tagOf(2, BYTES);
const SERIES_EXEMPLAR = tagOf(3, BYTES);
const SERIES_HISTOGRAM = tagOf(4, BYTES);

const EXEMPLAR_LABEL = tagOf(1, BYTES);
const EXEMPLAR_VALUE = tagOf(2, FIXED64);
const EXEMPLAR_TIMESTAMP = tagOf(3, VARINT);

/** MetricMetadata { type = 1, metric_family_name = 2, help = 4, unit = 5 }; there is no 3. */
const METADATA = [tagOf(1, VARINT), tagOf(2, BYTES), tagOf(4, BYTES), tagOf(5, BYTES)];

const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);

const SAMPLE_VALUE = tagOf(1, FIXED64);
const SAMPLE_TIMESTAMP = tagOf(2, VARINT);

export function decodeV1(message: Uint8Array, out: Decoded, reader: SeriesReader | null = null): void {
  const cursor = new Cursor(message);
  const scratch = newLabelRange();
  const end = message.length;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === REQUEST_TIMESERIES) {
      const stop = cursor.length(end);
      if (reader === null || !readKnown(cursor, stop, out, reader)) {
        readSeries(cursor, stop, out, scratch);
        reader?.haveRead(out.seriesCount - 1);
      }
      // Series of one request are much alike in size.
      if (out.seriesCount === 1) out.expect(Math.ceil(end / cursor.offset), end - cursor.offset);
    } else if (tag === REQUEST_METADATA) {
      checkMetadata(cursor, cursor.length(end));
      out.metadataCount++;
    } else if (tag === V2_SYMBOLS || tag === V2_TIMESERIES) {
      // Passed over as an unknown field, a whole 2.0 request would read as an empty one, and its samples would be lost.
      throw new DecodeError(
        'this is an io.prometheus.write.v2.Request, sent as prometheus.WriteRequest: the proto parameter of Content-Type is missing',
      );
    } else {
      // Whatever others have in 2, which is reserved.
      if (tag >>> 3 === 2) cursor.skip(tag, end);
      else cursor.skipOther(tag, end, 'WriteRequest', 3);
    }
  }
}

/** Reads a series whose labels need not be decoded. False when it is not such a one: then nothing was read. */
function readKnown(cursor: Cursor, end: number, out: Decoded, reader: SeriesReader): boolean {
  const start = cursor.offset;
  const s = out.beginSeries(start, end);
  const labelsEnd = reader.skipLabels(start, end);
  if (labelsEnd < 0) return false;
  const { sampleCount, histogramCount } = out;
  for (cursor.offset = labelsEnd; cursor.offset < end;) {
    const tag = cursor.tag(end);
    if (tag === SERIES_SAMPLE) {
      readSample(cursor, cursor.length(end), out, s);
    } else if (tag === SERIES_HISTOGRAM) {
      const stop = cursor.length(end);
      out.addHistogram(cursor.offset, stop);
      cursor.offset = stop;
    } else {
      break;
    }
  }
  if (cursor.offset < end || (out.sampleCount === sampleCount && out.histogramCount === histogramCount)) {
    cursor.offset = start;
    out.dropSamplesSince(sampleCount, histogramCount);
    return false;
  }
  out.endSeries(s);
  reader.haveSkipped(s);
  return true;
}

function readSeries(cursor: Cursor, end: number, out: Decoded, scratch: LabelRange): void {
  const s = out.beginSeries(cursor.offset, end);
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === SERIES_LABEL) {
      addLabel(cursor, cursor.length(end), out, scratch);
    } else if (tag === SERIES_SAMPLE) {
      readSample(cursor, cursor.length(end), out, s);
    } else if (tag === SERIES_EXEMPLAR) {
      checkExemplar(cursor, cursor.length(end), scratch);
      out.exemplarCount[s]!++;
    } else if (tag === SERIES_HISTOGRAM) {
      const stop = cursor.length(end);
      out.addHistogram(cursor.offset, stop);
      cursor.offset = stop;
    } else {
      cursor.skipOther(tag, end, 'TimeSeries', 4);
    }
  }
  out.endSeries(s);
}

/** Where a label's name and value stand in the message; ends are exclusive. */
export interface LabelRange {
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

export const newLabelRange = (): LabelRange => ({ nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 });

/** Any label, into an object that the caller keeps. */
export function readLabel(cursor: Cursor, end: number, out: LabelRange): void {
  // A field that is absent is empty: a range of no bytes, within the message.
  out.nameStart = out.nameEnd = out.valueStart = out.valueEnd = end;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === LABEL_NAME) {
      out.nameEnd = cursor.length(end);
      out.nameStart = cursor.offset;
      cursor.offset = out.nameEnd;
    } else if (tag === LABEL_VALUE) {
      out.valueEnd = cursor.length(end);
      out.valueStart = cursor.offset;
      cursor.offset = out.valueEnd;
    } else {
      cursor.skipOther(tag, end, 'Label', 2);
    }
  }
}

/**
 * A label of a series. Nearly all are a name and a value of at most 127 bytes in that order, and nothing else: those are
 * recognized by their four bytes of tags and lengths. They are most of a 1.0 message.
 */
function addLabel(cursor: Cursor, end: number, out: Decoded, rest: LabelRange): void {
  const bytes = cursor.bytes;
  const at = cursor.offset;
  if (end - at >= 4 && bytes[at] === LABEL_NAME) {
    const nameLength = bytes[at + 1]!;
    const nameEnd = at + 2 + nameLength;
    if (nameLength < 0x80 && end - nameEnd >= 2 && bytes[nameEnd] === LABEL_VALUE) {
      const valueLength = bytes[nameEnd + 1]!;
      if (valueLength < 0x80 && nameEnd + 2 + valueLength === end) {
        cursor.offset = end;
        out.addLabel(at + 2, nameEnd, nameEnd + 2, end);
        return;
      }
    }
  }
  readLabel(cursor, end, rest);
  out.addLabel(rest.nameStart, rest.nameEnd, rest.valueStart, rest.valueEnd);
}

/** An exemplar is only counted; it is walked so that later readers may rely on its shape. */
function checkExemplar(cursor: Cursor, end: number, label: LabelRange): void {
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === EXEMPLAR_LABEL) readLabel(cursor, cursor.length(end), label);
    else if (tag === EXEMPLAR_VALUE || tag === EXEMPLAR_TIMESTAMP) cursor.skip(tag, end);
    else cursor.skipOther(tag, end, 'Exemplar', 3);
  }
}

/** Metadata too. */
function checkMetadata(cursor: Cursor, end: number): void {
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (METADATA.includes(tag) || tag >>> 3 === 3) cursor.skip(tag, end);
    else cursor.skipOther(tag, end, 'MetricMetadata', 5);
  }
}

/** A Sample. 2.0 has the same two fields, and a start timestamp that is passed over; 1.0 has nothing in its place. */
export function readSample(cursor: Cursor, end: number, out: Decoded, series: number): void {
  const { bytes, offset: at } = cursor;
  // Nearly all: a value that is not 0, and a time between 2004 and 2527, which takes six bytes.
  if (end - at === 16 && bytes[at] === SAMPLE_VALUE && bytes[at + 9] === SAMPLE_TIMESTAMP) {
    const [b0, b1, b2] = [bytes[at + 10]!, bytes[at + 11]!, bytes[at + 12]!];
    const [b3, b4, b5] = [bytes[at + 13]!, bytes[at + 14]!, bytes[at + 15]!];
    if ((b0 & b1 & b2 & b3 & b4) >= 0x80 && b5 < 0x80) {
      cursor.offset = end;
      out.addSample(
        ((b4 & 0x7f) | (b5 << 7)) * 0x1000_0000 +
          ((b0 & 0x7f) | ((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21)),
        bytes[at + 5]! | (bytes[at + 6]! << 8) | (bytes[at + 7]! << 16) | (bytes[at + 8]! << 24),
        bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 24),
      );
      return;
    }
  }
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
