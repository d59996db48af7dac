/** An Exemplar message: value and timestamp. Its labels are read when they are asked for. */

import type { Cursor } from '../../../encoding/protobuf-reader.ts';
import type { PageCursor } from '../cursor.ts';
import { EXEMPLAR, TIMESTAMP } from './messages.ts';

/** Reads the message from the reader's place to `end` into the cursor's fields. */
export function readExemplar(reader: Cursor, end: number, out: PageCursor): void {
  out.exemplarStart = reader.offset;
  out.exemplarEnd = end;
  out.exemplarHasTimestamp = false;
  out.exemplarHi = out.exemplarLo = 0;
  while (reader.offset < end) {
    const tag = reader.tag(end);
    if (tag === EXEMPLAR.value) {
      out.exemplarLo = reader.fixed32(end);
      out.exemplarHi = reader.fixed32(end);
    } else if (tag === EXEMPLAR.timestamp) {
      out.exemplarHasTimestamp = true;
      out.exemplarTimestamp = readTimestamp(reader, reader.length(end));
    } else if (tag === EXEMPLAR.label) reader.offset = reader.length(end);
    else reader.skipOther(tag, end, 'Exemplar', 3);
  }
}

/** Unix ms. */
export function readTimestamp(reader: Cursor, end: number): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.offset < end) {
    const field = reader.tag(end);
    if (field === TIMESTAMP.seconds) seconds = reader.int64(end);
    else if (field === TIMESTAMP.nanos) nanos = reader.int64(end);
    else reader.skipOther(field, end, 'Timestamp', 2);
  }
  return seconds * 1000 + Math.trunc(nanos / 1_000_000);
}
