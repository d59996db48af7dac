import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { snappyCompress, snappyUncompress } from '../../../src/encoding/snappy.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import { Page, type PageScrape, type PageTarget } from '../../../src/scrape/page/page.ts';
import { exposition } from '../../bench/exposition.ts';
import { linesOf } from './decode.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: labelsFrom([['job', 'j']]),
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
};

function scrape(page: Page, body: string | Uint8Array, at: number): { got: PageScrape; lines: string[] } {
  const out = new RequestBuilder({ samplesMax: 100_000, bytesMax: 1 << 26 });
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const got = page.scrape(TARGET, [], resultOf(at, text), out);
  return { got, lines: linesOf(out.finish()) };
}

/** Families with series; the type, the help and the series of each may be others in each scrape. */
interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly xs: readonly number[];
}
const family: fc.Arbitrary<Family> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  type: fc.constantFrom('gauge', 'gauge', 'gauge', 'counter'),
  help: fc.constantFrom('x', 'é\\n'),
  xs: fc.uniqueArray(fc.nat({ max: 9 }), { maxLength: 6 }),
});
const page = fc.uniqueArray(family, { selector: ({ name }) => name, maxLength: 4 });
const text = (families: readonly Family[]): string =>
  families
    .map(({ name, type, help, xs }) => {
      const series = xs.map((x) => `${name}{x="${x}",y="${'é'.repeat(x)}"} ${x}${x === 9 ? ' 7' : ''}\n`);
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${series.join('')}`;
    })
    .join('');

test('a whole and a change are the page that they were made of, families too', () => {
  let changes = 0;
  fc.assert(
    fc.property(fc.array(page, { minLength: 2, maxLength: 8 }), (pages) => {
      const keeper = new Keeper(Infinity);
      const one = keeper.wake();
      pages.forEach((families, i) => {
        const at = (i + 1) * 1000;
        if (!scrape(one, text(families), at).got.changed) return;
        keeper.keep(one);
        const woken = keeper.wake();
        const { names, types, helps, units } = one.families;
        expect(woken.families).toMatchObject({ names, types, helps, units });
        // What comes next is the same, and so is what is known after it.
        const again = keeper.wake();
        const reference = Page.decode(one.encode());
        const body = `${text(families)}e 1\n`;
        expect(scrape(again, body, at + 500)).toEqual(scrape(reference, body, at + 500));
        expect(again.encode()).toEqual(reference.encode());
      });
      changes += keeper.changes;
    }),
    { numRuns: 300 },
  );
  expect(changes).toBeGreaterThan(300);
});

test('a share of new series in each scrape is a small change, and now and then a whole', () => {
  const keeper = new Keeper();
  const one = keeper.wake();
  let wholes = 0;
  for (let round = 0; round < 60; round++) {
    const { got } = scrape(one, exposition({ series: 1000, churn: 0.01 }, round), (round + 1) * 1000);
    expect(got).toMatchObject({ changed: true, staleMarkers: round === 0 ? 0 : 10 });
    const before = keeper.changes;
    keeper.keep(one);
    if (keeper.changes === before) wholes++;
  }
  expect(wholes).toBe(1);

  for (let round = 60; round < 180; round++) {
    const body = Array.from({ length: 200 }, (_, i) => `a{x="${i + round * 4}"} 1\n`).join('');
    scrape(one, body, (round + 1) * 1000);
    const before = keeper.changes;
    keeper.keep(one);
    if (keeper.changes === before) wholes++;
    expect(scrape(keeper.wake(), body, (round + 2) * 1000).got).toMatchObject({ changed: false, staleMarkers: 0 });
  }
  // About a quarter of the series is new when it is worth it.
  expect(wholes).toBeGreaterThan(4);
  expect(wholes).toBeLessThan(40);
});

test('a marker is later than the last sample that the change knows of', () => {
  const keeper = new Keeper(Infinity);
  const one = keeper.wake();
  scrape(one, 'a 1\nb 1\nc 1\n', 1000);
  keeper.keep(one);
  scrape(one, 'a 1\nb 1\n', 9000);
  keeper.keep(one);
  expect(keeper.changes).toBe(1);
  expect(scrape(keeper.wake(), 'a 1\n', 5000).lines).toContain('b{job="j"} stale @9001');
});

test('a change of another whole does not count', () => {
  const one = Page.decode(null);
  scrape(one, 'a 1\nb 1\n', 1000);
  const first = one.store(Infinity).whole!;
  scrape(one, 'a 1\nb 1\nc 1\n', 2000);
  const change = one.store(Infinity).change!;
  // As an earlier version stores it, which knows nothing of changes.
  const older = Page.decode(first);
  scrape(older, 'a 1\nd 1\n', 3000);
  const second = older.encode();
  const stale = (page: Page): string[] => scrape(page, 'a 1\n', 9000).lines.filter((line) => line.includes(' stale '));
  expect(stale(Page.decode(first, change))).toEqual(['b{job="j"} stale @9000', 'c{job="j"} stale @9000']);
  expect(stale(Page.decode(second, change))).toEqual(['d{job="j"} stale @9000']);
});

test('when a change is damaged, it is refused, or is another page, at once', () => {
  const one = Page.decode(null);
  const body = (extra: string): string =>
    `# HELP m x\n# TYPE m gauge\n${Array.from({ length: 30 }, (_, i) => `m{a="b${i}"} ${i}\n`).join('')}${extra}`;
  scrape(one, body('gone 1\n'), 1000);
  const whole = one.store().whole!;
  scrape(one, body('# HELP n é\nn{é="😀"} 1\nn{é="😀",} 1\n').replace('m{a="b5"} 5\n', 'm{a="b5"} 5 7\n'), 2000);
  const change = one.store(Infinity).change!;
  fc.assert(
    fc.property(fc.nat({ max: change.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, byte, cut) => {
      let damaged: Page;
      try {
        damaged = Page.decode(whole, cut ? change.slice(0, at) : change.with(at, byte));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        return;
      }
      scrape(damaged, body('n{é="😀"} 1\n'), 3000);
      damaged.store();
    }),
    { numRuns: 1000 },
  );
});

const fromHex = (hex: string): Uint8Array =>
  snappyCompress(Uint8Array.from(hex.replace(/#.*|\s/g, '').match(/../g)!, (pair) => Number.parseInt(pair, 16)));

/** Whole and change that FORMAT.md shows. */
function shown(): Uint8Array[] {
  const format = readFileSync(`${import.meta.dirname}/../../../src/scrape/page/FORMAT.md`, 'utf8');
  return [...format.matchAll(/```hex\n([\s\S]*?)```/g)].map(([, block]) => fromHex(block!));
}

test('a text that came back in another spelling is of its series, also as an earlier version stored it', () => {
  const page = Page.decode(null);
  scrape(page, 'a{x="1"} 1\n', 1000);
  const whole = page.store().whole!;
  scrape(page, 'b 1\n', 2000);
  page.store(Infinity);
  scrape(page, 'a{x="1",} 2\n', 3000);
  const change = page.store(Infinity).change!;

  // There the new text stands for itself, as nothing of the series was on the page.
  const bytes = snappyUncompress(change, 10_000);
  const text = bytes.length - 'a{x="1",}'.length - 4;
  expect([bytes[6], bytes[text - 3], bytes[text - 2]]).toEqual([5, 1, 0]);
  bytes[6] = 1;
  [bytes[text - 3], bytes[text - 2]] = [0, 1];
  const earlier = snappyCompress(bytes);

  for (const one of [page, Page.decode(whole, change), Page.decode(whole, earlier)]) {
    const { got, lines } = scrape(one, 'a{x="1"} 5\n', 4000);
    expect(lines.filter((line) => line.startsWith('a{'))).toEqual(['a{job="j",x="1"} 5 @4000']);
    expect(got).toMatchObject({ series: 6, staleMarkers: 0 });
  }
});

test('series that come back are new again, awake and after a sleep', () => {
  const added = (sleeps: boolean): (string | undefined)[] => {
    const keeper = new Keeper(Infinity);
    let page = keeper.wake();
    return ['a 1\nb 1\n', 'a 1\n', 'a 1\nb 1\nb 2\n', 'b 1\na 1\n', 'b 1\nc 1\n', 'c 1\nb 1\na 1\n'].map((body, i) => {
      if (sleeps) page = keeper.wake();
      const { got, lines } = scrape(page, body, (i + 1) * 1000);
      if (got.changed) keeper.keep(page);
      return lines.find((line) => line.startsWith('scrape_series_added'))?.split(' ')[1];
    });
  };
  expect(added(false)).toEqual(['2', '0', '1', '0', '1', '1']);
  expect(added(true)).toEqual(added(false));
});

test('is what FORMAT.md shows', () => {
  const [whole, change] = shown();
  const out = new RequestBuilder({ samplesMax: 100, bytesMax: 10_000 });
  Page.decode(whole!, change).retire(5000, out);
  expect(linesOf(out.finish())).toEqual(['a{job="j",x="2"} stale @5000', 'a{job="j",x="1"} stale @5000']);
});
