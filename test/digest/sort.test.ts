import { expect, it } from 'vitest';
import { sortInSteps, upTo } from '../../src/digest/sort.ts';

/** Everything that the steps give, and how many they were. */
function run(count: number, key: (item: number) => number): { sorted: number[]; steps: number } {
  const sorting = sortInSteps(upTo(count), (a, b) => key(a) - key(b));
  for (let steps = 0; ; steps++) {
    const { done, value } = sorting.next();
    if (done === true) return { sorted: Array.from(value), steps };
  }
}

// Around the size of a run, of two, and of numbers of runs that are no power of two.
for (const count of [0, 1, 2, 4095, 4096, 4097, 8192, 8193, 12_289, 20_481, 40_000]) {
  it(`sorts ${count} items, equal ones in the order they had`, () => {
    const key = (item: number): number => Math.imul(item, 0x9e3779b1) >>> 20;
    const expected = Array.from({ length: count }, (_, i) => i).sort((a, b) => key(a) - key(b));
    const { sorted, steps } = run(count, key);
    expect(sorted).toEqual(expected);
    expect(steps).toBeGreaterThanOrEqual(Math.ceil(count / 4096));
  });
}
