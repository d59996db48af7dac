import { describe, expect, test } from 'vitest';
import type { ScrapeConfig } from '../../src/config/model.ts';
import { labelsOf, NOTHING_DISCOVERED } from '../../src/discovery/group.ts';
import { resolveTargets, targetsOf } from '../../src/discovery/targets.ts';
import { formatLabels, type Labels, labelsFrom, labelValue } from '../../src/model/labels.ts';
import type { Target } from '../../src/scrape/target.ts';
import { ruleFrom, type RuleText } from '../relabel/rules.ts';
import { scrapeConfig } from '../scrape/page/configs.ts';

const targets = (...scrapeConfigs: ScrapeConfig[]): readonly Target[] =>
  targetsOf({ externalLabels: [], remoteWrites: [], scrapeConfigs });
const one = (address: string, labels: Labels = [], config: Partial<ScrapeConfig> = {}): Target =>
  targets(scrapeConfig({ ...config, staticConfigs: [{ targets: [address], labels }] }))[0]!;

describe('static targets', () => {
  test('have job, instance and their group’s labels', () => {
    const labels = labelsFrom([
      ['zone', 'z'],
      ['__shelf__', '3'],
    ]);
    const it = one('a:9100', labels);
    expect(formatLabels(it.labels)).toBe('{instance="a:9100", job="j", zone="z"}');
    expect(it).toMatchObject({
      job: 'j',
      url: 'http://a:9100/metrics',
      intervalMs: 15_000,
      timeoutMs: 10_000,
      route: { kind: 'network' },
    });
    expect(it.key).toMatch(/^[0-9a-f]{16}$/);
    expect(it.offsetMs).toBeGreaterThanOrEqual(0);
    expect(it.offsetMs).toBeLessThan(15_000);
  });

  test('let the group’s job and instance win', () => {
    const labels = labelsFrom([
      ['job', 'x'],
      ['instance', 'y'],
    ]);
    expect(formatLabels(one('a', labels).labels)).toBe('{instance="y", job="x"}');
    expect(one('a', labels).job).toBe('j');
  });

  test.each<[url: string, address: string, labels: Record<string, string>, config: Partial<ScrapeConfig>]>([
    ['https://a/m', 'a', {}, { scheme: 'https', metricsPath: '/m' }],
    ['http://[::1]:9100/metrics', '[::1]:9100', {}, {}],
    ['http://a/x%20y%3Fz', 'a', {}, { metricsPath: '/x y?z' }],
    ['http://a/m', 'a', {}, { metricsPath: 'm' }],
    [
      'http://a/metrics?a=1&b=2&b=%C3%A4+%26',
      'a',
      {},
      {
        params: [
          ['b', '2'],
          ['a', '1'],
          ['b', 'ä &'],
        ],
      },
    ],
    [
      'https://a/p?b=9&b=3&c=4',
      'a',
      { __scheme__: 'https', __metrics_path__: '/p', __param_b: '9', __param_c: '4' },
      {
        params: [
          ['b', '2'],
          ['b', '3'],
        ],
      },
    ],
    ['http://self/metrics', 'self', { __scheme__: 'https' }, { scheme: 'https' }],
  ])('%s', (url, address, labels, config) => {
    expect(one(address, labelsFrom(Object.entries(labels)), config).url).toBe(url);
  });

  test('are the deployment itself only when the file says so literally', () => {
    expect(one('self').route.kind).toBe('self');
    for (const address of ['a', 'self.test']) expect(one(address).route.kind).toBe('network');
    expect(one('a', labelsFrom([['__address__', 'self']])).route.kind).toBe('network');
  });

  test('are once each, by labels and URL', () => {
    const twice = scrapeConfig({
      staticConfigs: [
        { targets: ['a', 'b', 'a'], labels: [] },
        { targets: ['b'], labels: [] },
      ],
    });
    expect(targets(twice, twice).map(({ url }) => url)).toEqual(['http://a/metrics', 'http://b/metrics']);
    const other = scrapeConfig({ ...twice, jobName: 'k' });
    expect(targets(twice, other)).toHaveLength(4);
    expect(new Set(targets(twice, other).map(({ key }) => key)).size).toBe(4);
  });

  test('of deployments with other external labels have other slots, and the same keys', () => {
    const of = (replica: string): readonly Target[] =>
      targetsOf({
        externalLabels: replica === '' ? [] : labelsFrom([['__replica__', replica]]),
        remoteWrites: [],
        scrapeConfigs: [scrapeConfig({ staticConfigs: [{ targets: ['a', 'b', 'c', 'd'], labels: [] }] })],
      });
    const slots = (replica: string): number[] => of(replica).map(({ offsetMs }) => offsetMs);
    expect(of('1').map(({ key }) => key)).toEqual(of('').map(({ key }) => key));
    expect(slots('1')).toEqual(slots('1'));
    expect(new Set([...slots('1'), ...slots('2'), ...slots('')]).size).toBe(12);
  });

  test('over target_limit are all not to be asked, and keep their keys', () => {
    const of = (targetLimit: number): readonly Target[] =>
      targets(
        scrapeConfig({ targetLimit, staticConfigs: [{ targets: ['a', 'b', 'a', 'c'], labels: [] }] }),
        scrapeConfig({ jobName: 'other', targetLimit: 1, staticConfigs: [{ targets: ['a'], labels: [] }] }),
      );
    expect(of(3).map(({ refusal }) => refusal)).toEqual([undefined, undefined, undefined, undefined]);
    const limited = of(2);
    expect(limited.map(({ key }) => key)).toEqual(of(3).map(({ key }) => key));
    const refusal = 'target_limit exceeded (number of targets: 3, limit: 2)';
    expect(limited.map((one) => one.refusal)).toEqual([refusal, refusal, refusal, undefined]);
  });

  test('keep their key and their slots when something else changes', () => {
    const before = one('a');
    const after = one('a', [], { scrapeTimeoutMs: 1000, sampleLimit: 5 });
    expect([after.key, after.offsetMs]).toEqual([before.key, before.offsetMs]);
    expect(one('a', [], { metricsPath: '/x' }).key).not.toBe(before.key);
  });
});

describe('discovered targets', () => {
  const config = scrapeConfig({ params: [['module', 'x']], staticConfigs: [{ targets: ['s:1'], labels: [] }] });
  const resolve = (...targets: Record<string, string>[]) =>
    resolveTargets(
      { externalLabels: [], remoteWrites: [], scrapeConfigs: [config] },
      new Map([
        [
          'j',
          [
            {
              source: 'x',
              labels: labelsOf({ zone: 'z', __meta_url: 'http://sd/', env: 'group' }),
              targets: targets.map((target) => labelsOf(target)),
            },
          ],
        ],
        ['another job', [{ source: '', labels: [], targets: [labelsOf({ __address__: 'no:1' })] }]],
      ]),
    );
  const reasons = (...targets: Record<string, string>[]) => resolve(...targets).refused.map(({ reason }) => reason);

  test('have their own labels over those of their group, and none that begins with "__"', () => {
    const { targets: all, refused } = resolve({ __address__: 'a:1', env: 'own', __meta_x: 'y' });
    expect(refused).toEqual([]);
    expect(all.map(({ url }) => url)).toEqual(['http://s:1/metrics?module=x', 'http://a:1/metrics?module=x']);
    expect(formatLabels(all[1]!.labels)).toBe('{env="own", instance="a:1", job="j", zone="z"}');
    expect(formatLabels(all[1]!.discovered)).toBe(
      '{__address__="a:1", __always_scrape_classic_histograms__="false", __convert_classic_histograms_to_nhcb__="false", __meta_url="http://sd/", __meta_x="y", __metrics_path__="/metrics", __param_module="x", ' +
        '__scheme__="http", __scrape_interval__="15s", __scrape_native_histograms__="false", __scrape_timeout__="10s", env="own", job="j", zone="z"}',
    );
  });

  test('choose scheme, path, parameters, interval and timeout by their labels', () => {
    const labels = {
      __address__: 'a',
      __scheme__: 'https',
      __metrics_path__: '/m',
      __param_module: 'y',
      __scrape_interval__: '30s',
      __scrape_timeout__: '5s',
    };
    const [, target] = resolve(labels).targets;
    expect(target).toMatchObject({ url: 'https://a/m?module=y', intervalMs: 30_000, timeoutMs: 5_000 });
    expect(target!.offsetMs).toBeLessThan(30_000);
  });

  test('are never the deployment itself', () => {
    expect(resolve({ __address__: 'self' }).targets.map(({ url }) => url)).toEqual(['http://s:1/metrics?module=x']);
    expect(reasons({ __address__: 'self' })).toEqual([
      '"self" is the deployment itself, which only static_configs can name',
    ]);
    expect(reasons({ __address__: 'SELF' }, { __address__: 'self:80' })).toHaveLength(2);
  });

  test.each<[labels: Record<string, string>, reason: string | RegExp]>([
    [{}, 'no address'],
    [{ __address__: 'a/b' }, /^"a\/b" is not a valid hostname: /],
    [{ __address__: 'a', x: '\ud800' }, 'invalid label value for "x"'],
    [{ __address__: 'a', __scrape_interval__: 'x' }, 'error parsing scrape interval: "x"'],
    [
      { __address__: 'a', __convert_classic_histograms_to_nhcb__: 'yes' },
      'error parsing convert classic histograms to nhcb: "yes"',
    ],
    [
      { __address__: 'a', __always_scrape_classic_histograms__: 'x' },
      'error parsing always scrape classic histograms: "x"',
    ],
    [{ __address__: 'a', __scrape_native_histograms__: 'tRUE' }, 'error parsing scrape native histograms: "tRUE"'],
    [{ __address__: 'a', __scrape_interval__: '0s' }, 'scrape interval cannot be 0'],
    [{ __address__: 'a', __scrape_interval__: '10ms' }, 'scrape interval 10ms is below the shortest, 1s'],
    [{ __address__: 'a', __scrape_timeout__: '0s' }, 'scrape timeout cannot be 0'],
    [
      { __address__: 'a', __scrape_timeout__: '20s' },
      'scrape timeout cannot be greater than scrape interval ("20s" > "15s")',
    ],
  ])('%j is refused', (labels, reason) => {
    const said = reasons(labels, { __address__: 'fine:1' });
    expect(said).toEqual([typeof reason === 'string' ? reason : expect.stringMatching(reason)]);
    expect(resolve(labels, { __address__: 'fine:1' }).targets).toHaveLength(2);
  });
});

describe('relabel_configs', () => {
  const resolve = (rules: readonly RuleText[], group: { targets: string[]; labels?: Record<string, string> }) =>
    resolveTargets(
      {
        externalLabels: [],
        remoteWrites: [],
        scrapeConfigs: [
          scrapeConfig({
            params: [['module', 'http']],
            relabelConfigs: rules.map(ruleFrom),
            staticConfigs: [{ targets: group.targets, labels: labelsOf(group.labels ?? {}) }],
          }),
        ],
      },
      NOTHING_DISCOVERED,
    );

  test('see every label that a target has before', () => {
    const { targets: found } = resolve([{ regex: '__(.+?)_*', replacement: 'seen_$1', action: 'labelmap' }], {
      targets: ['a:1'],
      labels: { __shelf__: '3' },
    });
    expect(formatLabels(found[0]!.labels)).toBe(
      '{instance="a:1", job="j", seen_address="a:1", seen_always_scrape_classic_histograms="false", seen_convert_classic_histograms_to_nhcb="false", seen_metrics_path="/metrics", seen_param_module="http", ' +
        'seen_scheme="http", seen_scrape_interval="15s", seen_scrape_native_histograms="false", seen_scrape_timeout="10s", seen_shelf="3"}',
    );
    expect(formatLabels(found[0]!.discovered)).toContain('__shelf__="3"');
    expect(formatLabels(found[0]!.discovered)).not.toContain('seen_');
  });

  test('say where to scrape and when: the blackbox pattern', () => {
    const { targets: found } = resolve(
      [
        { source_labels: ['__address__'], target_label: '__param_target' },
        { source_labels: ['__param_target'], target_label: 'instance' },
        { target_label: '__address__', replacement: 'blackbox:9115' },
        { target_label: '__scheme__', replacement: 'https' },
        { target_label: '__metrics_path__', replacement: '/probe' },
        { target_label: '__scrape_interval__', replacement: '1m' },
        { target_label: '__scrape_timeout__', replacement: '30s' },
        { target_label: '__tmp_x', replacement: 'y' },
      ],
      { targets: ['example.com'] },
    );
    expect(found).toMatchObject([
      {
        url: 'https://blackbox:9115/probe?module=http&target=example.com',
        labels: labelsOf({ instance: 'example.com', job: 'j' }),
        intervalMs: 60_000,
        timeoutMs: 30_000,
        route: { kind: 'network' },
      },
    ]);
    expect(found[0]!.offsetMs).toBeLessThan(60_000);
  });

  test('drop targets, which are kept with the labels they had', () => {
    const {
      targets: found,
      dropped,
      refused,
    } = resolve([{ source_labels: ['__address__'], regex: 'b:.*', action: 'drop' }], {
      targets: ['a:1', 'b:1', 'b:2'],
    });
    expect(found.map(({ url }) => url)).toEqual(['http://a:1/metrics?module=http']);
    expect(
      dropped.map(({ job, discovered }) => [job, discovered.find(({ name }) => name === '__address__')!.value]),
    ).toEqual([
      ['j', 'b:1'],
      ['j', 'b:2'],
    ]);
    expect(refused).toEqual([]);
  });

  test('may make two targets one', () => {
    const { targets: found } = resolve([{ target_label: '__address__', replacement: 'c' }], { targets: ['a', 'b'] });
    expect(found).toHaveLength(1);
  });

  test.each<[rule: RuleText, reason: string]>([
    [{ target_label: '__address__', replacement: '' }, 'no address'],
    [{ target_label: '__address__', replacement: 'http://x/y' }, '"http://x/y" is not a valid hostname'],
    [{ target_label: '__scrape_interval__', replacement: 'soon' }, 'error parsing scrape interval: "soon"'],
    [{ target_label: '__scrape_interval__', replacement: '' }, 'error parsing scrape interval: ""'],
    [{ target_label: '__scrape_interval__', replacement: '0s' }, 'scrape interval cannot be 0'],
    [{ target_label: '__scrape_timeout__', replacement: 'x' }, 'error parsing scrape timeout: "x"'],
    [{ target_label: '__scrape_timeout__', replacement: '0' }, 'scrape timeout cannot be 0'],
    [
      { target_label: '__scrape_timeout__', replacement: '16s' },
      'scrape timeout cannot be greater than scrape interval ("16s" > "15s")',
    ],
  ])('%j refuses the target', (rule, reason) => {
    const { targets: found, refused } = resolve([rule], { targets: ['a:1'] });
    expect(found).toEqual([]);
    expect(refused).toMatchObject([{ job: 'j', reason: expect.stringContaining(reason) as string }]);
  });

  // As Prometheus, whose `up` is 0 then: whoever made a mistake in a rule is told by an alert.
  test.each<[rule: RuleText, refusal: string]>([
    [{ target_label: '__address__', replacement: 'user@x' }, '"user@x" is not a valid hostname'],
    [{ target_label: '__address__', replacement: 'a b:80' }, '"a b:80" is not a valid hostname'],
    [{ target_label: '__address__', replacement: 'a:http' }, '"a:http" is not a valid hostname'],
    [{ target_label: '__scheme__', replacement: 'ftp' }, 'scheme "ftp" is neither http nor https'],
    [{ target_label: '__scheme__', replacement: '' }, 'scheme "" is neither http nor https'],
  ])('%j makes a target that is never up', (rule, refusal) => {
    const { targets: found, refused } = resolve([rule], { targets: ['a:1'] });
    expect(found).toMatchObject([{ refusal }]);
    expect(refused).toEqual([]);
  });

  test('make addresses of URLs, as for the blackbox exporter', () => {
    const rules: RuleText[] = [
      { source_labels: ['__address__'], target_label: '__param_target' },
      { source_labels: ['__param_target'], target_label: 'instance' },
      { target_label: '__address__', replacement: 'blackbox:9115' },
    ];
    const { targets: found, refused } = resolve(rules, { targets: ['https://example.com/a?b'] });
    expect(refused).toEqual([]);
    expect(found.map(({ url, labels }) => [url, labelValue(labels, 'instance')])).toEqual([
      ['http://blackbox:9115/metrics?module=http&target=https%3A%2F%2Fexample.com%2Fa%3Fb', 'https://example.com/a?b'],
    ]);
  });

  test('never make a target the deployment itself', () => {
    const rules: RuleText[] = [{ source_labels: ['host'], target_label: '__address__' }];
    for (const host of ['self', 'SELF', 'self:80']) {
      const { targets: found, refused } = resolve(rules, { targets: ['a'], labels: { host } });
      expect([host, found]).toEqual([host, []]);
      expect(refused).toHaveLength(1);
    }
    const { targets: own } = resolve([{ target_label: 'x', replacement: 'y' }], { targets: ['self'] });
    expect(own).toMatchObject([{ route: { kind: 'self' }, url: 'http://self/metrics?module=http' }]);
    const { targets: other } = resolve([{ target_label: '__address__', replacement: 'b' }], { targets: ['self'] });
    expect(other).toMatchObject([{ route: { kind: 'network' }, url: 'http://b/metrics?module=http' }]);
  });
});
