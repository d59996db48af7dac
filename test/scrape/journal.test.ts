import { expect, test } from 'vitest';
import { REQUEST_LIMITS } from '../../src/model/request.ts';
import { TARGETS_PER_AGENT } from '../../src/scrape/placement/placement.ts';
import { decodeJournal, encodeJournal, endOf, enter } from '../../src/scrape/journal.ts';

const last = { slotMs: 100_000, timestampMs: 100_000, durationMs: 1, samples: 1, error: null, intervalMs: 15_000 };

test('a target that is gone ends at the first slot that it missed, a little over two intervals after its last', () => {
  expect(endOf(last, 105_000)).toEqual({ dueMs: 131_500, markerMs: 115_000 });
  // A scrape that began late has its own time, which no marker precedes.
  expect(endOf({ ...last, timestampMs: 118_000 }, 105_000).markerMs).toBe(118_001);
});

test('one of which the interval is not known ends at once', () => {
  const { intervalMs: _, ...older } = last;
  expect(endOf(older, 105_000)).toEqual({ dueMs: 105_000, markerMs: 105_000 });
  expect(endOf(older, 90_000).markerMs).toBe(100_001);
  expect(endOf(undefined, 105_000)).toEqual({ dueMs: 105_000, markerMs: 105_000 });
});

test('that of as many targets as an agent is meant for has room in a row, beside a record, also when all of them hang', () => {
  const journal = decodeJournal(null);
  const now = 1_795_368_572_844;
  const hung = { triedMs: now, lookedMs: now };
  const scrape = { slotMs: now, timestampMs: now, durationMs: 10_000, intervalMs: 15_000, samples: 100_000, series: 0 };
  const tally = { limit: null, duplicates: 0, outOfBounds: 0, exemplars: 0 };
  for (let i = 0; i < TARGETS_PER_AGENT; i++)
    enter(journal, i.toString(16).padStart(16, 'f'), { ...scrape, error: 'e'.repeat(1_000), hung }, tally);
  const bytes = encodeJournal(journal).byteLength;
  expect(bytes).toBeGreaterThan(300_000);
  // Twice as many, since a hash does not share out evenly.
  expect(2 * bytes + REQUEST_LIMITS.bytesMax).toBeLessThan(1_900_000);
});

test('totals ride with it: limits, samples left out, exemplars, and how long it really was between scrapes', () => {
  // One that an earlier version stored has none of them.
  const journal = decodeJournal(new TextEncoder().encode('{"targets":{},"scrapes":5,"refused":{},"highestMs":1}'));
  const tally = { limit: null, duplicates: 0, outOfBounds: 0, exemplars: 0 };
  enter(journal, 'a', last, tally);
  expect(journal).not.toHaveProperty('counts');
  enter(journal, 'a', { ...last, timestampMs: 115_003 }, { ...tally, duplicates: 2, exemplars: 1 });
  enter(journal, 'a', { ...last, timestampMs: 130_000 }, { ...tally, limit: 'sample_limit', duplicates: 1 });
  // The interval was changed: what lies between is none of either.
  enter(journal, 'a', { ...last, timestampMs: 131_000, intervalMs: 1_000 }, { ...tally, outOfBounds: 1 });
  const { intervalMs: _, ...unknown } = last;
  enter(journal, 'b', unknown, tally);
  enter(journal, 'b', unknown, tally);
  expect(decodeJournal(encodeJournal(journal))).toMatchObject({
    scrapes: 11,
    counts: { duplicates: 3, exemplars: 1, sample_limit: 1, out_of_bounds: 1 },
    intervals: { 15000: { sumMs: 30_000, count: 2 } },
  });
});
