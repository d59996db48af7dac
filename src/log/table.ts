/** Two small tables that objects use beside the log: values by name, and bytes by name that may be larger than a row. */

import { concat } from '../model/bytes.ts';
import type { Sql } from './sql.ts';

/** Below the 2 MB that a row may have in production. */
const PART_BYTES = 1_800_000;

/** JSON values by name, each one row. Only for what changes seldom: a row written is what an object costs. */
export class Values {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS value (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID');
  }

  get<T>(name: string, absent: T): T {
    const json = this.#sql.exec('SELECT json FROM value WHERE name = ?', name)[0]?.['json'];
    return typeof json === 'string' ? (JSON.parse(json) as T) : absent;
  }

  set(name: string, value: unknown): void {
    this.#sql.exec(
      'INSERT INTO value VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json',
      name,
      JSON.stringify(value),
    );
  }

  delete(name: string): void {
    this.#sql.exec('DELETE FROM value WHERE name = ?', name);
  }
}

/** Bytes by name, split over as many rows as they need. */
export class Blobs {
  readonly #sql: Sql;
  readonly #table: string;

  /** `table` is a name of the caller's own. */
  constructor(sql: Sql, table = 'blob') {
    this.#sql = sql;
    this.#table = table;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS ${table} (name TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (name, part)) WITHOUT ROWID`,
    );
  }

  names(): string[] {
    return this.#sql
      .exec(`SELECT name FROM ${this.#table} WHERE part = 0 ORDER BY name`)
      .map((row) => row['name'] as string);
  }

  has(name: string): boolean {
    return this.#sql.exec(`SELECT 1 FROM ${this.#table} WHERE name = ? AND part = 0`, name).length > 0;
  }

  get(name: string): Uint8Array | null {
    const rows = this.#sql.exec(`SELECT bytes FROM ${this.#table} WHERE name = ? ORDER BY part`, name);
    return rows.length === 0 ? null : concat(rows.map((row) => new Uint8Array(row['bytes'] as ArrayBuffer)));
  }

  set(name: string, bytes: Uint8Array): void {
    this.#sql.transaction(() => {
      let part = 0;
      for (let start = 0; start === 0 || start < bytes.byteLength; start += PART_BYTES) {
        this.#sql.exec(
          `INSERT INTO ${this.#table} VALUES (?, ?, ?) ON CONFLICT (name, part) DO UPDATE SET bytes = excluded.bytes`,
          name,
          part++,
          bytes.subarray(start, start + PART_BYTES),
        );
      }
      this.#sql.exec(`DELETE FROM ${this.#table} WHERE name = ? AND part >= ?`, name, part);
    });
  }

  delete(name: string): void {
    this.#sql.exec(`DELETE FROM ${this.#table} WHERE name = ?`, name);
  }
}
