import { expect, test } from 'vitest';
import { endOf } from '../../src/scrape/journal.ts';

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
