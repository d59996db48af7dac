/**
 * The baton of a relay race: which run owns which slots. A run takes the baton at a moment; from then on all slots are its own, and the
 * run before it may still hand in what it had begun. A deployment has no other lock: this one row in the agent decides.
 *
 * The one invariant: every slot has exactly one owner, the newest epoch that began at or before it.
 */

export interface Baton {
  /** The newest epochs and the moment each began, Unix ms; oldest first. Epochs grow by one. */
  readonly runs: readonly { readonly epoch: number; readonly fromMs: number }[];
}

/** A run that nobody relieves goes on this long, ms: cron may be late by a minute. */
export const RUN_MS = 150_000;

export const NO_BATON: Baton = { runs: [] };

/** A run lasts two and a half minutes at most and cron fires once a minute, sometimes twice: more runs than this are never alive. */
const RUNS_REMEMBERED = 8;

export function takeBaton(baton: Baton, nowMs: number): Baton {
  const last = baton.runs.at(-1);
  // A clock that went back must not give the new run slots that the old one owns already.
  const fromMs = Math.max(nowMs, last?.fromMs ?? nowMs);
  return { runs: [...baton.runs.slice(1 - RUNS_REMEMBERED), { epoch: (last?.epoch ?? 0) + 1, fromMs }] };
}

/**
 * The slots that a run owns, Unix ms: from (inclusive) and until (exclusive, Infinity for the newest run). Nothing is owned by an epoch
 * that is forgotten.
 */
export function ownedSlots(baton: Baton, epoch: number): { fromMs: number; untilMs: number } {
  const i = baton.runs.findIndex((run) => run.epoch === epoch);
  if (i < 0) return { fromMs: Infinity, untilMs: -Infinity };
  return { fromMs: baton.runs[i]!.fromMs, untilMs: baton.runs[i + 1]?.fromMs ?? Infinity };
}

export const newestEpoch = (baton: Baton): number => baton.runs.at(-1)?.epoch ?? 0;
