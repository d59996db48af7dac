import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LateBlock, lateNumber } from '../../src/compact/late.ts';
import { RANGE_MS } from '../../src/model/sample.ts';

const WINDOW_MS = 14 * 24 * 3_600_000;
const W0 = 1500 * WINDOW_MS;

/** A late block of shard 0: its range, counted from the beginning of two weeks, and the round that cut it. */
const late = (range: number, createdAtMs: number, shard = 0): LateBlock => ({
  shard,
  late: true,
  minTime: W0 + range * RANGE_MS + 12_345,
  createdAtMs,
});
const number = (blocks: readonly LateBlock[], range: number, createdAtMs: number): number =>
  lateNumber(blocks, 0, W0 + range * RANGE_MS, createdAtMs);

it.each<[string, readonly LateBlock[], number]>([
  ['there is none yet', [], 1],
  ['only ordinary ones are there', [{ ...late(3, 1), late: false }], 1],
  ['other shards have some', [late(3, 1, 1)], 1],
  ['other two weeks have some', [late(-1, 1), late(WINDOW_MS / RANGE_MS, 1)], 1],
  ['others were cut together with it', [late(2, 9), late(4, 9)], 1],
  ['its range has one of the same round', [late(3, 9)], 2],
  ['another range of these two weeks has one of an earlier round', [late(100, 1)], 2],
  ['an earlier round cut several ranges', [late(3, 1), late(4, 1), late(5, 1)], 2],
  ['an earlier round cut a range twice', [late(3, 1), late(3, 1), late(4, 1)], 3],
  ['two earlier rounds cut', [late(3, 1), late(4, 2)], 3],
])('is right when %s', (_, blocks, expected) => expect(number(blocks, 3, 9)).toBe(expected));

describe('whatever is cut', () => {
  it('blocks of the same two weeks share a number only within a round, never in a range', () => {
    const cut = fc.record({ range: fc.integer({ min: 0, max: 400 }), next: fc.boolean() });
    const of = (cuts: readonly { range: number; next: boolean }[]): void => {
      const blocks: LateBlock[] = [];
      const seen = new Map<string, { round: number; ranges: Set<number> }>();
      let round = 1;
      for (const { range, next } of cuts) {
        if (next) round++;
        const key = `${Math.floor((range * RANGE_MS) / WINDOW_MS)} ${number(blocks, range, round)}`;
        const had = seen.get(key) ?? { round, ranges: new Set() };
        expect([had.round, had.ranges.has(range)]).toEqual([round, false]);
        seen.set(key, had);
        had.ranges.add(range);
        blocks.push(late(range, round));
      }
    };
    fc.assert(fc.property(fc.array(cut, { maxLength: 60 }), of));
  });
});
