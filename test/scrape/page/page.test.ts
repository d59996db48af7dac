import { describe, expect, test } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { type Labels, labelsFrom } from '../../../src/model/labels.ts';
import type { BodyFormat } from '../../../src/scrape/exposition/formats.ts';
import type { PageScrape, PageTarget } from '../../../src/scrape/page/page.ts';
import { linesOf } from './decode.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

const TARGET: PageTarget = {
  labels: labelsFrom([
    ['job', 'j'],
    ['instance', 'i'],
  ]),
  honorLabels: false,
  honorTimestamps: true,
  sampleLimit: 0,
  metricRelabelConfigs: [],
  metricNameValidationScheme: 'utf8',
};
const LIMITS = { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 };
const REPORT_SERIES = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];

/** A line without the target's own labels. */
const shown = (line: string): string =>
  line
    .replace(/instance="i",job="j",?/, '')
    .replace(',}', '}')
    .replace('{}', '');

interface Step {
  readonly body?: string | Uint8Array;
  readonly format?: BodyFormat;
  readonly fails?: string;
  readonly target?: Partial<PageTarget>;
  readonly external?: Labels;
  /** Time of the scrape, ms; 1000, 2000, … when left out. */
  readonly at?: number;
  readonly retire?: true;
  /** Samples at the scrape's time, without `job` and `instance` if they are the usual ones, and without report series, but for their stale markers. */
  readonly gives: readonly string[];
  /** `scrape_samples_scraped` and `scrape_series_added`. */
  readonly counts?: readonly [scraped: number, added: number];
  /** Values of the report series of `extra_scrape_metrics`. */
  readonly extra?: readonly string[];
  readonly changed?: boolean;
  readonly error?: RegExp;
  readonly left?: Partial<PageScrape>;
}

/** Runs the steps; before step i the object sleeps when bit i of `sleeps` is set, as an agent does: what is not stored is gone. */
function run(steps: readonly Step[], sleeps: number): void {
  const keeper = new Keeper(Infinity);
  let page = keeper.wake();
  steps.forEach((step, i) => {
    if ((sleeps >> i) & 1) page = keeper.wake();
    const at = step.at ?? (i + 1) * 1000;
    const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    if (step.retire) {
      page.retire(at, out);
    } else {
      const target = { ...TARGET, ...step.target };
      const got = page.scrape(target, step.external ?? [], resultOf(at, step.body, step.fails, step.format), out);
      if (got.changed) keeper.keep(page);
      expect(got.health).toBe(step.fails !== undefined || step.error !== undefined ? 'down' : 'up');
      if (step.changed !== undefined)
        expect({ step: i, changed: got.changed }).toEqual({ step: i, changed: step.changed });
      if (step.error !== undefined) expect(got.error).toMatch(step.error);
      else expect(got.error).toBe(step.fails ?? null);
      if (step.left !== undefined) expect(got).toMatchObject(step.left);
    }
    const lines = linesOf(out.finish());
    const isReport = (line: string): boolean => /^(up|scrape_[a-z_]+)\{/.test(line) && !/ stale /.test(line);
    const samples = lines.filter((line) => !isReport(line)).map((line) => shown(line).replace(` @${at}`, ''));
    expect({ step: i, samples: samples.toSorted() }).toEqual({ step: i, samples: [...step.gives].sort() });
    const reports = lines.filter(isReport);
    const extra = step.target?.extraMetrics === undefined ? 0 : 3;
    expect(reports).toHaveLength(step.retire ? 0 : 5 + extra);
    if (step.extra !== undefined) expect(reports.slice(5).map((line) => line.split(' ')[1])).toEqual(step.extra);
    if (step.counts !== undefined) {
      const value = (name: string): number =>
        Number(reports.find((line) => line.startsWith(`${name}{`))!.split(' ')[1]);
      expect([value('scrape_samples_scraped'), value('scrape_series_added')]).toEqual(step.counts);
      expect(value('up')).toBe(step.fails !== undefined || step.error !== undefined ? 0 : 1);
    }
  });
}

const SCENARIOS: Readonly<Record<string, readonly Step[]>> = {
  'a steady target costs no write': [
    { body: 'a 1\nb{x="y"} 2\n', gives: ['a 1', 'b{x="y"} 2'], counts: [2, 2], changed: true },
    { body: 'a 3\nb{x="y"} 4\n', gives: ['a 3', 'b{x="y"} 4'], counts: [2, 0], changed: false },
    { body: 'b{x="y"} 4\na 5', gives: ['a 5', 'b{x="y"} 4'], counts: [2, 0], changed: false },
  ],
  'labels that are not UTF-8 are no sample': [
    { body: Buffer.from('a 1\nb{x="\xff"} 1\n', 'latin1'), gives: [], counts: [1, 0], error: /UTF-8/ },
    { body: 'a 1\nb{""="x"} 1\n', gives: [], counts: [2, 0], error: /not empty/ },
  ],
  'series come and go': [
    { body: 'a 1\nb 2\nc 3\n', gives: ['a 1', 'b 2', 'c 3'], changed: true },
    { body: 'a 1\nc 3\n', gives: ['a 1', 'b stale', 'c 3'], changed: true, left: { staleMarkers: 1 } },
    { body: 'a 1\nc 3\n', gives: ['a 1', 'c 3'], changed: false },
    { body: 'a 1\nb 7\nc 3\n', gives: ['a 1', 'b 7', 'c 3'], counts: [3, 1], changed: true },
    { body: 'x 1\n', gives: ['a stale', 'b stale', 'c stale', 'x 1'], counts: [1, 1] },
  ],
  'label limits fail the whole scrape': [
    {
      body: 'a{x="1"} 1\nb 2\n',
      target: { labelLimits: { ...LIMITS, labelLimit: 4 } },
      external: labelsFrom([['site', 'edge']]),
      gives: ['a{site="edge",x="1"} 1', 'b{site="edge"} 2'],
    },
    {
      body: 'a{x="1"} 1\nb 2\nc{x="1",y="2"} 3\nd 4\n',
      target: { labelLimits: { ...LIMITS, labelLimit: 4 } },
      external: labelsFrom([['site', 'edge']]),
      gives: ['a{site="edge",x="1"} stale', 'b{site="edge"} stale'],
      error: /^label_limit exceeded \(metric: c, number of labels: 5, limit: 4\)$/,
      counts: [3, 0],
    },
    {
      // Known texts are judged anew when a limit is another.
      body: 'a{x="1"} 1\nb 2\n',
      target: { labelLimits: { ...LIMITS, labelLimit: 3 } },
      external: labelsFrom([['site', 'edge']]),
      gives: [],
      error: /^label_limit exceeded \(metric: a, number of labels: 4, limit: 3\)$/,
    },
  ],
  'limits of label names and values count bytes': [
    {
      body: 'a{näme="1"} 1\n'.replace('näme', '"näme"'),
      target: { labelLimits: { ...LIMITS, labelNameLengthLimit: 8 } },
      gives: ['a{näme="1"} 1'],
    },
    {
      body: 'a{"nämen1234"="1"} 1\n',
      target: { labelLimits: { ...LIMITS, labelNameLengthLimit: 8 } },
      gives: ['a{näme="1"} stale'],
      error: /^label_name_length_limit exceeded \(metric: a, label name: nämen1234, length: 10, limit: 8\)$/,
    },
    {
      body: `a{x="${'ä'.repeat(60)}"} 1\n`,
      target: { labelLimits: { ...LIMITS, labelValueLengthLimit: 119 } },
      gives: [],
      error: new RegExp(
        `^label_value_length_limit exceeded \\(metric: a, label name: x, value: "${'ä'.repeat(50)}", length: 120, limit: 119\\)$`,
      ),
    },
    {
      body: `a{x="${'ä'.repeat(60)}"} 1\n`,
      target: { labelLimits: { ...LIMITS, labelValueLengthLimit: 120 } },
      gives: [`a{x="${'ä'.repeat(60)}"} 1`],
    },
  ],
  'extra report series come and go': [
    { body: 'a 1\n', target: { extraMetrics: { timeoutMs: 2500 } }, gives: ['a 1'], extra: ['2.5', '0', '4'] },
    {
      body: 'a 1\nb 1\nc 1\n',
      target: { extraMetrics: { timeoutMs: 10_000 }, sampleLimit: 2 },
      gives: ['a stale'],
      error: /^sample limit exceeded/,
      extra: ['10', '2', '12'],
    },
    { fails: 'no route', target: { extraMetrics: { timeoutMs: 10_000 } }, gives: [], extra: ['10', '0', '0'] },
    {
      body: 'a 1\n',
      gives: ['a 1', 'scrape_timeout_seconds stale', 'scrape_sample_limit stale', 'scrape_body_size_bytes stale'],
    },
  ],
  'timestamps of their own are tracked when asked': [
    { body: 'a 1 900\nb 2\n', target: { trackTimestampsStaleness: true }, gives: ['a 1 @900', 'b 2'], changed: true },
    { body: 'a 1 900\nb 2\n', target: { trackTimestampsStaleness: true }, gives: ['a 1 @900', 'b 2'], changed: false },
    { body: 'b 2\n', target: { trackTimestampsStaleness: true }, gives: ['a stale', 'b 2'] },
    { body: 'a 1 3900\n', target: { trackTimestampsStaleness: true }, gives: ['a 1 @3900', 'b stale'] },
    { fails: 'no route', target: { trackTimestampsStaleness: true }, gives: ['a stale'] },
    { body: 'a 1 5900\n', target: { trackTimestampsStaleness: true }, gives: ['a 1 @5900'] },
    // Not tracked any more: its samples are its own matter from now on.
    { body: 'a 1 6900\n', gives: ['a 1 @6900', 'a stale'] },
    { body: '', gives: [] },
  ],
  'a sample ahead of the scrape has no marker behind it': [
    { body: 'a 1\n', gives: ['a 1'] },
    { body: 'a 2 900000\n', at: 2000, gives: ['a stale'], left: { outOfBounds: 1 } },
    { body: 'a 1\n', gives: ['a 1'] },
    { body: 'a 2 9000\n', at: 4000, gives: ['a 2 @9000'], left: { staleMarkers: 0 } },
    { body: '', at: 5000, gives: [] },
    { body: 'a 2 9000\n', at: 6000, target: { trackTimestampsStaleness: true }, gives: ['a 2 @9000'] },
    { body: '', at: 7000, target: { trackTimestampsStaleness: true }, gives: [] },
  ],
  'a target fails and comes back': [
    { body: 'a 1\n', gives: ['a 1'], changed: true },
    { fails: 'no route', gives: ['a stale'], counts: [0, 0], changed: true },
    { fails: 'no route', gives: [], changed: false },
    { body: 'a 2\n', gives: ['a 2'], counts: [1, 0], changed: true },
  ],
  'a target fails from the beginning': [
    { fails: 'no route', gives: [], counts: [0, 0], changed: true },
    { fails: 'no route', gives: [], changed: false },
    { body: 'a 2\n', gives: ['a 2'], counts: [1, 1], changed: true },
  ],
  'a page that is not text fails as a whole': [
    { body: 'a 1\nb 2\n', gives: ['a 1', 'b 2'] },
    { body: 'a 1\nb 2\nc{ 3\n', gives: ['a stale', 'b stale'], error: /^line 3: /, counts: [2, 0], changed: true },
    { body: 'a 1\nc 2\nb x\n', gives: [], error: /^line 3: /, counts: [2, 0], changed: false },
    { body: 'a 1\nb 2\n', gives: ['a 1', 'b 2'], counts: [2, 0], changed: true },
  ],
  'an empty page is no failure': [
    { body: 'a 1\n', gives: ['a 1'] },
    { body: '', gives: ['a stale'], counts: [0, 0], changed: true },
    { body: '', gives: [], counts: [0, 0], changed: false },
    { body: '# nothing\n', gives: [], counts: [0, 0], changed: true },
    { body: 'a 1\n', gives: ['a 1'], counts: [1, 1] },
  ],
  sample_limit: [
    { body: 'a 1\nb 2\n', target: { sampleLimit: 2 }, gives: ['a 1', 'b 2'] },
    {
      body: 'a 1\nb 2\nc 3\n',
      target: { sampleLimit: 2 },
      gives: ['a stale', 'b stale'],
      error: /3 samples, sample_limit is 2/,
      counts: [3, 0],
    },
    { body: 'a 1\nb 2\nc 3\n', target: { sampleLimit: 2 }, gives: [], error: /sample limit exceeded/, changed: false },
    { body: 'a 1\nb 2\nb 2\n', target: { sampleLimit: 2 }, gives: ['a 1', 'b 2'], left: { duplicates: 1 } },
  ],
  'explicit timestamps are not tracked': [
    { body: 'a 1 500\nb 2\n', gives: ['a 1 @500', 'b 2'] },
    { body: 'b 3\n', gives: ['b 3'], changed: true },
    { body: 'b 4 2999\n', gives: ['b 4 @2999', 'b stale'], changed: true },
    { body: 'b 4\n', gives: ['b 4'], counts: [1, 0], changed: true },
    { fails: 'x', gives: ['b stale'] },
  ],
  'explicit timestamps, not honoured': [
    { body: 'a 1 500\n', target: { honorTimestamps: false }, gives: ['a 1'] },
    { body: 'b 1 500\n', target: { honorTimestamps: false }, gives: ['a stale', 'b 1'] },
  ],
  'timestamps far ahead are left out': [
    {
      body: 'a 1 601000\nb 1 601001\nc 1 9223372036854775807\n',
      gives: ['a 1 @601000'],
      counts: [3, 1],
      left: { outOfBounds: 2 },
    },
    {
      body: 'a 1 601000\nb 1 601001\nc 1 9223372036854775807\n',
      gives: ['a 1 @601000', 'b 1 @601001'],
      changed: false,
    },
  ],
  'the first of duplicates wins': [
    {
      body: 'a{x="1",y="2"} 1\na{x="1",y="2"} 2\na{y="2",x="1"} 3\n',
      gives: ['a{x="1",y="2"} 1'],
      counts: [3, 1],
      left: { duplicates: 2 },
    },
    { body: 'a{x="1",y="2"} 1\na{x="1",y="2"} 2\na{y="2",x="1"} 3\n', gives: ['a{x="1",y="2"} 1'], changed: false },
    { body: 'a{y="2",x="1"} 3\n', gives: ['a{x="1",y="2"} 3'], changed: true },
    { body: 'a{ y="2", x="1" } 4\n', gives: ['a{x="1",y="2"} 4'], counts: [1, 1], changed: true },
    { body: 'a{ y="2", x="1" } 4\na{x="1",y="2"} 5', gives: ['a{x="1",y="2"} 4'], changed: true },
    { fails: 'x', gives: ['a{x="1",y="2"} stale'] },
  ],
  'a series with several timestamps has them all': [
    { body: 'a 1 100\na 2 200\na 3\n', gives: ['a 1 @100', 'a 2 @200'], left: { duplicates: 1 } },
    { body: 'a 1\na 2 200\n', gives: ['a 1', 'a 2 @200'] },
    { body: 'b 1\n', gives: ['a stale', 'b 1'] },
  ],
  'labels that clash with the target’s': [
    {
      body: 'a{job="x",instance="",exported_job="y"} 1\n',
      gives: ['a{exported_exported_job="x",exported_job="y"} 1'],
    },
    {
      body: 'a{job="x",instance="",exported_job="y"} 1\n',
      target: { honorLabels: true },
      gives: ['a{exported_exported_job="x",exported_job="y"} stale', 'a{exported_job="y",job="x"} 1'],
      counts: [1, 1],
      changed: true,
    },
    {
      body: 'a{job="x",instance="",exported_job="y"} 1\n',
      target: { honorLabels: true },
      gives: ['a{exported_job="y",job="x"} 1'],
      changed: false,
    },
  ],
  'honor_labels alone changes nothing for series without such labels': [
    { body: 'a 1\nb{job="x"} 1', gives: ['a 1', 'b{exported_job="x"} 1'] },
    {
      body: 'a 1\nb{job="x"} 1',
      target: { honorLabels: true },
      gives: ['a 1', 'b{exported_job="x"} stale', 'b{instance="i",job="x"} 1'],
    },
  ],
  'external labels are added where there is none': [
    { body: 'a 1\nb{region="x"} 1\n', gives: ['a 1', 'b{region="x"} 1'] },
    {
      body: 'a 1\nb{region="x"} 1\n',
      external: labelsFrom([['region', 'eu']]),
      gives: ['a stale', 'a{region="eu"} 1', 'b{region="x"} 1', ...REPORT_SERIES.map((name) => `${name} stale`)],
      changed: true,
    },
    {
      body: 'a 1\nb{region="x"} 1\n',
      external: labelsFrom([['region', 'eu']]),
      gives: ['a{region="eu"} 1', 'b{region="x"} 1'],
      changed: false,
    },
  ],
  'a configuration change while the target is down': [
    { body: 'a 1\n', gives: ['a 1'] },
    { fails: 'x', gives: ['a stale'] },
    {
      fails: 'x',
      external: labelsFrom([['job', 'other']]),
      gives: [],
      changed: true,
    },
    { body: 'a 1\n', external: labelsFrom([['job', 'other']]), gives: ['a 1'], counts: [1, 1] },
  ],
  'a target that is gone': [
    { body: 'a 1\nb 1 5\n', gives: ['a 1', 'b 1 @5'] },
    {
      retire: true,
      gives: ['a stale', ...REPORT_SERIES.map((name) => `${name} stale`)],
    },
  ],
  'a clock that goes back': [
    { body: 'a 1\n', at: 5000, gives: ['a 1'] },
    { body: 'b 1\n', at: 4000, gives: ['a stale @5001', 'b 1'] },
  ],
  'values and names': [
    {
      body: 'a NaN\nb -0\nc +Inf\n{"m.x","l.y"="z"} 1e3\nh_bucket{le="1"} 1\n# TYPE h histogram\nh_bucket{le="2"} 2',
      gives: ['a NaN', 'b -0', 'c Infinity', 'm.x{l.y="z"} 1000', 'h_bucket{le="1"} 1', 'h_bucket{le="2.0"} 2'],
    },
    {
      body: 'a{x="1",x="2"} 1',
      gives: [
        'a stale',
        'b stale',
        'c stale',
        'm.x{l.y="z"} stale',
        'h_bucket{le="1"} stale',
        'h_bucket{le="2.0"} stale',
      ],
      error: /occurs twice/,
    },
  ],
};

describe('a page, from scrape to scrape', () => {
  for (const [name, steps] of Object.entries(SCENARIOS)) {
    test(name, () => {
      for (let sleeps = 0; sleeps < 1 << steps.length; sleeps++) {
        // A sleep forgets the time of the last scrape, which the agent has beside the page.
        if (name === 'a clock that goes back' && sleeps > 1) continue;
        run(steps, sleeps);
      }
    });
  }
});
