/**
 * Which number a late block has: the value of its label `narthex_late`. Thanos' compactor halts on blocks that overlap under equal labels, and what it
 * makes of late blocks covers up to two weeks. So, of one shard: two late blocks of the same two weeks have the same number only when they were cut
 * together and are of different ranges, and the numbers stay as small as that allows.
 *
 * Source: thanos-io/thanos, cmd/thanos/compact.go (compactions: 1h, 2h, 8h, 2d, 14d), aligned as in prometheus/prometheus, tsdb/compact.go.
 */

import type { BlockStatus } from './doors.ts';
import { RANGE_MS } from '../model/sample.ts';

/** The longest range that Thanos compacts to; ranges of Narthex never cross its borders. */
const LONGEST_COMPACTION_MS = 14 * 24 * 3_600_000;

/** What is asked of a block; one that is only planned will do. */
export type LateBlock = Pick<BlockStatus, 'shard' | 'late' | 'minTime' | 'createdAtMs'>;

/** From 1 on. `blocks` are all that there are, `createdAtMs` is the moment that blocks cut together share. */
export function lateNumber(
  blocks: readonly LateBlock[],
  shard: number,
  rangeStartMs: number,
  createdAtMs: number,
): number {
  const window = Math.floor(rangeStartMs / LONGEST_COMPACTION_MS);
  /** By the moment of a cut, how many late blocks each range got then: more than one when an earlier round died before it committed. */
  const rounds = new Map<number, Map<number, number>>();
  for (const block of blocks) {
    if (!block.late || block.shard !== shard || Math.floor(block.minTime / LONGEST_COMPACTION_MS) !== window) continue;
    const ranges = rounds.get(block.createdAtMs) ?? new Map<number, number>();
    rounds.set(block.createdAtMs, ranges);
    const range = Math.floor(block.minTime / RANGE_MS);
    ranges.set(range, (ranges.get(range) ?? 0) + 1);
  }
  const taken = rounds.get(createdAtMs)?.get(Math.floor(rangeStartMs / RANGE_MS)) ?? 0;
  rounds.delete(createdAtMs);
  return [...rounds.values()].reduce((sum, ranges) => sum + Math.max(...ranges.values()), taken + 1);
}
