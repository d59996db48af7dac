/** Histograms as samples of a page: staleness, limits, relabelling, timestamps, exemplars. The object sleeps between any two scrapes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import type { BodyFormat } from '../../../src/scrape/exposition/formats.ts';
import { CLASSIC_ONLY, type HistogramSettings, limited, schemaOf } from '../../../src/scrape/page/histograms.ts';
import { Page, type PageScrape, type PageTarget } from '../../../src/scrape/page/page.ts';
import { v2 } from '../../encoding/remote-write/oracle.ts';
import { histogram, type TestHistogram, textOf } from '../../model/histograms.ts';
import { ruleFrom } from '../../relabel/rules.ts';
import { linesOf } from './decode.ts';
import { encodeFamilies, type TestFamily, type TestMetric } from '../exposition/metric-family.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

const NATIVE: HistogramSettings = { ...CLASSIC_ONLY, native: true };
const CONVERT: HistogramSettings = { ...CLASSIC_ONLY, convert: true };

class Scraped {
  readonly #keeper: Keeper;
  #at = 0;

  constructor(changeShare?: number) {
    this.#keeper = new Keeper(changeShare);
  }

  next(
    body: string | readonly TestFamily[],
    target: Partial<PageTarget> = {},
  ): { got: PageScrape; lines: string[]; message: Uint8Array } {
    this.#at += 1000;
    const [format, bytes]: [BodyFormat, Uint8Array<ArrayBuffer>] =
      typeof body === 'string'
        ? ['text', Uint8Array.from(new TextEncoder().encode(body))]
        : ['protobuf', encodeFamilies(body)];
    const page = this.#keeper.wake();
    const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    const got = page.scrape(
      {
        labels: labelsFrom([['job', 'j']]),
        honorLabels: false,
        honorTimestamps: true,
        sampleLimit: 0,
        metricRelabelConfigs: [],
        metricNameValidationScheme: 'utf8',
        histograms: NATIVE,
        ...target,
      },
      [],
      { ...resultOf(this.#at, '', null, format), body: bytes, bodyBytes: bytes.length },
      out,
    );
    if (got.changed) this.#keeper.keep(page);
    const built = out.finish();
    const lines = linesOf(built).filter((line) => !/^(up|scrape_duration_seconds)\{/.test(line));
    return { got, lines, message: built[0]!.message };
  }

  /** Without the report series. */
  samples(body: string | readonly TestFamily[], target: Partial<PageTarget> = {}): string[] {
    return this.next(body, target).lines.filter((line) => !line.startsWith('scrape_') || line.includes(' stale '));
  }

  retired(): string[] {
    const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    this.#keeper.wake().retire(9000, out);
    return linesOf(out.finish()).filter((line) => !/^(up|scrape_\w+)\{/.test(line));
  }
}

const family = (metric: TestMetric, name = 'h'): TestFamily => ({ name, type: 'histogram', metrics: [metric] });
const ints: TestMetric = { count: 3, sum: 1, native: { positiveSpans: [[0, 1]], positiveDeltas: [3] } };
const floats: TestMetric = { countFloat: 3, sum: 1, native: { positiveSpans: [[0, 1]], positiveCounts: [3] } };
const gauge: TestFamily = { name: 'h', type: 'gauge', metrics: [{ value: 5 }] };
const sample = (of: TestHistogram, at: number, name = 'h{job="j"}'): string =>
  `${name} ${textOf(histogram(of))} @${at}`;
const INTS: TestHistogram = { sum: 1, positive: { 0: 3 } };

describe('staleness', () => {
  test('a marker is a histogram of the same kind, once', () => {
    const page = new Scraped();
    expect(page.samples([family(ints), family(floats, 'f')])).toEqual([
      sample(INTS, 1000),
      sample({ ...INTS, isFloat: true }, 1000, 'f{job="j"}'),
    ]);
    expect(page.samples([{ name: 'x', type: 'gauge', metrics: [{ value: 1 }] }])).toEqual([
      'x{job="j"} 1 @2000',
      'h{job="j"} stale histogram @2000',
      'f{job="j"} stale float histogram @2000',
    ]);
    expect(page.samples([])).toEqual(['x{job="j"} stale @3000']);
    expect(page.samples([])).toEqual([]);
  });

  test('a series that becomes a float, or another kind of histogram, goes on', () => {
    const page = new Scraped();
    page.samples([family(ints)]);
    expect(page.samples([family(floats)])).toEqual([sample({ ...INTS, isFloat: true }, 2000)]);
    expect(page.samples([gauge])).toEqual(['h{job="j"} 5 @3000']);
    expect(page.samples('')).toEqual(['h{job="j"} stale @4000']);
    page.samples([gauge]);
    expect(page.samples([family(ints)])).toEqual([sample(INTS, 6000)]);
    expect(page.samples('{')).toEqual(['h{job="j"} stale histogram @7000']);
  });

  test('the kind of the last sample is known when the target goes', () => {
    const page = new Scraped();
    page.samples([gauge]);
    page.samples([family(floats)]);
    expect(page.retired()).toEqual(['h{job="j"} stale float histogram @9000']);
  });

  test('one with a timestamp of its own has none, unless they are tracked', () => {
    const page = new Scraped();
    expect(page.samples([family({ ...ints, ms: 500 })])).toEqual([sample(INTS, 500)]);
    expect(page.samples([])).toEqual([]);
    expect(page.samples([family({ ...ints, ms: 500 })], { trackTimestampsStaleness: true })).toEqual([
      sample(INTS, 500),
    ]);
    expect(page.samples([])).toEqual(['h{job="j"} stale histogram @4000']);
    expect(page.samples([family({ ...ints, ms: 500 })], { honorTimestamps: false })).toEqual([sample(INTS, 5000)]);
  });

  test('a converted histogram goes stale like others; its series are none', () => {
    const page = new Scraped();
    const text = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 1\n';
    const converted = { schema: -53, bounds: [1], positive: { 0: 1 } };
    expect(page.samples(text, { histograms: CONVERT })).toEqual([sample(converted, 1000)]);
    expect(page.samples(text)).toEqual([
      'h_bucket{job="j",le="1.0"} 1 @2000',
      'h_count{job="j"} 1 @2000',
      'h{job="j"} stale histogram @2000',
    ]);
    expect(
      page.samples(text.replace('h_count 1', 'h_count 1.5'), { histograms: { ...CONVERT, classic: true } }),
    ).toEqual([
      'h_bucket{job="j",le="1.0"} 1 @3000',
      'h_count{job="j"} 1.5 @3000',
      sample({ schema: -53, isFloat: true, bounds: [1], positive: { 0: 1, 1: 0.5 } }, 3000),
    ]);
    expect(page.samples('')).toContain('h{job="j"} stale float histogram @4000');
  });
});

test('whatever a series is from scrape to scrape, and however the page is kept, its marker is of its last kind', () => {
  const KINDS = {
    float: (name: string): TestFamily => ({ ...gauge, name }),
    ints: (name: string): TestFamily => family(ints, name),
    floats: (name: string): TestFamily => family(floats, name),
    timed: (name: string): TestFamily => family({ ...ints, ms: 1 }, name),
  };
  const MARKERS: Record<string, string> = { float: 'stale', ints: 'stale histogram', floats: 'stale float histogram' };
  const kind = fc.constantFrom<keyof typeof KINDS | null>('float', 'ints', 'floats', 'timed', null);
  const scrapes = fc.array(fc.tuple(kind, kind, kind, fc.integer({ min: 0, max: 5 })), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(scrapes, fc.constantFrom(0, undefined, Infinity), (all, changeShare) => {
      const page = new Scraped(changeShare);
      let before: (string | null)[] = [null, null, null];
      all.forEach(([a, b, c, fate], i) => {
        const kinds = fate === 0 ? [null, null, null] : [a, b, c];
        const families = ['a', 'b', 'c'].flatMap((name, k) => (kinds[k] === null ? [] : [KINDS[kinds[k]!](name)]));
        const lines = page.samples(fate === 0 ? '{' : families);
        const wanted = ['a', 'b', 'c'].flatMap((name, k) => {
          const was = before[k];
          const isThere = kinds[k] !== null && kinds[k] !== 'timed';
          return was == null || was === 'timed' || isThere
            ? []
            : [`${name}{job="j"} ${MARKERS[was]} @${(i + 1) * 1000}`];
        });
        expect(lines.filter((line) => line.includes(' stale')).sort()).toEqual(wanted);
        before = kinds;
      });
    }),
    { numRuns: 400 },
  );
});

describe('counts', () => {
  const body = [family(ints), gauge, family(ints, 'i')];

  test('a histogram is one sample; a series twice is taken once', () => {
    const { got, lines } = new Scraped().next(body);
    expect(got).toMatchObject({ samples: 3, duplicates: 1, error: null });
    expect(lines.slice(2)).toEqual([
      'scrape_samples_scraped{job="j"} 3 @1000',
      'scrape_samples_post_metric_relabeling{job="j"} 3 @1000',
      'scrape_series_added{job="j"} 2 @1000',
    ]);
  });

  test('sample_limit', () => {
    expect(new Scraped().next(body, { sampleLimit: 2 }).got.error).toBeNull();
    expect(new Scraped().next(body, { sampleLimit: 1 }).got.error).toMatch(/^sample limit exceeded: 2 samples/);
  });

  test('rules drop and rename them', () => {
    const rules = [
      ruleFrom({ source_labels: ['__name__'], regex: 'i', action: 'drop' }),
      ruleFrom({ target_label: 'x', replacement: 'y' }),
    ];
    const { got, lines } = new Scraped().next(body, { metricRelabelConfigs: rules });
    expect(got.samples).toBe(3);
    expect(lines[0]).toBe(sample(INTS, 1000, 'h{job="j",x="y"}'));
    expect(lines[2]).toBe('scrape_samples_post_metric_relabeling{job="j"} 2 @1000');
  });
});

describe('buckets', () => {
  const wide: TestMetric = {
    count: 6,
    native: { schema: 2, positiveSpans: [[0, 6]], positiveDeltas: [1, 0, 0, 0, 0, 0] },
  };
  const with_ = (some: Partial<HistogramSettings>): Partial<PageTarget> => ({ histograms: { ...NATIVE, ...some } });

  test('above native_histogram_bucket_limit the resolution is reduced, as far as it takes', () => {
    expect(new Scraped().samples([family(wide)], with_({ bucketLimit: 6 }))).toEqual([
      sample({ schema: 2, positive: { 0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 } }, 1000),
    ]);
    expect(new Scraped().samples([family(wide)], with_({ bucketLimit: 3 }))).toEqual([
      sample({ schema: 0, positive: { 0: 1, 1: 4, 2: 1 } }, 1000),
    ]);
  });

  test('when that is of no use, the scrape fails, and says how many samples there were', () => {
    const far: TestMetric = {
      count: 2,
      native: {
        positiveSpans: [
          [0, 1],
          [2 ** 20, 1],
        ],
        positiveDeltas: [1, 0],
      },
    };
    const { got, lines } = new Scraped().next(
      [family(ints, 'a'), family(far), family(ints, 'b')],
      with_({ bucketLimit: 1 }),
    );
    expect(got.error).toMatch(
      /^histogram bucket limit exceeded: \{"h"\} has 2 buckets.*native_histogram_bucket_limit, which is 1 /,
    );
    expect(got.limit).toBe('native_histogram_bucket_limit');
    expect(lines).toContain('scrape_samples_post_metric_relabeling{job="j"} 3 @1000');
    const text = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2"} 2\nh_count 2\n';
    expect(new Scraped().next(text, { histograms: { ...CONVERT, bucketLimit: 1 } }).got.error).toMatch(
      /bucket limit exceeded/,
    );
    expect(new Scraped().next(text, { histograms: { ...CONVERT, bucketLimit: 1 }, sampleLimit: 1 }).got.error).toMatch(
      /bucket limit/,
    );
  });

  test('native_histogram_min_bucket_factor', () => {
    expect([0, 1, 1.0027, 1.1, 1.5, 2, 4, 65536, 1e9].map(schemaOf)).toEqual([8, 8, 8, 2, 0, 0, -1, -4, -4]);
    expect(new Scraped().samples([family(wide)], with_({ schemaMax: schemaOf(1.3) }))).toEqual([
      sample({ schema: 1, positive: { 0: 1, 1: 2, 2: 2, 3: 1 } }, 1000),
    ]);
    // A resolution that is not stored is none to begin with, unless it is reduced.
    const fine: TestMetric = { ...wide, native: { ...(wide.native as object), schema: 9 } };
    expect(new Scraped().next([family(fine)]).got.error).toMatch(/^histogram \{"h"\}: histogram has an invalid schema/);
    expect(new Scraped().next([family(fine)], with_({ schemaMax: 3 })).got.error).toBeNull();
    expect(
      limited(histogram({ schema: -53, bounds: [1], positive: { 0: 1 } }), { ...NATIVE, schemaMax: 0 })?.schema,
    ).toBe(-53);
  });

  test('a histogram that is not valid fails the scrape', () => {
    const page = new Scraped();
    page.samples([family(ints)]);
    const { got, lines } = page.next([family(ints, 'a'), family({ ...ints, count: 4 })]);
    expect(got.error).toBe('histogram {"h"}: 3 observations found in buckets, but the Count field is 4');
    expect(lines).toContain('h{job="j"} stale histogram @2000');
    expect(lines.some((line) => line.startsWith('a{'))).toBe(false);
  });
});

test('exemplars with a time, each once, in the order of time; the metadata', () => {
  const page = new Scraped();
  const exemplar = (value: number, ms?: number) => ({
    labels: { t: `${value}` },
    value,
    ...(ms === undefined ? {} : { ms }),
  });
  const metric = (all: readonly ReturnType<typeof exemplar>[]): TestFamily => ({
    ...family({ ...ints, native: { positiveSpans: [[0, 1]], positiveDeltas: [3], exemplars: all } }),
    help: 'Help.',
  });
  const exemplars = (all: readonly ReturnType<typeof exemplar>[]): unknown => {
    const { symbols, timeseries } = v2.decode(page.next([metric(all)]).message);
    const series = timeseries!.find(({ labelsRefs }) => symbols![labelsRefs![1]!] === 'h')!;
    expect(symbols![series.metadata!.helpRef!]).toBe('Help.');
    expect(series.metadata!.type).toBe(3);
    return series.exemplars!.map(({ labelsRefs, timestamp }) => [symbols![labelsRefs![1]!], timestamp]);
  };
  expect(exemplars([exemplar(2, 20), exemplar(3), exemplar(1, 10)])).toEqual([
    ['1', 10],
    ['2', 20],
  ]);
});

test('exemplars are not sent again while the object is awake', () => {
  const page = Page.decode(null);
  const body = encodeFamilies([
    family({
      ...ints,
      native: {
        positiveSpans: [[0, 1]],
        positiveDeltas: [3],
        exemplars: [
          { labels: {}, value: 1, ms: 5 },
          { labels: {}, value: 2, ms: 6 },
        ],
      },
    }),
  ]);
  const target = {
    labels: [],
    honorLabels: false,
    honorTimestamps: true,
    sampleLimit: 0,
    metricRelabelConfigs: [],
    metricNameValidationScheme: 'utf8',
    histograms: NATIVE,
  } as const;
  const counts = [1000, 2000].map((at) => {
    const out = new RequestBuilder({ samplesMax: 100, bytesMax: 100_000 });
    page.scrape(target, [], { ...resultOf(at, '', null, 'protobuf'), body }, out);
    return out.finish()[0]!.exemplars;
  });
  expect(counts).toEqual([2, 0]);
});
