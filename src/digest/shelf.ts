/**
 * Segments on their shelf: the sorted samples of an ingester that are not in a block yet, by block range. It knows which ranges are open, late or
 * closed for a cut; it does not know what is in a segment.
 *
 * The one invariant: a closed segment never changes, and is on the shelf until its cut is dropped.
 */

import type { Sql, SqlRow } from '../log/sql.ts';
import { RANGE_MS } from '../model/sample.ts';
import type { DigestedSegment } from './digest.ts';

/** A range that has ended still takes samples for this long: the out-of-order window. */
export const OPEN_AFTER_END_MS = 30 * 60 * 1000;

/** A segment to be read: `part(id, 0 … parts − 1)`. Segments are numbered in the order in which they were digested. */
export interface ShelvedSegment {
  readonly id: number;
  readonly parts: number;
}

/** The segments of one range that become one block. */
export interface Cut {
  /** Names these very segments, for ever: a block is committed once for it. Null while the range is open. */
  readonly id: string | null;
  readonly rangeStartMs: number;
  readonly late: boolean;
  readonly segments: readonly ShelvedSegment[];
}

/** Samples of one block range in segments, not yet in a block. Times are Unix ms, end exclusive. */
export interface RangeStatus {
  readonly startMs: number;
  readonly endMs: number;
  /** The range had been cut already when these samples came. */
  readonly late: boolean;
  readonly segments: number;
  readonly samples: number;
  readonly bytes: number;
}

export class Shelf {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS segment (id INTEGER PRIMARY KEY, range_start INTEGER NOT NULL, late INTEGER NOT NULL,
      cut TEXT, samples INTEGER NOT NULL, bytes INTEGER NOT NULL, parts INTEGER NOT NULL)`);
    sql.exec(`CREATE TABLE IF NOT EXISTS part (segment INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
      PRIMARY KEY (segment, part)) WITHOUT ROWID`);
  }

  /** Puts a segment on the shelf; it is late when its range ended at or before the watermark. Its id must be greater than all before. */
  add(segment: DigestedSegment, watermarkMs: number): void {
    const late = segment.rangeStartMs + RANGE_MS <= watermarkMs ? 1 : 0;
    this.#sql.exec(
      'INSERT INTO segment VALUES (?, ?, ?, NULL, ?, ?, ?)',
      segment.id,
      segment.rangeStartMs,
      late,
      segment.samples,
      segment.bytes,
      segment.parts.length,
    );
    segment.parts.forEach((bytes, part) =>
      this.#sql.exec('INSERT INTO part VALUES (?, ?, ?)', segment.id, part, bytes),
    );
  }

  /**
   * Closes all segments of ranges that end at or before the watermark under cut ids made of `generation`, and returns everything closed,
   * cuts that an earlier call closed included.
   */
  close(watermarkMs: number, generation: number): Cut[] {
    this.#sql.exec(
      `UPDATE segment SET cut = range_start || CASE late WHEN 1 THEN '-late-' ELSE '-' END || ? WHERE cut IS NULL AND range_start + ? <= ?`,
      String(generation),
      RANGE_MS,
      watermarkMs,
    );
    return this.cuts().filter((cut) => cut.id !== null);
  }

  /** Whether `close` at this watermark would close anything, or something closed is still here. */
  hasClosable(watermarkMs: number): boolean {
    return this.#sql.exec('SELECT 1 FROM segment WHERE range_start + ? <= ? LIMIT 1', RANGE_MS, watermarkMs).length > 0;
  }

  /** Everything on the shelf, as the blocks it would become: closed cuts by their id, the rest by range. */
  cuts(): Cut[] {
    const cuts = new Map<string, Cut & { segments: ShelvedSegment[] }>();
    for (const row of this.#sql.exec(
      'SELECT id, range_start, late, cut, parts FROM segment ORDER BY range_start, late, id',
    )) {
      const [rangeStartMs, late, id] = [row['range_start'] as number, row['late'] === 1, row['cut'] as string | null];
      const key = `${rangeStartMs} ${late} ${id}`;
      let cut = cuts.get(key);
      if (cut === undefined) cuts.set(key, (cut = { id, rangeStartMs, late, segments: [] }));
      cut.segments.push({ id: row['id'] as number, parts: row['parts'] as number });
    }
    return [...cuts.values()];
  }

  isEmpty(): boolean {
    return this.#sql.exec('SELECT 1 FROM segment LIMIT 1').length === 0;
  }

  /** One part of a segment; null when the segment is not here any more (its cut was dropped). */
  part(segment: number, part: number): Uint8Array | null {
    const bytes = this.#sql.exec('SELECT bytes FROM part WHERE segment = ? AND part = ?', segment, part)[0]?.['bytes'];
    return bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : null;
  }

  /** The cut is in a committed block: its segments go. False when they were gone already. */
  drop(cut: string): boolean {
    return this.#sql.transaction(() => {
      if (this.#sql.exec('SELECT 1 FROM segment WHERE cut = ? LIMIT 1', cut).length === 0) return false;
      this.#sql.exec('DELETE FROM part WHERE segment IN (SELECT id FROM segment WHERE cut = ?)', cut);
      this.#sql.exec('DELETE FROM segment WHERE cut = ?', cut);
      return true;
    });
  }

  status(): RangeStatus[] {
    const rows = this.#sql
      .exec(`SELECT range_start, late, count(*) AS segments, sum(samples) AS samples, sum(bytes) AS bytes
      FROM segment GROUP BY range_start, late ORDER BY range_start, late`);
    return rows.map((row: SqlRow) => ({
      startMs: row['range_start'] as number,
      endMs: (row['range_start'] as number) + RANGE_MS,
      late: row['late'] === 1,
      segments: row['segments'] as number,
      samples: row['samples'] as number,
      bytes: row['bytes'] as number,
    }));
  }
}
