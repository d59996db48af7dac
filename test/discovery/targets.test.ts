import { describe, expect, test } from 'vitest';
import type { ScrapeConfig } from '../../src/config/model.ts';
import { labelsOf } from '../../src/discovery/group.ts';
import { resolveTargets, targetsOf } from '../../src/discovery/targets.ts';
import { formatLabels, type Labels, labelsFrom } from '../../src/model/labels.ts';
import type { Target } from '../../src/scrape/target.ts';
import { scrapeConfig } from '../scrape/configs.ts';

const targets = (...scrapeConfigs: ScrapeConfig[]): readonly Target[] =>
  targetsOf({ externalLabels: [], remoteWrites: [], scrapeConfigs });
const one = (address: string, labels: Labels = [], config: Partial<ScrapeConfig> = {}): Target =>
  targets(scrapeConfig({ ...config, staticConfigs: [{ targets: [address], labels }] }))[0]!;

describe('static targets', () => {
  test('have job, instance and their group’s labels', () => {
    const labels = labelsFrom([
      ['zone', 'z'],
      ['__region__', 'weur'],
    ]);
    const it = one('a:9100', labels);
    expect(formatLabels(it.labels)).toBe('{instance="a:9100", job="j", zone="z"}');
    expect(it).toMatchObject({
      job: 'j',
      url: 'http://a:9100/metrics',
      intervalMs: 15_000,
      timeoutMs: 10_000,
      self: false,
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
    expect(one('self').self).toBe(true);
    for (const address of ['self:80', 'SELF', 'http://self', 'a', 'self.test']) expect(one(address).self).toBe(false);
    expect(one('a', labelsFrom([['__address__', 'self']])).self).toBe(false);
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
      '{__address__="a:1", __meta_url="http://sd/", __meta_x="y", __metrics_path__="/metrics", __param_module="x", ' +
        '__scheme__="http", __scrape_interval__="15s", __scrape_timeout__="10s", env="own", job="j", zone="z"}',
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
    [{ __address__: 'a b' }, '"a b" is not a valid hostname'],
    [{ __address__: 'a', __scheme__: 'ftp' }, 'scheme "ftp" is neither http nor https'],
    [{ __address__: 'a', x: '\ud800' }, 'invalid label value for "x"'],
    [{ __address__: 'a', __scrape_interval__: 'x' }, 'error parsing scrape interval: "x"'],
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
