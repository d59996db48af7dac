import { describe, expect, test } from 'vitest';
import type { ScrapeConfig } from '../../src/config/model.ts';
import { targetsOf } from '../../src/discovery/static.ts';
import { formatLabels, type Labels, labelsFrom } from '../../src/model/labels.ts';
import type { Target } from '../../src/scrape/target.ts';
import { scrapeConfig } from '../scrape/configs.ts';

const targets = (...scrapeConfigs: ScrapeConfig[]): Target[] =>
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
