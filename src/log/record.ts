/** A record of a log, as it is handed in and as it is read from its row. It is a remote-write request: what is in it, no one here knows. */

import { crc32c } from '../encoding/crc32c.ts';
import type { Schema } from '../encoding/remote-write/decoded.ts';
import { ALL_LANES } from './lanes.ts';
import type { SqlRow } from './sql.ts';

/**
 * Largest body of a record. A row of SQLite in an object may have 2,000,000 bytes in production (4 MiB locally, so only this guard
 * shows it); the rest is for the rider and the columns.
 */
export const RECORD_BYTES_MAX = 1_500_000;
export interface NewRecord {
  readonly schema: Schema;
  readonly samples: number;
  /** Highest sample timestamp in the body, Unix ms. */
  readonly maxT: number;
  /** How many of `samples` are histograms, and how many exemplars there are besides; none when absent. */
  readonly histograms?: number;
  readonly exemplars?: number;
  /** The lanes that the record's series are in (lanes.ts), a bit each; all when absent. */
  readonly lanes?: number;
  /** The request, snappy block format. */
  readonly body: Uint8Array;
}

export interface LogRecord extends Required<NewRecord> {
  readonly seq: number;
  readonly atMs: number;
}

/** What a reader finds after its cursor: records, and how far they reach (unreadable ones are passed over and set aside). */
export interface Batch {
  readonly records: readonly LogRecord[];
  /** The seq to acknowledge when all records are done with. Equals the cursor when there is nothing. */
  readonly upTo: number;
}

/** The record of a row, or why it cannot be read. */
export function recordOf(row: SqlRow): LogRecord | string {
  const body = row['body'];
  if (!(body instanceof ArrayBuffer)) return 'the body is not bytes';
  const bytes = new Uint8Array(body);
  const crc = crc32c(bytes);
  if (crc !== row['crc']) return `checksum ${crc.toString(16)}, stored ${Number(row['crc']).toString(16)}`;
  const schema = row['schema'];
  if (schema !== 1 && schema !== 2) return `unknown schema ${schema}`;
  return {
    seq: row['seq'] as number,
    atMs: row['at'] as number,
    schema,
    samples: row['samples'] as number,
    maxT: row['max_t'] as number,
    body: bytes,
    lanes: (row['lanes'] as number | null) ?? ALL_LANES,
    histograms: (row['histograms'] as number | null) ?? 0,
    exemplars: (row['exemplars'] as number | null) ?? 0,
  };
}
