import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type BuiltRequest, RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { snappyCompress } from '../../../src/encoding/snappy.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import { MetadataTable } from '../../../src/scrape/page/metadata.ts';
import { Page, type PageScrape, type PageTarget } from '../../../src/scrape/page/page.ts';
import { linesOf } from './decode.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: labelsFrom([['job', 'j']]),
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
};

function scrape(page: Page, body: string, at = 1000, limits = {}): { got: PageScrape; built: BuiltRequest[] } {
  const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024, ...limits });
  const got = page.scrape(TARGET, [], resultOf(at, body), out);
  return { got, built: out.finish() };
}

/** `name: type help unit` of each series, from the messages' fields. */
function metadataOf(built: readonly BuiltRequest[]): string[] {
  return built.flatMap(({ message }) => {
    const d = decodeWrite(2, message);
    const symbol = (ref: number): string =>
      new TextDecoder().decode(message.subarray(d.symbolStart[ref], d.symbolEnd[ref]));
    return Array.from({ length: d.seriesCount }, (_, series) => {
      let at = d.seriesStart[series]!;
      const fields = new Map<number, number>();
      const number = (): number => {
        let value = 0;
        for (let scale = 1; ; scale *= 128) {
          const byte = message[at++]!;
          value += (byte & 127) * scale;
          if (byte < 128) return value;
        }
      };
      while (at < d.seriesEnd[series]!) {
        const tag = number();
        const end = number() + at;
        if (tag >> 3 !== 5) at = end;
        else while (at < end) fields.set(number() >> 3, number());
      }
      const first = series === 0 ? 0 : d.labelEnd[series - 1]!;
      let name = '';
      for (let label = first; label < d.labelEnd[series]!; label++) {
        const text = new TextDecoder().decode(message.subarray(d.nameStart[label], d.nameEnd[label]));
        if (text === '__name__')
          name = new TextDecoder().decode(message.subarray(d.valueStart[label], d.valueEnd[label]));
      }
      return `${name}: ${fields.get(1) ?? 0} ${symbol(fields.get(3) ?? 0)} ${symbol(fields.get(4) ?? 0)}`.trimEnd();
    });
  });
}

describe('metadata', () => {
  const page = `# HELP h Help of\\nh.
# TYPE h histogram
h_bucket{le="1"} 1
h_sum 1
h_other 1
# TYPE c_total counter
c_total 1
h_count 1
plain 1
`;
  const wanted = [
    'h_bucket: 3 Help of\nh.',
    'h_sum: 3 Help of\nh.',
    'h_other: 0',
    'c_total: 1',
    'h_count: 0',
    'plain: 0',
  ];

  test('goes with the series of its family, through sleeps and split messages', () => {
    for (const limits of [{}, { samplesMax: 2 }, { bytesMax: 1 }]) {
      let it = Page.decode(null);
      for (let round = 0; round < 3; round++) {
        const { got, built } = scrape(it, page, round + 1, limits);
        expect(got.changed).toBe(round === 0);
        expect(metadataOf(built).slice(0, 6)).toEqual(wanted);
        expect(metadataOf(built)[6]).toMatch(/^up: 2 Health of the scrape target\. .* targets$/);
        it = Page.decode(it.encode());
      }
    }
  });

  test('follows a page that changes its mind', () => {
    const it = Page.decode(null);
    scrape(it, page, 1);
    const changed = page
      .replace('Help of', 'Now')
      .replace('c_total counter', 'c_total gauge')
      .replace('# TYPE h histogram\n', '# TYPE h summary\n');
    for (let round = 2; round < 4; round++) {
      const { got, built } = scrape(it, changed, round);
      // Stored once: what is known of the target must survive a sleep.
      expect(got.changed).toBe(round === 2);
      expect(metadataOf(built).slice(0, 6)).toEqual([
        'h_bucket: 0',
        'h_sum: 5 Now\nh.',
        'h_other: 0',
        'c_total: 2',
        'h_count: 0',
        'plain: 0',
      ]);
    }
    expect(metadataOf(scrape(it, page, 4).built).slice(0, 6)).toEqual(wanted);
  });

  test('is told as the API has it, after a sleep too', () => {
    const it = Page.decode(null);
    scrape(it, `# HELP lone no series\n${page}# UNIT is_not text 0.0.4\n`);
    const table = new MetadataTable(null);
    table.add('a', it.families);
    table.add('b', Page.decode(it.encode()).families);
    expect(table.result()).toEqual({
      families: [
        { metric: 'h', type: 'histogram', help: 'Help of\nh.', unit: '' },
        { metric: 'c_total', type: 'counter', help: '', unit: '' },
      ],
      of: { a: [0, 1], b: [0, 1] },
    });
    const one = new MetadataTable('c_total');
    one.add('a', it.families);
    expect(one.result()).toMatchObject({ families: [{ metric: 'c_total' }], of: { a: [0] } });
  });

  test('of a family without series, or one that changes back and forth in one page, costs no row a scrape', () => {
    const it = Page.decode(null);
    const odd = `# HELP lone no series\n# HELP a é one\n# TYPE a gauge\na 1\n# HELP a two\n# TYPE a counter\na{x="1"} 1\n`;
    expect(scrape(it, odd, 1).got.changed).toBe(true);
    expect(scrape(it, odd, 2).got.changed).toBe(false);
    expect(scrape(Page.decode(it.encode()), odd, 3).got.changed).toBe(false);
  });
});

describe('what is stored', () => {
  const rich = (): Page => {
    const page = Page.decode(null);
    const lines = Array.from(
      { length: 30 },
      (_, i) => `# TYPE m_${i} gauge\nm_${i}{a="b${i}",é="😀"} ${i}${i % 5 === 0 ? ' 7' : ''}\n`,
    );
    scrape(page, `${lines.join('')}m_1{é="😀",a="b1"} 1\n`);
    return page;
  };

  test('is the same after it was read', () => {
    const stored = rich().encode();
    expect(Page.decode(stored).encode()).toEqual(stored);
    expect(stored.byteLength).toBe(stored.buffer.byteLength);
    const { got } = scrape(Page.decode(Page.decode(null).encode()), 'a 1\n');
    expect(got).toMatchObject({ changed: true, error: null, staleMarkers: 0 });
  });

  test('when it is damaged, is refused, or is another page, at once', () => {
    const stored = rich().encode();
    fc.assert(
      fc.property(fc.nat({ max: stored.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, byte, cut) => {
        const damaged = cut ? stored.slice(0, at) : stored.with(at, byte);
        let page: Page;
        try {
          page = Page.decode(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          return;
        }
        scrape(page, 'm_1{a="b1",é="😀"} 1\n');
      }),
      { numRuns: 500 },
    );
  });

  test('says where it is damaged', () => {
    expect(() => Page.decode(snappyCompress(Uint8Array.of(9, 0)))).toThrow(
      'stored page state is damaged at byte 1 of 2',
    );
  });

  test('is what FORMAT.md shows', () => {
    const format = readFileSync(`${import.meta.dirname}/../../../src/scrape/page/FORMAT.md`, 'utf8');
    const hex = format.match(/```hex\n([\s\S]*?)```/)![1]!.replace(/#.*|\s/g, '');
    const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
    const out = new RequestBuilder({ samplesMax: 100, bytesMax: 10_000 });
    Page.decode(snappyCompress(bytes)).retire(5000, out);
    expect(linesOf(out.finish())).toEqual(['a{job="j",x="1"} stale @5000']);
  });
});

describe('bounds', () => {
  test('texts and families of series that are gone are not stored', () => {
    const page = Page.decode(null);
    let largest = 0;
    for (let round = 1; round < 60; round++) {
      scrape(
        page,
        Array.from({ length: 100 }, (_, i) => `# HELP h_${round}_${i} x\na{id="${round}-${i}"} 1\n`).join(''),
        round,
      );
      largest = Math.max(largest, page.encode().length);
    }
    expect(largest).toBeLessThan(3_000);
  });

  test('a page with too many samples fails as a whole', () => {
    const page = Page.decode(null);
    const { got, built } = scrape(page, 'a 1 1\n'.repeat(100_001));
    expect(got).toMatchObject({ health: 'down', error: expect.stringContaining('more than 100000 samples') });
    expect(linesOf(built)).toHaveLength(5);
  });

  test('a page with too many families too', () => {
    const lines = Array.from({ length: 100_001 }, (_, i) => `# TYPE a${i} gauge\n`);
    expect(scrape(Page.decode(null), lines.join('')).got.error).toBe('more than 100000 metric families');
  });

  test('a message that ends early is followed by one with references of its own', () => {
    const page = Page.decode(null);
    const body = Array.from(
      { length: 500 },
      (_, i) => `metric_${i % 7}{a="${i}",b="${'x'.repeat(i % 50)}"} ${i}\n`,
    ).join('');
    const whole = linesOf(scrape(page, body).built);
    for (const limits of [{ samplesMax: 1 }, { samplesMax: 7 }, { bytesMax: 500 }, { bytesMax: 5000 }]) {
      const { built } = scrape(page, body, 1000, limits);
      expect(built.length).toBeGreaterThan(3);
      expect(linesOf(built).map((line) => line.replace(/^scrape_series_added.*/, ''))).toEqual(
        whole.map((line) => line.replace(/^scrape_series_added.*/, '')),
      );
      if (limits.bytesMax !== undefined)
        for (const { message } of built) expect(message.length).toBeLessThanOrEqual(limits.bytesMax);
    }
  });
});
