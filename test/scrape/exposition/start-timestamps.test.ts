/** Start timestamps as Prometheus reads them: model/textparse, `StartTimestamp` of each parser. */
import { describe, expect, test } from 'vitest';
import { END, type PageCursor, SERIES } from '../../../src/scrape/exposition/cursor.ts';
import { ConvertingCursor } from '../../../src/scrape/exposition/converting.ts';
import { OpenMetricsCursor } from '../../../src/scrape/exposition/openmetrics.ts';
import { ProtobufCursor } from '../../../src/scrape/exposition/protobuf/cursor.ts';
import { TextCursor } from '../../../src/scrape/exposition/text.ts';
import { CLASSIC_ONLY } from '../../../src/scrape/page/histograms.ts';
import { utf8 } from './entries-of.ts';
import { encodeFamilies, type TestFamily } from './metric-family.ts';

const NOTHING = new Uint8Array(0);

/** Each series of a page with its start timestamp. With `expecting`, each is the one that was expected. */
function startsOf(cursor: PageCursor, expecting = false): string[] {
  const lines: string[] = [];
  const keys: Uint8Array[] = [];
  const read = (one: PageCursor, expect: (i: number) => Uint8Array): void => {
    lines.length = 0;
    for (;;) {
      const key = expect(lines.length);
      const entry = one.next(key, 0, key.length);
      if (entry === END) return;
      if (entry !== SERIES) continue;
      keys[lines.length] = one.keys.slice(one.keyStart, one.keyEnd);
      lines.push(`${new TextDecoder().decode(keys[lines.length])} ${one.startTimestamp()}`);
    }
  };
  read(cursor, () => NOTHING);
  if (expecting) read(new OpenMetricsCursor(cursor.bytes, true), (i) => keys[i] ?? NOTHING);
  return lines;
}

const openMetrics = (text: string, readsStart = true): string[] => {
  const lines = startsOf(new OpenMetricsCursor(utf8(`${text}# EOF\n`), readsStart));
  if (readsStart) expect(startsOf(new OpenMetricsCursor(utf8(`${text}# EOF\n`), true), true)).toEqual(lines);
  return lines;
};

describe('OpenMetrics', () => {
  test('a counter has the time of its _created line, which is no series', () => {
    const text = `# TYPE a counter
a_total{x="1"} 1 # {t="1"} 1
a_created{x="1"} 1700000000.5 # {t="2"} 1
a_total{x="2"} 2
a_created{x="2"} 1.7e9
a_total{x="3"} 3
`;
    expect(openMetrics(text)).toEqual([
      'a_total{x="1"} 1700000000500',
      'a_total{x="2"} 1700000000000',
      'a_total{x="3"} 0',
    ]);
    expect(openMetrics(text, false)).toHaveLength(5);
  });

  test('histograms and summaries have it for all of their series, before the line and behind it', () => {
    expect(
      openMetrics(`# TYPE h histogram
h_bucket{le="1",x="1"} 1
h_created{x="1"} 5
h_bucket{x="1",le="+Inf"} 1
h_count{x="1"} 1
h_count{x="2"} 1
# TYPE s summary
s{quantile="0.5"} 1
s_sum 1
s_created{} 6
`),
    ).toEqual([
      'h_bucket{le="1",x="1"} 5000',
      'h_bucket{x="1",le="+Inf"} 5000',
      'h_count{x="1"} 5000',
      'h_count{x="2"} 0',
      's{quantile="0.5"} 6000',
      's_sum 6000',
    ]);
  });

  test('only the next _created line counts, and only for its labels in their order', () => {
    expect(
      openMetrics(`# TYPE a counter
a_total{x="1"} 1
a_total{x="2"} 1
a_created{x="1"} 1
a_created{x="2"} 2
a_total{x="1"} 1
# TYPE b counter
b_total{x="1",y="2"} 1
b_created{y="2",x="1"} 1
# TYPE c counter
c_created 1
c_total 1
# TYPE d counter
d_total 1
# HELP d A line that parts them.
d_created 1
`),
    ).toEqual([
      'a_total{x="1"} 1000',
      'a_total{x="2"} 0',
      'a_total{x="1"} 0',
      'b_total{x="1",y="2"} 0',
      'c_total 0',
      'd_total 0',
    ]);
  });

  test('other types have none, and their _created lines are series', () => {
    expect(openMetrics('# TYPE g gauge\ng 1\ng_created 1\n# TYPE g_created gauge\ng_created{a="b"} 1\n')).toEqual([
      'g 0',
      'g_created 0',
      'g_created{a="b"} 0',
    ]);
    expect(openMetrics('no_type_total 1\nno_type_created 1\n')).toHaveLength(2);
  });

  test('quoted names, names of another family, and values that are no time', () => {
    expect(
      openMetrics(`# TYPE "a.b" counter
{"a.b_total",x="1"} 1
{"a.b_created",x="1"} 7
# TYPE long_name counter
b_total 1
b_created 1
# TYPE n counter
n_total 1
n_created NaN
# TYPE z counter
z_total 1
z_created +Inf
`),
    ).toEqual(['{"a.b_total",x="1"} 7000', 'b_total 0', 'n_total 0', 'z_total 0']);
  });

  test('what is wrong with a line ahead is told when its turn comes', () => {
    const cursor = new OpenMetricsCursor(utf8('# TYPE a counter\na_total 1\na_created{ 1\n# EOF\n'), true);
    cursor.next(NOTHING, 0, 0);
    expect(cursor.next(NOTHING, 0, 0)).toBe(SERIES);
    expect(cursor.startTimestamp()).toBe(0);
    expect(() => cursor.next(NOTHING, 0, 0)).toThrow('line 3');
  });

  test('many lines are looked at once, and skipped without depth', () => {
    const count = 40_000;
    const lines = (suffix: string, value: string): string[] =>
      Array.from({ length: count }, (_, i) => `a_${suffix}{x="${i}"} ${value}\n`);
    const text = `# TYPE a counter\n${lines('total', '1').join('')}${lines('created', '1').join('')}# EOF\n`;
    const starts = startsOf(new OpenMetricsCursor(utf8(text), true));
    expect(starts).toHaveLength(count);
    expect(starts.slice(0, 2)).toEqual(['a_total{x="0"} 1000', 'a_total{x="1"} 0']);
  });

  test('a converted histogram has that of its series', () => {
    const page = utf8(`# TYPE h histogram
h_bucket{le="+Inf"} 1
h_count 1
h_sum 1
h_created 5
# TYPE a counter
a_total 1
a_created 6
# EOF
`);
    const converting = (keeps: boolean): string[] =>
      startsOf(new ConvertingCursor(new OpenMetricsCursor(page, true), keeps));
    expect(converting(false)).toEqual(['{"h"} 5000', 'a_total 6000']);
    expect(converting(true)).toEqual([
      'h_bucket{le="+Inf"} 5000',
      'h_count 5000',
      'h_sum 5000',
      '{"h"} 5000',
      'a_total 6000',
    ]);
  });
});

describe('protobuf', () => {
  const startMs = 1_700_000_000_123;
  const families: TestFamily[] = [
    {
      name: 'c',
      type: 'counter',
      metrics: [
        { value: 1, startMs },
        { labels: { a: 'b' }, value: 1 },
      ],
    },
    { name: 'g', type: 'gauge', metrics: [{ value: 1, startMs }] },
    { name: 's', type: 'summary', metrics: [{ count: 1, sum: 1, quantiles: [[0.5, 1]], startMs }] },
    { name: 'h', type: 'histogram', metrics: [{ count: 1, sum: 1, buckets: [[1, 1]], native: true, startMs }] },
    { name: 'gh', type: 'gaugehistogram', metrics: [{ count: 1, sum: 1, native: true, startMs: 5 }] },
  ];
  const body = encodeFamilies(families);

  test('a metric has its own, and all of its series have it', () => {
    const settings = { ...CLASSIC_ONLY, native: true, classic: true };
    expect(
      startsOf(new ProtobufCursor(body, settings, true)).map((line) => line.replace(`${startMs}`, 'start')),
    ).toEqual([
      '{"c"} start',
      '{"c","a"="b"} 0',
      '{"g"} 0',
      '{"s_count"} start',
      '{"s_sum"} start',
      '{"s","quantile"="0.5"} start',
      '{"h"} start',
      '{"h_count"} start',
      '{"h_sum"} start',
      '{"h_bucket","le"="1.0"} start',
      '{"h_bucket","le"="+Inf"} start',
      '{"gh"} 5',
    ]);
    const converted = { ...CLASSIC_ONLY, convert: true };
    expect(startsOf(new ProtobufCursor(body, converted, true))).toContain(`{"h"} ${startMs}`);
  });

  test('they are passed over when they are not wanted', () => {
    expect(startsOf(new ProtobufCursor(body)).every((line) => line.endsWith(' 0'))).toBe(true);
  });
});

test('the text formats have none', () => {
  const cursor = new TextCursor(utf8('# TYPE a_total counter\na_total 1\na_created 1\n'));
  expect(startsOf(cursor)).toEqual(['a_total 0', 'a_created 0']);
});
