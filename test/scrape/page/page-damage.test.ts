/** Damaged pages of each format: `up` 0 with a reason that people can read, and nothing else suffers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import type { BodyFormat } from '../../../src/scrape/exposition/formats.ts';
import { Page, type PageScrape, type PageTarget } from '../../../src/scrape/page/page.ts';
import { linesOf } from './decode.ts';
import { encodeFamilies } from '../exposition/metric-family.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: labelsFrom([['job', 'j']]),
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
  histograms: { native: true, classic: true, convert: true, bucketLimit: 100, schemaMax: 2 },
};

const utf8 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));
const TEXT =
  '# HELP a A.\n# TYPE a counter\na{b="c"} 1\na{b="é"} 2 1000\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\n';
const PAGES: readonly (readonly [BodyFormat, Uint8Array<ArrayBuffer>, doubled: Uint8Array<ArrayBuffer>])[] = [
  ['text', utf8(TEXT), utf8('a 1\na 2\n')],
  [
    'openmetrics',
    utf8('# HELP a A.\n# TYPE a counter\na_total{b="c"} 1 # {t="x"} 1 1\na_total{b="é"} 2 1\n# EOF\n'),
    utf8('a 1\na 2\n# EOF\n'),
  ],
  [
    'protobuf',
    encodeFamilies([
      { name: 'a', type: 'counter', metrics: [{ value: 1, exemplar: { labels: { t: 'x' }, value: 1, ms: 1 } }] },
      { name: 'h', type: 'histogram', metrics: [{ count: 1, sum: 1, buckets: [[1, 1]] }] },
      { name: 'n', type: 'histogram', metrics: [{ count: 3, sum: 1, buckets: [[1, 3]], native: true }] },
    ]),
    encodeFamilies([{ name: 'a', type: 'gauge', metrics: [{ value: 1 }, { value: 2 }] }]),
  ],
];

function scrape(page: Page, at: number, format: BodyFormat, body: Uint8Array<ArrayBuffer>): [PageScrape, string[]] {
  const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
  const got = page.scrape(TARGET, [], { ...resultOf(at, '', null, format), body, bodyBytes: body.length }, out);
  return [got, linesOf(out.finish())];
}

describe.each(PAGES)('%s', (format, good, doubled) => {
  test('whatever happens to a page, the next good one is taken', () => {
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(good.length), (changes, end) => {
        const body = good.slice();
        for (const [at, by] of changes) body[at] = by;
        const page = Page.decode(null);
        const [first] = scrape(page, 1000, format, good);
        const [second, lines] = scrape(page, 2000, format, body.slice(0, end));
        expect(lines.filter((line) => line.startsWith('up{'))).toEqual([
          `up{job="j"} ${second.error === null ? 1 : 0} @2000`,
        ]);
        if (second.error !== null) {
          expect(second.error).toMatch(/^(line \d+: expected |protobuf: |byte \d+: expected |label "|histogram )/);
          expect(second.error.length).toBeLessThan(600);
          expect(lines.every((line) => /^(up|scrape_\w+)\{| stale /.test(line))).toBe(true);
        }
        const [third] = scrape(page, 3000, format, good);
        expect(third).toMatchObject({ error: null, samples: first.samples });
      }),
      { numRuns: 300 },
    );
  });

  test('a series twice is taken once, and counted', () => {
    const [got, lines] = scrape(Page.decode(null), 1000, format, doubled);
    expect(got).toMatchObject({ error: null, samples: 2, duplicates: 1 });
    expect(lines).toContain('a{job="j"} 1 @1000');
  });

  test('a megabyte without an end has a short reason', () => {
    for (const by of [0x22, 0x61, 0xff]) {
      const [got] = scrape(Page.decode(null), 1000, format, new Uint8Array(1_000_000).fill(by));
      expect(got.health).toBe('down');
      expect(got.error!.length).toBeLessThan(600);
    }
  });
});
