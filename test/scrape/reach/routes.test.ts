import { describe, expect, test } from 'vitest';
import type { ScrapeConfig } from '../../../src/config/model.ts';
import { PLACES } from '../../../src/config/places.ts';
import { labelsOf, NOTHING_DISCOVERED } from '../../../src/discovery/group.ts';
import { type ResolvedTargets, resolveTargets } from '../../../src/discovery/targets.ts';
import type { Fetch } from '../../../src/model/doors.ts';
import { formatLabels } from '../../../src/model/labels.ts';
import { fromOutpost, failure, timeoutMsOf } from '../../../src/scrape/reach/outposts.ts';
import { doorOf, type Route } from '../../../src/scrape/reach/routes.ts';
import type { Target } from '../../../src/scrape/target.ts';
import { ruleFrom } from '../../relabel/rules.ts';
import { scrapeConfig } from '../page/configs.ts';

type Labels = Record<string, string>;

const resolve = (labels: Labels, addresses = ['a.test:9100'], config: Partial<ScrapeConfig> = {}): ResolvedTargets =>
  resolveTargets(
    {
      externalLabels: [],
      remoteWrites: [],
      scrapeConfigs: [scrapeConfig({ staticConfigs: [{ targets: addresses, labels: labelsOf(labels) }], ...config })],
    },
    NOTHING_DISCOVERED,
  );
const labelsOfAll = ({ targets }: ResolvedTargets): string[] => targets.map(({ labels }) => formatLabels(labels));
const index = ({ route }: Target): number => (route.kind === 'outpost' ? route.index : Number.NaN);

describe('__region__', () => {
  test('makes one target in three regions three, told apart by region', () => {
    const found = resolve({ __region__: 'weur, enam,,apac,weur', zone: 'z' });
    expect(labelsOfAll(found)).toEqual([
      '{instance="a.test:9100", job="j", region="weur", zone="z"}',
      '{instance="a.test:9100", job="j", region="enam", zone="z"}',
      '{instance="a.test:9100", job="j", region="apac", zone="z"}',
    ]);
    expect(found.targets.map(({ route }) => route)).toMatchObject(
      ['weur', 'enam', 'apac'].map((region) => ({ kind: 'outpost', region })),
    );
    expect(new Set(found.targets.map(({ key }) => key)).size).toBe(3);
    expect(new Set(found.targets.map(({ offsetMs }) => offsetMs)).size).toBe(3);
    expect(new Set(found.targets.map(({ url }) => url))).toEqual(new Set(['http://a.test:9100/metrics']));
  });

  test('may come from a rule, and be taken away by one', () => {
    const set = [ruleFrom({ target_label: '__region__', replacement: 'me' })];
    expect(labelsOfAll(resolve({}, ['a'], { relabelConfigs: set }))).toEqual(['{instance="a", job="j", region="me"}']);
    const unset = [ruleFrom({ target_label: '__region__', replacement: '' })];
    expect(resolve({ __region__: 'me' }, ['a'], { relabelConfigs: unset }).targets).toMatchObject([
      { route: { kind: 'network' }, labels: labelsOf({ instance: 'a', job: 'j' }) },
    ]);
  });

  test('moves a region aside that the target had already', () => {
    expect(labelsOfAll(resolve({ __region__: 'oc', region: 'x', exported_region: 'y' }))).toEqual([
      '{exported_exported_region="x", exported_region="y", instance="a.test:9100", job="j", region="oc"}',
    ]);
  });

  test('that is not known refuses the target there, and there alone', () => {
    const { targets, refused } = resolve({ __region__: 'weur,moon' });
    expect(targets).toMatchObject([{ route: { kind: 'outpost', region: 'weur' } }]);
    expect(refused.map(({ reason }) => reason)).toEqual([
      'region "moon" is not known: there are wnam, enam, weur, eeur, apac, apac-ne, apac-se, oc, sam, afr, me, eu, us, fedramp, fedramp-high',
    ]);
  });

  test('knows every hint and jurisdiction of the platform', () => {
    for (const name of PLACES.keys()) expect(resolve({ __region__: name }).targets).toHaveLength(1);
  });

  test('says nothing of the deployment itself', () => {
    for (const labels of [{ __region__: 'weur' }, { __vpc__: 'TUNNEL' }]) {
      const { targets, refused } = resolve(labels, ['self']);
      expect(targets).toEqual([]);
      expect(refused[0]!.reason).toContain('the deployment itself is in no region');
    }
  });

  test('is spread over outposts of which each has few targets, and stays where it is for long', () => {
    const outposts = (n: number): Map<number, number> => {
      const counts = new Map<number, number>();
      const addresses = Array.from({ length: n }, (_, i) => `host-${i}.test`);
      for (const target of resolve({ __region__: 'weur' }, addresses).targets)
        counts.set(index(target), (counts.get(index(target)) ?? 0) + 1);
      return counts;
    };
    expect(outposts(16).size).toBe(1);
    expect(outposts(17).size).toBe(2);
    expect(outposts(1000).size).toBe(64);
    expect(Math.max(...outposts(1000).values())).toBeLessThan(40);
    expect([...outposts(33).keys()].every((i) => i < 4)).toBe(true);
  });
});

describe('__vpc__', () => {
  test('names the binding, and adds no label', () => {
    expect(resolve({ __vpc__: 'TUNNEL' }).targets).toMatchObject([
      { route: { kind: 'vpc', binding: 'TUNNEL' }, labels: labelsOf({ instance: 'a.test:9100', job: 'j' }) },
    ]);
  });

  test('does not go with __region__', () => {
    const { targets, refused } = resolve({ __vpc__: 'TUNNEL', __region__: 'weur' });
    expect(targets).toEqual([]);
    expect(refused[0]!.reason).toContain('exclude each other');
  });
});

test('each route has its door', async () => {
  const asked: string[] = [];
  const door = (name: string) => async (request: Request) => (asked.push(`${name} ${request.url}`), new Response());
  const doors = {
    network: door('network'),
    self: door('self'),
    outpost: (region: string, i: number) => door(`${region}/${i}`),
    vpc: door,
  };
  const routes: Route[] = [
    { kind: 'network' },
    { kind: 'self' },
    { kind: 'outpost', region: 'oc', index: 3 },
    { kind: 'vpc', binding: 'TUNNEL' },
  ];
  for (const route of routes) await doorOf(route, doors)(new Request('http://a/'));
  expect(asked).toEqual(['network http://a/', 'self http://a/', 'oc/3 http://a/', 'TUNNEL http://a/']);
});

describe('an outpost', () => {
  test('tells what went wrong as an answer, which becomes an error again', async () => {
    const letGo = async (): Promise<void> => undefined;
    const through = (fetch: Fetch): Fetch => fromOutpost({ fetch, letGo }, () => 'q');
    const door = through(async () => failure(new Error('Network connection lost.')));
    await expect(door(new Request('http://a/'))).rejects.toThrow('Network connection lost.');
    const bad = new Response('bad', { status: 502 });
    expect(await through(async () => bad)(new Request('http://a/'))).toBe(bad);
  });

  test('is told when nobody waits for an answer any more, and not once it has answered', async () => {
    const told: string[] = [];
    let questions = 0;
    const door = (fetch: Fetch): Fetch =>
      fromOutpost({ fetch, letGo: async (question) => void told.push(question) }, () => `q${questions++}`);
    const abort = new AbortController();
    const cut = door(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    )(new Request('http://a/', { signal: abort.signal }));
    await door(async () => new Response('ok'))(new Request('http://a/', { signal: abort.signal }));
    abort.abort(new Error('others wait'));
    await expect(cut).rejects.toThrow('others wait');
    expect(told).toEqual(['q0']);
  });

  test.each([
    ['2.5', 2500],
    ['', 10_000],
    ['x', 10_000],
    ['-1', 10_000],
    ['Infinity', 10_000],
  ])('waits as long as the scrape does: %j', (header, ms) => {
    const headers = { 'x-prometheus-scrape-timeout-seconds': header };
    expect(timeoutMsOf(new Request('http://a/', { headers }))).toBe(ms);
  });
});
