/** An object's storage as the SQL door of `src/`. */

import type { Sql, SqlRow } from '../src/log/sql.ts';

export function sqlOf(storage: DurableObjectStorage): Sql {
  return {
    exec: (query, ...bindings) => storage.sql.exec(query, ...bindings).toArray() as SqlRow[],
    transaction: (body) => storage.transactionSync(body),
    size: () => storage.sql.databaseSize,
  };
}
