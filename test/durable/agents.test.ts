/**
 * Targets that move between agents while everything goes on: from one agent to three, then to two, over two lanes, with agents asleep before every call,
 * runs that overlap, series that vanish and targets that go just then, slow ones and one that hangs; a remote that takes all the time, and one that is
 * dead until the end; and of the steps of moving two of five are lost, or their answers. Nothing may be lost, doubled or out of order, and no marker false or missing.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import { targetsOf } from '../../src/discovery/targets.ts';
import { inOrder } from '../../src/forward/in-order.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { agentAt, agentOf, ALONE, changed, type Placement } from '../../src/scrape/placement/placement.ts';
import { RUN_MS, scrapeRound } from '../../src/scrape/round.ts';
import { takeover } from '../../src/scrape/placement/takeover.ts';
import type { Target } from '../../src/scrape/target.ts';
import { Rng } from '../encoding/damage.ts';
import { SimClock } from '../sim/clock.ts';
import { asleep } from './asleep.ts';
import { type PlainSample, samplesOf } from './log-reader.ts';
import { bindings, configOf, doorsOf, forgetful, page, T0 } from './simulated.ts';

const MINUTE = 60_000;
const INTERVAL = 15_000;
const LANES = 2;
const REMOTES = ['live', 'dead'];

const PLACEMENTS: readonly { atMs: number; placement: Placement }[] = (() => {
  const three = changed(ALONE, 3, T0 + 30_000);
  const two = changed(three, 2, T0 + 5 * MINUTE);
  return [
    { atMs: 0, placement: ALONE },
    { atMs: MINUTE, placement: three },
    { atMs: 5 * MINUTE, placement: two },
  ];
})();
const [, { placement: THREE }, { placement: TWO }] = PLACEMENTS as [
  unknown,
  { placement: Placement },
  { placement: Placement },
];
const END_MS = 11 * MINUTE;
/** Hosts from this number on are removed half a minute before the first change comes. */
const GONE_FROM = 26;
const GONE_MS = THREE.fromMs - 30_000;
const HOSTS = 30;
const HANGS = 25;

const config = (hosts: number): string => `
scrape_configs:
  - job_name: sim
    scrape_interval: 15s
    scrape_timeout: 10s
    static_configs: [{ targets: [${Array.from({ length: hosts }, (_, i) => `h${i}:1`).join(', ')}] }]
`;
const targetsWith = (hosts: number): readonly Target[] => targetsOf(configOf(config(hosts)));
const numberOf = (text: string): number => Number(/h(\d+)/.exec(text)![1]);

/** Series b of a host is not there between these moments, around the changes. */
const goesMs = (host: number): number => THREE.fromMs + (host - 10) * 1_500;
const comesMs = (host: number): number => TWO.fromMs + (host - 10) * 1_500;
const latencyMs = (host: number): number => (host >= 20 && host < 25 ? 8_900 : 20 + host);

const clock = new SimClock(T0);
/** What each remote got, in its order. */
const got = new Map(REMOTES.map((remote): [string, PlainSample[]] => [remote, []]));
let warnings: readonly string[] = [];
const refused: Record<string, number>[] = [];
const empties: boolean[] = [];
let behind = 0;

const stub = (index: number) => bindings.AGENT.getByName(`moving-${index}`);
const call = <T>(index: number, work: () => Promise<T>): Promise<T> => clock.track(() => asleep(stub(index), work));

/** A call of moving targets: of five one is lost before it comes, and of one the answer. */
const rng = new Rng(7);
async function flaky<T>(index: number, work: () => Promise<T>): Promise<T> {
  const luck = rng.next() % 5;
  if (luck === 0) throw new Error('lost');
  const answer = await call(index, work);
  if (luck === 1) throw new Error('lost');
  return answer;
}

/** Sends what may be sent, the agents in the wrong order, until nothing moves any more. */
async function forward(remote: string): Promise<void> {
  const plan = { configVersion: 1, remotes: REMOTES };
  const doors = await Promise.all(
    [2, 1, 0].map(async (index) => {
      const { epoch } = await stub(index).takeForwardBaton(clock.now(), plan);
      const door = inOrder(
        {
          takeForwardBaton: async (...args) => await stub(index).takeForwardBaton(...args),
          next: (...args) => call(index, async () => await stub(index).next(...args)),
          renew: async (...args) => await stub(index).renew(...args),
          acknowledge: (...args) => call(index, async () => await stub(index).acknowledge(...args)),
          retried: async (...args) => await stub(index).retried(...args),
          countMetadata: async (...args) => await stub(index).countMetadata(...args),
          setAside: async (...args) => await stub(index).setAside(...args),
          passed: (...args) => call(index, async () => await stub(index).passed(...args)),
        },
        (other, name) => call(other, async () => await stub(other).cursor(name)),
      );
      return { door, epoch };
    }),
  );
  for (let moved = true; moved;) {
    moved = false;
    for (const { door, epoch } of doors) {
      const next = await door.next(clock.now(), epoch, remote, 0, null);
      if (next.kind === 'idle' && next.behind !== undefined) behind++;
      if (next.kind !== 'records') continue;
      moved = true;
      for (const record of next.batch.records) got.get(remote)!.push(...samplesOf(record));
      const sent = next.batch.records.reduce((sum, record) => sum + record.samples, 0);
      expect(await door.acknowledge(clock.now(), epoch, remote, next.cursor, next.batch.upTo, { sent }, false)).toBe(
        true,
      );
    }
  }
}

/** What the live remote got, before it was moved back to the beginning and got all of it again. */
let live: PlainSample[] = [];
const AGAIN = 'live, once more,';

/** Moves a remote back in all logs, those first to which targets came, and sends between any two. */
async function replay(remote: string): Promise<void> {
  live = got.get(remote)!;
  got.set(remote, []);
  const each = async (work: (index: number) => Promise<unknown>): Promise<void> => {
    for (const index of [2, 1, 0]) await call(index, async () => await work(index));
  };
  await each(async (index) => await stub(index).hold(remote, Date.now() + 10 * MINUTE));
  await each(async (index) => {
    await stub(index).rewind(remote, null);
    await forward(remote);
  });
  await each(async (index) => await stub(index).hold(remote, 0));
}

beforeAll(async () => {
  const all = targetsWith(HOSTS);
  const left = targetsWith(GONE_FROM);
  const fetch = async (request: Request): Promise<Response> => {
    const host = numberOf(new URL(request.url).hostname);
    const nowMs = clock.now();
    if (host === HANGS) return await new Promise(() => undefined);
    await clock.sleepUntil(nowMs + latencyMs(host));
    const b = nowMs >= goesMs(host) && nowMs < comesMs(host) ? '' : 'b 2\n';
    return page(`a 1\n${b}`);
  };
  const { doors, warnings: warned } = doorsOf(clock, fetch);
  warnings = warned;
  const rounds: Promise<unknown>[] = [];
  for (let minute = 0; minute * MINUTE < END_MS; minute++) {
    await clock.advanceTo(T0 + minute * MINUTE);
    const nowMs = clock.now();
    const { placement } = PLACEMENTS.findLast(({ atMs }) => atMs <= minute * MINUTE)!;
    const targets = nowMs >= GONE_MS ? left : all;
    // What decides on the second change waits for the first.
    if (minute === 5)
      for (let index = 0; index < 3; index++)
        expect((await stub(index).load(nowMs, { index, placement: THREE })).isSettled).toBe(true);
    for (let lane = 0; lane < LANES; lane++) {
      const connections = new Connections(clock);
      for (let index = lane; index < Math.max(placement.count, placement.before); index += LANES) {
        if (index >= placement.count && nowMs >= placement.fromMs) continue;
        const own = targets.filter(
          ({ key }) => agentAt(placement, key, nowMs) === index || agentOf(key, placement.count) === index,
        );
        const plan = {
          runMs: RUN_MS,
          configVersion: 1,
          external: [],
          targets: own,
          remotes: REMOTES,
          place: { index, placement },
          takeover: takeover(
            placement,
            index,
            {
              arrived: () => flaky(index, async () => await stub(index).arrived()),
              adopt: (...args) => flaky(index, async () => await stub(index).adopt(...args)),
              settle: (...args) => flaky(index, async () => await stub(index).settle(...args)),
            },
            (other) => ({
              release: (...args) => flaky(other, async () => await stub(other).release(...args)),
              forget: (...args) => flaky(other, async () => await stub(other).forget(...args)),
            }),
          ),
        };
        rounds.push(scrapeRound(plan, forgetful(stub(index), clock), { ...doors, connections }));
      }
    }
    await forward('live');
  }
  await clock.advanceTo(T0 + END_MS + RUN_MS + MINUTE);
  await Promise.all(rounds);
  for (let i = 0; i < 3; i++) await forward('live');
  await replay('live');
  for (let i = 0; i < 3; i++) for (const remote of REMOTES) await forward(remote);
  got.set(AGAIN, got.get('live')!);
  got.set('live', live);
  for (let index = 0; index < 3; index++) {
    const report = await stub(index).report(clock.now());
    refused.push(report.scrapesRefused);
    for (const { samplesIn, samplesSent, samplesPending, samplesDropped } of report.remotes) {
      expect({ samplesPending, samplesDropped }).toEqual({ samplesPending: 0, samplesDropped: {} });
      expect(samplesSent).toBe(samplesIn);
    }
    empties.push((await stub(index).load(clock.now(), { index, placement: TWO })).isEmpty);
  }
}, 240_000);

/** All slots of a target in the test, Unix ms. */
function slots({ offsetMs }: Target, fromMs = T0, untilMs = T0 + END_MS): number[] {
  const first = Math.floor(fromMs / INTERVAL) - 1;
  const all = Array.from({ length: END_MS / INTERVAL + 3 }, (_, k) => (first + k) * INTERVAL + offsetMs);
  return all.filter((slotMs) => slotMs >= fromMs && slotMs < untilMs);
}
const of = (remote: string, host: number, name: string): PlainSample[] =>
  got
    .get(remote)!
    .filter(({ labels, t }) => labels['__name__'] === name && labels['instance'] === `h${host}:1` && t < T0 + END_MS);
const times = (samples: readonly PlainSample[]): number[] => samples.filter(({ v }) => v !== 'stale').map(({ t }) => t);
const markers = (samples: readonly PlainSample[]): number[] =>
  samples.filter(({ v }) => v === 'stale').map(({ t }) => t);

describe.each([...REMOTES, AGAIN])('what the %s remote got', (remote) => {
  const byHost = new Map(targetsWith(HOSTS).map((target) => [numberOf(target.url), target]));
  const live = [...byHost].filter(([host]) => host < GONE_FROM && host !== HANGS);

  it('each slot of each target once, in order, though most have moved', () => {
    const moved = live.filter(([, { key }]) => agentOf(key, 3) !== 0 || agentOf(key, 3) !== agentOf(key, 2));
    expect(moved.length).toBeGreaterThan(10);
    for (const [host, target] of live) expect([host, times(of(remote, host, 'a'))]).toEqual([host, slots(target)]);
    const hangs = byHost.get(HANGS)!;
    expect(of(remote, HANGS, 'up').map(({ v }) => v)).toEqual(slots(hangs).map(() => 0));
  });

  it('markers where a series vanished, and nowhere else', () => {
    for (const [host, target] of live) {
      expect([host, markers(of(remote, host, 'a'))]).toEqual([host, []]);
      for (const report of ['up', 'scrape_duration_seconds', 'scrape_series_added'])
        expect([host, markers(of(remote, host, report))]).toEqual([host, []]);
      const missing = slots(target, goesMs(host), comesMs(host));
      expect([host, markers(of(remote, host, 'b'))]).toEqual([host, [missing[0]]]);
      expect([host, times(of(remote, host, 'b'))]).toEqual([host, slots(target).filter((t) => !missing.includes(t))]);
    }
  });

  it('markers of targets that have gone, dated at the first slot that they missed', () => {
    for (let host = GONE_FROM; host < HOSTS; host++) {
      const target = byHost.get(host)!;
      // Their last run is the one before.
      const last = times(of(remote, host, 'a')).at(-1)!;
      expect(times(of(remote, host, 'a'))).toEqual(slots(target, T0, last + 1));
      for (const name of ['a', 'b', 'up'])
        expect([host, markers(of(remote, host, name))]).toEqual([host, [last + INTERVAL]]);
    }
  });

  it('each series in the order of time', () => {
    const newest = new Map<string, number>();
    for (const { labels, t } of got.get(remote)!) {
      const series = JSON.stringify(labels);
      expect(t).toBeGreaterThan(newest.get(series) ?? 0);
      newest.set(series, t);
    }
  });
});

it('nothing was refused but what another run had begun, and nobody had to be warned', () => {
  expect(warnings.filter((message) => !message.endsWith('Error: lost'))).toEqual([]);
  expect(warnings.length).toBeGreaterThan(0);
  for (const reasons of refused)
    expect(Object.keys(reasons).filter((reason) => reason !== 'slot of another run')).toEqual([]);
});

it('the order had to be kept up, and the agent without targets has nothing left', () => {
  expect(behind).toBeGreaterThan(0);
  expect(empties).toEqual([false, false, true]);
});
