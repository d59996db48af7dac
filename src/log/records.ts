/**
 * The rows of a log: records in the order in which they were appended, and those that could not be read. They know of no consumer; who needs a
 * record is the log's to say (log.ts). Table layout: FORMAT.md.
 *
 * The one invariant: each row holds the sums of samples and bytes up to itself, so what lies between two places is one subtraction.
 */

import { crc32c } from '../encoding/crc32c.ts';
import { type Batch, type LogRecord, type NewRecord, RECORD_BYTES_MAX, recordOf } from './record.ts';
import type { Sql, SqlRow } from './sql.ts';

/** A rider, and the record that it rides with. */
const ROW_BYTES_MAX = 1_900_000;

/** Records that were set aside are kept for a person to look at, but not without end. */
const ASIDE_MAX = 64;

/** The end of the log: its last seq, and what ever came. */
export interface Newest {
  readonly seq: number;
  readonly samplesIn: number;
  readonly bytesIn: number;
}

const EMPTY: Newest = { seq: 0, samplesIn: 0, bytesIn: 0 };

/** The record at the beginning of what stands. */
export interface Oldest {
  readonly seq: number;
  readonly atMs: number;
  /** Bytes that came before it. */
  readonly bytesBefore: number;
}

export class Records {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, schema INTEGER NOT NULL,
      samples INTEGER NOT NULL, max_t INTEGER NOT NULL, crc INTEGER NOT NULL, samples_in INTEGER NOT NULL,
      bytes_in INTEGER NOT NULL, rider BLOB, body BLOB NOT NULL, lanes INTEGER, histograms INTEGER, exemplars INTEGER)`);
    // Logs of an earlier version have no such columns yet: their records are of all lanes.
    const known = new Set(sql.exec('PRAGMA table_info(record)').map((row) => row['name']));
    for (const column of ['lanes', 'histograms', 'exemplars'])
      if (!known.has(column)) sql.exec(`ALTER TABLE record ADD COLUMN ${column} INTEGER`);
    sql.exec(
      `CREATE TABLE IF NOT EXISTS aside (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB)`,
    );
  }

  /** Within a transaction. The end of the log with them. Throws when a body or the rider is above its bound. */
  append(nowMs: number, records: readonly NewRecord[], rider: Uint8Array | null): Newest {
    if (rider !== null) checkRider(rider, records.at(-1)?.body.byteLength ?? 0);
    let { seq, samplesIn, bytesIn } = this.newest();
    records.forEach((record, i) => {
      const bytes = record.body.byteLength;
      if (bytes > RECORD_BYTES_MAX) {
        throw new Error(`a record has ${bytes} B, at most ${RECORD_BYTES_MAX} fit a row: split the request`);
      }
      seq++;
      samplesIn += record.samples;
      bytesIn += bytes;
      this.#sql.exec(
        `INSERT INTO record (seq, at, schema, samples, max_t, crc, samples_in, bytes_in, rider, body, lanes, histograms, exemplars)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        seq,
        nowMs,
        record.schema,
        record.samples,
        record.maxT,
        crc32c(record.body),
        samplesIn,
        bytesIn,
        i === records.length - 1 ? rider : null,
        record.body,
        record.lanes === 0 ? null : (record.lanes ?? null),
        record.histograms ?? null,
        record.exemplars ?? null,
      );
    });
    return { seq, samplesIn, bytesIn };
  }

  /** The owner's state changes without a record. False before the first record, when there is nothing to ride in. */
  setRider(rider: Uint8Array): boolean {
    const newest = this.#sql.exec('SELECT seq, length(body) AS bytes FROM record ORDER BY seq DESC LIMIT 1')[0];
    if (newest === undefined) return false;
    checkRider(rider, newest['bytes'] as number);
    this.#sql.exec('UPDATE record SET rider = ? WHERE seq = ?', rider, newest['seq']!);
    return true;
  }

  /**
   * Drops the state that rides in records which wait for a slow consumer: only the newest is ever read, and a thousand of a large one would fill what
   * the bound of bytes, which counts bodies, leaves free. A row for each: it looks at the last `records`, so call it before so many have come.
   */
  dropOldRiders(records: number): void {
    const { seq } = this.newest();
    this.#sql.exec(
      'UPDATE record SET rider = NULL WHERE seq < ? AND seq >= ? AND rider IS NOT NULL',
      seq,
      seq - records,
    );
  }

  /** The owner's state as of the last append; null before the first. */
  rider(): Uint8Array | null {
    const rider = this.#sql.exec('SELECT rider FROM record ORDER BY seq DESC LIMIT 1')[0]?.['rider'];
    return rider instanceof ArrayBuffer ? new Uint8Array(rider) : null;
  }

  /** The records after a seq, as `Log.read` has them. */
  after(from: number, bytesMax: number): Batch {
    const records: LogRecord[] = [];
    let upTo = from;
    let bytes = 0;
    for (;;) {
      const row = this.#sql.exec(
        'SELECT seq, at, schema, samples, max_t, crc, body, lanes, histograms, exemplars FROM record WHERE seq > ? ORDER BY seq LIMIT 1',
        upTo,
      )[0];
      if (row === undefined) break;
      const record = recordOf(row);
      if (typeof record === 'string') {
        this.#setAside(row, record);
      } else {
        if (records.length > 0 && bytes + record.body.byteLength > bytesMax) break;
        bytes += record.body.byteLength;
        records.push(record);
      }
      upTo = row['seq'] as number;
    }
    return { records, upTo };
  }

  /** Keeps a record aside with the reason; the one in the log stays. */
  setAside(seq: number, reason: string): void {
    const row = this.#sql.exec('SELECT seq, at, body FROM record WHERE seq = ?', seq)[0];
    if (row !== undefined) this.#setAside(row, reason);
  }

  #setAside(row: SqlRow, reason: string): void {
    this.#sql.exec('INSERT OR IGNORE INTO aside VALUES (?, ?, ?, ?)', row['seq']!, row['at']!, reason, row['body']!);
    this.#sql.exec(
      'DELETE FROM aside WHERE seq <= (SELECT seq FROM aside ORDER BY seq DESC LIMIT 1 OFFSET ?)',
      ASIDE_MAX,
    );
  }

  /** What was set aside, in order. */
  aside(): { readonly seq: number; readonly reason: string }[] {
    const rows = this.#sql.exec('SELECT seq, reason FROM aside ORDER BY seq');
    return rows.map((row) => ({ seq: row['seq'] as number, reason: row['reason'] as string }));
  }

  newest(): Newest {
    const row = this.#sql.exec('SELECT seq, samples_in, bytes_in FROM record ORDER BY seq DESC LIMIT 1')[0];
    if (row === undefined) return EMPTY;
    return { seq: row['seq'] as number, samplesIn: row['samples_in'] as number, bytesIn: row['bytes_in'] as number };
  }

  /** Null before the first record. */
  oldest(): Oldest | null {
    const row = this.#sql.exec('SELECT seq, at, bytes_in - length(body) AS before FROM record ORDER BY seq LIMIT 1')[0];
    if (row === undefined) return null;
    return { seq: row['seq'] as number, atMs: row['at'] as number, bytesBefore: row['before'] as number };
  }

  /** Running total of samples up to and with `seq`, also where that record was set aside. */
  samplesInAt(seq: number): number {
    const row = this.#sql.exec(
      'SELECT samples_in - CASE WHEN seq > ?1 THEN samples ELSE 0 END AS total FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1',
      seq,
    )[0];
    return row === undefined ? this.newest().samplesIn : (row['total'] as number);
  }

  /** Bytes of the bodies after a seq. */
  bytesAfter(seq: number, newest: Newest): number {
    const before = this.#sql.exec(
      'SELECT bytes_in - length(body) AS before FROM record WHERE seq > ? ORDER BY seq LIMIT 1',
      seq,
    )[0]?.['before'];
    return typeof before === 'number' ? newest.bytesIn - before : 0;
  }

  /** When the first record after a seq was appended, Unix ms; null when there is none. */
  appendedAfter(seq: number): number | null {
    const at = this.#sql.exec('SELECT at FROM record WHERE seq > ? ORDER BY seq LIMIT 1', seq)[0]?.['at'];
    return typeof at === 'number' ? at : null;
  }

  /** The last seq that was appended before `sinceMs`. */
  lastBefore(sinceMs: number, newest: Newest): number {
    return this.#before('at >= ?', sinceMs, newest);
  }

  /** The last seq that goes when only the newest `bytes` may stand. */
  lastBeyond(bytes: number, newest: Newest): number {
    return this.#before('bytes_in - length(body) >= ?', newest.bytesIn - bytes, newest);
  }

  /** The seq before the first record that holds the condition. The columns grow with seq, so the scan ends at the first that is kept. */
  #before(condition: string, bound: number, newest: Newest): number {
    const seq = this.#sql.exec(`SELECT seq FROM record WHERE ${condition} ORDER BY seq LIMIT 1`, bound)[0]?.['seq'];
    return typeof seq === 'number' ? seq - 1 : newest.seq;
  }

  /** The highest timestamp of a sample, Unix ms. Of the newest only: senders may be hours apart, but a scan of the whole log would cost more than it tells. */
  highestMs(): number | null {
    const highest = this.#sql.exec(
      'SELECT max(max_t) AS highest FROM (SELECT max_t FROM record ORDER BY seq DESC LIMIT 100)',
    )[0]?.['highest'];
    return typeof highest === 'number' ? highest : null;
  }

  deleteUpTo(seq: number): void {
    this.#sql.exec('DELETE FROM record WHERE seq <= ?', seq);
  }
}

function checkRider(rider: Uint8Array, bodyBytes: number): void {
  if (rider.byteLength + bodyBytes > ROW_BYTES_MAX)
    throw new Error(
      `the state that rides in the log has ${rider.byteLength} B, its record ${bodyBytes} B, and a row at most ${ROW_BYTES_MAX}: spread the targets over more agents (NARTHEX_AGENTS)`,
    );
}
