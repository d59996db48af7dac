/**
 * Reads `io.prometheus.write.v2.Request` (Remote Write 2.0, rc.4; prometheus/prometheus, prompb/io/prometheus/write/v2/types.proto) into columns:
 *
 *     Request { 1–3 reserved, symbols = 4, timeseries = 5 }
 *     TimeSeries { labels_refs = 1 packed, samples = 2, histograms = 3, exemplars = 4, metadata = 5, 6 reserved (rc.3: created_timestamp) }
 *     Sample { value = 1 double, timestamp = 2 int64, start_timestamp = 3 int64 }
 *     Exemplar { labels_refs = 1 packed, value = 2, timestamp = 3 }     Metadata { type = 1, help_ref = 3, unit_ref = 4 }
 *
 * Symbols come first in practice, but protobuf lets fields come in any order: one pass gathers the symbols, the next reads the series.
 * Of histograms only the byte ranges are kept (histogram.ts reads them); of exemplars and metadata the references are checked, so that later
 * readers may trust them.
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { BAD_ODD_REFS, BAD_REF } from './bad.ts';
import type { Decoded, SeriesReader } from './decoded.ts';
import { readSample } from './v1.ts';

/** Where a 1.0 message has its series; reserved in 2.0 so that one can be told from the other. */
const V1_TIMESERIES = tagOf(1, BYTES);
const REQUEST_SYMBOLS = tagOf(4, BYTES);
const REQUEST_TIMESERIES = tagOf(5, BYTES);

/** Packed, and one by one, as a parser of proto3 must read both. */
const LABELS_REFS = tagOf(1, BYTES);
const LABELS_REF = tagOf(1, VARINT);
const SERIES_SAMPLE = tagOf(2, BYTES);
const SERIES_HISTOGRAM = tagOf(3, BYTES);
const SERIES_EXEMPLAR = tagOf(4, BYTES);
const SERIES_METADATA = tagOf(5, BYTES);

const EXEMPLAR_VALUE = tagOf(2, FIXED64);
const EXEMPLAR_TIMESTAMP = tagOf(3, VARINT);

const METADATA_TYPE = tagOf(1, VARINT);
const METADATA_HELP_REF = tagOf(3, VARINT);
const METADATA_UNIT_REF = tagOf(4, VARINT);

export function decodeV2(message: Uint8Array, out: Decoded, reader: SeriesReader | null = null): void {
  const series = readSymbols(message, out);
  reader?.haveSymbols();
  const cursor = new Cursor(message);
  const end = message.length;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === REQUEST_TIMESERIES) {
      const stop = cursor.length(end);
      if (reader === null || !readKnown(cursor, stop, out, reader)) {
        readSeries(cursor, stop, out);
        reader?.haveRead(out.seriesCount - 1);
      }
      if (out.seriesCount === 1) out.expect(series - 1, end - cursor.offset);
    } else {
      cursor.skip(tag, end);
    }
  }
}

/** Gathers the symbols, and counts the series. */
function readSymbols(message: Uint8Array, out: Decoded): number {
  const cursor = new Cursor(message);
  const end = message.length;
  let series = 0;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === REQUEST_SYMBOLS) {
      const stop = cursor.length(end);
      out.addSymbol(cursor.offset, stop);
      cursor.offset = stop;
    } else if (tag === REQUEST_TIMESERIES) {
      cursor.offset = cursor.length(end);
      series++;
    } else if (tag === V1_TIMESERIES) {
      throw new DecodeError(
        'this is a prometheus.WriteRequest, sent as io.prometheus.write.v2.Request: the proto parameter of Content-Type is wrong',
      );
    } else if (tag >>> 3 === 4 || tag >>> 3 === 5) {
      throw new DecodeError(`wire type ${tag & 7} of field ${tag >>> 3} of Request before byte ${cursor.offset}`);
    } else {
      cursor.skip(tag, end);
    }
  }
  if (out.symbolCount > 0 && out.symbolStart[0] !== out.symbolEnd[0]) {
    throw new DecodeError('the first symbol is not the empty string');
  }
  if (out.symbolCount === 0 && series > 0) throw new DecodeError('series without any symbols');
  return series;
}

/** Reads a series whose references need not be columns. False when it is not such a one: then nothing was read. */
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
    } else if (tag === SERIES_METADATA) {
      readMetadata(cursor, cursor.length(end), out, s);
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

function readSeries(cursor: Cursor, end: number, out: Decoded): void {
  const s = out.beginSeries(cursor.offset, end);
  // The name that waits for its value, or -1: pairs may be torn over several fields.
  let name = -1;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === LABELS_REFS) {
      name = readLabelRefs(cursor, cursor.length(end), out, s, name);
    } else if (tag === SERIES_SAMPLE) {
      readSample(cursor, cursor.length(end), out, s);
    } else if (tag === SERIES_METADATA) {
      readMetadata(cursor, cursor.length(end), out, s);
    } else if (tag === SERIES_EXEMPLAR) {
      readExemplar(cursor, cursor.length(end), out, s);
      out.exemplarCount[s]!++;
    } else if (tag === SERIES_HISTOGRAM) {
      const stop = cursor.length(end);
      out.addHistogram(cursor.offset, stop);
      cursor.offset = stop;
    } else if (tag === LABELS_REF) {
      // Unpacked. Nobody writes that any more; as a packed field of one reference it costs no code of its own.
      const start = cursor.offset;
      cursor.uint32(end);
      const stop = cursor.offset;
      cursor.offset = start;
      name = readLabelRefs(cursor, stop, out, s, name);
    } else {
      cursor.skipOther(tag, end, 'TimeSeries', 5);
    }
  }
  if (name >= 0) out.bad[s] = BAD_ODD_REFS;
  out.endSeries(s);
}

/**
 * Packed references up to `end`; returns the name that waits for its value, or -1. Most of a 2.0 message is this, so references of
 * one and two bytes are read here, and pairs go straight into the columns.
 */
function readLabelRefs(cursor: Cursor, end: number, out: Decoded, series: number, waiting: number): number {
  // A reference takes a byte at least: room for what is there, not for what is claimed.
  out.reserveLabels((end - cursor.offset + 1) >>> 1);
  const { nameStart, nameEnd, valueStart, valueEnd, nameRef, valueRef, symbolStart, symbolEnd, symbolCount } = out;
  const bytes = cursor.bytes;
  let label = out.labelCount;
  let name = waiting | 0;
  let at = cursor.offset | 0;
  while (at < end) {
    let ref = bytes[at]! | 0;
    if (ref < 0x80) {
      at++;
    } else if (at + 1 < end && bytes[at + 1]! < 0x80) {
      ref = (ref & 0x7f) | (bytes[at + 1]! << 7);
      at += 2;
    } else {
      cursor.offset = at;
      ref = cursor.uint32(end) | 0;
      at = cursor.offset | 0;
    }
    // Unsigned: with the sign bit set it is out of range too.
    if (ref >>> 0 >= symbolCount) {
      out.bad[series] = BAD_REF;
      ref = 0;
    }
    if (name < 0) {
      name = ref;
      continue;
    }
    nameStart[label] = symbolStart[name]!;
    nameEnd[label] = symbolEnd[name]!;
    valueStart[label] = symbolStart[ref]!;
    valueEnd[label] = symbolEnd[ref]!;
    nameRef[label] = name;
    valueRef[label] = ref;
    label++;
    name = -1;
  }
  cursor.offset = at;
  out.labelCount = label;
  return name;
}

function readExemplar(cursor: Cursor, end: number, out: Decoded, series: number): void {
  let refs = 0;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === LABELS_REFS) {
      for (const stop = cursor.length(end); cursor.offset < stop; refs++) checkRef(cursor.uint32(stop), out, series);
    } else if (tag === LABELS_REF) {
      checkRef(cursor.uint32(end), out, series);
      refs++;
    } else if (tag === EXEMPLAR_VALUE || tag === EXEMPLAR_TIMESTAMP) {
      cursor.skip(tag, end);
    } else {
      cursor.skipOther(tag, end, 'Exemplar', 3);
    }
  }
  if (refs % 2 !== 0) out.bad[series] = BAD_ODD_REFS;
}

function readMetadata(cursor: Cursor, end: number, out: Decoded, series: number): void {
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === METADATA_TYPE) out.metadataType[series] = cursor.uint32(end);
    else if (tag === METADATA_HELP_REF) checkRef((out.helpRef[series] = cursor.uint32(end)), out, series);
    else if (tag === METADATA_UNIT_REF) checkRef((out.unitRef[series] = cursor.uint32(end)), out, series);
    // There is no field 2.
    else if (tag >>> 3 === 2) cursor.skip(tag, end);
    else cursor.skipOther(tag, end, 'Metadata', 4);
  }
}

function checkRef(ref: number, out: Decoded, series: number): void {
  if (ref >= out.symbolCount) out.bad[series] = BAD_REF;
}
