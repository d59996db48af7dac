/** The one SQL door: what the log and the objects' tables need of SQLite, so that they run on any (an object's storage in production). */

export type SqlValue = ArrayBuffer | string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  /** Runs one statement. Bytes are bound as ArrayBuffer or as arrays (only the view is stored). */
  exec(query: string, ...bindings: (SqlValue | Uint8Array)[]): SqlRow[];
  /** All or nothing: a throw inside rolls back, which a bare `exec` in an object does not. Nests. */
  transaction<T>(body: () => T): T;
  /** Bytes of the database on disk. */
  size(): number;
  /** Rows that were written through this door since it was opened, as the platform counts and bills them: a deleted row is one too. */
  rowsWritten(): number;
}

/** Whether a statement failed because the database may not grow any more. Objects say it in their own words, around SQLite's. */
export const isFull = (error: unknown): boolean =>
  error instanceof Error && /SQLITE_FULL|database or disk is full/.test(error.message);
