/**
 * A remote-write message less some of its series. Nothing is encoded anew: what stays is copied byte for byte, symbols and metadata
 * and unknown fields included, so that a partly bad request is kept exactly as it was sent.
 */

import { BYTES, Cursor, tagOf } from '../protobuf-reader.ts';
import type { Decoded } from './decoded.ts';

/**
 * The message that was decoded, with only the series whose `keep[i]` is not 0, in a buffer of its own. Symbols that only dropped
 * series used remain. `keep` has at least `decoded.seriesCount` entries.
 */
export function filterWrite(decoded: Decoded, keep: Uint8Array): Uint8Array<ArrayBuffer> {
  // Once to measure, once to copy: a request is large when it matters, and a second buffer of its size would be the peak.
  const out = new Uint8Array(copyKept(decoded, keep, null));
  copyKept(decoded, keep, out);
  return out;
}

/** Copies what stays to `out`, unless that is null. Returns its size. */
function copyKept(decoded: Decoded, keep: Uint8Array, out: Uint8Array | null): number {
  const { message } = decoded;
  const timeseries = tagOf(decoded.schema === 1 ? 1 : 5, BYTES);
  const cursor = new Cursor(message);
  const end = message.length;
  let size = 0;
  // Neighbours that stay are copied at once.
  let runStart = 0;
  for (let series = 0; cursor.offset < end;) {
    const start = cursor.offset;
    const tag = cursor.tag(end);
    cursor.skip(tag, end);
    if (tag !== timeseries || keep[series++]! !== 0) continue;
    out?.set(message.subarray(runStart, start), size);
    size += start - runStart;
    runStart = cursor.offset;
  }
  out?.set(message.subarray(runStart, end), size);
  return size + end - runStart;
}
