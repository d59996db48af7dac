/** Histograms of the protobuf format, native and converted, as entries of a page. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLASSIC_ONLY, type HistogramSettings } from '../../../src/scrape/page/histograms.ts';
import { ProtobufCursor } from '../../../src/scrape/exposition/protobuf/cursor.ts';
import { histogram, type TestHistogram, textOf } from '../../model/histograms.ts';
import { entriesOf } from '../exposition/entries-of.ts';
import { encodeFamilies, type TestFamily, type TestMetric } from '../exposition/metric-family.ts';

const settings = (some: Partial<HistogramSettings>): HistogramSettings => ({ ...CLASSIC_ONLY, ...some });
const read = (
  metrics: readonly TestMetric[],
  some: Partial<HistogramSettings>,
  type: TestFamily['type'] = 'histogram',
) => {
  const { entries, error } = entriesOf(
    new ProtobufCursor(encodeFamilies([{ name: 'h', type, metrics }]), settings(some)),
  );
  return error ?? entries.slice(2).map((line) => line.replaceAll('"__name__",', ''));
};
const native = (name: string, of: TestHistogram): string => `["${name}"] ${textOf(histogram(of))}`;

const CLASSIC: TestMetric = {
  count: 10,
  sum: 4.5,
  buckets: [
    [0.5, 2],
    [1, 2],
    [2, 2],
    [4, 2],
    [8, 9, { labels: { t: 'x' }, value: 5, ms: 77 }],
  ],
};
const SERIES = [
  '["h_count"] 10',
  '["h_sum"] 4.5',
  '["h_bucket","le","0.5"] 2',
  '["h_bucket","le","1.0"] 2',
  '["h_bucket","le","2.0"] 2',
  '["h_bucket","le","4.0"] 2',
  '["h_bucket","le","8.0"] 9 # ["t","x"] 5 @77',
  '["h_bucket","le","+Inf"] 10',
];
const CONVERTED = `${native('h', { schema: -53, bounds: [0.5, 1, 2, 4, 8], positive: { 0: 2, 4: 7, 5: 1 }, sum: 4.5 })} # ["t","x"] 5 @77`;

describe('native histograms', () => {
  const rows: readonly (readonly [string, TestMetric, TestHistogram])[] = [
    [
      'integers, both sides, proto2',
      {
        count: 20,
        sum: -1.5,
        native: {
          schema: 3,
          zeroThreshold: 0.001,
          zeroCount: 3,
          positiveSpans: [
            [-2, 2],
            [3, 1],
          ],
          positiveDeltas: [5, -4, 1],
          negativeSpans: [[7, 1]],
          negativeDeltas: [9],
        },
      },
      {
        schema: 3,
        zeroThreshold: 0.001,
        zeroCount: 3,
        sum: -1.5,
        positive: { [-2]: 5, [-1]: 1, 3: 2 },
        negative: { 7: 9 },
      },
    ],
    [
      'packed',
      { count: 6, native: { packed: true, positiveSpans: [[0, 3]], positiveDeltas: [1, 1, 1] } },
      { positive: { 0: 1, 1: 2, 2: 3 } },
    ],
    [
      'floats',
      {
        countFloat: 1.5,
        count: 7,
        native: {
          zeroCountFloat: 0.5,
          positiveSpans: [[1, 2]],
          positiveCounts: [0.25, 0.75],
          positiveDeltas: [1],
          negativeSpans: [[0, 1]],
          negativeCounts: [NaN],
        },
      },
      { isFloat: true, count: 1.5, zeroCount: 0.5, positive: { 1: 0.25, 2: 0.75 }, negative: { 0: NaN } },
    ],
    ['no observations yet: a span without buckets', { native: { positiveSpans: [[0, 0]] } }, {}],
    ['no observations yet: a zero threshold', { native: { zeroThreshold: 2 ** -128 } }, { zeroThreshold: 2 ** -128 }],
    [
      'empty buckets and spans are left out',
      {
        count: 2,
        native: {
          positiveSpans: [
            [0, 2],
            [1, 0],
            [1, 2],
          ],
          positiveDeltas: [0, 1, -1, 1],
        },
      },
      { positive: { 1: 1, 5: 1 } },
    ],
  ];
  test.each(rows)('%s', (_, metric, wanted) => {
    expect(read([metric], { native: true })).toEqual([native('h', wanted)]);
  });

  test('the layout is the smallest', () => {
    const cursor = new ProtobufCursor(
      encodeFamilies([
        {
          name: 'h',
          type: 'histogram',
          metrics: [
            {
              count: 2,
              native: {
                positiveSpans: [
                  [-1, 1],
                  [0, 3],
                ],
                positiveDeltas: [0, 1, -1, 1],
              },
            },
          ],
        },
      ]),
      settings({ native: true }),
    );
    for (let i = 0; i < 3; i++) cursor.next(new Uint8Array(0), 0, 0);
    expect([...cursor.histogram!.positiveSpans]).toEqual([0, 1, 1, 1]);
    expect([...cursor.histogram!.values.subarray(3)]).toEqual([1, 0]);
  });

  test('a gauge histogram says so', () => {
    const cursor = new ProtobufCursor(
      encodeFamilies([{ name: 'h', type: 'gaugehistogram', metrics: [{ count: 3, native: true }] }]),
      settings({ native: true }),
    );
    for (let i = 0; i < 3; i++) cursor.next(new Uint8Array(0), 0, 0);
    expect(cursor.histogram?.resetHint).toBe(3);
  });

  test('have exemplars of their own, or those of classic buckets; the cursor gives all', () => {
    const exemplar = (value: number, ms?: number) => ({
      labels: { t: `${value}` },
      value,
      ...(ms === undefined ? {} : { ms }),
    });
    const own = {
      positiveSpans: [[0, 1]],
      positiveDeltas: [10],
      exemplars: [exemplar(2, 20), exemplar(3), exemplar(1, 10)],
    } as const;
    const wanted = native('h', { positive: { 0: 10 }, sum: 4.5 });
    expect(
      read(
        [
          { ...CLASSIC, native: own },
          { ...CLASSIC, native: { ...own, exemplars: [] } },
        ],
        { native: true },
      ),
    ).toEqual([`${wanted} # ["t","2"] 2 @20 # ["t","3"] 3 # ["t","1"] 1 @10`, `${wanted} # ["t","x"] 5 @77`]);
  });
});

describe('which of them', () => {
  const both: TestMetric = { ...CLASSIC, native: { positiveSpans: [[0, 1]], positiveDeltas: [10] } };
  const one = `${native('h', { positive: { 0: 10 }, sum: 4.5 })} # ["t","x"] 5 @77`;
  const nativeAlone: TestMetric = { count: 10, sum: 4.5, native: both.native! };
  const oneAlone = native('h', { positive: { 0: 10 }, sum: 4.5 });
  const alone = ['["h_count"] 10', '["h_sum"] 4.5', '["h_bucket","le","+Inf"] 10'];
  const converted = native('h', { schema: -53, positive: { 0: 10 }, sum: 4.5 });

  test.each<[Partial<HistogramSettings>, string[]]>([
    [{}, [...SERIES, ...SERIES, ...alone]],
    [{ native: true }, [...SERIES, one, oneAlone]],
    [{ native: true, classic: true }, [...SERIES, one, ...SERIES, oneAlone]],
    [{ convert: true }, [CONVERTED, CONVERTED, converted]],
    [{ convert: true, classic: true }, [...SERIES, CONVERTED, ...SERIES, CONVERTED, ...alone, converted]],
    [{ native: true, convert: true }, [CONVERTED, one, oneAlone]],
    [{ native: true, convert: true, classic: true }, [...SERIES, CONVERTED, one, ...SERIES, oneAlone]],
  ])('%j', (some, wanted) => {
    expect(read([CLASSIC, both, nativeAlone], some)).toEqual(wanted);
  });

  test('of a gauge histogram too; summaries stay', () => {
    expect(read([CLASSIC], { convert: true }, 'gaugehistogram')).toEqual([CONVERTED]);
    expect(read([{ count: 1, sum: 2 }], { native: true, convert: true }, 'summary')).toEqual([
      '["h_count"] 1',
      '["h_sum"] 2',
    ]);
  });
});

describe('is refused, with a reason', () => {
  test.each<[string, TestMetric, Partial<HistogramSettings>, RegExp]>([
    [
      'too few buckets',
      { native: { positiveSpans: [[0, 2]], positiveDeltas: [1] } },
      { native: true },
      /^protobuf: positive side: spans need 2 buckets, have 1 buckets/,
    ],
    [
      'too many',
      { native: { negativeSpans: [[0, 1]], negativeDeltas: [1, 1] } },
      { native: true },
      /negative side: spans need 1 buckets, have 2/,
    ],
    [
      'a negative offset',
      {
        native: {
          positiveSpans: [
            [0, 1],
            [-1, 1],
          ],
          positiveDeltas: [1, 1],
        },
      },
      { native: true },
      /span number 2 with offset -1/,
    ],
    ['more buckets than memory', { native: { positiveSpans: [[0, 2 ** 31]] } }, { native: true }, /reaches beyond/],
    [
      'buckets that do not add up',
      {
        count: 1,
        buckets: [
          [1, 3],
          [2, 2],
        ],
      },
      { convert: true },
      /^histogram "h": count is not cumulative: 2 < 3/,
    ],
    ['another count', { count: 1, buckets: [[Infinity, 3]] }, { convert: true }, /^histogram "h": count mismatch/],
    ['a bound that is none', { count: 1, buckets: [[NaN, 1]] }, { convert: true }, /must not be NaN/],
  ])('%s', (_, metric, some, wanted) => {
    expect(read([metric], some)).toMatch(wanted);
    // And is nobody's business when it is not asked for.
    expect(read([metric], {})).toBeInstanceOf(Array);
  });
});

test('whatever the bytes, it ends with entries or an error', () => {
  const full = {
    ...CLASSIC,
    native: {
      schema: 3,
      zeroThreshold: 1,
      zeroCount: 2,
      positiveSpans: [[0, 2]],
      positiveDeltas: [1, 2],
      negativeSpans: [[5, 1]],
      negativeDeltas: [3],
      exemplars: [{ labels: { a: 'b' }, value: 1, ms: 5 }],
    },
  } as const;
  const body = encodeFamilies([
    { name: 'h', type: 'histogram', metrics: [full, { ...full, native: { ...full.native, packed: true } }, CLASSIC] },
    {
      name: 'f',
      type: 'gaugehistogram',
      metrics: [{ countFloat: 3, native: { positiveSpans: [[0, 2]], positiveCounts: [1, 2] } }],
    },
  ]);
  const damage = fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(damage, fc.nat(body.length), fc.boolean(), fc.boolean(), (changes, end, classic, convert) => {
      const damaged = body.slice();
      for (const [at, by] of changes) damaged[at] = by;
      const cut = changes.length % 2 === 0 ? damaged : damaged.slice(0, end);
      const { error } = entriesOf(new ProtobufCursor(cut, settings({ native: true, classic, convert })));
      if (error !== null) expect(error).toMatch(/^(protobuf: |byte \d+: expected |histogram ")/);
    }),
    { numRuns: 3000 },
  );
});
