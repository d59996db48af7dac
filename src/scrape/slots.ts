/**
 * When a target is scraped: at `k · interval + offset` for every integer k, a pure function of the target. Nothing claims or
 * remembers a slot, so runs that know nothing of each other agree on them.
 *
 * The one invariant: over any partition of time into half-open ranges, each slot is in exactly one.
 */

import { fnv1a64 } from './fnv.ts';
import type { Target } from './target.ts';

/** Where in its interval a target's slots are, in whole ms, from what identifies it: Prometheus' way to spread targets (scrape/target.go, `offset`). */
export function offsetOf(identity: string, intervalMs: number): number {
  const { hi, lo } = fnv1a64(identity);
  let rest = 0;
  // Sixteen bits at a time: nothing exceeds 2⁵³ for intervals up to 2³⁷ ms, four years.
  for (const part of [hi >>> 16, hi & 0xffff, lo >>> 16, lo & 0xffff]) rest = (rest * 0x10000 + part) % intervalMs;
  return rest;
}

/** The first slot later than `tMs`, Unix ms. */
export function firstSlotAfter(target: Pick<Target, 'intervalMs' | 'offsetMs'>, tMs: number): number {
  const { intervalMs, offsetMs } = target;
  return (Math.floor((tMs - offsetMs) / intervalMs) + 1) * intervalMs + offsetMs;
}
