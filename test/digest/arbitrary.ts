/** Random messages in which series, timestamps and values meet often: duplicates, conflicts, any order, two or three ranges. */

import fc from 'fast-check';
import { RANGE_MS } from '../../src/model/sample.ts';
import { bits, type TestMessage, type TestSeries } from './messages.ts';

const BASE = 1_700_000_000_000 - (1_700_000_000_000 % RANGE_MS);

const name = fc.constantFrom('__name__', 'job', 'é', '😀', '\uffff', 'a'.repeat(130));
const value = fc.constantFrom('', 'a', 'b', 'é', '\ue000', '😀', 'x'.repeat(200));
const labels = fc
  .uniqueArray(fc.tuple(name, value), { maxLength: 3, selector: ([n]) => n })
  .map((set): TestSeries['labels'] =>
    // A name that is always there, so that no set is empty; not always first.
    set.length % 2 === 0 ? [...set, ['m', 'x']] : [['m', 'x'], ...set],
  );
const t = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map((i) => BASE + i * 15_000),
  fc.integer({ min: -3, max: 3 }).map((i) => BASE + RANGE_MS + i),
);
const value64 = fc.oneof(
  fc.constantFrom(bits(0), bits(-0), bits(1), bits(1.5), { hi: 0x7ff00000, lo: 2 }, { hi: 0x7ff80000, lo: 1 }),
  fc.record({ hi: fc.nat(0xffffffff), lo: fc.nat(0xffffffff) }),
);
const samples = fc.oneof(
  fc.array(fc.tuple(t, value64), { maxLength: 6 }),
  // More than one fragment, in order or not.
  fc
    .tuple(fc.integer({ min: 100, max: 300 }), fc.boolean(), value64)
    .map(([count, ascending, v]) =>
      Array.from({ length: count }, (_, i) => [BASE + (ascending ? i : (i * 7) % 263) * 1000, v] as const),
    ),
);

export const message: fc.Arbitrary<TestMessage> = fc.record({
  schema: fc.constantFrom(1 as const, 2 as const),
  series: fc.array(fc.record({ labels, samples: samples.map((list) => list.map(([at, v]) => ({ t: at, ...v }))) }), {
    maxLength: 6,
  }),
});
