/** Start timestamps of a page: stored with samples, and zeros where a series began (Prometheus, tsdb/agent). The object sleeps between any two scrapes. */
import { describe, expect, test } from 'vitest';
import type { StartTimestamps } from '../../../src/config/features.ts';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import { CLASSIC_ONLY } from '../../../src/scrape/page/histograms.ts';
import type { PageTarget } from '../../../src/scrape/page/page.ts';
import { type HistogramMessage, v2 } from '../../encoding/remote-write/oracle.ts';
import { encodeFamilies, type TestFamily, type TestMetric } from '../exposition/metric-family.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

const STORE: StartTimestamps = { store: true, zero: false };
const ZERO: StartTimestamps = { store: false, zero: true };
const BOTH: StartTimestamps = { store: true, zero: true };
const HOUR = 3_600_000;
const T0 = 1_700_000_000_000;

const encoder = new TextEncoder();

class Scraped {
  readonly #keeper = new Keeper();
  readonly #start: StartTimestamps | null;
  #lastMs = 0;

  constructor(start: StartTimestamps | null) {
    this.#start = start;
  }

  /** Samples of the scrape without the report series, `name{label="value"} value @ms since ms`. Times are from T0 on. */
  at(t: number, body: string | readonly TestFamily[] | null, more: Partial<PageTarget> = {}): string[] {
    const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    const target: PageTarget = {
      labels: labelsFrom([['job', 'j']]),
      honorLabels: false,
      honorTimestamps: true,
      sampleLimit: 0,
      metricRelabelConfigs: [],
      metricNameValidationScheme: 'utf8',
      histograms: { ...CLASSIC_ONLY, native: true },
      ...(this.#start === null ? {} : { startTimestamps: this.#start }),
      ...more,
    };
    const isText = typeof body === 'string';
    const result = resultOf(T0 + t, '', body === null ? 'gone' : null, isText ? 'openmetrics' : 'protobuf');
    const bytes = isText ? encoder.encode(`${body}# EOF\n`) : encodeFamilies(body ?? []);
    const page = this.#keeper.wake();
    // As an agent, which knows from its log when the last scrape was, however old its page is.
    const scrape = body === null ? result : { ...result, body: Uint8Array.from(bytes), bodyBytes: bytes.length };
    const got = page.scrape(target, [], scrape, out, this.#lastMs);
    this.#lastMs = T0 + t;
    if (got.changed) this.#keeper.keep(page);
    return out
      .finish()
      .flatMap(({ message }) => linesOf(message))
      .filter((line) => !/^(up|scrape_\w+)\{/.test(line));
  }
}

function linesOf(message: Uint8Array): string[] {
  const { symbols = [], timeseries = [] } = v2.decode(message);
  const bits = v2.decodeBits(message).timeseries!;
  return timeseries.flatMap(({ labelsRefs = [], samples = [], histograms = [] }, s) => {
    const pairs: string[] = [];
    for (let i = 0; i < labelsRefs.length; i += 2) {
      const [name, value] = [symbols[labelsRefs[i]!]!, symbols[labelsRefs[i + 1]!]!];
      if (name !== '__name__' && name !== 'job') pairs.push(`${name}=${JSON.stringify(value)}`);
    }
    const set = `${symbols[labelsRefs[1]!]!}{${pairs.join()}}`;
    const times = (t: unknown, start = 0): string => `@${Number(t) - T0}${start === 0 ? '' : ` since ${start - T0}`}`;
    return [
      ...samples.map(({ timestamp, startTimestamp }, i) => {
        const { low, high } = bits[s]!.samples![i]!.value!;
        const value = new Float64Array(Int32Array.of(low, high).buffer)[0]!;
        const isStale = high === 0x7ff00000 && low === 2;
        return `${set} ${isStale ? 'stale' : value} ${times(timestamp, startTimestamp)}`;
      }),
      ...histograms.map((h) => `${set} ${textOf(h)} ${times(h.timestamp, h.startTimestamp)}`),
    ];
  });
}

const textOf = (h: HistogramMessage): string =>
  `{schema ${h.schema} count ${h.countFloat === undefined ? Number(h.countInt) : 'float'} spans ${h.positiveSpans!.length} hint ${h.resetHint} bounds ${h.customValues!.length}}`;

const counter = (value: number, startMs?: number, name = 'a', labels = {}): TestFamily => ({
  name,
  type: 'counter',
  metrics: [{ value, labels, ...(startMs === undefined ? {} : { startMs: T0 + startMs }) }],
});
const native: TestMetric = {
  count: 3,
  sum: 1,
  startMs: T0 - 500,
  native: { schema: 2, positiveSpans: [[0, 1]], positiveDeltas: [3] },
};

describe('stored', () => {
  test('each sample has the start timestamp that the page gives it; markers and other types have none', () => {
    const scraped = new Scraped(STORE);
    const gauge: TestFamily = { name: 'g', type: 'gauge', metrics: [{ value: 1, startMs: T0 }] };
    expect(scraped.at(0, [counter(1, -500), counter(1, undefined, 'b'), gauge])).toEqual([
      'a{} 1 @0 since -500',
      'b{} 1 @0',
      'g{} 1 @0',
    ]);
    // One that is not before the sample is what the page says, too.
    expect(scraped.at(1000, [counter(2, -500), counter(1, 2000, 'b')])).toEqual([
      'a{} 2 @1000 since -500',
      'b{} 1 @1000 since 2000',
      'g{} stale @1000',
    ]);
    expect(scraped.at(2000, null)).toEqual(['a{} stale @2000', 'b{} stale @2000']);
  });

  test('histograms have it, native and converted', () => {
    expect(new Scraped(STORE).at(0, [{ name: 'h', type: 'histogram', metrics: [native] }])).toEqual([
      'h{} {schema 2 count 3 spans 1 hint 0 bounds 0} @0 since -500',
    ]);
    const classic = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 1\n';
    expect(
      new Scraped(STORE).at(0, `${classic}h_created ${T0 / 1000 - 1}\n`, {
        histograms: { ...CLASSIC_ONLY, convert: true },
      }),
    ).toEqual(['h{} {schema -53 count 2 spans 1 hint 0 bounds 1} @0 since -1000']);
  });

  test('_created series end when this begins, and begin when it ends', () => {
    const page = `# TYPE a counter\na_total 1\na_created ${T0 / 1000}\n`;
    const scraped = new Scraped(null);
    const created = `a_created{} ${T0 / 1000}`;
    expect(scraped.at(0, page)).toEqual(['a_total{} 1 @0', `${created} @0`]);
    const on = { startTimestamps: STORE };
    expect(scraped.at(1000, page, on)).toEqual(['a_total{} 1 @1000 since 0', 'a_created{} stale @1000']);
    expect(scraped.at(2000, page, on)).toEqual(['a_total{} 1 @2000 since 0']);
    expect(scraped.at(3000, page)).toEqual(['a_total{} 1 @3000', `${created} @3000`]);
  });

  test('many series, of which some have one', () => {
    const metrics = Array.from({ length: 300 }, (_, i) => ({
      labels: { i: String(i) },
      value: i,
      ...(i % 3 === 0 ? { startMs: T0 - i - 1 } : {}),
    }));
    const lines = new Scraped(STORE).at(0, [{ name: 'a', type: 'counter', metrics }]);
    expect(lines).toEqual(
      metrics.map(({ value }) => `a{i="${value}"} ${value} @0${value % 3 === 0 ? ` since ${-value - 1}` : ''}`),
    );
  });
});

describe('zeros', () => {
  test('one is written where a series began, once', () => {
    const scraped = new Scraped(ZERO);
    expect(scraped.at(0, [counter(5, -500)])).toEqual(['a{} 0 @-500', 'a{} 5 @0']);
    expect(scraped.at(1000, [counter(6, -500)])).toEqual(['a{} 6 @1000']);
    expect(scraped.at(2000, [counter(7, -500)])).toEqual(['a{} 7 @2000']);
  });

  test('one is written at a restart, if that was after the last sample', () => {
    const scraped = new Scraped(ZERO);
    scraped.at(0, [counter(5, -500)]);
    expect(scraped.at(1000, [counter(6, 0)])).toEqual(['a{} 6 @1000']);
    // These scrapes change nothing that is stored: the page knows of the first one only.
    expect(scraped.at(2000, [counter(1, 1500)])).toEqual(['a{} 0 @1500', 'a{} 1 @2000']);
    expect(scraped.at(3000, [counter(1, 2000)])).toEqual(['a{} 1 @3000']);
  });

  test('after a failed scrape its markers count', () => {
    const scraped = new Scraped(ZERO);
    scraped.at(0, [counter(5, -500)]);
    expect(scraped.at(1000, null)).toEqual(['a{} stale @1000']);
    expect(scraped.at(2000, [counter(6, -500)])).toEqual(['a{} 6 @2000']);
    scraped.at(3000, null);
    expect(scraped.at(4000, [counter(1, 3500)])).toEqual(['a{} 0 @3500', 'a{} 1 @4000']);
  });

  test('a series that is new on a known page has one, whenever it began', () => {
    const scraped = new Scraped(ZERO);
    scraped.at(0, [counter(5)]);
    expect(scraped.at(1000, [counter(5), counter(1, -500, 'b')])).toEqual([
      'a{} 5 @1000',
      'b{} 0 @-500',
      'b{} 1 @1000',
    ]);
  });

  test('a known series under other labels of the target is another, with the same ones it is known', () => {
    const scraped = new Scraped(ZERO);
    scraped.at(0, [counter(5, -500)]);
    // Other rules, the same labels.
    const same = { honorLabels: true };
    expect(scraped.at(1000, [counter(5, -500)], same)).toEqual(['a{} 5 @1000']);
    const other = {
      labels: labelsFrom([
        ['job', 'j'],
        ['x', 'y'],
      ]),
    };
    expect(scraped.at(2000, [counter(5, -500)], other).slice(0, 2)).toEqual(['a{x="y"} 0 @-500', 'a{x="y"} 5 @2000']);
  });

  test('none is written at the sample or after it, nor where nobody takes it any more', () => {
    const at = (startMs: number): string[] => new Scraped(ZERO).at(0, [counter(5, startMs)]);
    expect(at(0)).toEqual(['a{} 5 @0']);
    expect(at(1)).toEqual(['a{} 5 @0']);
    expect(at(-HOUR)).toEqual([`a{} 0 @${-HOUR}`, 'a{} 5 @0']);
    expect(at(-HOUR - 1)).toEqual(['a{} 5 @0']);
  });

  test('a sample with a timestamp of its own has it before that', () => {
    const page = `# TYPE a counter\na_total 1 ${T0 / 1000 - 2}\na_total 2 ${T0 / 1000 - 1}\na_created ${T0 / 1000 - 3}\n`;
    expect(new Scraped(ZERO).at(0, page)).toEqual(['a_total{} 0 @-3000', 'a_total{} 1 @-2000', 'a_total{} 2 @-1000']);
    const late = `# TYPE a counter\na_total 1 ${T0 / 1000 - 4}\na_created ${T0 / 1000 - 3}\n`;
    expect(new Scraped(ZERO).at(0, late)).toEqual(['a_total{} 1 @-4000']);
  });

  test('a histogram has an empty one with the same buckets, which says that it was reset', () => {
    const scraped = new Scraped(BOTH);
    const families: TestFamily[] = [
      { name: 'h', type: 'histogram', metrics: [native] },
      counter(1, -400, 'c'),
      {
        name: 'f',
        type: 'histogram',
        metrics: [
          {
            countFloat: 3,
            sum: 1,
            startMs: T0 - 300,
            native: { schema: 1, positiveSpans: [[0, 1]], positiveCounts: [3] },
          },
        ],
      },
    ];
    expect(scraped.at(0, families)).toEqual([
      'h{} {schema 2 count 0 spans 0 hint 1 bounds 0} @-500',
      'h{} {schema 2 count 3 spans 1 hint 0 bounds 0} @0 since -500',
      'c{} 0 @-400',
      'c{} 1 @0 since -400',
      'f{} {schema 1 count float spans 0 hint 1 bounds 0} @-300',
      'f{} {schema 1 count float spans 1 hint 0 bounds 0} @0 since -300',
    ]);
    expect(scraped.at(1000, families).some((line) => line.includes('hint 1'))).toBe(false);
  });

  test('a page with a fault writes none', () => {
    expect(new Scraped(ZERO).at(0, `# TYPE a counter\na_total 1\na_created ${T0 / 1000 - 3}\n{\n`)).toEqual([]);
  });

  test('zeros are no samples of the scrape: limits and report series do not count them', () => {
    const scraped = new Scraped(ZERO);
    expect(scraped.at(0, [counter(5, -500)], { sampleLimit: 1 })).toHaveLength(2);
  });
});
