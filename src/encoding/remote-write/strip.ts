/**
 * A remote-write message without exemplars, or without native histograms, for a remote that wants none. What else a series holds is copied as it is;
 * one that held nothing but histograms is left out.
 */

import { BYTES, Cursor, DecodeError, tagOf } from '../protobuf-reader.ts';
import { Writer } from '../protobuf-writer.ts';
import { badText } from './bad.ts';
import type { Decoded } from './decoded.ts';
import { copyMetadataV1, renumber, Symbols, TIMESERIES } from './slice.ts';

/** Of a series: where 1.0 and 2.0 have them. */
const EXEMPLARS = { 1: 3, 2: 4 } as const;
const HISTOGRAMS = { 1: 4, 2: 3 } as const;

export interface Stripped {
  /** In a buffer of its own. */
  readonly message: Uint8Array<ArrayBuffer>;
  readonly series: number;
  readonly histogramsDropped: number;
}

/** `what` is left out. Throws DecodeError for a series that `Decoded.bad` marks. */
export function strip(decoded: Decoded, what: { readonly exemplars: boolean; readonly histograms: boolean }): Stripped {
  const bad = decoded.bad.subarray(0, decoded.seriesCount).findIndex((code) => code !== 0);
  if (bad >= 0) throw new DecodeError(`series ${bad}: ${badText(decoded.bad[bad]!)}`);
  const { schema, message, seriesStart, seriesEnd } = decoded;
  const without: number[] = [];
  if (what.exemplars) without.push(EXEMPLARS[schema]);
  if (what.histograms) without.push(HISTOGRAMS[schema]);
  const shape = { ...TIMESERIES, without };
  const symbols = new Symbols(decoded);
  const all = new Writer();
  const one = new Writer();
  const cursor = new Cursor(message);
  const count = { series: 0, histogramsDropped: 0 };
  for (let s = 0; s < decoded.seriesCount; s++) {
    const histograms = decoded.histogramEnd[s]! - decoded.histogramFrom(s);
    const floats = decoded.samplesBefore(s + 1) - decoded.samplesBefore(s) - histograms;
    if (what.histograms) {
      count.histogramsDropped += histograms;
      if (histograms > 0 && floats === 0) continue;
    }
    count.series++;
    one.clear();
    cursor.offset = seriesStart[s]!;
    const end = seriesEnd[s]!;
    if (schema === 2) renumber(cursor, end, shape, symbols, one);
    else {
      while (cursor.offset < end) {
        const start = cursor.offset;
        const tag = cursor.tag(end);
        cursor.skip(tag, end);
        if (!without.includes(tag >>> 3)) one.raw(message, start, cursor.offset);
      }
    }
    all.field(tagOf(schema === 1 ? 1 : 5, BYTES), one.bytes, 0, one.length);
  }
  if (schema === 1) copyMetadataV1(decoded, all);
  const out = schema === 1 ? all : symbols.out;
  if (schema === 2) out.raw(all.bytes, 0, all.length);
  return { message: out.finish(), ...count };
}
