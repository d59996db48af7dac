import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Sql, SqlRow, SqlValue } from '../../src/log/sql.ts';

/** The SQL door over Node's own SQLite: the log in a test that needs no object. `close` and a second `open` of a file is a restart. */
export function sqlite(path = ':memory:'): Sql & { close(): void } {
  const db = new DatabaseSync(path);
  let depth = 0;
  const prepared = new Map<string, StatementSync>();
  const statement = (query: string): StatementSync => {
    let known = prepared.get(query);
    if (known === undefined) prepared.set(query, (known = db.prepare(query)));
    return known;
  };
  return {
    exec(query, ...bindings): SqlRow[] {
      const values = bindings.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value));
      return statement(query)
        .all(...(values as (string | number | null | Uint8Array)[]))
        .map((row) =>
          Object.fromEntries(
            Object.entries(row).map(([name, value]): [string, SqlValue] => [
              name,
              value instanceof Uint8Array ? (value.slice().buffer as ArrayBuffer) : (value as SqlValue),
            ]),
          ),
        );
    },
    transaction(body) {
      const name = `t${depth++}`;
      db.exec(`SAVEPOINT ${name}`);
      try {
        const result = body();
        db.exec(`RELEASE ${name}`);
        return result;
      } catch (error) {
        // SQLite may have rolled back all of it by itself: a full disk does.
        if (db.isTransaction) db.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
        throw error;
      } finally {
        depth--;
      }
    },
    size: () =>
      Number(
        db.prepare('SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()').get()?.[
          'size'
        ],
      ),
    rowsWritten: () => Number(db.prepare('SELECT total_changes() AS changes').get()?.['changes']),
    close: () => db.close(),
  };
}
