/**
 * A remote-write message with other labels on its series, or without some of them, in the schema that it has. What else a series
 * holds is copied as it is: samples, histograms, exemplars, metadata, and fields that are not known here.
 *
 * Invariant: the series that are kept are in their order, with all that they held.
 */

import { BYTES, Cursor, DecodeError, tagOf } from '../protobuf-reader.ts';
import { Writer } from '../protobuf-writer.ts';
import { badText } from './bad.ts';
import type { Decoded } from './decoded.ts';
import { copyMetadataV1, renumber, SERIES_WITHOUT_LABELS, Symbols } from './slice.ts';

const V1_TIMESERIES = tagOf(1, BYTES);
const V2_TIMESERIES = tagOf(5, BYTES);
/** Of a series: messages in 1.0, packed references in 2.0. */
const LABELS = tagOf(1, BYTES);
const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);

export interface Rewritten {
  /** In a buffer of its own. */
  readonly message: Uint8Array<ArrayBuffer>;
  readonly series: number;
  /** Samples of the series that are not there any more. */
  readonly samplesDropped: number;
}

/**
 * `labelsOf` gives a series' new labels, name and value by turns, sorted by name, or null to leave it out. Throws DecodeError for a series that
 * `Decoded.bad` marks.
 */
export function rewriteLabels(decoded: Decoded, labelsOf: (series: number) => readonly string[] | null): Rewritten {
  const bad = decoded.bad.subarray(0, decoded.seriesCount).findIndex((code) => code !== 0);
  if (bad >= 0) throw new DecodeError(`series ${bad}: ${badText(decoded.bad[bad]!)}`);
  const kept = { series: 0, samplesDropped: 0 };
  const out = decoded.schema === 1 ? rewriteV1(decoded, labelsOf, kept) : rewriteV2(decoded, labelsOf, kept);
  return { message: out.finish(), ...kept };
}

type Count = { series: number; samplesDropped: number };
type LabelsOf = (series: number) => readonly string[] | null;

/** The new labels of a series that is kept; counts it, or its samples. */
function keep(decoded: Decoded, s: number, labelsOf: LabelsOf, count: Count): readonly string[] | null {
  const labels = labelsOf(s);
  if (labels === null) count.samplesDropped += decoded.samplesBefore(s + 1) - decoded.samplesBefore(s);
  else count.series++;
  return labels;
}

function rewriteV1(decoded: Decoded, labelsOf: LabelsOf, count: Count): Writer {
  const { message, seriesStart, seriesEnd } = decoded;
  const encoder = new TextEncoder();
  const out = new Writer();
  const series = new Writer();
  const label = new Writer();
  const cursor = new Cursor(message);
  for (let s = 0; s < decoded.seriesCount; s++) {
    const labels = keep(decoded, s, labelsOf, count);
    if (labels === null) continue;
    series.clear();
    for (let i = 0; i < labels.length; i += 2) {
      label.clear();
      writeText(label, LABEL_NAME, encoder.encode(labels[i]!));
      writeText(label, LABEL_VALUE, encoder.encode(labels[i + 1]!));
      series.field(LABELS, label.bytes, 0, label.length);
    }
    const end = seriesEnd[s]!;
    for (cursor.offset = seriesStart[s]!; cursor.offset < end;) {
      const start = cursor.offset;
      const tag = cursor.tag(end);
      cursor.skip(tag, end);
      if (tag !== LABELS) series.raw(message, start, cursor.offset);
    }
    out.field(V1_TIMESERIES, series.bytes, 0, series.length);
  }
  copyMetadataV1(decoded, out);
  return out;
}

const writeText = (out: Writer, tag: number, text: Uint8Array): void => out.field(tag, text, 0, text.length);

function rewriteV2(decoded: Decoded, labelsOf: LabelsOf, count: Count): Writer {
  const { message, seriesStart, seriesEnd } = decoded;
  const symbols = new Symbols(decoded);
  const all = new Writer();
  const series = new Writer();
  const refs = new Writer();
  const cursor = new Cursor(message);
  for (let s = 0; s < decoded.seriesCount; s++) {
    const labels = keep(decoded, s, labelsOf, count);
    if (labels === null) continue;
    series.clear();
    refs.clear();
    for (const text of labels) refs.uint32(symbols.text(text));
    series.field(LABELS, refs.bytes, 0, refs.length);
    cursor.offset = seriesStart[s]!;
    renumber(cursor, seriesEnd[s]!, SERIES_WITHOUT_LABELS, symbols, series);
    all.field(V2_TIMESERIES, series.bytes, 0, series.length);
  }
  symbols.out.raw(all.bytes, 0, all.length);
  return symbols.out;
}
