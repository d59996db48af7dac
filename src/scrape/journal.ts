/**
 * What an agent knows of its targets' scrapes. It rides in the newest row of the log, so it is exactly as old as the log: a scrape is in both
 * or in neither.
 */

import type { ScrapeLimit } from './page/page-error.ts';
import type { Asked } from './standing.ts';

export interface TargetJournal {
  /** The last slot in the log, Unix ms, and the timestamp of its samples. */
  readonly slotMs: number;
  readonly timestampMs: number;
  readonly durationMs: number;
  /** Not known of scrapes that an earlier version logged. */
  readonly intervalMs?: number;
  readonly samples: number;
  readonly error: string | null;
  /** Series that it has, the report series among them; not known of scrapes that an earlier version logged. */
  readonly series?: number;
  /** Of one that hung: when it was asked. */
  readonly hung?: Asked;
}

export interface Journal {
  readonly targets: Record<string, TargetJournal>;
  /** Scrapes in the log, and those refused by reason; totals. */
  scrapes: number;
  readonly refused: Record<string, number>;
  highestMs: number | null;
  /** Totals since this is counted, by what they count. */
  counts?: Record<string, number>;
  /** By interval in ms: how long it really was between the timestamps of two scrapes of a target, summed in ms, and how often. */
  intervals?: Record<string, { readonly sumMs: number; readonly count: number }>;
}

/** What a scrape adds to the totals. */
export interface Tally {
  readonly limit: ScrapeLimit | null;
  readonly duplicates: number;
  readonly outOfBounds: number;
  readonly exemplars: number;
}

/** Errors of all targets must fit a row together. */
const ERROR_CHARACTERS_MAX = 160;

/** Enters a scrape that goes into the log. */
export function enter(journal: Journal, key: string, scrape: TargetJournal, tally: Tally): void {
  const last = journal.targets[key];
  if (last !== undefined && last.intervalMs === scrape.intervalMs && scrape.intervalMs !== undefined) {
    const intervals = (journal.intervals ??= {});
    const { sumMs, count } = intervals[scrape.intervalMs] ?? { sumMs: 0, count: 0 };
    intervals[scrape.intervalMs] = { sumMs: sumMs + scrape.timestampMs - last.timestampMs, count: count + 1 };
  }
  if (tally.limit !== null) count(journal, tally.limit, 1);
  count(journal, 'duplicates', tally.duplicates);
  count(journal, 'out_of_bounds', tally.outOfBounds);
  count(journal, 'exemplars', tally.exemplars);
  const error = scrape.error?.slice(0, ERROR_CHARACTERS_MAX) ?? null;
  const { hung } = scrape;
  // A run that began when the answer before was not logged yet does not know of it.
  const tookMs = hung?.tookMs ?? last?.hung?.tookMs ?? (last?.error === null ? last.durationMs : undefined);
  const asked = hung === undefined || tookMs === undefined ? hung : { ...hung, tookMs };
  journal.targets[key] = { ...scrape, error, ...(asked === undefined ? {} : { hung: asked }) };
  journal.scrapes++;
  journal.highestMs = Math.max(journal.highestMs ?? scrape.timestampMs, scrape.timestampMs);
}

/**
 * When a target that is gone goes stale (Prometheus, scrape/scrape.go, `endOfRunStaleness`): its markers have the time of the first slot
 * that it missed, and are due a little over two intervals after its last, since it may come back meanwhile.
 */
export function endOf(last: TargetJournal | undefined, nowMs: number): { dueMs: number; markerMs: number } {
  if (last?.intervalMs === undefined) return { dueMs: nowMs, markerMs: Math.max(nowMs, (last?.timestampMs ?? 0) + 1) };
  const { slotMs, timestampMs, intervalMs } = last;
  return { dueMs: slotMs + 2.1 * intervalMs, markerMs: Math.max(slotMs + intervalMs, timestampMs + 1) };
}

function count(journal: Journal, what: string, n: number): void {
  if (n === 0) return;
  const counts = (journal.counts ??= {});
  counts[what] = (counts[what] ?? 0) + n;
}

export function refuse(journal: Journal, reason: string): void {
  journal.refused[reason] = (journal.refused[reason] ?? 0) + 1;
}
