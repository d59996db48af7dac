/**
 * Changes of pages (page-change.ts) as they are stored: those that come together share a row. A row written is what an agent costs, and where pods come and
 * go every page changes in every scrape. What comes is written over the row that has least left which no newer one has replaced, together with what is left, so
 * that there are only a few rows. See FORMAT.md.
 *
 * The one invariant: of the rows that have a key, the one with the highest stamp has its newest change.
 */

import type { Sql } from '../../log/sql.ts';
import { Blobs } from '../../log/table.ts';
import { concat } from '../../model/bytes.ts';

/** Of what comes at once; a row has 2 MB in production, what is left and the names of all included. */
const ROW_BYTES_MAX = 1_500_000;
/** More than a key and its length take beside the change. */
const NAME_BYTES = 40;
/** A row with more left than this is not written over: it would be written again and again. */
const LEFT_BYTES_MAX = 64 * 1024;

export interface Change {
  readonly key: string;
  readonly bytes: Uint8Array;
}

interface Range {
  readonly start: number;
  readonly length: number;
}

interface Row {
  readonly id: number;
  /** What it has that no newer row has. */
  readonly left: Map<string, Range>;
}

interface Known {
  readonly rows: readonly Row[];
  readonly stamp: number;
  /** Of which pages there is a change that an earlier version stored, each in a row of its own: it is the newest, or it would have been deleted. */
  readonly earlier: Set<string>;
}

export class ChangeRows {
  readonly #sql: Sql;
  readonly #earlier: Blobs;
  readonly #isStored: (key: string) => boolean;
  readonly #warn: (message: string) => void;
  /** What stands where; read when it is first asked for. */
  #known: Known | null = null;
  /** The row that was read last: pages that are read together were mostly written together. */
  #read: { readonly id: number; readonly bytes: Uint8Array } | null = null;

  /** `isStored` tells whether there is a page that a change may be of: those of pages that are gone are dropped when their row is written over. */
  constructor(sql: Sql, isStored: (key: string) => boolean, warn: (message: string) => void) {
    this.#sql = sql;
    this.#isStored = isStored;
    this.#warn = warn;
    this.#earlier = new Blobs(sql, 'page_change');
    sql.exec(
      'CREATE TABLE IF NOT EXISTS page_changes (id INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, keys TEXT NOT NULL, bytes BLOB NOT NULL)',
    );
  }

  /** The newest change of a page, of whichever whole. */
  get(key: string): Uint8Array | null {
    const { rows, earlier } = this.#what();
    if (earlier.has(key)) return this.#earlier.get(key);
    for (const { id, left } of rows) {
      const range = left.get(key);
      if (range !== undefined) return this.#bytes(id, range);
    }
    return null;
  }

  /** Writes one row, when all fit in one. To be called within a transaction, and `forget` when that fails. Each change must fit in a row. */
  set(changes: readonly Change[]): void {
    for (const { key } of changes) this.delete(key);
    for (let from = 0; from < changes.length;) {
      let bytes = 0;
      let to = from;
      do bytes += sizeOf(changes[to++]!);
      while (to < changes.length && bytes + sizeOf(changes[to]!) <= ROW_BYTES_MAX);
      this.#write(changes.slice(from, to));
      from = to;
    }
  }

  /** The page has no change any more. Costs no row: what stands there does not count, being of another whole, or of none. */
  delete(key: string): void {
    const { rows, earlier } = this.#what();
    for (const { left } of rows) left.delete(key);
    if (earlier.delete(key)) this.#earlier.delete(key);
  }

  /** What is in memory may be ahead of what is stored. */
  forget(): void {
    this.#known = this.#read = null;
  }

  #write(changes: readonly Change[]): void {
    const { rows, earlier, ...known } = this.#what();
    let over: Row | null = null;
    let overBytes = LEFT_BYTES_MAX;
    for (const row of rows) {
      const bytes = leftBytes(row);
      if (bytes <= overBytes) [over, overBytes] = [row, bytes];
    }
    const all = over === null ? changes : [...this.#left(over), ...changes];
    const id = over?.id ?? 1 + rows.reduce((max, row) => Math.max(max, row.id), 0);
    const stamp = known.stamp + 1;
    const lengths = all.map(({ key, bytes }): [string, number] => [key, bytes.length]);
    this.#sql.exec(
      'INSERT INTO page_changes VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp, keys = excluded.keys, bytes = excluded.bytes',
      id,
      stamp,
      JSON.stringify(lengths.flat()),
      concat(all.map(({ bytes }) => bytes)),
    );
    this.#known = { rows: [...rows.filter((row) => row !== over), { id, left: rangesOf(lengths) }], stamp, earlier };
    this.#read = null;
  }

  /** What a row has left of pages that still are. */
  #left({ id, left }: Row): Change[] {
    return [...left]
      .filter(([key]) => this.#isStored(key))
      .map(([key, range]) => ({ key, bytes: this.#bytes(id, range) }));
  }

  #bytes(id: number, { start, length }: Range): Uint8Array {
    if (this.#read?.id !== id) {
      const row = this.#sql.exec('SELECT bytes FROM page_changes WHERE id = ?', id)[0]!;
      this.#read = { id, bytes: new Uint8Array(row['bytes'] as ArrayBuffer) };
    }
    return this.#read.bytes.subarray(start, start + length);
  }

  #what(): Known {
    if (this.#known !== null) return this.#known;
    const rows: Row[] = [];
    const newer = new Set<string>();
    let newest = 0;
    for (const row of this.#sql.exec(
      'SELECT id, stamp, keys, length(bytes) AS length FROM page_changes ORDER BY stamp DESC',
    )) {
      const id = row['id'] as number;
      newest = Math.max(newest, row['stamp'] as number);
      const lengths = lengthsOf(row['keys'] as string, row['length'] as number);
      if (lengths === null)
        this.#warn(
          `row ${id} of changes of pages is damaged: series that came since their pages were stored get no stale markers`,
        );
      const left = rangesOf(lengths ?? []);
      for (const key of left.keys()) {
        if (newer.has(key)) left.delete(key);
        newer.add(key);
      }
      rows.push({ id, left });
    }
    return (this.#known = { rows, stamp: newest, earlier: new Set(this.#earlier.names()) });
  }
}

const sizeOf = ({ key, bytes }: Change): number => NAME_BYTES + key.length + bytes.length;

function leftBytes({ left }: Row): number {
  let sum = 0;
  for (const { length } of left.values()) sum += length;
  return sum;
}

function rangesOf(lengths: readonly (readonly [key: string, length: number])[]): Map<string, Range> {
  const ranges = new Map<string, Range>();
  let start = 0;
  for (const [key, length] of lengths) {
    ranges.set(key, { start, length });
    start += length;
  }
  return ranges;
}

/** What stands in a row of so many bytes; null when it does not fit them. */
function lengthsOf(json: string, bytes: number): [key: string, length: number][] | null {
  let flat: unknown;
  try {
    flat = JSON.parse(json);
  } catch {
    return null;
  }
  if (!Array.isArray(flat) || flat.length % 2 !== 0) return null;
  const lengths: [string, number][] = [];
  let sum = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const [key, length] = [flat[i] as unknown, flat[i + 1] as unknown];
    if (typeof key !== 'string' || !Number.isSafeInteger(length) || (length as number) < 0) return null;
    lengths.push([key, length as number]);
    sum += length as number;
  }
  return sum === bytes ? lengths : null;
}
