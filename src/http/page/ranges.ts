/** When a block range is cut, as far as the page tells it. The Catalogue decides; this only says when to expect it. */

import { RANGE_MS } from '../../model/sample.ts';
import type { RangeStatus } from '../status.ts';

/** A range that has ended still takes samples for so long (the out-of-order window). */
const STILL_OPEN_MS = 30 * 60_000;
/** The cut runs once an hour: past this, something is wrong. */
export const CUT_OVERDUE_MS = 75 * 60_000;

/** The earliest moment at which the range can be cut, Unix ms. */
export const cutAtMs = (range: Pick<RangeStatus, 'endMs'>): number => range.endMs + STILL_OPEN_MS;

/** How much of the two hours has passed, 0 to 1. */
export const elapsed = (range: Pick<RangeStatus, 'startMs'>, nowMs: number): number =>
  Math.min(1, Math.max(0, (nowMs - range.startMs) / RANGE_MS));
