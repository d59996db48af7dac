import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Digest, type DigestResult } from '../../src/digest/digest.ts';
import { DecodeError, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { RANGE_MS, rangeStart } from '../../src/model/sample.ts';
import { message as anyMessage } from './arbitrary.ts';
import { encode, expected, sample, type TestMessage, type TestSeries } from './messages.ts';
import { contentOf } from './segments.ts';

const LIMITS = { samplesMax: 400_000, partBytesMax: 256 * 1024 };
const T = 1_700_000_000_000;

function digestOf(messages: readonly TestMessage[], limits = LIMITS): DigestResult {
  const digest = new Digest(limits);
  for (const message of messages) digest.add(message.schema, encode(message));
  expect(digest.samples).toBe(messages.flatMap(({ series }) => series).flatMap(({ samples }) => samples).length);
  return digest.finish();
}

const one = (schema: Schema, ...series: TestSeries[]): TestMessage => ({ schema, series });

describe('Digest', () => {
  test('is what a Map makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyMessage, { maxLength: 5 }),
        fc.constantFrom(40, 300, 262_144),
        async (messages, partBytesMax) => {
          const result = digestOf(messages, { samplesMax: 10, partBytesMax });
          const { ranges, ...counts } = expected(messages);
          expect(result).toMatchObject(counts);
          expect(result.conflictExample === null).toBe(counts.conflicts === 0);
          expect(result.segments.map(({ rangeStartMs }) => rangeStartMs)).toEqual(
            [...ranges.keys()].sort((a, b) => a - b),
          );
          for (const segment of result.segments) {
            const { content, duplicates, conflicts } = await contentOf([segment.parts]);
            expect({ duplicates, conflicts }).toEqual({ duplicates: 0, conflicts: 0 });
            expect(content).toEqual(ranges.get(segment.rangeStartMs));
            const times = [...content.values()].flatMap((samples) => [...samples.keys()]);
            expect(segment).toMatchObject({
              samples: times.length,
              series: content.size,
              minT: Math.min(...times),
              maxT: Math.max(...times),
              bytes: segment.parts.reduce((sum, part) => sum + part.length, 0),
            });
            expect(rangeStart(segment.maxT)).toBe(segment.rangeStartMs);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('keeps the first value that arrived, of both schemas', () => {
    const labels: TestSeries['labels'] = [
      ['__name__', 'x'],
      ['job', 'a"b'],
    ];
    const result = digestOf([
      one(1, { labels, samples: [sample(T + 5, 0), sample(T, 1)] }),
      one(2, { labels: labels.toReversed(), samples: [sample(T, 2), sample(T, 1)] }),
    ]);
    expect(result).toMatchObject({ samples: 2, duplicates: 1, conflicts: 1 });
    expect(result.conflictExample).toBe(`{__name__="x", job="a\\"b"} at ${T}: kept 1, refused 2`);
  });

  test.each([
    [1, 2, 'kept 1, refused 2'],
    [0, -0, 'kept 0, refused -0'],
    [Infinity, -Infinity, 'kept +Inf, refused -Inf'],
    [NaN, 5e-324, 'kept NaN (0x7ff8000000000000), refused 5e-324'],
  ])('the example of a conflict of %d and %d', (a, b, text) => {
    const labels: TestSeries['labels'] = [['__name__', 'x']];
    const { conflictExample } = digestOf([one(2, { labels, samples: [sample(T, a), sample(T, b)] })]);
    expect(conflictExample).toBe(`{__name__="x"} at ${T}: ${text}`);
  });

  test('a stale marker stays one, and is told from a value and from NaN', async () => {
    const labels: TestSeries['labels'] = [['__name__', 'x']];
    const stale = { t: T, hi: 0x7ff00000, lo: 2 };
    const result = digestOf([one(1, { labels, samples: [stale, stale, { ...stale, lo: 1 }] })]);
    expect(result).toMatchObject({ samples: 1, duplicates: 1, conflicts: 1 });
    expect(result.conflictExample).toContain('kept stale marker, refused NaN (0x7ff0000000000001)');
    const { content } = await contentOf(result.segments.map(({ parts }) => parts));
    expect([...content.values()][0]!.get(T)).toBe(`${0x7ff00000}:2`);
  });

  test('the example of a conflict stays short', () => {
    const labels: TestSeries['labels'] = [['__name__', 'x'.repeat(5000)]];
    const { conflictExample } = digestOf([one(1, { labels, samples: [sample(T, 1), sample(T, 2)] })]);
    expect(conflictExample!.length).toBeLessThan(600);
  });

  test('cuts at range borders, before 1970 too', () => {
    const labels: TestSeries['labels'] = [['a', 'b']];
    const times = [-RANGE_MS - 1, -RANGE_MS, -1, 0, RANGE_MS - 1, RANGE_MS];
    const { segments } = digestOf([one(1, { labels, samples: times.toReversed().map((t) => sample(t, t)) })]);
    expect(segments.map(({ rangeStartMs, minT, maxT }) => [rangeStartMs, minT, maxT])).toEqual([
      [-2 * RANGE_MS, -RANGE_MS - 1, -RANGE_MS - 1],
      [-RANGE_MS, -RANGE_MS, -1],
      [0, 0, RANGE_MS - 1],
      [RANGE_MS, RANGE_MS, RANGE_MS],
    ]);
  });

  test('of nothing is nothing', () => {
    const nothing = {
      segments: [],
      samples: 0,
      duplicates: 0,
      conflicts: 0,
      conflictExample: null,
      metadata: { families: [], leftOut: 0 },
      exemplars: { parts: [], duplicates: 0, leftOut: 0 },
    };
    expect(digestOf([])).toEqual(nothing);
    expect(digestOf([one(1), one(2), one(1, { labels: [['a', 'b']], samples: [] })])).toEqual(nothing);
  });

  test('orders labels by UTF-8, beyond the BMP too', async () => {
    const values = [
      '\u{10ffff}',
      '\uffff',
      '😀',
      '\ue000',
      'é',
      'z',
      'zz',
      'a\u0000',
      'a',
      'x'.repeat(128),
      'x'.repeat(127),
    ];
    const series = values.map((value): TestSeries => ({ labels: [['a', value]], samples: [sample(T, 1)] }));
    const { segments } = digestOf([one(2, ...series)]);
    const { content } = await contentOf([segments[0]!.parts]);
    const sorted = values.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([...content.keys()]).toEqual(sorted.map((value) => JSON.stringify([['a', value]])));
  });

  test('many series and samples, so that every table grows', async () => {
    const messages = Array.from({ length: 12 }, (_, m) =>
      one(
        m % 2 === 0 ? 1 : 2,
        ...Array.from({ length: 1500 }, (_, s): TestSeries => {
          const labels: TestSeries['labels'] = [
            ['__name__', `n${s % 97}`],
            ['i', String(s)],
            ['j', String(s * 7)],
          ];
          return { labels: m % 3 === 0 ? labels.toReversed() : labels, samples: [sample(T + m * 15_000, s + m)] };
        }),
      ),
    );
    const result = digestOf(messages);
    expect(result).toMatchObject({ samples: 18_000, duplicates: 0, conflicts: 0 });
    const { content } = await contentOf([result.segments[0]!.parts]);
    expect(content).toEqual(expected(messages).ranges.get(rangeStart(T)));
  });
});

describe('a record that cannot be read', () => {
  const good = one(1, { labels: [['a', 'b']], samples: [sample(T, 1)] });
  const samples = [sample(T + 1, 1)];
  test.each<[string, RegExp, TestSeries['labels']]>([
    [
      'a name twice',
      /series 1: a label name stands twice/,
      [
        ['a', 'c'],
        ['a', 'd'],
      ],
    ],
    ['no labels', /series 1: no labels/, []],
    ['empty values only', /series 1: no labels/, [['a', '']]],
    ['an empty name', /series 1: a label has an empty name/, [['', 'x']]],
  ])('%s: nothing of it is added, as often as it comes', async (_, message, labels) => {
    for (const schema of [1, 2] as const) {
      const digest = new Digest(LIMITS);
      digest.add(1, encode(good));
      const bad = encode(one(schema, { labels: [['new', 'x']], samples }, { labels, samples }));
      for (let i = 0; i < 2; i++) {
        expect(() => digest.add(schema, bad)).toThrow(DecodeError);
        expect(() => digest.add(schema, bad)).toThrow(message);
      }
      expect(digest.samples).toBe(1);
      digest.add(1, encode(good));
      const result = digest.finish();
      expect(result).toMatchObject({ samples: 1, duplicates: 1 });
      const { content } = await contentOf(result.segments.map(({ parts }) => parts));
      expect([...content.keys()]).toEqual(['[["a","b"]]']);
    }
  });

  test('a message cut off', () => {
    const digest = new Digest(LIMITS);
    const message = encode(good);
    expect(() => digest.add(1, message.slice(0, -1))).toThrow(DecodeError);
    expect(digest.samples).toBe(0);
  });
});
