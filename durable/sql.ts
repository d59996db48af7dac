/** An object's storage as the SQL door of `src/`. */

import type { Sql, SqlRow } from '../src/log/sql.ts';

export function sqlOf(storage: DurableObjectStorage): Sql {
  let rowsWritten = 0;
  return {
    exec: (query, ...bindings) => {
      const cursor = storage.sql.exec(query, ...bindings);
      const rows = cursor.toArray() as SqlRow[];
      rowsWritten += cursor.rowsWritten;
      return rows;
    },
    transaction: (body) => storage.transactionSync(body),
    size: () => storage.sql.databaseSize,
    rowsWritten: () => rowsWritten,
  };
}
