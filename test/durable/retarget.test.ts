import { expect, it } from 'vitest';
import { labelsOf } from '../../src/discovery/group.ts';
import { targetsOf } from '../../src/discovery/targets.ts';
import { scrapeRound } from '../../src/scrape/round.ts';
import type { Target } from '../../src/scrape/target.ts';
import { SimClock } from '../sim/clock.ts';
import type { PlainSample } from './log-reader.ts';
import { bindings, configOf, doorsOf, drained, forgetful, page, T0 } from './simulated.ts';

const config = configOf('scrape_configs: [{ job_name: j, scrape_interval: 5s, scrape_timeout: 5s }]');

const targets = (...hosts: string[]): readonly Target[] =>
  targetsOf(
    config,
    new Map([['j', [{ source: '', labels: [], targets: hosts.map((host) => labelsOf({ __address__: host })) }]]]),
  );

/** One run of two minutes whose targets change: at these times, ms from its start, they become these. */
async function run(name: string, first: readonly Target[], changes: readonly [atMs: number, now: readonly Target[]][]) {
  const clock = new SimClock(T0);
  const stub = bindings.AGENT.getByName(name);
  const agent = forgetful(stub, clock);
  const fetch = async (): Promise<Response> => {
    await clock.sleepUntil(clock.now() + 900);
    return page('metric 1\n');
  };
  let changed: (now: readonly Target[]) => void = () => undefined;
  const plan = { runMs: 120_000, configVersion: 1, external: [], targets: first, remotes: ['sink'] };
  const { doors } = doorsOf(clock, fetch);
  const round = scrapeRound({ ...plan, listen: (listener) => (changed = listener) }, agent, doors);
  for (const [atMs, now] of changes) {
    await clock.advanceTo(T0 + atMs);
    changed(now);
  }
  await clock.advanceTo(T0 + 140_000);
  expect(await round).toBe('time is up');
  // The next run's baton ends what is gone for long enough.
  const last = (changes.at(-1)?.[1] ?? first).map((target) => target.key);
  await agent.takeBaton(clock.now(), { configVersion: 1, targets: last, remotes: ['sink'] });

  const samples = await drained(stub, clock.now());
  const of = (host: string) =>
    samples.filter((s) => s.labels['__name__'] === 'metric' && s.labels['instance'] === host).sort((a, b) => a.t - b.t);
  return { of, refused: (await stub.report(clock.now())).scrapesRefused };
}

const times = (samples: readonly PlainSample[]) => samples.filter((s) => s.v !== 'stale').map((s) => s.t);
const slots = (target: Target, fromMs: number, untilMs: number) =>
  Array.from({ length: 100 }, (_, k) => Math.floor(T0 / 5000 - 2 + k) * 5000 + target.offsetMs).filter(
    (t) => t >= T0 + fromMs && t < T0 + untilMs,
  );

it('a run takes over other targets: those that stay lose no slot, those that are gone end', async () => {
  const before = targets('stays:1', 'goes:1');
  const after = targets('stays:1', 'comes:1');
  const { of, refused } = await run('retarget', before, [[42_100, after]]);
  expect(refused).toEqual({});
  expect(times(of('stays:1'))).toEqual(slots(before[0]!, 0, 120_000));
  expect(of('stays:1').filter((s) => s.v === 'stale')).toEqual([]);

  const came = times(of('comes:1'));
  expect(came).toEqual(slots(after[1]!, 0, 120_000).filter((t) => t >= came[0]!));
  expect(came[0]!).toBeLessThanOrEqual(T0 + 42_100 + 1_000 + 5_000);

  const gone = of('goes:1');
  expect(gone.at(-1)!.v).toBe('stale');
  expect(gone.filter((s) => s.v === 'stale')).toHaveLength(1);
  // What had begun before is kept, what ended after is not; the marker has the time of the first slot that was missed.
  const kept = slots(before[1]!, 0, 120_000).slice(0, gone.length);
  expect(gone.map((s) => s.t)).toEqual(kept);
  expect(gone.at(-1)!.t).toBeGreaterThan(T0 + 42_100 - 1_000);
  expect(gone.at(-1)!.t).toBeLessThanOrEqual(T0 + 42_100 + 5_000);
});

it('targets may come to a run that had none, go, and come again', async () => {
  const some = targets('a:1');
  const { of, refused } = await run(
    'retarget from nothing',
    [],
    [
      [10_000, some],
      [60_000, []],
      [80_000, some],
    ],
  );
  expect(refused).toEqual({});
  const all = of('a:1');
  expect(times(all)).toEqual([...slots(some[0]!, 10_000, 59_000), ...slots(some[0]!, 80_000, 120_000)]);
});

it('a run that was relieved takes nothing away', async () => {
  const stub = bindings.AGENT.getByName('relieved');
  const plan = { configVersion: 3, targets: ['k'], remotes: ['sink'] };
  const { epoch } = await stub.takeBaton(T0, plan);
  expect(await stub.retarget(T0 + 1, epoch, 3, ['k'])).toEqual({ ownedUntilMs: null, wantedVersion: 3 });
  await stub.takeBaton(T0 + 60_000, plan);
  expect(await stub.retarget(T0 + 61_000, epoch, 3, [])).toEqual({ ownedUntilMs: T0 + 60_000, wantedVersion: 3 });
});
