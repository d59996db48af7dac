import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Sql, SqlRow } from '../../src/log/sql.ts';

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
      const rows = statement(query).all(...(values as (string | number | null | Uint8Array)[]));
      for (const row of rows) {
        for (const name in row) {
          const value = row[name];
          if (value instanceof Uint8Array) (row as SqlRow)[name] = value.slice().buffer as ArrayBuffer;
        }
      }
      return rows as SqlRow[];
    },
    transaction(body) {
      const name = `t${depth++}`;
      statement(`SAVEPOINT ${name}`).run();
      try {
        const result = body();
        statement(`RELEASE ${name}`).run();
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
