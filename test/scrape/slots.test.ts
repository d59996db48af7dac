import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fnv1a64 } from '../../src/scrape/fnv.ts';
import { firstSlotAfter, offsetOf } from '../../src/scrape/slots.ts';

test('FNV-1a gives the published vectors', () => {
  const hex = (text: string): string => {
    const { hi, lo } = fnv1a64(text);
    return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
  };
  expect(hex('')).toBe('cbf29ce484222325');
  expect(hex('a')).toBe('af63dc4c8601ec8c');
  expect(hex('foobar')).toBe('85944171f73967e8');
});

const interval = fc.constantFrom(1, 7, 1000, 5000, 15_000, 60_000, 3_600_000, 31_536_000_000);

test('an offset is the hash modulo the interval', () => {
  fc.assert(
    fc.property(fc.string(), interval, (identity, intervalMs) => {
      const { hi, lo } = fnv1a64(identity);
      expect(offsetOf(identity, intervalMs)).toBe(Number(((BigInt(hi) << 32n) | BigInt(lo)) % BigInt(intervalMs)));
    }),
  );
});

const target = interval.chain((intervalMs) =>
  fc.record({ intervalMs: fc.constant(intervalMs), offsetMs: fc.integer({ min: 0, max: intervalMs - 1 }) }),
);

test('the first slot after a time is a slot, is later, and none is between', () => {
  fc.assert(
    fc.property(target, fc.integer({ min: 0, max: 4_102_444_800_000 }), (it, tMs) => {
      const slot = firstSlotAfter(it, tMs);
      expect(slot).toBeGreaterThan(tMs);
      expect(slot - tMs).toBeLessThanOrEqual(it.intervalMs);
      expect((slot - it.offsetMs) % it.intervalMs).toBe(0);
      expect(firstSlotAfter(it, slot - 1)).toBe(slot);
    }),
  );
});

test('over any partition of time, no slot comes twice and none is missing', () => {
  const start = 1_700_000_000_000;
  fc.assert(
    fc.property(target, fc.array(fc.nat({ max: 100 }), { maxLength: 8 }), (it, cuts) => {
      const end = start + it.intervalMs * 100;
      const bounds = [start, ...cuts.map((part) => start + it.intervalMs * part).sort((a, b) => a - b), end];
      const seen: number[] = [];
      for (let i = 1; i < bounds.length; i++) {
        // A run owns the slots of [from, until).
        for (let slot = firstSlotAfter(it, bounds[i - 1]! - 1); slot < bounds[i]!; slot = firstSlotAfter(it, slot))
          seen.push(slot);
      }
      const first = firstSlotAfter(it, start - 1);
      expect(seen).toEqual(Array.from({ length: 100 }, (_, k) => first + k * it.intervalMs));
    }),
  );
});
