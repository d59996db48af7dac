/** `convert_classic_histograms_to_nhcb` of the text formats. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConvertingCursor } from '../../../src/scrape/exposition/converting.ts';
import { OpenMetricsCursor } from '../../../src/scrape/exposition/openmetrics.ts';
import { TextCursor } from '../../../src/scrape/exposition/text.ts';
import { histogram, type TestHistogram, textOf } from '../../model/histograms.ts';
import { entriesOf, utf8 } from './entries-of.ts';

const text = (page: string, keep = false) => lines(entriesOf(new ConvertingCursor(new TextCursor(utf8(page)), keep)));
const openmetrics = (page: string, keep = false) =>
  lines(entriesOf(new ConvertingCursor(new OpenMetricsCursor(utf8(`${page}# EOF\n`)), keep)));
const lines = ({ entries, error }: ReturnType<typeof entriesOf>): string[] | string =>
  error ?? entries.map((line) => line.replaceAll('"__name__",', ''));
const native = (labels: readonly string[], of: TestHistogram): string =>
  `${JSON.stringify(labels)} ${textOf(histogram({ schema: -53, ...of }))}`;

const H = `# HELP h Help.
# TYPE h histogram
h_bucket{a="1",le="0.5"} 2
h_bucket{a="1",le="1"} 2
h_bucket{a="1",le="+Inf"} 5
h_sum{a="1"} 7.5
h_count{a="1"} 5
`;
const ONE = native(['h', 'a', '1'], { bounds: [0.5, 1], positive: { 0: 2, 2: 3 }, sum: 7.5 });
const BEFORE = ['help h: Help.', 'type h: 3'];

describe('text', () => {
  test('a histogram is one sample, at its end', () => {
    const second = H.replaceAll('a="1"', 'a="2"').split('\n').slice(2).join('\n');
    const two = ONE.replace('"1"', '"2"');
    expect(text(H)).toEqual([...BEFORE, ONE]);
    expect(text(`${H}${second}x 1\n`)).toEqual([...BEFORE, ONE, two, '["x"] 1']);
    expect(text(`${H}# TYPE x gauge\nx 1\n`)).toEqual([...BEFORE, ONE, 'type x: 2', '["x"] 1']);
  });

  test('behind its series, when these stay', () => {
    expect(text(`${H}x 1\n`, true)).toEqual([
      ...BEFORE,
      '["h_bucket","a","1","le","0.5"] 2',
      '["h_bucket","a","1","le","1.0"] 2',
      '["h_bucket","a","1","le","+Inf"] 5',
      '["h_sum","a","1"] 7.5',
      '["h_count","a","1"] 5',
      ONE,
      '["x"] 1',
    ]);
  });

  test.each<[string, string, string[]]>([
    ['no labels', 'h_count 1\n', [native(['h'], { positive: { 0: 1 } })]],
    [
      'no count',
      'h_bucket{le="1"} 1\nh_bucket{le="2"} 4\n',
      [native(['h'], { bounds: [1, 2], positive: { 0: 1, 1: 3 } })],
    ],
    ['a sum alone', 'h_sum 3\n', [native(['h'], { sum: 3 })]],
    [
      'any order',
      'h_sum 3\nh_bucket{le="2"} 4\nh_count 4\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 4\n',
      [native(['h'], { bounds: [1, 2], positive: { 0: 1, 1: 3 }, sum: 3 })],
    ],
    [
      'a bucket twice',
      'h_bucket{le="1"} 1\nh_bucket{le="1.0"} 7\nh_count 1\n',
      [native(['h'], { bounds: [1], positive: { 0: 1 } })],
    ],
    [
      'floats',
      'h_bucket{le="1"} 0.5\nh_bucket{le="2"} 0.5\nh_count 1\n',
      [native(['h'], { isFloat: true, bounds: [1, 2], count: 1, positive: { 0: 0.5, 2: 0.5 } })],
    ],
    [
      'counts beyond integers',
      `h_bucket{le="1"} 1e16\nh_count 1e16\n`,
      [native(['h'], { isFloat: true, bounds: [1], count: 1e16, positive: { 0: 1e16 } })],
    ],
    [
      'labels in another order and spelling',
      'h_bucket{le="1",a="x",b="\\\\n"} 1\nh_count{b="\\\\n", a="x"} 1\n',
      [native(['h', 'a', 'x', 'b', '\\n'], { bounds: [1], positive: { 0: 1 } })],
    ],
    [
      'quoted names',
      '{"h_bucket","le"="1","b c"="d"} 1\n{"h_count","b c"="d"} 2\n',
      [native(['h', 'b c', 'd'], { bounds: [1], positive: { 0: 1, 1: 1 } })],
    ],
    [
      'timestamps',
      'h_bucket{le="1"} 1 1000\nh_count 1 1000\nx 1 5\n',
      [`${native(['h'], { bounds: [1], positive: { 0: 1 } })} @1000`, '["x"] 1 @5'],
    ],
    // What is no part of it stays.
    ['a bucket without a bound', 'h_bucket 1\n', ['["h_bucket"] 1']],
    [
      'a bound that is no number',
      'h_bucket{le="x"} 1\nh_bucket{le="NaN"} 1\n',
      ['["h_bucket","le","x"] 1', '["h_bucket","le","NaN"] 1'],
    ],
    ['another family', 'g_count 1\nh_other 2\nh 3\n', ['["g_count"] 1', '["h_other"] 2', '["h"] 3']],
    [
      'something else amid it',
      'h_bucket{le="1"} 1\nh 3\nh_count 1\n',
      ['["h"] 3', native(['h'], { bounds: [1], positive: { 0: 1 } })],
    ],
    // What does not add up is none.
    ['not cumulative', 'h_bucket{le="1"} 2\nh_bucket{le="2"} 1\nx 1\n', ['["x"] 1']],
    ['not cumulative, out of order', 'h_bucket{le="2"} 1\nh_bucket{le="1"} 2\nx 1\n', ['["x"] 1']],
    ['another count', 'h_bucket{le="+Inf"} 2\nh_count 1\n', []],
    ['negative', 'h_bucket{le="1"} -2\n', []],
    ['NaN', 'h_count NaN\n', []],
  ])('%s', (_, page, wanted) => {
    expect(text(`# TYPE h histogram\n${page}`)).toEqual(['type h: 3', ...wanted]);
  });

  test('only under its TYPE', () => {
    expect(text('h_count 1\n# TYPE h summary\nh_count 1\n')).toEqual(['["h_count"] 1', 'type h: 5', '["h_count"] 1']);
  });

  test('more buckets than are stored are an error', () => {
    const buckets = Array.from({ length: 10_001 }, (_, i) => `h_bucket{le="${i}"} 1\n`).join('');
    expect(text(`# TYPE h histogram\n${buckets}`)).toMatch(
      /^line 10002: expected at most 10000 buckets of a histogram/,
    );
  });
});

describe('OpenMetrics', () => {
  const page = `# TYPE h histogram
h_bucket{le="1"} 1 # {t="a"} 0.5 2.5
h_bucket{le="+Inf"} 3 # {t="b",u="c"} 7 1
h_count 3
h_sum 8
h_created 1.5
# TYPE g gaugehistogram
g_bucket{le="+Inf"} 1
g_gcount 1
`;
  const after = ['["h_created"] 1.5', 'type g: 4', '["g_bucket","le","+Inf"] 1', '["g_gcount"] 1'];
  const wanted = `${native(['h'], { bounds: [1], positive: { 0: 1, 1: 2 }, sum: 8 })} # ["t","a"] 0.5 @2500 # ["t","b","u","c"] 7 @1000`;

  test("exemplars are the histogram's; gauge histograms stay", () => {
    expect(openmetrics(page)).toEqual(['type h: 3', wanted, ...after]);
  });

  test('also when the series stay', () => {
    expect(openmetrics(page, true)).toEqual([
      'type h: 3',
      '["h_bucket","le","1.0"] 1',
      '["h_bucket","le","+Inf"] 3',
      '["h_count"] 3',
      '["h_sum"] 8',
      wanted,
      ...after,
    ]);
  });
});

test('every key that is expected is found again', () => {
  const page = utf8(`${H}x 1\n# TYPE i histogram\ni_bucket{le="1"} 1\ni_other 2\n# TYPE y gauge\ny{z="1"} 1\n`);
  for (const keep of [false, true]) {
    const keys: Uint8Array[] = [];
    const first = new ConvertingCursor(new TextCursor(page), keep);
    for (let kind = -1; kind !== 0;) {
      kind = first.next(new Uint8Array(0), 0, 0);
      if (kind === 1) keys.push(first.keys.slice(first.keyStart, first.keyEnd));
    }
    expect(new Set(keys.map((key) => new TextDecoder().decode(key))).size).toBe(keep ? 11 : 5);
    const again = new ConvertingCursor(new TextCursor(page), keep);
    for (let kind = -1, i = 0; kind !== 0;) {
      kind = again.next(keys[i] ?? new Uint8Array(0), 0, keys[i]?.length ?? 0);
      if (kind === 1) expect([i++, again.expected]).toEqual([i - 1, true]);
    }
  }
});

test('damaged pages end with entries or an error, and lose no other series', () => {
  const page = utf8(`${H}x 1\n# TYPE i histogram\ni_bucket{le="1"} 1\ni_count 2\n# TYPE y gauge\ny 1\n`);
  const damage = fc.array(fc.tuple(fc.nat(page.length - 1), fc.nat(255)), { maxLength: 5 });
  fc.assert(
    fc.property(damage, (changes) => {
      const damaged = page.slice();
      for (const [at, by] of changes) damaged[at] = by;
      const plain = entriesOf(new TextCursor(damaged));
      const converted = entriesOf(new ConvertingCursor(new TextCursor(damaged), true));
      expect(converted.error).toBe(plain.error);
      if (plain.error === null) {
        expect(converted.entries.filter((line) => !line.includes(', schema -53 '))).toEqual(plain.entries);
      }
    }),
    { numRuns: 2000 },
  );
});

test('buckets in any order make the same histogram', () => {
  const buckets = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(buckets, fc.infiniteStream(fc.nat(3)), (bounds, steps) => {
      let count = 0;
      const sorted = bounds
        .toSorted((a, b) => a - b)
        .map((bound) => ({ bound, line: `h_bucket{le="${bound}"} ${(count += steps.next().value!)}\n` }));
      const inOrder = sorted.map(({ line }) => line).join('');
      const asTheyCame = bounds.map((one) => sorted.find(({ bound }) => bound === one)!.line).join('');
      const page = (lines: string): string => `# TYPE h histogram\n${lines}h_count ${count}\n`;
      expect(text(page(asTheyCame))).toEqual(text(page(inOrder)));
    }),
  );
});
