/**
 * A remote-write message in the other schema, for a remote that needs it. Labels and samples are carried over; so are exemplars, and
 * histograms as they are (their messages are the same: prompb/types.proto, prompb/io/prometheus/write/v2/types.proto). Metadata is not:
 * 1.0 has it per metric family and in requests of its own, 2.0 per series. Start timestamps exist in 2.0 only.
 *
 * Invariant: same series, same order, same samples to the bit.
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { fieldSize, int64Size, Writer } from '../protobuf-writer.ts';
import { snappyCompress } from '../snappy.ts';
import { badText } from './bad.ts';
import { blockV1 } from './block-v1.ts';
import type { Decoded, Schema } from './decoded.ts';
import { SymbolTable } from './symbols.ts';
import { type LabelRange, newLabelRange, readLabel } from './v1.ts';

/** `timeseries` of the request, and what changed places within TimeSeries. */
const V1 = { timeseries: tagOf(1, BYTES), exemplars: tagOf(3, BYTES), histograms: tagOf(4, BYTES) };
const V2 = { timeseries: tagOf(5, BYTES), exemplars: tagOf(4, BYTES), histograms: tagOf(3, BYTES) };

/** Labels of a series and of an exemplar: messages in 1.0, packed references in 2.0. */
const LABELS = tagOf(1, BYTES);
const LABELS_REF = tagOf(1, VARINT);
const SAMPLES = tagOf(2, BYTES);
const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);
const SAMPLE_VALUE = tagOf(1, FIXED64);
const SAMPLE_TIMESTAMP = tagOf(2, VARINT);

/**
 * The decoded message as one of `schema`; as it is, without a copy, when it has that schema already.
 * Throws DecodeError for a series that `Decoded.bad` marks: such are filtered away when a request is received.
 */
export function toSchema(decoded: Decoded, schema: Schema): Uint8Array {
  if (decoded.schema === schema) return decoded.message;
  checkBad(decoded);
  return schema === 1 ? toV1(decoded) : toV2(decoded);
}

/** Whether `toSchemaBlock` has a way of its own, which converts a part of the series for a part of the cost. */
export const hasDirectBlock = (decoded: Decoded, schema: Schema): boolean =>
  decoded.schema === 2 && schema === 1 && decoded.histogramCount === 0;

/** The same, compressed. What a scrape becomes for a remote that speaks 1.0 goes a way of its own: of that, the series `from` up to `to` (exclusive). */
export function toSchemaBlock(
  decoded: Decoded,
  schema: Schema,
  from = 0,
  to = decoded.seriesCount,
): Uint8Array<ArrayBuffer> {
  if (!hasDirectBlock(decoded, schema)) return snappyCompress(toSchema(decoded, schema));
  checkBad(decoded);
  const hasExemplars = decoded.exemplarCount.subarray(from, to).some((count) => count > 0);
  const more = (out: Writer, s: number): void => {
    if (hasMore(decoded, s))
      copyMore(out, decoded, s, V2, V1, (one, start, end) => exemplarToV1(one, decoded, start, end));
  };
  return blockV1(decoded, hasExemplars ? more : null, from, to);
}

function checkBad(decoded: Decoded): void {
  const bad = decoded.bad.subarray(0, decoded.seriesCount).findIndex((code) => code !== 0);
  if (bad >= 0) throw new DecodeError(`series ${bad}: ${badText(decoded.bad[bad]!)}`);
}

function toV1(decoded: Decoded): Uint8Array {
  const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
  const out = new Writer();
  const series = new Writer();
  for (let s = 0, label = 0; s < decoded.seriesCount; s++) {
    series.clear();
    for (const end = decoded.labelEnd[s]!; label < end; label++) {
      writeLabel(series, message, nameStart[label]!, nameEnd[label]!, valueStart[label]!, valueEnd[label]!);
    }
    writeSamples(series, decoded, s);
    if (hasMore(decoded, s))
      copyMore(series, decoded, s, V2, V1, (out, start, end) => exemplarToV1(out, decoded, start, end));
    out.field(V1.timeseries, series.bytes, 0, series.length);
  }
  return out.finish();
}

function toV2(decoded: Decoded): Uint8Array {
  const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
  const symbols = new SymbolTable();
  const all = new Writer();
  const series = new Writer();
  const refs = new Writer();
  for (let s = 0, label = 0; s < decoded.seriesCount; s++) {
    series.clear();
    refs.clear();
    for (const end = decoded.labelEnd[s]!; label < end; label++) {
      refs.uint32(symbols.ref(message, nameStart[label]!, nameEnd[label]!));
      refs.uint32(symbols.ref(message, valueStart[label]!, valueEnd[label]!));
    }
    series.field(LABELS, refs.bytes, 0, refs.length);
    writeSamples(series, decoded, s);
    if (hasMore(decoded, s))
      copyMore(series, decoded, s, V1, V2, (out, start, end) => exemplarToV2(out, message, start, end, symbols));
    all.field(V2.timeseries, series.bytes, 0, series.length);
  }
  symbols.out.raw(all.bytes, 0, all.length);
  return symbols.out.finish();
}

function writeLabel(
  out: Writer,
  message: Uint8Array,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): void {
  out.tag(LABELS);
  out.uint32(fieldSize(nameEnd - nameStart) + fieldSize(valueEnd - valueStart));
  out.field(LABEL_NAME, message, nameStart, nameEnd);
  out.field(LABEL_VALUE, message, valueStart, valueEnd);
}

/** The samples of series `s`, as both schemas have them. */
function writeSamples(out: Writer, decoded: Decoded, s: number): void {
  const { t, hi, lo } = decoded;
  for (let i = s === 0 ? 0 : decoded.sampleEnd[s - 1]!; i < decoded.sampleEnd[s]!; i++) {
    out.tag(SAMPLES);
    out.uint32(10 + int64Size(t[i]!));
    out.tag(SAMPLE_VALUE);
    out.fixed32(lo[i]!);
    out.fixed32(hi[i]!);
    out.tag(SAMPLE_TIMESTAMP);
    out.int64(t[i]!);
  }
}

/** Few series have exemplars or histograms, so only they are walked a second time, and with a closure. */
const hasMore = (decoded: Decoded, s: number): boolean =>
  decoded.exemplarCount[s]! > 0 || decoded.histogramEnd[s]! > decoded.histogramFrom(s);

function copyMore(
  out: Writer,
  decoded: Decoded,
  s: number,
  from: typeof V1,
  to: typeof V1,
  exemplar: (out: Writer, start: number, end: number) => void,
): void {
  const { message } = decoded;
  const cursor = new Cursor(message);
  const seriesEnd = decoded.seriesEnd[s]!;
  const nested = new Writer();
  for (cursor.offset = decoded.seriesStart[s]!; cursor.offset < seriesEnd;) {
    const tag = cursor.tag(seriesEnd);
    if (tag !== from.exemplars && tag !== from.histograms) {
      cursor.skip(tag, seriesEnd);
      continue;
    }
    const end = cursor.length(seriesEnd);
    if (tag === from.histograms) {
      out.field(to.histograms, message, cursor.offset, end);
    } else {
      nested.clear();
      exemplar(nested, cursor.offset, end);
      out.field(to.exemplars, nested.bytes, 0, nested.length);
    }
    cursor.offset = end;
  }
}

/** An exemplar's labels become messages; its value and timestamp are the same fields in both and are copied. */
function exemplarToV1(out: Writer, decoded: Decoded, start: number, stop: number): void {
  const { message, symbolStart, symbolEnd } = decoded;
  const cursor = new Cursor(message);
  let name = -1;
  for (cursor.offset = start; cursor.offset < stop;) {
    const fieldStart = cursor.offset;
    const tag = cursor.tag(stop);
    if (tag !== LABELS && tag !== LABELS_REF) {
      cursor.skip(tag, stop);
      out.raw(message, fieldStart, cursor.offset);
      continue;
    }
    const end = tag === LABELS ? cursor.length(stop) : cursor.offset + 1;
    while (cursor.offset < end) {
      const ref = cursor.uint32(stop);
      if (name >= 0) writeLabel(out, message, symbolStart[name]!, symbolEnd[name]!, symbolStart[ref]!, symbolEnd[ref]!);
      name = name >= 0 ? -1 : ref;
    }
  }
}

function exemplarToV2(out: Writer, message: Uint8Array, start: number, stop: number, symbols: SymbolTable): void {
  const cursor = new Cursor(message);
  const label: LabelRange = newLabelRange();
  const refs = new Writer();
  for (cursor.offset = start; cursor.offset < stop;) {
    const fieldStart = cursor.offset;
    const tag = cursor.tag(stop);
    if (tag === LABELS) {
      readLabel(cursor, cursor.length(stop), label);
      refs.uint32(symbols.ref(message, label.nameStart, label.nameEnd));
      refs.uint32(symbols.ref(message, label.valueStart, label.valueEnd));
    } else {
      cursor.skip(tag, stop);
      out.raw(message, fieldStart, cursor.offset);
    }
  }
  out.field(LABELS, refs.bytes, 0, refs.length);
}
