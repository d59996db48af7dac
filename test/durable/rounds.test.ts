import { describe, expect, it } from 'vitest';
import { targetsOf } from '../../src/discovery/targets.ts';
import { RUN_MS, scrapeRound } from '../../src/scrape/round.ts';
import { SimClock } from '../sim/clock.ts';
import type { PlainSample } from './log-reader.ts';
import { bindings, configOf, doorsOf, drained, forgetful, page, T0 } from './simulated.ts';

interface World {
  readonly name: string;
  readonly interval: string;
  readonly timeout?: string;
  /** When cron fires, ms after the start. */
  readonly crons: readonly number[];
  /** How long a target takes to answer, ms. */
  readonly latencyMs?: number;
  readonly untilMs: number;
}

/** Runs a deployment of four targets under a cron table and returns all samples in the log, and what was refused. */
async function simulate(world: World): Promise<{
  samples: PlainSample[];
  refused: Record<string, number>;
  offsets: Map<string, number>;
  intervalMs: number;
}> {
  const clock = new SimClock(T0);
  const stub = bindings.AGENT.getByName(world.name);
  const config = configOf(`
scrape_configs:
  - job_name: sim
    scrape_interval: ${world.interval}
    ${world.timeout === undefined ? '' : `scrape_timeout: ${world.timeout}`}
    static_configs: [{ targets: ['a:1', 'b:1', 'c:1', 'd:1'] }]
remote_write: [{ url: 'http://sink/' }]
`);
  const targets = targetsOf(config);
  const fetch = async (): Promise<Response> => {
    await clock.sleepUntil(clock.now() + (world.latencyMs ?? 20));
    return page('metric 1\n');
  };
  const { doors, warnings } = doorsOf(clock, fetch);
  const plan = { runMs: RUN_MS, configVersion: 1, external: [], targets, remotes: ['sink'] };
  const agent = forgetful(stub, clock);
  const rounds: Promise<unknown>[] = [];
  for (const at of world.crons) {
    await clock.advanceTo(T0 + at);
    rounds.push(scrapeRound(plan, agent, doors));
  }
  await clock.advanceTo(T0 + world.untilMs + 160_000);
  await Promise.all(rounds);
  expect(warnings).toEqual([]);

  const samples = await drained(stub, clock.now());
  const report = await stub.report(clock.now());
  expect(report.remotes[0]).toMatchObject({ samplesPending: 0, samplesDropped: {}, samplesSent: samples.length });
  return {
    samples,
    refused: { ...report.scrapesRefused },
    offsets: new Map(
      targets.map((target) => [target.labels.find((l) => l.name === 'instance')!.value, target.offsetMs]),
    ),
    intervalMs: targets[0]!.intervalMs,
  };
}

/** All slots of a target from the first run on until `untilMs`, Unix ms. */
function slots(offsetMs: number, intervalMs: number, fromMs: number, untilMs: number): number[] {
  const out = [];
  for (let k = Math.floor(fromMs / intervalMs) - 1; k * intervalMs + offsetMs < untilMs; k++) {
    if (k * intervalMs + offsetMs >= fromMs) out.push(k * intervalMs + offsetMs);
  }
  return out;
}

const MINUTE = 60_000;
const every = (...minutes: number[]): number[] => minutes.map((minute) => minute * MINUTE);

describe('no slot twice in the log, none missing', () => {
  const late = { table: 'late by 45 s', crons: [0, MINUTE, 2 * MINUTE + 45_000, 3 * MINUTE] };
  const missed = { table: 'missed', crons: every(0, 1, 3) };
  const doubled = { table: 'doubled', crons: [0, MINUTE, MINUTE, 2 * MINUTE, 2 * MINUTE + 40, 3 * MINUTE] };
  const odd = { table: 'at odd moments', crons: [0, 61_234, 119_001, 183_777] };
  // Fast targets under every table; slow ones where runs overlap while scrapes are under way.
  for (const { interval, latencyMs, tables } of [
    { interval: '5s', latencyMs: 20, tables: [late, missed, doubled, odd] },
    { interval: '5s', latencyMs: 4_700, tables: [doubled, odd] },
    { interval: '15s', latencyMs: 20, tables: [late, missed, doubled] },
    { interval: '15s', latencyMs: 9_500, tables: [doubled, odd] },
    { interval: '60s', latencyMs: 20, tables: [late, missed, doubled] },
  ]) {
    it.each(tables)(`${interval}, answering in ${latencyMs} ms, cron $table`, async ({ table, crons }) => {
      const untilMs = 4 * MINUTE;
      const { samples, offsets, intervalMs, refused } = await simulate({
        name: `${interval} ${latencyMs} ${table}`,
        interval,
        ...(interval === '5s' ? { timeout: '5s' } : {}),
        crons,
        latencyMs,
        untilMs,
      });
      for (const [instance, offsetMs] of offsets) {
        const times = samples
          .filter((s) => s.labels['__name__'] === 'metric' && s.labels['instance'] === instance)
          .map((s) => s.t);
        const expected = slots(offsetMs, intervalMs, T0, T0 + untilMs);
        expect(times.slice(0, expected.length)).toEqual(expected);
        expect(new Set(times).size).toBe(times.length);
      }
      // What a run began after it was relieved is refused, not logged twice; nothing is refused as older than what is there.
      expect(Object.keys(refused).filter((reason) => reason !== 'slot of another run')).toEqual([]);
      expect(samples.filter((s) => s.v === 'stale')).toEqual([]);
    });
  }
});
