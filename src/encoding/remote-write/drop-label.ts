/**
 * A remote-write message without one of its labels: what tells the replicas of an HA pair apart. Series that do not have it, and every other field, are
 * copied byte for byte; the text stays in the symbols of a 2.0 message, where it costs its length.
 */

import { BYTES, Cursor, tagOf, VARINT } from '../protobuf-reader.ts';
import { Writer } from '../protobuf-writer.ts';
import type { Decoded } from './decoded.ts';

const LABELS = tagOf(1, BYTES);
const LABELS_REF = tagOf(1, VARINT);

/** The place of a label in the label columns of series `s`, or -1. `name` is its UTF-8. */
export function labelAt(decoded: Decoded, s: number, name: Uint8Array): number {
  for (let i = s === 0 ? 0 : decoded.labelEnd[s - 1]!; i < decoded.labelEnd[s]!; i++) {
    if (isNamed(decoded, i, name)) return i;
  }
  return -1;
}

function isNamed({ message, nameStart, nameEnd }: Decoded, label: number, name: Uint8Array): boolean {
  const start = nameStart[label]!;
  if (nameEnd[label]! - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (message[start + i] !== name[i]) return false;
  return true;
}

/** The message that was decoded, less the labels of that name, in a buffer of its own. A series that `Decoded.bad` marks stays as it is. */
export function dropLabel(decoded: Decoded, name: Uint8Array): Uint8Array<ArrayBuffer> {
  const { message } = decoded;
  const timeseries = tagOf(decoded.schema === 1 ? 1 : 5, BYTES);
  const cursor = new Cursor(message);
  const out = new Writer();
  const series = new Writer();
  for (let s = 0; cursor.offset < message.length;) {
    const start = cursor.offset;
    const tag = cursor.tag(message.length);
    cursor.skip(tag, message.length);
    if (tag !== timeseries || decoded.bad[s] !== 0 || labelAt(decoded, s, name) < 0) {
      out.raw(message, start, cursor.offset);
    } else {
      series.clear();
      if (decoded.schema === 1) seriesWithout1(series, decoded, s, name);
      else seriesWithout2(series, decoded, s, name);
      out.field(timeseries, series.bytes, 0, series.length);
    }
    if (tag === timeseries) s++;
  }
  return out.finish();
}

function seriesWithout1(out: Writer, decoded: Decoded, s: number, name: Uint8Array): void {
  const { message } = decoded;
  const end = decoded.seriesEnd[s]!;
  const cursor = new Cursor(message);
  // Labels stand in the columns in the order of their fields.
  let label = s === 0 ? 0 : decoded.labelEnd[s - 1]!;
  for (cursor.offset = decoded.seriesStart[s]!; cursor.offset < end;) {
    const start = cursor.offset;
    const tag = cursor.tag(end);
    cursor.skip(tag, end);
    if (tag === LABELS && isNamed(decoded, label++, name)) continue;
    out.raw(message, start, cursor.offset);
  }
}

/** The references come first and in one field, whatever they were torn into. */
function seriesWithout2(out: Writer, decoded: Decoded, s: number, name: Uint8Array): void {
  const { message, nameRef, valueRef } = decoded;
  const refs = new Writer();
  for (let i = s === 0 ? 0 : decoded.labelEnd[s - 1]!; i < decoded.labelEnd[s]!; i++) {
    if (isNamed(decoded, i, name)) continue;
    refs.uint32(nameRef[i]!);
    refs.uint32(valueRef[i]!);
  }
  out.field(LABELS, refs.bytes, 0, refs.length);
  const end = decoded.seriesEnd[s]!;
  const cursor = new Cursor(message);
  for (cursor.offset = decoded.seriesStart[s]!; cursor.offset < end;) {
    const start = cursor.offset;
    const tag = cursor.tag(end);
    cursor.skip(tag, end);
    if (tag !== LABELS && tag !== LABELS_REF) out.raw(message, start, cursor.offset);
  }
}
