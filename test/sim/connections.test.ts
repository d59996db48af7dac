/**
 * Hundreds of targets of which some hang, over the six connections of an invocation, on the simulated clock and network. What is shown: targets that
 * hang do not delay those that answer, also when nobody knows yet who hangs; every slot has its `up`; who comes back is found again; one that is slow is left
 * alone; and what lanes cost. The agent remembers only what is stored, as after an eviction before every call.
 */

import { describe, expect, it } from 'vitest';
import { scrapeConfig } from '../scrape/page/configs.ts';
import { targetsOf } from '../../src/discovery/targets.ts';
import type { Clock } from '../../src/model/doors.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { enter } from '../../src/scrape/journal.ts';
import { decodeJournal, encodeJournal } from '../../src/scrape/journal-codec.ts';
import { type AgentDoor, RUN_MS, type Scraped, scrapeRound } from '../../src/scrape/round.ts';
import { agentOf } from '../../src/scrape/placement/placement.ts';
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
  /** Hosts that always take about so long. */
  readonly slow?: { readonly hosts: readonly number[]; readonly ms: number };
  /** When what runs is lost, with all that it remembers, as at a deploy; ms after the start. The next cron goes on. */
  readonly lostAtMs?: number;
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
      if (world.slow?.hosts.includes(number)) return world.slow.ms * (0.8 + 0.4 * chance());
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
  const { lostAtMs = Infinity } = world;
  const lost = clock.sleepUntil(T0 + Math.min(lostAtMs, 1e9));
  for (let minute = 0; minute < world.minutes; minute++) {
    await clock.advanceTo(T0 + minute * MINUTE);
    for (const [lane, agent] of agents.entries()) {
      const network = new Network(clock, host);
      networks.push(network);
      const isLost = (): boolean => minute * MINUTE < lostAtMs && clock.now() >= T0 + lostAtMs;
      const own: Clock = {
        now: () => clock.now(),
        sleepUntil: (atMs) => new Promise((wake) => void clock.sleepUntil(atMs).then(() => isLost() || wake())),
      };
      const door: AgentDoor = {
        takeBaton: (nowMs) => agent.takeBaton(nowMs),
        append: async (...flush) => await (isLost() ? NEVER : agent.append(...flush)),
        retarget: () => agent.retarget(),
      };
      const doors = {
        clock: own,
        network: network.fetch,
        route: () => network.fetch,
        connections: new Connections(own),
        tokens: new Map(),
        userAgent: 'sim',
        bodyBytesMax: 1e6,
        warn: (message: string) => expect(message).toBe(''),
      };
      const its = targets.filter(({ key }) => agentOf(key, world.lanes) === lane);
      const plan = { runMs: RUN_MS, configVersion: 1, external: [], targets: its, remotes: [] };
      const round = scrapeRound(plan, door, doors);
      rounds.push(minute * MINUTE < lostAtMs ? Promise.race([round, lost]) : round);
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
  if (world.lostAtMs === undefined) checkSlots(targets, taken, world.minutes);
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

const NEVER = new Promise<never>(() => undefined);
const NO_TALLY = { limit: null, duplicates: 0, outOfBounds: 0, exemplars: 0 };

/** The agent as far as the run can see it. */
class MemoryAgent implements AgentDoor {
  readonly taken: Scraped[] = [];
  flushes = 0;
  #runs: number[] = [];
  #journal = encodeJournal(decodeJournal(null));

  async takeBaton(nowMs: number) {
    this.#runs.push(nowMs);
    const { targets } = decodeJournal(this.#journal);
    const standings = Object.fromEntries(Object.entries(targets).map(([key, last]) => [key, standingOf(last)]));
    return { epoch: this.#runs.length - 1, standings };
  }

  async append(nowMs: number, epoch: number, _external: unknown, scrapes: readonly Scraped[]) {
    this.flushes++;
    const untilMs = this.#runs[epoch + 1] ?? Infinity;
    const journal = decodeJournal(this.#journal);
    for (const scrape of scrapes) {
      const { slotMs, timestampMs, durationMs, error } = scrape.result;
      if (slotMs < this.#runs[epoch]! || slotMs >= untilMs) continue;
      const before = journal.targets[scrape.key]?.slotMs ?? 0;
      if (slotMs <= before || nowMs - slotMs > TIMEOUT + 5_500)
        throw new Error(`${scrape.key}: slot ${slotMs} after ${before}, handed in at ${nowMs}`);
      const last = { slotMs, timestampMs, durationMs, samples: 1, error };
      enter(journal, scrape.key, scrape.hung === undefined ? last : { ...last, hung: scrape.hung }, NO_TALLY);
      this.taken.push(scrape);
    }
    this.#journal = encodeJournal(journal);
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

const hangs = (host: number): boolean => host % 10 === 3;
/** What must hold of live targets: they answer, and in time. */
function expectInTime(live: Outcome['scrapes']): void {
  expect(live.filter(({ result }) => result.error !== null)).toEqual([]);
  expect(lateness(live).at(-1)).toBeLessThanOrEqual(1_000);
}
const between = (scrapes: Outcome['scrapes'], fromMs: number, untilMs: number): Outcome['scrapes'] =>
  scrapes.filter(({ result }) => result.slotMs >= T0 + fromMs && result.slotMs < T0 + untilMs);

it('5,000 targets every 15 s, of which 10 % hang, over eight lanes', { timeout: 300_000 }, async () => {
  const minutes = 2;
  const world = { seed: 4, targets: 5_000, lanes: 8, minutes, latencyMs: 60, hangs };
  const { scrapes, flushes, hostOf } = await simulate(world);
  const live = scrapes.filter(({ key }) => !hangs(hostOf(key)));
  const [first, later] = [between(live, 0, MINUTE), between(live, MINUTE, Infinity)];
  console.log(
    `5,000 targets, 8 lanes, 8 agents: ${spread(lateness(later))} late, in the first minute ${spread(lateness(first))}; ${costs(8, flushes / minutes, 1)}`,
  );
  expectInTime(later);
  // 625 a lane are more than it takes when nobody knows who hangs.
  expect(first.filter(({ result }) => result.error !== null).length).toBeLessThanOrEqual(first.length / 1_000);
  expect(quantile(lateness(first), 0.99)).toBeLessThanOrEqual(1_000);
});

describe('500 targets every 15 s, of which 10 % hang until the timeout', () => {
  it.each([
    { lanes: 1, latencyMs: 60 },
    { lanes: 2, latencyMs: 100 },
  ])(
    'those that answer in about $latencyMs ms are scraped within 1 s, from the beginning on, over $lanes lanes',
    async ({ lanes, latencyMs }) => {
      const minutes = 5;
      const world = { seed: 1, targets: 500, lanes, minutes, latencyMs, hangs };
      const { scrapes, asked, flushes, hostOf } = await simulate(world);
      const live = scrapes.filter(({ key }) => !hangs(hostOf(key)));
      const requests = [...asked].filter(([host]) => !hangs(host)).reduce((sum, [, times]) => sum + times.length, 0);
      const gaps = [...asked]
        .filter(([host]) => hangs(host))
        .flatMap(([, times]) => times.slice(1).map((t, i) => t - times[i]!));
      console.log(
        `${lanes} lane(s), answers in ${latencyMs} ms: ${spread(lateness(between(live, MINUTE, Infinity)))} late (in the first minute ` +
          `${spread(lateness(between(live, 0, MINUTE)))}), ${requests - live.length} of ${requests} requests to them gave way; one that hangs is asked ` +
          `every ${Math.round(gaps.reduce((a, b) => a + b, 0) / gaps.length / 1000)} s, at the most ${Math.max(...gaps) / 1000} s; ` +
          costs(lanes, flushes / minutes, 1),
      );
      expectInTime(live);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * MINUTE);
    },
  );

  it.each([10, 75])('after all that ran was lost, %d s after the start, the next run has them in time', async (s) => {
    const minutes = Math.ceil(s / 60) + 2;
    const world = { seed: 5, targets: 500, lanes: 1, minutes, latencyMs: 60, hangs, lostAtMs: s * 1000 };
    const { scrapes, hostOf } = await simulate(world);
    const fromMs = Math.ceil(s / 60) * MINUTE;
    const live = between(scrapes, fromMs, Infinity).filter(({ key }) => !hangs(hostOf(key)));
    console.log(`lost after ${s} s: ${spread(lateness(live))} late from ${fromMs / 1000} s on`);
    expect(live.length).toBe(450 * 4 * (minutes - fromMs / MINUTE));
    expectInTime(live);
  });

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

describe('targets that always take 3 s, among 500', () => {
  const slow = { hosts: [5, 105, 205], ms: 3_000 };
  const fromMs = 90_000;

  it('are never asked twice, and on time, also when 50 others begin to hang at once', async () => {
    const begin = (host: number, atMs: number): boolean => hangs(host) && atMs >= fromMs;
    const world = { seed: 3, targets: 500, lanes: 1, minutes: 4, latencyMs: 60, hangs: begin, slow };
    const { scrapes, asked, hostOf } = await simulate(world);
    const live = scrapes.filter(({ key }) => !hangs(hostOf(key)));
    const [theirs, others] = [true, false].map((is) =>
      live.filter(({ key }) => slow.hosts.includes(hostOf(key)) === is),
    );
    console.log(
      `3 that take 3 s: ${spread(lateness(theirs!))} late; the others in the interval in which 50 begin to hang ` +
        `${spread(lateness(between(others!, fromMs, fromMs + INTERVAL)))}, after it ${spread(lateness(between(others!, fromMs + INTERVAL, Infinity)))}`,
    );
    expectInTime(live);
    for (const host of slow.hosts) expect(asked.get(host)!.length).toBe((4 * MINUTE) / INTERVAL);
  });

  it('are found again soon when they were away, while 50 others hang', async () => {
    const away = (host: number, atMs: number): boolean =>
      hangs(host) ? atMs >= fromMs : host === 205 && atMs >= 2 * MINUTE && atMs < 3 * MINUTE;
    const world = { seed: 6, targets: 500, lanes: 1, minutes: 6, latencyMs: 60, hangs: away, slow };
    const { scrapes, hostOf } = await simulate(world);
    const own = scrapes.filter(({ key, result }) => hostOf(key) === 205 && result.slotMs >= T0 + 3 * MINUTE);
    const up = own.findIndex(({ result }) => result.error === null);
    console.log(
      `one that takes 3 s: found again ${(own[up]!.result.timestampMs - T0 - 3 * MINUTE) / 1000} s after it came back`,
    );
    expect(own[up]!.result.timestampMs).toBeLessThanOrEqual(T0 + 4.5 * MINUTE);
    expect(own.slice(up).filter(({ result }) => result.error !== null)).toEqual([]);
  });

  it.each([1, 2])(
    'are found one by one when nothing is known of them, while 50 others hang, over %d lane(s)',
    { timeout: 120_000 },
    async (lanes) => {
      const world = { seed: 7, targets: 500, lanes, minutes: 5, latencyMs: 60, hangs, slow };
      const { scrapes, hostOf } = await simulate(world);
      const live = scrapes.filter(({ key }) => !hangs(hostOf(key)) && !slow.hosts.includes(hostOf(key)));
      const found = slow.hosts.map((host) => {
        const own = scrapes.filter(({ key }) => hostOf(key) === host);
        const up = own.findIndex(({ result }) => result.error === null);
        return up < 0 ? NaN : (own[up]!.result.slotMs - T0) / 1000;
      });
      console.log(
        `${lanes} lane(s): those that take 3 s are found ${found.map(rounded).join(', ')} s after the beginning; others ${spread(lateness(live))} late`,
      );
      expectInTime(live);
      expect(found.filter((atS) => atS < 300).length).toBeGreaterThanOrEqual(slow.hosts.length / 2);
    },
  );
});

it('50 of 500 begin to hang at once: the others stay on time', async () => {
  const fromMs = 90_000;
  const world = { seed: 3, targets: 500, lanes: 1, minutes: 4, latencyMs: 60 };
  const { scrapes, hostOf } = await simulate({ ...world, hangs: (host, atMs) => hangs(host) && atMs >= fromMs });
  const live = scrapes.filter(({ key }) => !hangs(hostOf(key)));
  console.log(
    `in the interval in which they begin to hang: ${spread(lateness(between(live, fromMs, fromMs + INTERVAL)))}; ` +
      `after it: ${spread(lateness(between(live, fromMs + INTERVAL, Infinity)))}`,
  );
  expectInTime(live);
});
