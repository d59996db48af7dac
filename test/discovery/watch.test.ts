/** When discoveries are refreshed, and what becomes of what they find: on a simulated clock, with the Director's store. */

import type { Fetch } from '../../src/model/doors.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import type { HttpDiscovery, ScrapeConfig } from '../../src/config/model.ts';
import { type Discovered, discoveriesOf, groupsByJob } from '../../src/discovery/discoveries.ts';
import { Discoveries } from '../../src/discovery/stored.ts';
import { type Refresh, watch } from '../../src/discovery/watch.ts';
import { Values } from '../../src/log/table.ts';
import { firstSlotAfter } from '../../src/scrape/slots.ts';
import { sqlite } from '../log/sqlite.ts';
import { scrapeConfig } from '../scrape/page/configs.ts';
import { addresses, json, NOW, world } from './doors.ts';

const http = (over: Partial<HttpDiscovery> = {}): HttpDiscovery => ({
  kind: 'http',
  url: 'https://sd.test/',
  followRedirects: true,
  refreshIntervalMs: 60_000,
  ...over,
});
const discoveries = (...configs: HttpDiscovery[]) => {
  const scrape: ScrapeConfig = scrapeConfig({ discoveries: configs });
  return discoveriesOf({ externalLabels: [], remoteWrites: [], scrapeConfigs: [scrape] });
};

/** What the network answers now. */
let answer: () => Response;
beforeEach(() => {
  answer = () => json([{ targets: ['a:1'] }]);
});

function start(all = discoveries(http()), known: ReadonlyMap<string, Discovered> = new Map()) {
  const { clock, doors, asked } = world(() => answer());
  const askedAt: number[] = [];
  const fetch: Fetch = async (request) => {
    askedAt.push(clock.now() - NOW);
    return await doors.fetchFor(request.url)(request);
  };
  const sql = sqlite();
  const stored = new Discoveries(sql, new Values(sql));
  const handed: Refresh[] = [];
  const changes: string[][] = [];
  const warnings: string[] = [];
  const watching = watch(
    all,
    known,
    {
      store: {
        discovered: async (nowMs, key, refresh) => {
          handed.push(refresh);
          stored.put(nowMs, key, refresh);
        },
      },
      discovery: { ...doors, fetchFor: () => fetch },
      warn: (message) => warnings.push(message),
    },
    (now) => changes.push(addresses([...groupsByJob(all, now).values()].flat())),
  );
  return { all, clock, asked, askedAt, handed, changes, warnings, stored, watching };
}

const state = ({ all, stored }: ReturnType<typeof start>) => stored.get([all[0]!.key], {})[all[0]!.key]!;

describe('the schedule', () => {
  test('begins at once when nothing is known, then keeps to its slots', async () => {
    const it = start();
    await it.clock.advanceTo(NOW + 200_000);
    const slot = firstSlotAfter(it.all[0]!, NOW) - NOW;
    expect(it.askedAt).toEqual([0, slot, slot + 60_000, slot + 120_000].filter((at) => at <= 200_000));
    it.watching.stop();
    await it.watching.done;
    await it.clock.advanceTo(NOW + 400_000);
    expect(it.askedAt.length).toBeLessThanOrEqual(5);
  });

  test('waits for the slot when something is known', async () => {
    const all = discoveries(http());
    const it = start(all, new Map([[all[0]!.key, { fingerprint: 'x', groups: [] }]]));
    await it.clock.advanceTo(NOW + 59_999);
    expect(it.askedAt).toEqual([firstSlotAfter(all[0]!, NOW - 1) - NOW]);
  });

  test('is the same for two runs that know nothing of each other', async () => {
    const all = discoveries(http());
    const known = new Map([[all[0]!.key, { fingerprint: 'x', groups: [] }]]);
    const [one, other] = [start(all, known), start(all, known)];
    await one.clock.advanceTo(NOW + 300_000);
    await other.clock.advanceTo(NOW + 300_000);
    expect(one.askedAt).toEqual(other.askedAt);
  });

  test('asks two at a time', async () => {
    answer = () => new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }));
    const it = start(
      discoveries(...[1, 2, 3].map((i) => http({ url: `https://sd.test/${i}`, refreshIntervalMs: 5000 }))),
    );
    await it.clock.advanceTo(NOW + 4_999);
    expect(it.askedAt).toEqual([0, 0]);
    await it.clock.advanceTo(NOW + 5_000);
    expect(it.askedAt.slice(0, 3)).toEqual([0, 0, 5_000]);
  });
});

describe('what is found', () => {
  test('is handed in once, and told when it is other', async () => {
    const it = start();
    await it.clock.advanceTo(NOW + 130_000);
    expect(it.changes).toEqual([['a:1']]);
    expect(it.handed.map(({ groups }) => groups !== null)).toEqual([true, ...it.handed.slice(1).map(() => false)]);
    answer = () => json([{ targets: ['a:1', 'b:1'] }]);
    await it.clock.advanceTo(NOW + 190_001);
    expect(it.changes).toEqual([['a:1'], ['a:1', 'b:1']]);
    expect(state(it)).toMatchObject({ targets: 2, failures: 0, error: null });
  });

  test('is kept while the source fails, with the reason and the number of failures', async () => {
    const it = start();
    await it.clock.advanceTo(NOW + 1);
    const before = state(it);
    answer = () => new Response('', { status: 500, statusText: 'Oops' });
    await it.clock.advanceTo(NOW + 121_000);
    expect(it.changes).toEqual([['a:1']]);
    const failures = it.askedAt.length - 1;
    expect(failures).toBeGreaterThanOrEqual(2);
    expect(state(it)).toEqual({ ...before, failures, error: 'server returned HTTP status 500 Oops' });
    expect(it.warnings[0]).toBe('discovery of job "j" (http): server returned HTTP status 500 Oops');
    answer = () => json([{ targets: ['a:1'] }]);
    await it.clock.advanceTo(NOW + 181_000);
    expect(state(it)).toMatchObject({ error: null, failures });
    expect(it.changes).toEqual([['a:1']]);
  });

  test('is asked again at once by the next run when nothing was ever found', async () => {
    answer = () => new Response('', { status: 500 });
    const it = start();
    await it.clock.advanceTo(NOW + 1);
    expect(state(it)).toMatchObject({ fingerprint: '', targets: 0, failures: 1, refreshedAtMs: null, groups: null });
  });

  test('is not used when the store did not take it', async () => {
    const all = discoveries(http());
    const { clock, doors } = world(json([{ targets: ['a:1'] }]));
    const warnings: string[] = [];
    const changes: unknown[] = [];
    const store = { discovered: () => Promise.reject(new Error('away')) };
    watch(all, new Map(), { store, discovery: doors, warn: (text) => warnings.push(text) }, () => changes.push(1));
    await clock.advanceTo(NOW + 1);
    expect([changes, warnings]).toEqual([[], ['discovery of job "j" (http) could not be stored: Error: away']]);
  });
});

describe('the key of a discovery', () => {
  const key = (over: Partial<HttpDiscovery> = {}) => discoveries(http(over))[0]!.key;

  test('changes with what is asked, not with who asks', () => {
    expect(key({ basicAuth: { username: 'u', password: 'p' } })).toBe(key());
    expect(key({ url: 'https://other.test/' })).not.toBe(key());
    expect(key()).toMatch(/^[0-9a-f]{16}$/);
  });

  test('is another one for each', () => {
    expect(new Set(discoveries(http(), http()).map((one) => one.key)).size).toBe(2);
  });
});
