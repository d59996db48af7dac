import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { labelsFrom } from '../../../src/model/labels.ts';
import { Page } from '../../../src/scrape/page/page.ts';
import { linesOf } from './decode.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

/**
 * Random scrapes against a model that keeps nothing but sets of label sets: what comes out must be the same however often
 * the page slept, and every series must end exactly once.
 */

interface Line {
  readonly name: string;
  readonly x: string;
  /** How the labels are spelled. */
  readonly spelling: number;
  readonly t: number | null;
}
interface Round {
  readonly lines: readonly Line[];
  readonly fate: 'fine' | 'unreachable' | 'broken';
  readonly external: string;
  readonly sleeps: boolean;
}

const line = fc.record({
  name: fc.constantFrom('a', 'b'),
  x: fc.constantFrom('', '1', '2'),
  spelling: fc.nat({ max: 2 }),
  t: fc.option(fc.constantFrom(100, 200, 10_000_000_000), { freq: 5 }),
});
const round: fc.Arbitrary<Round> = fc.record({
  lines: fc.array(line, { maxLength: 8 }),
  fate: fc.oneof(
    { weight: 6, arbitrary: fc.constant('fine' as const) },
    fc.constantFrom('unreachable' as const, 'broken' as const),
  ),
  external: fc.oneof({ weight: 5, arbitrary: fc.constant('') }, fc.constant('eu')),
  sleeps: fc.boolean(),
});

const spell = ({ name, x, spelling, t }: Line, value: number): string =>
  `${name}${[`{x="${x}",y="1"}`, `{y="1",x="${x}",}`, ` { x="${x}", y="1" }`][spelling]!} ${value}${t === null ? '' : ` ${t}`}\n`;

const REPORT = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];

test('scrapes in any order, with sleeps between any two', { timeout: 30_000 }, () => {
  fc.assert(
    fc.property(fc.array(round, { minLength: 1, maxLength: 8 }), fc.constantFrom(0, Infinity), (rounds, share) => {
      const keeper = new Keeper(share);
      let page = keeper.wake();
      let tracked = new Set<string>();
      let reports = new Set<string>();
      rounds.forEach((now, i) => {
        const at = (i + 1) * 1000;
        const external = now.external === '' ? '' : `,region="${now.external}"`;
        const setOf = (it: Line): string => `${it.name}{job="j"${external}${it.x === '' ? '' : `,x="${it.x}"`},y="1"}`;

        const wanted: string[] = [];
        const seen = new Set<string>();
        const nowTracked = new Set<string>();
        if (now.fate === 'fine') {
          now.lines.forEach((it, value) => {
            const set = setOf(it);
            if (it.t === null ? seen.has(set) : it.t > at + 600_000) return;
            seen.add(set);
            if (it.t === null) nowTracked.add(set);
            wanted.push(`${set} ${value} @${it.t ?? at}`);
          });
        }
        const nowReports = new Set(REPORT.map((name) => `${name}{job="j"${external}}`));
        for (const set of tracked) if (!nowTracked.has(set)) wanted.push(`${set} stale @${at}`);
        for (const set of reports) if (!nowReports.has(set)) wanted.push(`${set} stale @${at}`);
        tracked = nowTracked;
        reports = nowReports;

        if (now.sleeps) page = keeper.wake();
        const out = new RequestBuilder({ samplesMax: 3, bytesMax: 100_000 });
        const body = now.lines.map(spell).join('') + (now.fate === 'broken' ? 'a{' : '');
        const got = page.scrape(
          {
            labels: labelsFrom([['job', 'j']]),
            honorLabels: false,
            honorTimestamps: true,
            sampleLimit: 0,
            metricRelabelConfigs: [],
            metricNameValidationScheme: 'utf8',
          },
          labelsFrom([['region', now.external]]),
          resultOf(at, body, now.fate === 'unreachable' ? 'unreachable' : null),
          out,
        );
        if (got.changed) keeper.keep(page);
        const lines = linesOf(out.finish());
        const isReport = (text: string): boolean => REPORT.includes(text.split('{')[0]!) && !text.includes(' stale ');
        expect(lines.filter((text) => !isReport(text)).toSorted()).toEqual(wanted.toSorted());
        expect(lines.filter(isReport)).toHaveLength(REPORT.length);
        // What is said not to have changed has not.
        if (!got.changed) {
          expect(describe(Page.decode(page.encode()))).toBe(describe(keeper.wake()));
        }
      });
    }),
    { numRuns: 400 },
  );
});

/** The stale markers that a page would write: what of it can be seen. */
function describe(page: Page): string {
  const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 1_000_000 });
  page.retire(1_000_000, out);
  return linesOf(out.finish()).toSorted().join('\n');
}
