/**
 * What the Director keeps of discoveries: the last good groups of each, when they were found, and what went wrong since. A row is written
 * when something changed or failed; that nothing changed is remembered in memory, and written now and then.
 */

import type { Sql } from '../log/sql.ts';
import { Blobs, type Values } from '../log/table.ts';
import type { Refresh } from './watch.ts';

/** `DiscoveryState` with the groups as JSON, null when the caller has them. */
export interface StoredDiscovery extends DiscoveryState {
  readonly groups: string | null;
}

export interface DiscoveryState {
  /** Empty while nothing was found yet. */
  readonly fingerprint: string;
  readonly targets: number;
  /** The last refresh that succeeded, Unix ms; up to five minutes ago it may have been later. */
  readonly refreshedAtMs: number | null;
  /** When the groups were last other ones than before, Unix ms. */
  readonly changedAtMs: number | null;
  readonly failures: number;
  /** Of the last refresh; null when it went well. */
  readonly error: string | null;
}

const UNKNOWN: DiscoveryState = {
  fingerprint: '',
  targets: 0,
  refreshedAtMs: null,
  changedAtMs: null,
  failures: 0,
  error: null,
};

const KEYS = 'discoveries';
const SEEN = 'discoveries seen';
/** That nothing changed is written this often. */
const SEEN_MS = 300_000;

export class Discoveries {
  readonly #sql: Sql;
  readonly #values: Values;
  readonly #groups: Blobs;
  /** When each last succeeded, by key; newer than what is stored. */
  readonly #seen = new Map<string, number>();

  constructor(sql: Sql, values: Values) {
    this.#sql = sql;
    this.#values = values;
    this.#groups = new Blobs(sql);
  }

  get(keys: readonly string[], known: Readonly<Record<string, string>>): Readonly<Record<string, StoredDiscovery>> {
    const seen = this.#values.get<Readonly<Record<string, number>>>(SEEN, {});
    const found: Record<string, StoredDiscovery> = {};
    for (const key of keys) {
      const state = this.#values.get<DiscoveryState | null>(nameOf(key), null);
      if (state === null) continue;
      const refreshedAtMs = Math.max(state.refreshedAtMs ?? 0, seen[key] ?? 0, this.#seen.get(key) ?? 0) || null;
      const bytes = known[key] === state.fingerprint ? null : this.#groups.get(key);
      found[key] = { ...state, refreshedAtMs, groups: bytes === null ? null : new TextDecoder().decode(bytes) };
    }
    return found;
  }

  put(nowMs: number, key: string, { fingerprint, groups, targets, error }: Refresh): void {
    const state = this.#values.get<DiscoveryState>(nameOf(key), UNKNOWN);
    // The groups of a caller who thought that the Director has them, and it has forgotten: the next refresh brings them.
    if (fingerprint !== null && groups === null && fingerprint !== state.fingerprint) return;
    const changed = fingerprint !== null && fingerprint !== state.fingerprint;
    if (fingerprint !== null) this.#seen.set(key, nowMs);
    if (!changed && error === null && state.error === null) {
      this.#writeSeen(nowMs);
      return;
    }
    this.#sql.transaction(() => {
      if (changed) this.#groups.set(key, new TextEncoder().encode(groups!));
      this.#values.set(nameOf(key), {
        fingerprint: fingerprint ?? state.fingerprint,
        targets: fingerprint === null ? state.targets : targets,
        refreshedAtMs: fingerprint === null ? state.refreshedAtMs : nowMs,
        changedAtMs: changed ? nowMs : state.changedAtMs,
        failures: state.failures + (error === null ? 0 : 1),
        error: error === null ? null : error.slice(0, 1000),
      } satisfies DiscoveryState);
      const keys = this.#values.get<readonly string[]>(KEYS, []);
      if (!keys.includes(key)) this.#values.set(KEYS, [...keys, key]);
    });
  }

  /** Forgets all others. */
  keep(keys: readonly string[]): void {
    const stored = this.#values.get<readonly string[]>(KEYS, []);
    const gone = stored.filter((key) => !keys.includes(key));
    if (gone.length === 0) return;
    this.#sql.transaction(() => {
      for (const key of gone) {
        this.#values.delete(nameOf(key));
        this.#groups.delete(key);
        this.#seen.delete(key);
      }
      this.#values.set(
        KEYS,
        stored.filter((key) => keys.includes(key)),
      );
    });
  }

  #writeSeen(nowMs: number): void {
    const stored = this.#values.get<Readonly<Record<string, number>>>(SEEN, {});
    const newest = Math.max(0, ...Object.values(stored));
    if (nowMs - newest < SEEN_MS) return;
    const keys = this.#values.get<readonly string[]>(KEYS, []);
    const all = { ...stored, ...Object.fromEntries(this.#seen) };
    this.#values.set(SEEN, Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key))));
  }
}

const nameOf = (key: string): string => `discovery ${key}`;
