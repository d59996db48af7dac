/**
 * How a target's last scrapes went, as far as it decides how the next one gets a connection. The agent's journal has it, a run takes it over with the
 * baton and keeps it up to date for itself.
 */

import { type Claim, CONNECTIONS, HUNG_CONNECTIONS } from './reach/connections.ts';
import type { TargetJournal } from './journal.ts';

/** Of a target that hung: when it had a connection for as long as it wanted, and when it had one at all; Unix ms, 0 for never. */
export interface Asked {
  readonly triedMs: number;
  readonly lookedMs: number;
  /** How long it took when it answered last, ms; absent when that is not known. */
  readonly tookMs?: number;
}

export interface Standing {
  /** The last scrape failed, after it had kept a connection waiting: it hung. One that is refused at once costs nobody anything. */
  readonly hung: boolean;
  /** How long it took when it answered last, ms; null when that is not known. */
  readonly tookMs: number | null;
  /** As of `Asked`. */
  readonly triedMs: number;
  readonly lookedMs: number;
}

export const UNKNOWN: Standing = { hung: false, tookMs: null, triedMs: 0, lookedMs: 0 };

/** A target waits for headers at least this long, and three times as long as when it answered last, before it gives way to live ones. */
const PATIENCE_MS = 250;
const PATIENCE_FACTOR = 3;
/** Who fails after less than this did not hang, ms. */
export const HUNG_MS = 1_000;

export function standingOf({ error, durationMs, hung }: TargetJournal): Standing {
  if (hung !== undefined) return { hung: true, tookMs: null, ...hung };
  return { ...UNKNOWN, tookMs: error === null || durationMs < HUNG_MS ? durationMs : null };
}

/** The claim of a target that gave way so often for this slot. When it comes among those that hung, it is looked at before them. */
export function claimOf(standing: Standing, gaveWay: number, slotMs: number, timeoutMs: number): Claim {
  const { hung, tookMs, triedMs, lookedMs } = standing;
  const untilMs = slotMs + timeoutMs;
  const patienceMs = Math.max(PATIENCE_MS, PATIENCE_FACTOR * (tookMs ?? 0));
  return { hung, gaveWay, patienceMs, triedMs, lookedMs: gaveWay === 2 ? 0 : lookedMs, untilMs, timeoutMs };
}

/** Why a scrape failed that had no connection, or not long enough. */
export function noConnection(hung: boolean, looked: boolean, timeoutMs: number): string {
  const none = `no free connection within the timeout of ${timeoutMs / 1000} s: `;
  if (!hung) return `${none}all ${CONNECTIONS} of the run wait for other targets (add a scraping lane)`;
  const look = looked ? 'no answer at a short look, then ' : '';
  return `${look}${none}targets that hang share ${HUNG_CONNECTIONS} (a scraping lane adds as many)`;
}
