import { expect, test } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { Keeper, Keepers, Known } from '../../src/digest/known.ts';
import { encode, sample } from './messages.ts';

/** One that knows so many series. */
function knowing(series: number): Known {
  const known = new Known();
  const digest = new Digest({ samplesMax: 1, partBytesMax: 10_000 }, known);
  const labels = (i: number): [string, string][] => [['a', `value ${i}`]];
  digest.add(
    1,
    encode({
      schema: 1,
      series: Array.from({ length: series }, (_, i) => ({ labels: labels(i), samples: [sample(1, 1)] })),
    }),
  );
  digest.finish();
  return known;
}

test('what is kept longest ago goes first, when all together is too much; what is too much alone is not kept', () => {
  const some = knowing(10);
  const bytesMax = 2.5 * some.bytes;
  const keepers = new Keepers(bytesMax);
  const [a, b, c] = [new Keeper(), new Keeper(), new Keeper()] as const;
  const kept = (): boolean[] => [a, b, c].map(({ known }) => known !== null);
  keepers.keep(a, some);
  keepers.keep(b, knowing(10));
  expect(kept()).toEqual([true, true, false]);
  expect(keepers.take(a)).toBe(some);
  expect(keepers.take(a)).toBe(null);
  keepers.keep(a, some);
  keepers.keep(c, knowing(10));
  expect(kept()).toEqual([true, false, true]);
  // What is taken counts no more.
  keepers.take(a);
  keepers.keep(b, knowing(10));
  expect(kept()).toEqual([false, true, true]);
  const large = knowing(10_000);
  expect(large.bytes).toBeGreaterThan(bytesMax);
  keepers.keep(a, large);
  expect(kept()).toEqual([false, false, false]);
});

test('its size is about what it takes', () => {
  const bytes = knowing(20_000).bytes;
  // A label of 20 bytes, a tuple of one, and some numbers; tables are doubled when they are full.
  expect(bytes / 20_000).toBeGreaterThan(100);
  expect(bytes / 20_000).toBeLessThan(250);
});
