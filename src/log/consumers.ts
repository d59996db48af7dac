/** The rows of a log's consumers: one each, with its cursor and what became of what it was given (consumer.ts). */

import type { Consumer, ConsumerState } from './consumer.ts';
import type { Sql, SqlRow } from './sql.ts';

export class Consumers {
  readonly #sql: Sql;
  /** States as they were read or stored last: one has an hour of minutes, and most calls find it as the one before left it. */
  readonly #parsed = new Map<string, { readonly text: string; readonly state: ConsumerState }>();

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS consumer (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID`,
    );
  }

  /** In order; what they have done is not read. */
  names(): string[] {
    return this.#sql.exec('SELECT name FROM consumer ORDER BY name').map((row) => row['name'] as string);
  }

  /** In order. */
  all(): Consumer[] {
    return this.#sql.exec('SELECT name, cursor, state FROM consumer ORDER BY name').map((row) => this.#of(row));
  }

  /** Those that are not done with `seq`, in order. */
  behind(seq: number): Consumer[] {
    const rows = this.#sql.exec('SELECT name, cursor, state FROM consumer WHERE cursor < ? ORDER BY name', seq);
    return rows.map((row) => this.#of(row));
  }

  /** The cursor of the slowest; null when there is no consumer. */
  slowest(): number | null {
    const cursor = this.#sql.exec('SELECT min(cursor) AS cursor FROM consumer')[0]?.['cursor'];
    return typeof cursor === 'number' ? cursor : null;
  }

  find(name: string): Consumer | null {
    const row = this.#sql.exec('SELECT name, cursor, state FROM consumer WHERE name = ?', name)[0];
    return row === undefined ? null : this.#of(row);
  }

  /** The one of that name, which must be there. */
  get(name: string): Consumer {
    const consumer = this.find(name);
    if (consumer === null) throw new Error(`the log has no consumer ${JSON.stringify(name)}`);
    return consumer;
  }

  store(consumer: Consumer): void {
    const text = JSON.stringify(consumer.state);
    this.#parsed.set(consumer.name, { text, state: consumer.state });
    this.#sql.exec(
      'INSERT INTO consumer VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, state = excluded.state',
      consumer.name,
      consumer.cursor,
      text,
    );
  }

  delete(name: string): void {
    this.#sql.exec('DELETE FROM consumer WHERE name = ?', name);
    this.#parsed.delete(name);
  }

  #of(row: SqlRow): Consumer {
    const name = row['name'] as string;
    const text = row['state'] as string;
    let known = this.#parsed.get(name);
    if (known?.text !== text) {
      known = { text, state: JSON.parse(text) as ConsumerState };
      this.#parsed.set(name, known);
    }
    return { name, cursor: row['cursor'] as number, state: known.state };
  }
}
