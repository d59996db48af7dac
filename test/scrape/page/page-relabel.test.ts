import fc from 'fast-check';
import { RE2JS } from 're2js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RequestBuilder } from '../../../src/encoding/remote-write/builder.ts';
import { type Labels, labelsFrom } from '../../../src/model/labels.ts';
import { LabelBuilder } from '../../../src/relabel/builder.ts';
import { relabel, rulesOf } from '../../../src/relabel/relabel.ts';
import type { PageScrape } from '../../../src/scrape/page/page.ts';
import { ruleFrom, type RuleText } from '../../relabel/rules.ts';
import { linesOf } from './decode.ts';
import { Keeper } from './keeper.ts';
import { resultOf } from './results.ts';

afterEach(() => vi.restoreAllMocks());

interface Scraped extends PageScrape {
  /** Sorted; without report series. */
  readonly samples_: readonly string[];
  readonly report: (name: string) => number;
}

interface Scrape {
  readonly body: string;
  readonly rules: readonly RuleText[];
  readonly external?: Labels;
  readonly sampleLimit?: number;
}

/** A target's page; before each scrape it sleeps: what is not stored is gone. */
function sleepy(): (scrape: Scrape) => Scraped {
  const keeper = new Keeper(Infinity);
  let at = 0;
  return ({ body, rules, external = [], sampleLimit = 0 }) => {
    const page = keeper.wake();
    const out = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    const target = {
      labels: labelsFrom([['job', 'j']]),
      honorLabels: false,
      honorTimestamps: true,
      sampleLimit,
      metricNameValidationScheme: 'utf8' as const,
      metricRelabelConfigs: rules.map(ruleFrom),
    };
    at += 1000;
    const scraped = page.scrape(target, external, resultOf(at, body), out);
    if (scraped.changed) keeper.keep(page);
    const lines = linesOf(out.finish());
    const isReport = (line: string): boolean => /^(up|scrape_[a-z_]+)\{/.test(line);
    return {
      ...scraped,
      samples_: lines
        .filter((line) => !isReport(line))
        .map((line) => line.replace(` @${at}`, ''))
        .sort(),
      report: (name) => Number(lines.find((line) => line.startsWith(`${name}{`))!.split(' ')[1]),
    };
  };
}

const DROP_GO: RuleText = { source_labels: ['__name__'], regex: 'go_.*', action: 'drop' };
const BODY = 'go_a 1\nhttp_total{code="200"} 2\ngo_b{x="y"} 3\nhttp_total{code="500"} 4\n';

describe('metric_relabel_configs', () => {
  test('drop series and change labels', () => {
    const scrape = sleepy();
    const rules = [DROP_GO, { source_labels: ['code'], regex: '(.)..', target_label: 'class', replacement: '${1}xx' }];
    const want = ['http_total{class="2xx",code="200",job="j"} 2', 'http_total{class="5xx",code="500",job="j"} 4'];
    for (const added of [2, 0, 0]) {
      const got = scrape({ body: BODY, rules });
      expect(got.samples_).toEqual(want);
      expect(got.report('scrape_samples_scraped')).toBe(4);
      expect(got.report('scrape_samples_post_metric_relabeling')).toBe(2);
      expect(got.report('scrape_series_added')).toBe(added);
      expect(got.changed).toBe(added > 0);
    }
  });

  test('cost no regex for what was on the page before, also after a sleep', () => {
    const scrape = sleepy();
    const rules = [DROP_GO, { regex: 'c(.*)', replacement: 'k$1', action: 'labelmap' as const }];
    scrape({ body: BODY, rules });
    const compile = vi.spyOn(RE2JS, 'compile');
    const test_ = vi.spyOn(RE2JS.prototype, 'test');
    const matcher = vi.spyOn(RE2JS.prototype, 'matcher');
    expect(scrape({ body: BODY, rules }).samples_).toHaveLength(2);
    expect(scrape({ body: BODY.split('\n').toReversed().join('\n').trim(), rules }).samples_).toHaveLength(2);
    expect([compile, test_, matcher].map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0]);
    scrape({ body: `${BODY}go_c 1\n`, rules });
    expect([test_, matcher].map((spy) => spy.mock.calls.length)).toEqual([1, 0]);
  });

  test('see the labels of the target, and not the external ones', () => {
    const rules: RuleText[] = [
      { source_labels: ['job', 'region'], target_label: 'seen' },
      { target_label: 'region', replacement: 'own', source_labels: ['__name__'], regex: 'b' },
    ];
    const external = labelsFrom([['region', 'eu']]);
    expect(sleepy()({ body: 'a 1\nb 2\n', rules, external }).samples_).toEqual([
      'a{job="j",region="eu",seen="j;"} 1',
      'b{job="j",region="own",seen="j;"} 2',
    ]);
  });

  test('leave report series alone', () => {
    const got = sleepy()({ body: 'a 1\n', rules: [{ regex: '.*', action: 'drop' }] });
    expect(got.samples_).toEqual([]);
    expect([got.report('up'), got.report('scrape_samples_post_metric_relabeling')]).toEqual([1, 0]);
  });

  test('come before sample_limit', () => {
    const scrape = sleepy();
    expect(scrape({ body: BODY, rules: [DROP_GO], sampleLimit: 2 })).toMatchObject({ health: 'up' });
    const over = scrape({ body: `${BODY}http_total 5\n`, rules: [DROP_GO], sampleLimit: 2 });
    expect(over).toMatchObject({ health: 'down', error: expect.stringMatching(/sample limit exceeded: 3 samples/) });
    expect(over.report('scrape_samples_post_metric_relabeling')).toBe(3);
    const first = sleepy()({ body: `go_x 1\nhttp 1\nhttp2 1\nhttp3 1\ngo_y 1\n`, rules: [DROP_GO], sampleLimit: 1 });
    expect(first.error).toMatch(/sample limit exceeded: 3 samples/);
  });

  test('may make two series one: the first is kept, the other counted', () => {
    const scrape = sleepy();
    const rules: RuleText[] = [{ regex: 'code', action: 'labeldrop' }];
    for (let i = 0; i < 3; i++) {
      const got = scrape({ body: BODY, rules });
      expect(got.samples_).toEqual(['go_a{job="j"} 1', 'go_b{job="j",x="y"} 3', 'http_total{job="j"} 2']);
      expect(got.duplicates).toBe(1);
      expect(got.report('scrape_samples_post_metric_relabeling')).toBe(4);
    }
    // The series goes on as long as one of its texts is there.
    expect(scrape({ body: 'http_total{code="500"} 4\n', rules }).samples_).toEqual([
      'go_a{job="j"} stale',
      'go_b{job="j",x="y"} stale',
      'http_total{job="j"} 4',
    ]);
  });

  test('that leave no metric name fail the scrape', () => {
    const got = sleepy()({ body: 'a{b="c"} 1\n', rules: [{ regex: '__name__', action: 'labeldrop' }] });
    expect(got.error).toBe('metric_relabel_configs left a series of a without a metric name');
    expect(got.health).toBe('down');
  });

  test('that leave no label drop the series', () => {
    const got = sleepy()({ body: 'a{b="c"} 1\n', rules: [{ regex: '.*', action: 'labeldrop' }] });
    expect([got.error, got.samples_]).toEqual([null, []]);
  });

  test('that change make the page anew: what has other labels goes stale, and nothing else', () => {
    const scrape = sleepy();
    scrape({ body: BODY, rules: [] });
    expect(scrape({ body: BODY, rules: [DROP_GO] }).samples_).toEqual([
      'go_a{job="j"} stale',
      'go_b{job="j",x="y"} stale',
      'http_total{code="200",job="j"} 2',
      'http_total{code="500",job="j"} 4',
    ]);
    expect(scrape({ body: BODY, rules: [] }).samples_).toEqual([
      'go_a{job="j"} 1',
      'go_b{job="j",x="y"} 3',
      'http_total{code="200",job="j"} 2',
      'http_total{code="500",job="j"} 4',
    ]);
  });
});

test('whatever the rules and the pages, samples are those of relabelling each line by itself', () => {
  const rule: fc.Arbitrary<RuleText> = fc.record({
    action: fc.constantFrom('replace', 'keep', 'drop', 'labelmap', 'labeldrop', 'hashmod'),
    source_labels: fc.subarray(['__name__', 'x', 'y', 'job']),
    regex: fc.constantFrom('(.*)', 'a.*', 'x|y', '[^;]*;?1?', 'exported_(.*)'),
    modulus: fc.constant(2),
    target_label: fc.constantFrom('x', 'y', 'z', '__name__'),
    replacement: fc.constantFrom('$1', 'x', ''),
  });
  const line = fc.record({
    name: fc.constantFrom('a', 'b'),
    x: fc.constantFrom('', '1', '2'),
    job: fc.constantFrom('', 'e'),
  });
  const pages = fc.array(fc.record({ lines: fc.array(line, { maxLength: 6 }), other: fc.boolean() }), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 3 }), fc.array(rule, { maxLength: 2 }), pages, (one, two, scrapes) => {
      const scrape = sleepy();
      for (const { lines, other } of scrapes) {
        const rules = other ? two : one;
        const compiled = rulesOf(rules.map(ruleFrom));
        const wanted = new Map<string, string>();
        let nameless = false;
        lines.forEach(({ name, x, job }, i) => {
          const builder = new LabelBuilder([
            ['__name__', name],
            ['x', x],
          ]);
          builder.set('job', 'j');
          builder.set('exported_job', job);
          const labels = relabel(compiled, builder) ? builder.labels() : [];
          if (labels.length === 0) return;
          const metric = labels.find((label) => label.name === '__name__');
          nameless ||= metric === undefined;
          const rest = labels.filter((label) => label !== metric).map((label) => `${label.name}="${label.value}"`);
          const set = `${metric?.value}${rest.length === 0 ? '' : `{${rest.join(',')}}`}`;
          if (!wanted.has(set)) wanted.set(set, `${set} ${i}`);
        });
        const body = lines.map(({ name, x, job }, i) => `${name}{x="${x}",job="${job}"} ${i}\n`).join('');
        const got = scrape({ body, rules });
        if (nameless) expect(got.error).toMatch(/without a metric name/);
        else expect(got.samples_.filter((sample) => !sample.endsWith(' stale'))).toEqual([...wanted.values()].sort());
      }
    }),
    { numRuns: 1_000 },
  );
});
