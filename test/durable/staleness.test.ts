/**
 * Stale markers as Prometheus has them (scrape/scrape.go), with an agent that sleeps before every call: whatever decides on them must have
 * been stored. One simulated world, with a configuration that changes twice.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import { targetsOf } from '../../src/discovery/targets.ts';
import { RUN_MS, scrapeRound } from '../../src/scrape/round.ts';
import type { Target } from '../../src/scrape/target.ts';
import { SimClock } from '../sim/clock.ts';
import type { PlainSample } from './log-reader.ts';
import { bindings, configOf, doorsOf, drained, forgetful, page, T0 } from './simulated.ts';

const INTERVAL = 15_000;

const VERSIONS = [
  { atMs: 0, targets: ['steady', 'vanish', 'fails', 'stamped', 'gone', 'back', 'moves'], zone: 'old' },
  { atMs: 60_000, targets: ['steady', 'vanish', 'fails', 'stamped', 'moves'], zone: 'new' },
  // A reload, sooner than two intervals after.
  { atMs: 80_000, targets: ['steady', 'vanish', 'fails', 'stamped', 'back', 'moves'], zone: 'new' },
  { atMs: 140_000, targets: ['steady', 'vanish', 'fails', 'stamped', 'back', 'moves'], zone: 'new' },
];
const END_MS = 180_000;

const config = ({ targets, zone }: (typeof VERSIONS)[number]): string => `
scrape_configs:
  - job_name: sim
    scrape_interval: 15s
    static_configs:
      - targets: [${targets.filter((name) => name !== 'moves').join(', ')}]
      - targets: [moves]
        labels: { zone: ${zone} }
`;

/** What a target answers, `atMs` after the start. */
function answer(name: string, atMs: number, nowMs: number): Response {
  if (name === 'fails' && atMs >= 40_000 && atMs < 90_000) return new Response('no', { status: 503 });
  const often = name === 'vanish' && atMs >= 40_000 && atMs < 90_000 ? '' : 'b 2\n';
  const body = name === 'stamped' ? (atMs < 40_000 ? `a 1\nb 2 ${nowMs - 500}\n` : 'a 1\n') : `a 1\n${often}`;
  return page(body);
}

let samples: PlainSample[] = [];
const byName = new Map<string, Target>();

beforeAll(async () => {
  const clock = new SimClock(T0);
  const stub = bindings.AGENT.getByName('staleness');
  const agent = forgetful(stub, clock);
  const fetch = async (request: Request): Promise<Response> => {
    const answered = answer(new URL(request.url).hostname, clock.now() - T0, clock.now());
    await clock.sleepUntil(clock.now() + 20);
    return answered;
  };
  const { doors, warnings } = doorsOf(clock, fetch);
  const rounds: Promise<unknown>[] = [];
  for (const [i, version] of VERSIONS.entries()) {
    const targets = targetsOf(configOf(config(version)));
    for (const target of targets) byName.set(`${new URL(target.url).hostname} ${version.zone}`, target);
    await clock.advanceTo(T0 + version.atMs);
    const plan = { runMs: RUN_MS, configVersion: i + 1, external: [], targets, remotes: ['sink'] };
    rounds.push(scrapeRound(plan, agent, doors));
  }
  await clock.advanceTo(T0 + END_MS + RUN_MS);
  await Promise.all(rounds);
  expect(warnings).toEqual([]);

  samples = (await drained(stub, clock.now())).filter(({ t }) => t < T0 + END_MS);
}, 60_000);

const of = (instance: string, name: string, zone?: string): PlainSample[] =>
  samples.filter(
    ({ labels }) => labels['instance'] === instance && labels['__name__'] === name && labels['zone'] === zone,
  );
const stale = (some: readonly PlainSample[]): number[] => some.filter(({ v }) => v === 'stale').map(({ t }) => t - T0);
const REPORTS = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
];

/** The first slot of a target at or after `fromMs` from the start, as ms from the start. */
function slotAfter(target: Target, fromMs: number): number {
  const first = (((target.offsetMs - T0) % INTERVAL) + INTERVAL) % INTERVAL;
  return first + Math.max(0, Math.ceil((fromMs - first) / INTERVAL)) * INTERVAL;
}

describe('stale markers, through sleep and changes of the configuration', () => {
  it('a steady target has none, and a slot is never missing', () => {
    const times = of('steady', 'a').map(({ t }) => t - T0);
    expect(stale(of('steady', 'a'))).toEqual([]);
    const first = slotAfter(byName.get('steady old')!, 0);
    expect(times).toEqual(Array.from({ length: times.length }, (_, i) => first + i * INTERVAL));
    expect(times.length).toBe(END_MS / INTERVAL);
  });

  it('a series that vanishes has one, in the first scrape without it, and comes back', () => {
    const at = slotAfter(byName.get('vanish old')!, 40_000);
    expect(stale(of('vanish', 'b'))).toEqual([at]);
    const after = of('vanish', 'b').filter(({ t, v }) => v !== 'stale' && t - T0 > at);
    expect(after[0]!.t - T0).toBe(slotAfter(byName.get('vanish old')!, 90_000));
    expect(stale(of('vanish', 'a'))).toEqual([]);
  });

  it('a target that fails has one for each of its series, in its first failure, and none for its report', () => {
    const target = byName.get('fails old')!;
    const at = slotAfter(target, 40_000);
    expect([stale(of('fails', 'a')), stale(of('fails', 'b'))]).toEqual([[at], [at]]);
    for (const name of REPORTS) expect(stale(of('fails', name))).toEqual([]);
    const down = of('fails', 'up').filter(({ v }) => v === 0);
    expect(down[0]!.t - T0).toBe(at);
    expect(of('fails', 'a').findLast(({ v }) => v === 1)!.t).toBeGreaterThan(T0 + 90_000);
  });

  it('a series with timestamps of its own has none', () => {
    expect(of('stamped', 'b').length).toBeGreaterThan(0);
    expect(stale(of('stamped', 'b'))).toEqual([]);
  });

  it('a target that is removed has one for each series, its report too, dated at the first slot that it missed', () => {
    const missed = slotAfter(byName.get('gone old')!, 60_000);
    for (const name of ['a', 'b', ...REPORTS]) expect([name, stale(of('gone', name))]).toEqual([name, [missed]]);
    expect(of('gone', 'a').at(-1)!.v).toBe('stale');
  });

  it('a target that is back within two intervals has none', () => {
    for (const name of ['a', 'b', ...REPORTS]) expect([name, stale(of('back', name))]).toEqual([name, []]);
    expect(of('back', 'a').at(-1)!.t - T0).toBeGreaterThan(END_MS - 2 * INTERVAL);
    expect(of('back', 'a').length).toBeLessThan(END_MS / INTERVAL);
  });

  it('a target with other labels is another: the old one ends, the new one begins', () => {
    const missed = slotAfter(byName.get('moves old')!, 60_000);
    for (const name of ['a', 'b', ...REPORTS]) {
      expect([name, stale(of('moves', name, 'old'))]).toEqual([name, [missed]]);
      expect([name, stale(of('moves', name, 'new'))]).toEqual([name, []]);
    }
    expect(of('moves', 'a', 'new')[0]!.t - T0).toBe(slotAfter(byName.get('moves new')!, 60_000));
  });

  it('no marker is older than the last sample before it', () => {
    const last = new Map<string, number>();
    for (const { labels, t, v } of samples) {
      const series = JSON.stringify(labels);
      if (v === 'stale') expect(t).toBeGreaterThan(last.get(series)!);
      last.set(series, Math.max(t, last.get(series) ?? 0));
    }
  });
});
