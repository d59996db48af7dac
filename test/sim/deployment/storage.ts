/** The storage of an object over Node's SQLite, with a count of what it writes, by table, and a guard for the rows of production. */

import type { SqlValue } from '../../../src/log/sql.ts';
import { sqlite } from '../../log/sqlite.ts';

/** A row of SQLite in an object may have so many bytes. */
const ROW_BYTES_MAX = 2_000_000;

export interface Written {
  rows: number;
  bytes: number;
  /** Bytes of the largest row. */
  largest: number;
}

export class Storage {
  readonly #sqlite = sqlite();
  readonly written = new Map<string, Written>();

  readonly sql = {
    exec: (query: string, ...bindings: (SqlValue | Uint8Array)[]) => {
      const table = /^\s*(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) (\w+)/.exec(query)?.[1];
      const before = table === undefined ? 0 : this.#sqlite.rowsWritten();
      const rows = this.#sqlite.exec(query, ...bindings);
      let rowsWritten = 0;
      if (table !== undefined) {
        rowsWritten = this.#sqlite.rowsWritten() - before;
        this.#note(
          table,
          rowsWritten,
          bindings.reduce<number>((sum, value) => sum + sizeOf(value), 0),
        );
      }
      return { toArray: () => rows, rowsWritten };
    },
    get databaseSize() {
      return 0;
    },
  };

  transactionSync<T>(body: () => T): T {
    return this.#sqlite.transaction(body);
  }

  async setAlarm(): Promise<void> {}

  #note(table: string, rows: number, bytes: number): void {
    if (bytes >= ROW_BYTES_MAX) throw new Error(`a row of ${table} would have ${bytes} B`);
    const sum = this.written.get(table) ?? { rows: 0, bytes: 0, largest: 0 };
    sum.rows += rows;
    sum.bytes += rows === 0 ? 0 : bytes;
    sum.largest = Math.max(sum.largest, bytes);
    this.written.set(table, sum);
  }
}

function sizeOf(value: SqlValue | Uint8Array): number {
  if (typeof value === 'string') return value.length;
  return value === null || typeof value === 'number' ? 8 : value.byteLength;
}
