import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketsOf, compacted, reduceResolution } from '../../src/model/histogram-buckets.ts';
import { histogram, type TestHistogram, textOf } from './histograms.ts';

describe('reduceResolution', () => {
  const rows: readonly (readonly [string, TestHistogram, number, TestHistogram])[] = [
    [
      'a bucket is that of its upper bound',
      { positive: { 0: 1, 1: 2, 2: 3, 3: 4 } },
      -1,
      { positive: { 0: 1, 1: 5, 2: 4 } },
    ],
    ['below 1', { positive: { [-3]: 1, [-2]: 2, [-1]: 3, 0: 4 } }, -1, { positive: { [-1]: 3, 0: 7 } }],
    [
      'two steps, both sides',
      { negative: { 1: 1, 4: 2, 5: 3 }, positive: { 9: 1 } },
      -2,
      { negative: { 1: 3, 2: 3 }, positive: { 3: 1 } },
    ],
    ['floats', { isFloat: true, positive: { 1: 0.5, 2: 0.25 } }, -1, { isFloat: true, positive: { 1: 0.75 } }],
  ];
  it.each(rows)('%s', (_, from, schema, to) => {
    expect(textOf(reduceResolution(histogram(from), schema))).toBe(textOf(histogram({ ...to, schema })));
  });
});

describe('compacted', () => {
  const spans = (of: TestHistogram, emptyMax: number): unknown => {
    const h = compacted(histogram(of), emptyMax);
    return [[...h.positiveSpans], [...h.values.subarray(3)]];
  };

  it('drops empty buckets', () => {
    expect(spans({ positive: { 0: 0, 1: 3, 2: 0, 3: 4, 4: 0 } }, 0)).toEqual([
      [1, 1, 1, 1],
      [3, 1],
    ]);
    expect(spans({ isFloat: true, positive: { 5: -0, 6: 2 } }, 0)).toEqual([[6, 1], [2]]);
    expect(spans({ positive: { 7: 0 } }, 2)).toEqual([[], []]);
  });

  it('keeps and makes them in small gaps', () => {
    expect(spans({ positive: { 0: 0, 1: 3, 2: 0, 3: 0, 4: 4, 6: 0, 8: 1 } }, 2)).toEqual([
      [1, 4, 3, 1],
      [3, -3, 0, 4, -3],
    ]);
  });

  it('is the same histogram', () => {
    const side = fc.dictionary(fc.integer({ min: 0, max: 30 }).map(String), fc.constantFrom(0, 0, 1, 5), {
      maxKeys: 12,
    });
    fc.assert(
      fc.property(side, side, fc.boolean(), fc.nat(3), (positive, negative, isFloat, emptyMax) => {
        const h = histogram({ isFloat, positive, negative });
        const out = compacted(h, emptyMax);
        expect(textOf(out)).toBe(textOf(h));
        if (emptyMax === 0) {
          const filled = [...Object.values(positive), ...Object.values(negative)].filter((count) => count > 0);
          expect(bucketsOf(out)).toBe(filled.length);
        }
      }),
    );
  });
});
