/**
 * Reads the exemplars of a decoded request: in 1.0 `Exemplar { labels = 1, value = 2, timestamp = 3 }`, in 2.0 the same with references for labels.
 * Decoding has walked them already, so their shape and their references hold.
 */

import { BYTES, Cursor, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import type { Decoded } from './decoded.ts';
import { newLabelRange, readLabel } from './v1.ts';

const EXEMPLARS = { 1: tagOf(3, BYTES), 2: tagOf(4, BYTES) } as const;
const LABELS = tagOf(1, BYTES);
const LABELS_REF = tagOf(1, VARINT);
const VALUE = tagOf(2, FIXED64);
const TIMESTAMP = tagOf(3, VARINT);

/** One exemplar. The object is used again for the next. */
export interface ReadExemplar {
  /** Byte ranges of its labels: start and end of the name, start and end of the value, and so on. */
  readonly labels: number[];
  /** Unix ms. */
  t: number;
  /** The halves of the value's bits. */
  hi: number;
  lo: number;
}

/** Calls `visit` for each exemplar of series `s`, which `Decoded.bad` must not mark. */
export function readExemplars(decoded: Decoded, s: number, visit: (exemplar: ReadExemplar) => void): void {
  const { message, schema } = decoded;
  const end = decoded.seriesEnd[s]!;
  const cursor = new Cursor(message);
  const exemplar: ReadExemplar = { labels: [], t: 0, hi: 0, lo: 0 };
  for (cursor.offset = decoded.seriesStart[s]!; cursor.offset < end;) {
    const tag = cursor.tag(end);
    if (tag !== EXEMPLARS[schema]) {
      cursor.skip(tag, end);
      continue;
    }
    exemplar.labels.length = exemplar.t = exemplar.hi = exemplar.lo = 0;
    readOne(cursor, cursor.length(end), decoded, exemplar);
    visit(exemplar);
  }
}

function readOne(cursor: Cursor, end: number, decoded: Decoded, out: ReadExemplar): void {
  const { schema, symbolStart, symbolEnd } = decoded;
  const label = newLabelRange();
  const ref = (stop: number): void => {
    const symbol = cursor.uint32(stop);
    out.labels.push(symbolStart[symbol]!, symbolEnd[symbol]!);
  };
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === VALUE) {
      out.lo = cursor.fixed32(end);
      out.hi = cursor.fixed32(end);
    } else if (tag === TIMESTAMP) {
      out.t = cursor.int64(end);
    } else if (tag === LABELS && schema === 1) {
      readLabel(cursor, cursor.length(end), label);
      out.labels.push(label.nameStart, label.nameEnd, label.valueStart, label.valueEnd);
    } else if (tag === LABELS) {
      for (const stop = cursor.length(end); cursor.offset < stop;) ref(stop);
    } else if (tag === LABELS_REF && schema === 2) {
      ref(end);
    } else {
      cursor.skip(tag, end);
    }
  }
}
