/**
 * The write-ahead log: records appended in order, consumers with a cursor each, truncation behind the slowest, bounds. It is not
 * a queue manager: it never sends, waits or decides what a record means. Table layout and arithmetic: FORMAT.md.
 *
 * The one invariant: for every consumer `in = sent + dropped{reason} + pending`, from totals written with the event.
 */

import { parseSize } from '../config/sizes.ts';
import { crc32c } from '../encoding/crc32c.ts';
import type { Schema } from '../encoding/remote-write/decoded.ts';
import type { ConsumerStatus, LogStatus } from './status.ts';
import {
  advance,
  type Consumer,
  type ConsumerState,
  consumerStatus,
  isNewMinute,
  newConsumer,
  noted,
  type Outcome,
  retried,
  rewound,
} from './consumer.ts';
import { ALL_LANES } from './lanes.ts';
import type { Sql, SqlRow } from './sql.ts';

/**
 * Largest body of a record. A row of SQLite in an object may have 2,000,000 bytes in production (4 MiB locally, so only this guard
 * shows it); the rest is for the rider and the columns.
 */
export const RECORD_BYTES_MAX = 1_500_000;
/** A rider, and the record that it rides with. */
const ROW_BYTES_MAX = 1_900_000;

export interface LogLimits {
  /** Bytes of bodies that may stand in the log; the oldest go first. */
  readonly bytesMax: number;
  /** Age of a record in ms after which it goes. */
  readonly ageMaxMs: number;
}

/** 8 GB of an object's 10: the rest is for what the object remembers besides. Seven days, like the zone of late data. */
export const DEFAULT_LOG_LIMITS: LogLimits = { bytesMax: 8_000_000_000, ageMaxMs: 7 * 24 * 60 * 60 * 1000 };

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

/** As much of the log goes at least when the disk is full. */
const ROOM_SHARE = 1 / 16;

/**
 * The limits with another bound of bytes, as the deployment's variable has it: `800MB` fits the Free plan's 1 GB an object. Throws an Error that
 * names what is wrong.
 */
export function logLimits(bytesMax: string | undefined): LogLimits {
  if (bytesMax === undefined || bytesMax.trim() === '') return DEFAULT_LOG_LIMITS;
  return { ...DEFAULT_LOG_LIMITS, bytesMax: parseSize(bytesMax.trim()) };
}

/** Records that were set aside are kept for a person to look at, but not without end. */
const ASIDE_MAX = 64;

interface Newest {
  readonly seq: number;
  readonly samplesIn: number;
  readonly bytesIn: number;
}

const EMPTY: Newest = { seq: 0, samplesIn: 0, bytesIn: 0 };

export class Log {
  readonly #sql: Sql;
  readonly #limits: LogLimits;
  /** States as they were read or stored last: one has an hour of minutes, and most calls find it as the one before left it. */
  readonly #parsed = new Map<string, { readonly text: string; readonly state: ConsumerState }>();

  constructor(sql: Sql, limits: LogLimits = DEFAULT_LOG_LIMITS) {
    this.#sql = sql;
    this.#limits = limits;
    sql.exec(`CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, schema INTEGER NOT NULL,
      samples INTEGER NOT NULL, max_t INTEGER NOT NULL, crc INTEGER NOT NULL, samples_in INTEGER NOT NULL,
      bytes_in INTEGER NOT NULL, rider BLOB, body BLOB NOT NULL, lanes INTEGER, histograms INTEGER, exemplars INTEGER)`);
    // Logs of an earlier version have no such columns yet: their records are of all lanes.
    const known = new Set(sql.exec('PRAGMA table_info(record)').map((row) => row['name']));
    for (const column of ['lanes', 'histograms', 'exemplars'])
      if (!known.has(column)) sql.exec(`ALTER TABLE record ADD COLUMN ${column} INTEGER`);
    sql.exec(
      `CREATE TABLE IF NOT EXISTS consumer (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID`,
    );
    sql.exec(
      `CREATE TABLE IF NOT EXISTS aside (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB)`,
    );
  }

  /**
   * Appends records as one: all are in the log afterwards, or none. `rider` is the owner's state, stored in the newest row.
   * Returns the seq of the last. A body or rider above its bound is an error of the caller, who must have split it.
   */
  append(nowMs: number, records: readonly NewRecord[], rider: Uint8Array | null = null): number {
    if (rider !== null) checkRider(rider, records.at(-1)?.body.byteLength ?? 0);
    return this.#sql.transaction(() => {
      let { seq, samplesIn, bytesIn } = this.#newest();
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
      this.#truncate(nowMs, { seq, samplesIn, bytesIn });
      return seq;
    });
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
    const { seq } = this.#newest();
    this.#sql.exec(
      'UPDATE record SET rider = NULL WHERE seq < ? AND seq >= ? AND rider IS NOT NULL',
      seq,
      seq - records,
    );
  }

  /** Bytes of all bodies that ever came. */
  bytesIn(): number {
    return this.#newest().bytesIn;
  }

  /** The owner's state as of the last append; null before the first. */
  rider(): Uint8Array | null {
    const rider = this.#sql.exec('SELECT rider FROM record ORDER BY seq DESC LIMIT 1')[0]?.['rider'];
    return rider instanceof ArrayBuffer ? new Uint8Array(rider) : null;
  }

  /**
   * The records after a consumer's cursor, or after the seq `from` for one that reads on before it is done with what it has. At
   * most `bytesMax` of bodies, but at least one. A record that cannot be read is set aside with its reason and passed over;
   * everything after it goes on.
   */
  read(name: string, bytesMax: number, from = this.#consumer(name).cursor): Batch {
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

  /** A record turned out unreadable for its consumer (a damaged body under a good checksum): kept aside with the reason. */
  setAside(seq: number, reason: string): void {
    const row = this.#sql.exec('SELECT seq, at, body FROM record WHERE seq = ?', seq)[0];
    if (row !== undefined) this.#setAside(row, reason);
  }

  /**
   * A consumer is done with everything from its cursor `from` up to `seq`. False when its cursor is not at `from` any more: another
   * reader was faster, and nothing is counted twice.
   */
  acknowledge(nowMs: number, name: string, from: number, seq: number, outcome: Outcome): boolean {
    return this.#sql.transaction(() => {
      const consumer = this.#find(name);
      if (consumer === null || consumer.cursor !== from) return false;
      this.#store(advance(this.#noted(consumer, nowMs), seq, this.#samplesInAt(seq), outcome, nowMs));
      this.truncate(nowMs);
      return true;
    });
  }

  /** Requests of a consumer failed and will be tried again; `requests` of them since it was last told. */
  retried(nowMs: number, name: string, requests: number, samples: number, error: string): void {
    const consumer = this.#find(name);
    if (consumer !== null) this.#store(retried(this.#noted(consumer, nowMs), requests, samples, error, nowMs));
  }

  /** Makes the consumers exactly these: a new one begins at the end of the log, one that is gone stops holding it. */
  setConsumers(names: readonly string[]): void {
    this.#sql.transaction(() => {
      const newest = this.#newest();
      const wanted = new Set(names);
      for (const name of this.consumerNames()) {
        if (wanted.delete(name)) continue;
        this.#sql.exec('DELETE FROM consumer WHERE name = ?', name);
        this.#parsed.delete(name);
      }
      for (const name of wanted) this.#store(newConsumer(name, newest.seq, newest.samplesIn));
    });
  }

  /**
   * Moves a consumer back to the first record that was appended at `sinceMs` or later, or to the oldest that stands; never forward. What it is given
   * again, or null when there is no such consumer.
   */
  rewind(name: string, sinceMs: number | null): { records: number; samples: number } | null {
    return this.#sql.transaction(() => {
      const consumer = this.#find(name);
      if (consumer === null) return null;
      const newest = this.#newest();
      const seq = Math.min(consumer.cursor, this.#before('at >= ?', sinceMs ?? -1, newest));
      if (seq === consumer.cursor) return { records: 0, samples: 0 };
      const moved = rewound(consumer, seq, this.#samplesInAt(seq));
      this.#store(moved);
      return { records: consumer.cursor - seq, samples: consumer.state.at - moved.state.at };
    });
  }

  /** In order; what they have done is not read. */
  consumerNames(): string[] {
    return this.#sql.exec('SELECT name FROM consumer ORDER BY name').map((row) => row['name'] as string);
  }

  /** The consumer of that name; undefined when there is none. */
  consumer(name: string): Consumer | undefined {
    return this.#find(name) ?? undefined;
  }

  /** The place of the newest record; 0 before the first. */
  lastSeq(): number {
    return this.#newest().seq;
  }

  /** What a consumer is not done with; `bytes` are of bodies. */
  pending(name: string): { records: number; samples: number; bytes: number } {
    const { cursor, state } = this.#consumer(name);
    const newest = this.#newest();
    const before = this.#sql.exec(
      'SELECT bytes_in - length(body) AS before FROM record WHERE seq > ? ORDER BY seq LIMIT 1',
      cursor,
    )[0]?.['before'];
    const bytes = newest.bytesIn - (typeof before === 'number' ? before : newest.bytesIn);
    return { records: newest.seq - cursor, samples: newest.samplesIn - state.at, bytes };
  }

  /**
   * Drops what no consumer needs and what the bounds do not allow, oldest first. The newest row always stays: it holds the totals.
   * What a bound takes from a consumer is counted as dropped with the bound's name.
   */
  truncate(nowMs: number): void {
    this.#sql.transaction(() => this.#truncate(nowMs, this.#newest()));
  }

  /** Within a transaction. Looks before it acts: at nearly every append nothing goes. */
  #truncate(nowMs: number, newest: Newest): void {
    const oldest = this.#sql.exec(
      'SELECT seq, at, bytes_in - length(body) AS before FROM record ORDER BY seq LIMIT 1',
    )[0];
    if (oldest === undefined) return;
    const sinceMs = nowMs - this.#limits.ageMaxMs;
    if ((oldest['at'] as number) < sinceMs)
      this.#give(nowMs, this.#before('at >= ?', sinceMs, newest), 'log_age_limit');
    if (newest.bytesIn - (oldest['before'] as number) > this.#limits.bytesMax) {
      this.#give(nowMs, this.#standing(newest, this.#limits.bytesMax), 'log_size_limit');
    }
    this.#deleteDone(newest, oldest['seq'] as number);
  }

  /**
   * The disk is full before the bound was reached: drops the oldest records, at least `bytes` of them and some more, so that it is not full again
   * at once. What that takes from a consumer is counted as dropped.
   */
  makeRoom(nowMs: number, bytes: number): void {
    this.#sql.transaction(() => {
      const newest = this.#newest();
      const held = this.#bytes(newest);
      this.#give(nowMs, this.#standing(newest, held - Math.max(bytes, held * ROOM_SHARE)), 'log_full');
      this.#deleteDone(newest);
    });
  }

  /** Moves every consumer behind `seq`. */
  #give(nowMs: number, seq: number, reason: string): void {
    const behind = this.#sql.exec('SELECT name, cursor, state FROM consumer WHERE cursor < ? ORDER BY name', seq);
    for (const consumer of behind.map((row) => this.#consumerOf(row))) {
      const samplesIn = this.#samplesInAt(seq);
      const outcome = {
        sent: 0,
        dropped: { [reason]: samplesIn - consumer.state.at },
        error: `${reason}: samples older than the log keeps were dropped`,
      };
      this.#store(advance(consumer, seq, samplesIn, outcome, nowMs));
    }
  }

  /** Deletes what all are done with, from the record `oldest` on. */
  #deleteDone(newest: Newest, oldest = 0): void {
    const slowest = this.#sql.exec('SELECT min(cursor) AS cursor FROM consumer')[0]?.['cursor'];
    const done = Math.min(typeof slowest === 'number' ? slowest : newest.seq, newest.seq - 1);
    if (done >= oldest) this.#sql.exec('DELETE FROM record WHERE seq <= ?', done);
  }

  /** The last seq that goes when only the newest `bytes` may stand. */
  #standing(newest: Newest, bytes: number): number {
    return this.#before('bytes_in - length(body) >= ?', newest.bytesIn - bytes, newest);
  }

  /** Bytes of bodies that stand in the log. */
  #bytes(newest: Newest): number {
    const before = this.#sql.exec('SELECT bytes_in - length(body) AS before FROM record ORDER BY seq LIMIT 1')[0]?.[
      'before'
    ];
    return typeof before === 'number' ? newest.bytesIn - before : 0;
  }

  status(nowMs: number): { log: LogStatus; consumers: ConsumerStatus[] } {
    const newest = this.#newest();
    const oldest = this.#sql.exec(
      'SELECT seq, at, bytes_in - length(body) AS before FROM record ORDER BY seq LIMIT 1',
    )[0];
    const consumers = this.#sql.exec('SELECT name, cursor, state FROM consumer ORDER BY name').map((row) => {
      const consumer = this.#consumerOf(row);
      return consumerStatus(consumer, newest, this.#oldestPendingAt(consumer), nowMs);
    });
    // Of the newest only: senders may be hours apart, but a scan of the whole log would cost more than it tells.
    const highest = this.#sql.exec(
      'SELECT max(max_t) AS highest FROM (SELECT max_t FROM record ORDER BY seq DESC LIMIT 100)',
    )[0]?.['highest'];
    const aside = this.#sql.exec('SELECT seq, reason FROM aside ORDER BY seq');
    return {
      log: {
        firstSeq: (oldest?.['seq'] as number | undefined) ?? 0,
        lastSeq: newest.seq,
        records: oldest === undefined ? 0 : newest.seq - (oldest['seq'] as number) + 1,
        bytes: oldest === undefined ? 0 : newest.bytesIn - (oldest['before'] as number),
        bytesMax: this.#limits.bytesMax,
        oldestAtMs: (oldest?.['at'] as number | undefined) ?? null,
        highestMs: typeof highest === 'number' ? highest : null,
        recordsIn: newest.seq,
        samplesIn: newest.samplesIn,
        bytesIn: newest.bytesIn,
        rowsWritten: this.#sql.rowsWritten(),
        setAside: aside.map((row) => ({ seq: row['seq'] as number, reason: row['reason'] as string })),
      },
      consumers,
    };
  }

  #newest(): Newest {
    const row = this.#sql.exec('SELECT seq, samples_in, bytes_in FROM record ORDER BY seq DESC LIMIT 1')[0];
    if (row === undefined) return EMPTY;
    return { seq: row['seq'] as number, samplesIn: row['samples_in'] as number, bytesIn: row['bytes_in'] as number };
  }

  /** Running total of samples up to and with `seq`, also where that record was set aside. */
  #samplesInAt(seq: number): number {
    const row = this.#sql.exec(
      'SELECT samples_in - CASE WHEN seq > ?1 THEN samples ELSE 0 END AS total FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1',
      seq,
    )[0];
    return row === undefined ? this.#newest().samplesIn : (row['total'] as number);
  }

  /** The seq before the first record that holds the condition. The columns grow with seq, so the scan ends at the first that is kept. */
  #before(condition: string, bound: number, newest: Newest): number {
    const seq = this.#sql.exec(`SELECT seq FROM record WHERE ${condition} ORDER BY seq LIMIT 1`, bound)[0]?.['seq'];
    return typeof seq === 'number' ? seq - 1 : newest.seq;
  }

  /** With a note of how it stands, once a minute. */
  #noted(consumer: Consumer, nowMs: number): Consumer {
    if (!isNewMinute(consumer, nowMs)) return consumer;
    const pending = this.#newest().samplesIn - consumer.state.at;
    return noted(consumer, pending, Math.max(0, nowMs - (this.#oldestPendingAt(consumer) ?? nowMs)), nowMs);
  }

  /** When the first record after a consumer's cursor was appended, Unix ms; null when none waits. */
  #oldestPendingAt({ cursor }: Consumer): number | null {
    const at = this.#sql.exec('SELECT at FROM record WHERE seq > ? ORDER BY seq LIMIT 1', cursor)[0]?.['at'];
    return typeof at === 'number' ? at : null;
  }

  #find(name: string): Consumer | null {
    const row = this.#sql.exec('SELECT name, cursor, state FROM consumer WHERE name = ?', name)[0];
    return row === undefined ? null : this.#consumerOf(row);
  }

  #consumer(name: string): Consumer {
    const consumer = this.#find(name);
    if (consumer === null) throw new Error(`the log has no consumer ${JSON.stringify(name)}`);
    return consumer;
  }

  #consumerOf(row: SqlRow): Consumer {
    const name = row['name'] as string;
    const text = row['state'] as string;
    let known = this.#parsed.get(name);
    if (known?.text !== text) {
      known = { text, state: JSON.parse(text) as ConsumerState };
      this.#parsed.set(name, known);
    }
    return { name, cursor: row['cursor'] as number, state: known.state };
  }

  #store(consumer: Consumer): void {
    const text = JSON.stringify(consumer.state);
    this.#parsed.set(consumer.name, { text, state: consumer.state });
    this.#sql.exec(
      'INSERT INTO consumer VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, state = excluded.state',
      consumer.name,
      consumer.cursor,
      text,
    );
  }

  #setAside(row: SqlRow, reason: string): void {
    this.#sql.exec('INSERT OR IGNORE INTO aside VALUES (?, ?, ?, ?)', row['seq']!, row['at']!, reason, row['body']!);
    this.#sql.exec(
      'DELETE FROM aside WHERE seq <= (SELECT seq FROM aside ORDER BY seq DESC LIMIT 1 OFFSET ?)',
      ASIDE_MAX,
    );
  }
}

function checkRider(rider: Uint8Array, bodyBytes: number): void {
  if (rider.byteLength + bodyBytes > ROW_BYTES_MAX)
    throw new Error(
      `the state that rides in the log has ${rider.byteLength} B, its record ${bodyBytes} B, and a row at most ${ROW_BYTES_MAX}: spread the targets over more agents (NARTHEX_AGENTS)`,
    );
}

/** The record of a row, or why it cannot be read. */
function recordOf(row: SqlRow): LogRecord | string {
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
