import { expect, test } from 'vitest';
import { REQUEST_LIMITS } from '../../src/model/request.ts';
import { TARGETS_PER_AGENT } from '../../src/scrape/placement/placement.ts';
import { endOf, enter, type Journal } from '../../src/scrape/journal.ts';
import { decodeJournal, encodeJournal } from '../../src/scrape/journal-codec.ts';
import format from '../../src/scrape/FORMAT.md?raw';
import { mutate, Rng } from '../encoding/damage.ts';

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

test.each([
  ['as they are as a rule', 1_000, 5_000, 17.2],
  ['all of which hang, each with an error of its own', 1_000, 2 * TARGETS_PER_AGENT, 210],
  ['all of which hang with one error', 1_000, 2 * TARGETS_PER_AGENT, 30],
])('a target takes so many bytes of a row: %s', (what, samples, targets, bytesMax) => {
  const hangs = what.includes('hang');
  const journal = decodeJournal(null);
  const now = 1_795_368_572_844;
  const tally = { limit: null, duplicates: 0, outOfBounds: 0, exemplars: 0 };
  for (let i = 0; i < targets; i++) {
    const slotMs = now + ((i * 7919) % 15_000);
    const error = hangs ? `${what.includes('each') ? String(i).padStart(6, '0') : ''}${'e'.repeat(1_000)}` : null;
    const last = {
      slotMs,
      timestampMs: slotMs,
      durationMs: 30 + (i % 70),
      intervalMs: 15_000,
      samples,
      series: 1_005,
      error,
    };
    const hung = { triedMs: slotMs - 30_000, lookedMs: slotMs };
    enter(journal, i.toString(16).padStart(16, 'f'), hangs ? { ...last, hung } : last, tally);
  }
  const bytes = encodeJournal(journal);
  expect(bytes.byteLength / targets).toBeLessThanOrEqual(bytesMax);
  // Twice as many as an agent is meant for, since a hash does not share out evenly, and beside a record.
  expect(bytes.byteLength + REQUEST_LIMITS.bytesMax).toBeLessThan(1_900_000);
  expect(decodeJournal(bytes)).toEqual(journal);
});

const plain = { slotMs: 100_000, durationMs: 3, samples: 1, error: null };
const example: Journal = {
  targets: {
    '00000000000000ff': { ...plain, timestampMs: 100_000, intervalMs: 15_000, series: 7 },
    a: {
      slotMs: 101_000,
      timestampMs: 101_000,
      durationMs: 10_000,
      samples: 0,
      error: 'late',
      intervalMs: 15_000,
      hung: { triedMs: 101_000, lookedMs: 100_000, tookMs: 3_000 },
    },
  },
} as unknown as Journal;

test('the example of FORMAT.md', () => {
  const hex = /```hex\n(.*?)```/s.exec(format)![1]!.replaceAll(/#.*/g, '').replaceAll(/\s/g, '');
  expect(Buffer.from(encodeJournal(example)).toString('hex')).toBe(hex);
  expect(decodeJournal(Uint8Array.from(Buffer.from(hex, 'hex')))).toEqual(example);
});

test('one that the first version stored is read', () => {
  const { a, ...others } = example.targets;
  const before = { ...example, targets: { ...others, a: { ...a!, hung: { triedMs: 101_000, lookedMs: 100_000 } } } };
  const bytes = encodeJournal(before);
  bytes[0] = 1;
  expect(decodeJournal(bytes)).toEqual(before);
});

test('whatever a journal holds, it comes back, and one that was stored as JSON is read', () => {
  const journal: Journal = {
    targets: {
      'no hash': { ...plain, timestampMs: 99_999 },
      FFFFFFFFFFFFFFFF: { ...plain, timestampMs: 99_999 },
      '000000000000000ö': { ...plain, timestampMs: 100_001 },
      ffffffffffffffff: { ...plain, slotMs: 4e15, timestampMs: 4e15 + 2 ** 40, hung: { triedMs: 0, lookedMs: 0 } },
      __proto_: { ...plain, timestampMs: 100_000, intervalMs: 86_400_000, error: 'ö“'.repeat(80) },
    },
    scrapes: 2 ** 40,
    refused: { 'slot not newer': 3 },
    highestMs: 5,
    counts: { duplicates: 1 },
    intervals: { 15000: { sumMs: 1, count: 2 } },
  };
  expect(decodeJournal(encodeJournal(journal))).toEqual(journal);
  expect(decodeJournal(new TextEncoder().encode(JSON.stringify(journal)))).toEqual(journal);
  expect(decodeJournal(encodeJournal(decodeJournal(null)))).toEqual(decodeJournal(null));
});

test('damage is an error or another journal, and takes no time', () => {
  const rng = new Rng(5);
  const bytes = encodeJournal(example);
  for (let i = 0; i < 5_000; i++) {
    try {
      decodeJournal(mutate(bytes, rng));
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
  }
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
