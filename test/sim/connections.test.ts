/**
 * Hundreds of targets of which some hang, over the six connections of an invocation, on the simulated clock and network. What is shown: targets that
 * hang do not delay those that answer; every slot has its `up`; who comes back is found again; and what lanes cost.
 */

import { describe, expect, it } from 'vitest';
import { scrapeConfig } from '../scrape/page/configs.ts';
import { targetsOf } from '../../src/discovery/targets.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { type AgentDoor, RUN_MS, type Scraped, scrapeRound } from '../../src/scrape/round.ts';
import { agentOf } from '../../src/scrape/placement/placement.ts';
import type { Standing } from '../../src/scrape/standing.ts';
import { standingOf } from '../../src/scrape/standing.ts';
import type { Target } from '../../src/scrape/target.ts';
import { Rng } from '../encoding/damage.ts';
import { SimClock } from './clock.ts';
import { type Host, Network } from './network.ts';

const T0 = Date.UTC(2026, 10, 22, 12);
const MINUTE = 60_000;
const INTERVAL = 15_000;
const TIMEOUT = 10_000;

interface World {
  readonly seed: number;
  readonly targets: number;
  readonly lanes: number;
  readonly minutes: number;
  /** How long a host that answers takes, ms: most about this, one of fifty ten times as long. */
  readonly latencyMs: number;
  /** Whether the host of this number hangs now, `atMs` after the start. */
  readonly hangs: (host: number, atMs: number) => boolean;
}

interface Outcome {
  readonly scrapes: readonly Scraped[];
  /** By host. */
  readonly asked: ReadonlyMap<number, readonly number[]>;
  readonly flushes: number;
  readonly hostOf: (target: string) => number;
}

/** Runs each minute on each lane, which has one agent. */
async function simulate(world: World): Promise<Outcome> {
  const rng = new Rng(world.seed);
  const chance = (): number => rng.next() / 2 ** 32;
  const clock = new SimClock(T0, 1);
  const config = scrapeConfig({
    scrapeIntervalMs: INTERVAL,
    scrapeTimeoutMs: TIMEOUT,
    staticConfigs: [{ targets: Array.from({ length: world.targets }, (_, i) => `h${i}.test:80`), labels: [] }],
  });
  const targets = targetsOf({ externalLabels: [], remoteWrites: [], scrapeConfigs: [config] });
  const numbers = new Map(targets.map(({ key, url }) => [key, Number(/h(\d+)/.exec(url)![1])]));
  const host = (hostname: string): Host => {
    const number = Number(/h(\d+)/.exec(hostname)![1]);
    return (nowMs) => {
      if (world.hangs(number, nowMs - T0)) return Infinity;
      const most = world.latencyMs * (0.5 + chance());
      return chance() < 0.02 ? 10 * most : most;
    };
  };
  const taken: Scraped[] = [];
  const asked = new Map<number, number[]>();
  let flushes = 0;
  const agents = Array.from({ length: world.lanes }, () => new MemoryAgent());
  const rounds: Promise<unknown>[] = [];
  const networks: Network[] = [];
  for (let minute = 0; minute < world.minutes; minute++) {
    await clock.advanceTo(T0 + minute * MINUTE);
    for (const [lane, agent] of agents.entries()) {
      const network = new Network(clock, host);
      networks.push(network);
      const doors = {
        clock,
        network: network.fetch,
        route: () => network.fetch,
        connections: new Connections(clock),
        tokens: new Map(),
        userAgent: 'sim',
        bodyBytesMax: 1e6,
        warn: (message: string) => expect(message).toBe(''),
      };
      const own = targets.filter(({ key }) => agentOf(key, world.lanes) === lane);
      rounds.push(
        scrapeRound({ runMs: RUN_MS, configVersion: 1, external: [], targets: own, remotes: [] }, agent, doors),
      );
    }
  }
  // What is looked at has ended: one more baton, and the last runs end too.
  const endMs = T0 + world.minutes * MINUTE;
  await clock.advanceTo(endMs);
  for (const agent of agents) void agent.takeBaton(endMs);
  await clock.advanceTo(endMs + RUN_MS);
  await Promise.all(rounds);
  for (const network of networks) {
    expect(network.queued).toBe(0);
    for (const [hostname, times] of network.asked) {
      const number = Number(/h(\d+)/.exec(hostname)![1]);
      asked.set(
        number,
        [...(asked.get(number) ?? []), ...times].sort((a, b) => a - b),
      );
    }
  }
  for (const agent of agents) {
    flushes += agent.flushes;
    taken.push(...agent.taken.filter(({ result }) => result.slotMs < endMs));
  }
  checkSlots(targets, taken, world.minutes);
  return { scrapes: taken, asked, flushes, hostOf: (key) => numbers.get(key)! };
}

/** Every slot of every target has one scrape, and time goes forward. */
function checkSlots(targets: readonly Target[], scrapes: Outcome['scrapes'], minutes: number): void {
  const byKey = Map.groupBy(scrapes, ({ key }) => key);
  for (const { key } of targets) {
    const own = byKey.get(key)!.map(({ result }) => result);
    expect(own.length).toBe((minutes * MINUTE) / INTERVAL);
    const wrong = own.findIndex(({ slotMs, timestampMs }, i) => {
      if (i === 0) return false;
      return slotMs !== own[i - 1]!.slotMs + INTERVAL || timestampMs <= own[i - 1]!.timestampMs;
    });
    expect(wrong, `${key}: ${JSON.stringify(own.slice(wrong - 1, wrong + 1))}`).toBe(-1);
  }
}

/** The agent as far as the run can see it. */
class MemoryAgent implements AgentDoor {
  readonly taken: Scraped[] = [];
  flushes = 0;
  #runs: number[] = [];
  readonly #standings = new Map<string, Standing>();
  readonly #slots = new Map<string, number>();

  async takeBaton(nowMs: number) {
    this.#runs.push(nowMs);
    return { epoch: this.#runs.length - 1, standings: Object.fromEntries(this.#standings) };
  }

  async append(nowMs: number, epoch: number, _external: unknown, scrapes: readonly Scraped[]) {
    this.flushes++;
    const untilMs = this.#runs[epoch + 1] ?? Infinity;
    for (const scrape of scrapes) {
      const { slotMs, timestampMs, durationMs, error } = scrape.result;
      if (slotMs < this.#runs[epoch]! || slotMs >= untilMs) continue;
      const before = this.#slots.get(scrape.key) ?? 0;
      if (slotMs <= before || nowMs - slotMs > TIMEOUT + 5_500)
        throw new Error(`${scrape.key}: slot ${slotMs} after ${before}, handed in at ${nowMs}`);
      this.#slots.set(scrape.key, slotMs);
      const journal = { slotMs, timestampMs, durationMs, samples: 1, error };
      this.#standings.set(
        scrape.key,
        standingOf(scrape.hung === undefined ? journal : { ...journal, hung: scrape.hung }),
      );
      this.taken.push(scrape);
    }
    return { ownedUntilMs: untilMs === Infinity ? null : untilMs, wantedVersion: 1 };
  }

  async retarget() {
    return { ownedUntilMs: null, wantedVersion: 1 };
  }
}

/** How late scrapes began, ms, sorted: beyond the tolerance a timestamp is the true start. */
const lateness = (scrapes: Outcome['scrapes']): number[] =>
  scrapes.map(({ result }) => result.timestampMs - result.slotMs).sort((a, b) => a - b);
const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
const rounded = (ms: number): number => Math.round(ms);
const spread = (sorted: readonly number[]): string =>
  `p50 ${rounded(quantile(sorted, 0.5))} ms, p99 ${rounded(quantile(sorted, 0.99))} ms, max ${rounded(sorted.at(-1) ?? 0)} ms`;

/** What agents and lanes cost a month beyond what every deployment has (Cloudflare's list prices: a row $1.00/M, a request of an object $0.15/M, of a Worker $0.30/M). */
function costs(lanes: number, flushesAMinute: number, remotes: number): string {
  const minutes = 30 * 24 * 60;
  // A row a flush and, once sent, its end; the baton and the alarm each minute; an acknowledgement a flush and remote.
  const rows = minutes * (flushesAMinute * (2 + remotes) + 2 * lanes);
  const requests = minutes * (flushesAMinute * (1 + 2 * remotes) + 2 * lanes);
  const dollars = (rows * 1.0 + requests * 0.15 + minutes * lanes * 0.3) / 1e6;
  return `${(rows / 1e6).toFixed(2)} M rows, ${(requests / 1e6).toFixed(2)} M requests to objects, ${minutes * lanes} invocations: $${dollars.toFixed(2)} a month`;
}

it('5,000 targets every 15 s, of which 10 % hang, over eight lanes', { timeout: 300_000 }, async () => {
  const hangs = (host: number): boolean => host % 10 === 3;
  const minutes = 2;
  const { scrapes, flushes, hostOf } = await simulate({
    seed: 4,
    targets: 5_000,
    lanes: 8,
    minutes,
    latencyMs: 60,
    hangs,
  });
  const live = scrapes.filter(({ key, result }) => !hangs(hostOf(key)) && result.slotMs >= T0 + MINUTE);
  const late = lateness(live);
  console.log(`5,000 targets, 8 lanes, 8 agents: ${spread(late)} late; ${costs(8, flushes / minutes, 1)}`);
  expect(live.filter(({ result }) => result.error !== null)).toEqual([]);
  expect(late.at(-1)).toBeLessThanOrEqual(1_000);
});

describe('500 targets every 15 s, of which 10 % hang until the timeout', () => {
  const hangs = (host: number): boolean => host % 10 === 3;

  it.each([
    { lanes: 1, latencyMs: 60 },
    { lanes: 2, latencyMs: 100 },
  ])(
    'those that answer in about $latencyMs ms are scraped within 1 s, over $lanes lanes',
    async ({ lanes, latencyMs }) => {
      const minutes = 5;
      const { scrapes, asked, flushes, hostOf } = await simulate({
        seed: 1,
        targets: 500,
        lanes,
        minutes,
        latencyMs,
        hangs,
      });
      // At first nobody knows who hangs.
      const settled = scrapes.filter(({ result }) => result.slotMs >= T0 + MINUTE);
      const live = settled.filter(({ key }) => !hangs(hostOf(key)));
      const late = lateness(live);
      const first = lateness(scrapes.filter(({ key, result }) => !hangs(hostOf(key)) && result.slotMs < T0 + MINUTE));
      const gaps = [...asked]
        .filter(([host]) => hangs(host))
        .flatMap(([, times]) => times.slice(1).map((t, i) => t - times[i]!));
      console.log(
        `${lanes} lane(s), answers in ${latencyMs} ms: ${spread(late)} late (in the first minute ${spread(first)}); one that hangs is asked ` +
          `every ${Math.round(gaps.reduce((a, b) => a + b, 0) / gaps.length / 1000)} s, at the most ${Math.max(...gaps) / 1000} s; ` +
          costs(lanes, flushes / minutes, 1),
      );
      expect(live.filter(({ result }) => result.error !== null)).toEqual([]);
      expect(late.at(-1)).toBeLessThanOrEqual(1_000);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * MINUTE);
    },
  );

  it('a target that comes back is found again', async () => {
    const backMs = 2 * MINUTE;
    const { scrapes, hostOf } = await simulate({
      seed: 2,
      targets: 500,
      lanes: 1,
      minutes: 5,
      latencyMs: 60,
      hangs: (host, atMs) => hangs(host) && (host !== 3 || atMs < backMs),
    });
    const own = scrapes.filter(({ key }) => hostOf(key) === 3);
    const up = own.find(({ result }) => result.error === null)!;
    console.log(`found again ${(up.result.timestampMs - T0 - backMs) / 1000} s after it came back`);
    expect(up.result.timestampMs).toBeLessThanOrEqual(T0 + backMs + 90_000);
    expect(own.slice(own.indexOf(up)).filter(({ result }) => result.error !== null)).toEqual([]);
  });
});

it('50 of 500 begin to hang at once: the others are on time again within an interval', async () => {
  const fromMs = 90_000;
  const hangs = (host: number): boolean => host % 10 === 3;
  const { scrapes, hostOf } = await simulate({
    seed: 3,
    targets: 500,
    lanes: 1,
    minutes: 4,
    latencyMs: 60,
    hangs: (host, atMs) => hangs(host) && atMs >= fromMs,
  });
  const live = scrapes.filter(({ key }) => !hangs(hostOf(key)));
  const during = live.filter(({ result }) => result.slotMs >= T0 + fromMs && result.slotMs < T0 + fromMs + INTERVAL);
  const after = live.filter(({ result }) => result.slotMs >= T0 + fromMs + INTERVAL);
  console.log(
    `in the interval in which they begin to hang: ${spread(lateness(during))}; after it: ${spread(lateness(after))}`,
  );
  expect(quantile(lateness(during), 0.95)).toBeLessThanOrEqual(1_000);
  expect(lateness(after).at(-1)).toBeLessThanOrEqual(1_000);
  expect(live.filter(({ result }) => result.error !== null)).toEqual([]);
});
