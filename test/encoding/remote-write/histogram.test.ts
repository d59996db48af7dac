import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { DecodeError } from '../../../src/encoding/remote-write/decoded.ts';
import {
  decodeHistogram,
  HISTOGRAM_BUCKETS_MAX,
  HistogramError,
  HistogramTooLargeError,
} from '../../../src/encoding/remote-write/histogram.ts';
import { writeHistogram } from '../../../src/encoding/remote-write/histogram-message.ts';
import { Writer } from '../../../src/encoding/protobuf-writer.ts';
import {
  AT_BUCKETS,
  bucketCount,
  type Histogram,
  isStale,
  type ResetHint,
  staleHistogram,
} from '../../../src/model/histogram.ts';
import { histogram, STALE_SUM, type TestHistogram, textOf } from '../../model/histograms.ts';
import { mutate, Rng } from '../damage.ts';
import { STALE } from './cases.ts';
import { bits, double, histogramMessage, type HistogramMessage, unknown, unpackedHistogram } from './oracle.ts';

const decode = (message: HistogramMessage) => {
  const bytes = histogramMessage.encode({ ...message, ...unknown });
  return decodeHistogram(bytes, 0, bytes.length);
};

const SPANS = [
  { offset: -2, length: 2 },
  { offset: 3, length: 1 },
];

describe('decodeHistogram', () => {
  const rows: readonly (readonly [string, HistogramMessage, TestHistogram])[] = [
    ['nothing', {}, {}],
    [
      'integers, both sides',
      {
        countInt: 21,
        sum: double(-1.5),
        schema: -4,
        zeroThreshold: double(0.001),
        zeroCountInt: 3,
        positiveSpans: SPANS,
        positiveDeltas: [5, -4, 2],
        negativeSpans: [{ offset: 7, length: 1 }],
        negativeDeltas: [9],
        resetHint: 2,
        startTimestamp: 4,
      },
      {
        schema: -4,
        zeroThreshold: 0.001,
        zeroCount: 3,
        sum: -1.5,
        positive: { [-2]: 5, [-1]: 1, 3: 3 },
        negative: { 7: 9 },
        hint: 2,
      },
    ],
    [
      'floats, whose count need not add up',
      {
        countFloat: double(1.25),
        sum: double(NaN),
        zeroCountFloat: double(0.5),
        positiveSpans: SPANS,
        positiveCounts: [0.1, 0, 3].map(double),
        negativeSpans: SPANS,
        negativeCounts: [1, 2, 3].map(double),
        // Those of the other kind are ignored, as by Prometheus.
        positiveDeltas: [1],
        resetHint: 3,
      },
      {
        isFloat: true,
        count: 1.25,
        sum: NaN,
        zeroCount: 0.5,
        positive: { [-2]: 0.1, [-1]: 0, 3: 3 },
        negative: { [-2]: 1, [-1]: 2, 3: 3 },
        hint: 3,
      },
    ],
    [
      'custom buckets',
      {
        countInt: 6,
        schema: -53,
        positiveSpans: [{ offset: 1, length: 2 }],
        positiveDeltas: [2, 2],
        customValues: [-1, 0.5].map(double),
      },
      { schema: -53, positive: { 1: 2, 2: 4 }, bounds: [-1, 0.5] },
    ],
    [
      'large numbers',
      { countInt: bits(2 ** 19, 0), positiveSpans: [{ offset: 0, length: 2 }], positiveDeltas: [2 ** 50, 0] },
      { positive: { 0: 2 ** 50, 1: 2 ** 50 } },
    ],
    [
      'observations of NaN, which are in no bucket',
      { countInt: 9, sum: double(NaN), positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: [2] },
      { count: 9, sum: NaN, positive: { 0: 2 } },
    ],
    ['a hint that nobody knows', { resetHint: 9 }, {}],
  ];
  test.each(rows)('%s', (_, message, of) => {
    const { t, histogram: found } = decode({ ...message, timestamp: -7 });
    expect(t).toBe(-7);
    expect(textOf(found)).toBe(textOf(histogram(of)));
    expect(found.resetHint).toBe(of.hint ?? 0);
  });

  it('reads fields that are not packed', () => {
    const bytes = unpackedHistogram.encode({
      countInt: 3,
      schema: -53,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveDeltas: [2, -1],
      customValues: [1, 2].map(double),
    });
    expect(textOf(decodeHistogram(bytes, 0, bytes.length).histogram)).toBe(
      textOf(histogram({ schema: -53, positive: { 0: 2, 1: 1 }, bounds: [1, 2] })),
    );
  });

  it('keeps nothing but the sum of a stale marker', () => {
    const { histogram: found } = decode({
      countInt: 5,
      sum: STALE,
      schema: 3,
      positiveSpans: SPANS,
      positiveDeltas: [1, 0, 0],
    });
    expect(isStale(found)).toBe(true);
    expect(textOf(found)).toBe(textOf(histogram({ sum: STALE_SUM })));
    expect(decode({ countFloat: double(5), sum: STALE }).histogram.isFloat).toBe(true);
    // As the exporter of an OpenTelemetry Collector has it: the count is the marker too.
    const twice = decode({ countInt: { low: 2, high: 0x7ff00000, unsigned: true }, sum: STALE }).histogram;
    expect(textOf(twice)).toBe(textOf(histogram({ sum: STALE_SUM })));
  });

  it('spells spans in one way', () => {
    const spans = [
      [3, 0],
      [1, 2],
      [0, 1],
      [2, 0],
      [0, 0],
      [1, 1],
      [5, 0],
    ].map(([offset, length]) => ({ offset: offset!, length: length! }));
    const { histogram: found } = decode({ countInt: 4, positiveSpans: spans, positiveDeltas: [1, 0, 0, 0] });
    expect([...found.positiveSpans]).toEqual([4, 3, 3, 1]);
  });

  test.each([false, true])('a schema above 8 is reduced, floats: %s', (isFloat) => {
    const spans = [
      { offset: -5, length: 3 },
      { offset: 2, length: 6 },
      { offset: 100, length: 1 },
    ];
    const counts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const message: HistogramMessage = isFloat
      ? { countFloat: double(55), positiveCounts: counts.map(double), negativeCounts: counts.map(double) }
      : { countInt: 110, positiveDeltas: counts.map(() => 1), negativeDeltas: counts.map(() => 1) };
    const { histogram: found } = decode({ ...message, schema: 10, positiveSpans: spans, negativeSpans: spans });
    // Four buckets become one: those up to -4, 0, 4, 8 and 108; the bucket of index i ends where index 4i of the finer schema does.
    const sums: Record<number, number> = {};
    [-5, -4, -3, 0, 1, 2, 3, 4, 5, 106].forEach((index, i) => {
      const target = Math.ceil(index / 4);
      sums[target] = (sums[target] ?? 0) + counts[i]!;
    });
    expect(textOf(found)).toBe(
      textOf(histogram({ isFloat, schema: 8, positive: sums, negative: sums, ...(isFloat ? { count: 55 } : {}) })),
    );
  });

  const bucket = { positiveSpans: [{ offset: 0, length: 1 }] };
  const nhcb = { schema: -53, ...bucket, positiveDeltas: [1], countInt: 1 };
  const faults: readonly (readonly [HistogramMessage, string])[] = [
    [{ countInt: 2, ...bucket, positiveDeltas: [1] }, '1 observations found in buckets, but the Count field is 2'],
    [
      { countInt: 1, sum: double(NaN), ...bucket, positiveDeltas: [2] },
      '2 observations found in buckets, but the Count field is 1',
    ],
    [{ countInt: 1, ...bucket }, 'positive side: spans need 1 buckets, have 0 buckets'],
    [{ negativeDeltas: [1] }, 'negative side: spans need 0 buckets, have 1 buckets'],
    [{ positiveSpans: [{ offset: 0, length: 0xffffffff }] }, 'positive side: span number 1 reaches beyond ±2^30'],
    [
      { positiveSpans: [...SPANS, { offset: -1, length: 1 }] },
      'positive side: span number 3 with offset -1: histogram has a span whose offset is negative',
    ],
    [
      { ...bucket, positiveDeltas: [-1] },
      'positive side: bucket number 1 has observation count of -1, which is negative',
    ],
    [
      { countFloat: double(1), negativeSpans: bucket.positiveSpans, negativeCounts: [double(-0.5)] },
      'negative side: bucket number 1 has observation count of -0.5',
    ],
    [{ countFloat: double(-1) }, 'observation count is -1, which is negative'],
    [{ countFloat: double(1), zeroCountFloat: double(-1) }, 'zero bucket has observation count of -1'],
    [
      { schema: 53 },
      'histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema 53',
    ],
    [{ schema: -5 }, 'got schema -5'],
    [{ schema: 0, customValues: [double(1)] }, 'histogram with exponential schema must not have custom bounds'],
    [{ ...nhcb, customValues: [1, 1].map(double) }, 'must be in strictly increasing order'],
    [{ ...nhcb, customValues: [1, Infinity].map(double) }, 'last +Inf bound must not be explicitly defined'],
    [{ ...nhcb, customValues: [NaN].map(double) }, 'must not be NaN'],
    [
      { ...nhcb, positiveSpans: [{ offset: 2, length: 1 }], customValues: [double(1)] },
      'only 1 custom bounds defined which is insufficient to cover total span length of 3',
    ],
    [{ ...nhcb, positiveSpans: [{ offset: -1, length: 1 }] }, 'histogram has a span whose offset is negative'],
    [{ ...nhcb, zeroCountInt: 1 }, 'must have zero count of 0'],
    [{ ...nhcb, zeroThreshold: double(1) }, 'must have zero threshold of 0'],
    [{ ...nhcb, negativeSpans: bucket.positiveSpans, negativeDeltas: [1] }, 'must not have negative buckets'],
    [{ countInt: bits(0xffffffff, 0xffffffff) }, 'a count is beyond 2^63'],
    [
      { countInt: bits(2 ** 19, 1), ...bucket, positiveDeltas: [bits(2 ** 19, 1)] },
      '2251799813685249; at most 2251799813685248 are stored',
    ],
    [{ ...bucket, positiveDeltas: [bits(2 ** 30, 0)] }, 'a bucket count is beyond 2^53'],
  ];
  test.each(faults)('%j is refused', (message, text) => {
    expect(() => decode(message)).toThrow(HistogramError);
    expect(() => decode(message)).toThrow(text);
  });

  it('takes no more buckets, spans and bounds than there should be', () => {
    const many = (n: number): HistogramMessage => ({
      countInt: 0,
      positiveSpans: [{ offset: 0, length: n }],
      positiveDeltas: Array.from({ length: n }, () => 0),
    });
    expect(decode(many(HISTOGRAM_BUCKETS_MAX)).histogram.values.length).toBe(HISTOGRAM_BUCKETS_MAX + 3);
    expect(() => decode(many(HISTOGRAM_BUCKETS_MAX + 1))).toThrow(HistogramTooLargeError);
    const n = HISTOGRAM_BUCKETS_MAX + 1;
    expect(() => decode({ customValues: Array.from({ length: n }, () => double(1)) })).toThrow(HistogramTooLargeError);
    expect(() => decode({ positiveSpans: Array.from({ length: n }, () => ({ offset: 1 })) })).toThrow(
      HistogramTooLargeError,
    );
  });

  it('damaged: a DecodeError, or a histogram', () => {
    const rng = new Rng(3);
    const all = rows.map(([, message]) => histogramMessage.encode({ ...message, ...unknown }));
    for (let i = 0; i < 5000; i++) {
      const bytes = mutate(all[i % all.length]!, rng);
      try {
        decodeHistogram(bytes, 0, bytes.length);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  });

  it('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeHistogram(bytes, 0, bytes.length);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('writeHistogram', () => {
  const spans = fc
    .array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 1, max: 3 })), { maxLength: 4 })
    .map((all) =>
      Int32Array.from(all.flatMap(([offset, length], i) => [i === 0 ? offset : Math.abs(offset) + 1, length])),
    );
  const any = fc
    .record({
      isFloat: fc.boolean(),
      resetHint: fc.constantFrom<ResetHint>(0, 1, 2, 3),
      schema: fc.integer({ min: -4, max: 8 }),
      zeroThreshold: fc.constantFrom(0, 1e-128, 0.5),
      positiveSpans: spans,
      negativeSpans: spans,
      sum: fc.double(),
      start: fc.constantFrom(0, 1, -5, 1_700_000_000_000),
      t: fc.constantFrom(0, -1, 1_800_000_000_000),
      counts: fc.array(fc.nat(2 ** 30), { minLength: 24, maxLength: 24 }),
      zeroCount: fc.nat(1000),
    })
    .map(({ sum, counts, zeroCount, start, t, ...rest }) => {
      const size = bucketCount(rest.positiveSpans) + bucketCount(rest.negativeSpans);
      const values = new Float64Array(AT_BUCKETS + size);
      const edge = bucketCount(rest.positiveSpans);
      for (let i = 0; i < size; i++)
        values[AT_BUCKETS + i] = counts[i]! - (rest.isFloat || i === 0 || i === edge ? 0 : counts[i - 1]!);
      const all = counts.slice(0, size).reduce((a, b) => a + b, zeroCount);
      values.set([all, zeroCount, sum]);
      return { t, start, histogram: { ...rest, customValues: new Float64Array(0), values } satisfies Histogram };
    });

  it('writes what decodeHistogram and the oracle read', () => {
    fc.assert(
      fc.property(any, ({ t, start, histogram }) => {
        const out = new Writer();
        writeHistogram(out, t, histogram, start);
        const bytes = out.finish();
        const read = decodeHistogram(bytes, 0, bytes.length);
        expect(read.t).toBe(t);
        expect(textOf(read.histogram)).toBe(textOf(histogram));
        expect(read.histogram.resetHint).toBe(histogram.resetHint);
        const oracle = histogramMessage.decode(bytes);
        expect([oracle.startTimestamp, oracle.timestamp, oracle.schema]).toEqual([start, t, histogram.schema]);
      }),
    );
  });

  it('writes custom bounds and stale markers', () => {
    for (const one of [
      histogram({ schema: -53, bounds: [-1, 0.5, 1e9], positive: { 0: 2, 3: 1 }, sum: 3 }),
      staleHistogram(false, 0),
      staleHistogram(true, 3),
    ]) {
      const out = new Writer();
      writeHistogram(out, 7, one);
      const bytes = out.finish();
      expect(textOf(decodeHistogram(bytes, 0, bytes.length).histogram)).toBe(textOf(one));
    }
  });
});
