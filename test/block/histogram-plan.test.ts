import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { planChunk, valuesFor } from '../../src/block/histogram-plan.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { histogram, STALE_SUM, type TestHistogram, textOf } from '../model/histograms.ts';
import { mixedColumns, type MixedSample, readMeta, readMixed, writeMixed } from './mixed.ts';

const plan = (previous: TestHistogram | null, ...all: TestHistogram[]) =>
  planChunk(all.map(histogram), 0, all.length, previous === null ? null : histogram(previous));

const A: TestHistogram = { schema: 1, zeroThreshold: 1, zeroCount: 1, positive: { 1: 5, 3: 2 }, negative: { 0: 1 } };
const STALE: TestHistogram = { sum: STALE_SUM };
const more = (change: TestHistogram): TestHistogram => ({ ...A, positive: { 1: 9, 3: 9 }, ...change });
const CUSTOM: TestHistogram = { schema: -53, bounds: [1, 2], positive: { 0: 1 } };

describe('a chunk', () => {
  test.each([
    ['goes on while counts rise', [A, A, more({})], 3],
    ['ends where the count falls', [A, more({}), A], 2],
    ['ends where a bucket falls though the count rises', [A, more({ positive: { 1: 4, 3: 99 } })], 1],
    ['ends where a bucket is gone', [A, more({ positive: { 1: 99 } })], 1],
    ['goes on where one without observations is gone', [{ ...A, positive: { 1: 1, 2: 0, 3: 2 } }, A], 2],
    [
      'goes on where a bucket is new',
      [A, more({ positive: { 0: 1, 1: 9, 3: 9, 4: 1 }, negative: { [-7]: 1, 0: 2 } }), more({})],
      2,
    ],
    ['ends where the zero bucket falls', [A, more({ zeroCount: 0 })], 1],
    ['ends where a negative bucket falls', [A, more({ negative: { 0: 0 } })], 1],
    ['ends at another schema', [A, more({ schema: 2 })], 1],
    ['ends at another zero threshold', [A, more({ zeroThreshold: 2 })], 1],
    ['ends at other bounds', [CUSTOM, CUSTOM, { ...CUSTOM, bounds: [1, 3] }], 2],
    ['ends where the sender says that there was a reset', [A, more({ hint: 1 })], 1],
    ['ends at a gauge', [A, more({ hint: 3 })], 1],
    [
      'of gauges goes on where counts fall',
      [
        { ...more({}), hint: 3 as const },
        { ...A, hint: 3 as const },
      ],
      2,
    ],
    [
      'of gauges ends at another schema',
      [
        { ...A, hint: 3 as const },
        { ...A, hint: 3 as const, schema: 0 },
      ],
      1,
    ],
    ['takes stale markers', [A, STALE, STALE], 3],
    ['takes nothing but those behind one', [A, STALE, more({})], 2],
    ['of stale markers', [STALE, STALE, A], 2],
  ] as [string, TestHistogram[], number][])('%s', (_, all, end) => {
    expect(plan(null, ...all).end).toBe(end);
  });

  test.each([
    ['unknown at the beginning', null, A, 0],
    ['of gauges', A, { ...A, hint: 3 }, 3],
    ['a reset that the sender knows of', A, { ...A, hint: 1 }, 1],
    ['no reset', A, more({}), 2],
    ['a reset', more({}), A, 1],
    ['unknown behind another schema', { ...A, schema: 0 }, A, 0],
    ['a reset behind other bounds', CUSTOM, { ...CUSTOM, bounds: [1, 3] }, 1],
    ['unknown behind gauges', { ...A, hint: 3 }, A, 0],
    ['unknown behind a stale marker', STALE, A, 0],
    ['no reset at a stale marker', A, STALE, 2],
  ] as [string, TestHistogram | null, TestHistogram, number][])(
    'says of its first sample: %s',
    (_, before, first, header) => {
      expect(plan(before, first).header).toBe(header);
    },
  );

  it('has all buckets of its samples, and each sample its own counts in them', () => {
    const all = [
      { ...A, negative: {} },
      more({ positive: { 1: 9, 2: 4, 3: 9 }, negative: { 5: 1 } }),
      more({ positive: { [-9]: 1, 1: 9, 2: 4, 3: 9 }, negative: { [-5]: 1, 5: 1 } }),
    ];
    for (const isFloat of [false, true]) {
      const list = all.map((of) => ({ ...of, isFloat }));
      const { layout, end } = plan(null, ...list);
      expect(end).toBe(3);
      expect([...layout.positiveSpans, '/', ...layout.negativeSpans]).toEqual([-9, 1, 9, 3, '/', -5, 1, 9, 1]);
      for (const of of list) {
        const h = histogram(of);
        expect(textOf({ ...h, ...layout, values: valuesFor(layout, h) })).toBe(textOf(h));
      }
    }
  });

  it('of gauges with ever other buckets ends somewhere', () => {
    const all = Array.from({ length: 60 }, (_, i): TestHistogram => ({
      hint: 3,
      positive: Object.fromEntries(Array.from({ length: 400 }, (_, j) => [i * 400 + j, 1])),
    }));
    expect(plan(null, ...all).end).toBe(25);
  });
});

describe('a block', () => {
  it('interleaves chunks of all kinds, in time order', async () => {
    const samples: MixedSample[] = Array.from({ length: 900 }, (_, i) => {
      const kind = Math.floor(i / 7) % 3;
      const t = i * 15_000;
      if (kind === 0) return { t, value: i };
      return { t, histogram: { isFloat: kind === 2, positive: { [i % 5]: i, 9: i }, sum: i } };
    });
    const block = await writeMixed([{ labels: { __name__: 'm' }, samples }]);
    expect(block.stats).toMatchObject({
      numSamples: 900,
      numFloatSamples: 301,
      numHistogramSamples: 599,
      numSeries: 1,
    });
    const [series] = readMixed(block);
    expect(series!.samples).toEqual(mixedColumns(samples).texts);
    const metas = readMeta(block);
    expect(metas.length).toBe(block.stats.numChunks);
    for (const { minTime, maxTime } of metas) {
      expect(Math.floor(minTime / RANGE_MS)).toBe(Math.floor(maxTime / RANGE_MS));
    }
  });

  it('keeps a chunk of histograms near 1024 bytes, with ten samples at least', async () => {
    const wide = (i: number): TestHistogram => ({
      positive: Object.fromEntries(Array.from({ length: 160 }, (_, j) => [j, i * ((j % 7) + 1)])),
      sum: Math.sin(i),
    });
    const narrow = (i: number): TestHistogram => ({ positive: { 1: i }, sum: Math.sin(i) });
    for (const [of, least] of [
      [wide, 10],
      [narrow, 90],
    ] as const) {
      const samples = Array.from({ length: 300 }, (_, i) => ({ t: i * 15_000, histogram: of(i) }));
      const block = await writeMixed([{ labels: { a: 'b' }, samples }]);
      expect(readMixed(block)[0]!.samples).toEqual(mixedColumns(samples).texts);
      for (const { samples } of readMeta(block).slice(0, -1)) expect(samples).toBeGreaterThanOrEqual(least);
    }
  });

  it('holds whatever series are made of', async () => {
    const counts = fc.dictionary(fc.integer({ min: -3, max: 6 }).map(String), fc.nat(9), { maxKeys: 4 });
    const sample: fc.Arbitrary<{ value: number } | { histogram: TestHistogram }> = fc.oneof(
      fc.record({ value: fc.double() }),
      fc.record({
        histogram: fc.record({
          isFloat: fc.boolean(),
          hint: fc.constantFrom(0 as const, 0 as const, 1 as const, 2 as const, 3 as const),
          schema: fc.constantFrom(0, 0, 1),
          sum: fc.constantFrom(1, 2, STALE_SUM),
          positive: counts,
          negative: counts,
          zeroCount: fc.nat(2),
        }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 60 }), async (all) => {
        const samples = all.map((one, i) => ({ ...one, t: i * 400_000 }));
        const block = await writeMixed([{ labels: { a: 'b' }, samples }]);
        expect(readMixed(block)[0]!.samples).toEqual(mixedColumns(samples).texts);
      }),
      { numRuns: 150 },
    );
  });
});
