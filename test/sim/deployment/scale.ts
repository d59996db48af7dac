/**
 * Many targets over many agents, whose number goes up and then down while series come and go, scrapes fail and targets vanish and come back: the real Worker and
 * objects on the simulated clock. Nothing may be lost, doubled or out of order, no marker false or missing. It tells what that took.
 */

import { expect } from 'vitest';
import { ALONE, agentOf, LEAD_MS, type Placement } from '../../../src/scrape/placement/placement.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { discoveriesOf, groupsByJob } from '../../../src/discovery/discoveries.ts';
import { targetsOf } from '../../../src/discovery/targets.ts';
import { labelsOf } from '../../../src/discovery/group.ts';
import { RUN_MS } from '../../../src/scrape/baton.ts';
import type { BatonPlan } from '../../../src/scrape/round.ts';
import { CONNECTIONS } from '../../../src/scrape/reach/connections.ts';
import { Page } from '../../../src/scrape/page/page.ts';
import type { ConsumerStatus } from '../../../src/http/status.ts';
import type { Place } from '../../../src/scrape/placement/moving.ts';
import { Auditor } from './auditor.ts';
import { type Calls, Deployment } from './deployment.ts';
import { Fleet, REPORTS } from './fleet.ts';
import type { Written } from './storage.ts';

const MINUTE = 60_000;
const INTERVAL = 15_000;
const T0 = Date.UTC(2026, 10, 22, 12);
const MINUTES = 7;
/** Targets with such numbers vanish for good, and for a while. */
const gone = (target: number): boolean => target % 100 === 7;
const away = (target: number): boolean => target % 100 === 8;
const AWAY_MS = [T0 + 0.6 * MINUTE, T0 + 4.7 * MINUTE] as const;
/** An outage, and until when it comes back. */
const DOWN_MS = [T0 + 0.8 * MINUTE, T0 + 1.6 * MINUTE, T0 + 2.4 * MINUTE] as const;
/** A refresh, and what a lane that does not lead takes to see it. */
const SEEN_MS = 25_000;
const GROUP = 100;

/** What is asked of objects directly. */
interface Director {
  push(nowMs: number, text: string, source: string): Promise<void>;
  place(nowMs: number, generation: number, count: number): Promise<Placement>;
  placement(): Promise<Placement>;
}
interface Agent {
  report(nowMs: number): Promise<{ remotes: ConsumerStatus[]; scrapesRefused: Record<string, number> }>;
  takeBaton(nowMs: number, plan: BatonPlan): Promise<unknown>;
  load(nowMs: number, place: Place): Promise<{ isSettled: boolean }>;
}

export interface Scale {
  readonly targets: number;
  readonly series: number;
  readonly lanes: number;
  /** At the beginning, after a minute, and from minute five on. */
  readonly agents: readonly [number, number, number];
  /** The remote is down around the first change, so that samples from both sides of it wait in all logs; and comes back by and by. */
  readonly outage: boolean;
}

const CONFIG = `
scrape_configs:
  - job_name: fleet
    scrape_interval: 15s
    scrape_timeout: 10s
    http_sd_configs: [{ url: 'http://sd.test/targets', refresh_interval: 15s }]
remote_write:
  - url: http://sink.test/write
    name: sink
`;

/** Throws when anything is wrong; returns what it took, in lines. */
export async function runAtScale(scale: Scale): Promise<string[]> {
  const worlds: Deployment[] = [];
  try {
    return await run(scale, worlds);
  } finally {
    worlds.forEach((world) => world.close());
  }
}

async function run({ targets, series, lanes, agents, outage }: Scale, worlds: Deployment[]): Promise<string[]> {
  const fleet = new Fleet({ targets, series, intervalMs: INTERVAL });
  const numbers = Array.from({ length: targets }, (_, target) => target);
  const found = (nowMs: number): { targets: string[]; labels: Record<string, string> }[] => {
    const isThere = (target: number): boolean =>
      nowMs < AWAY_MS[0] || !(gone(target) || (away(target) && nowMs < AWAY_MS[1]));
    return [...Map.groupBy(numbers.filter(isThere), (target) => Math.floor(target / GROUP))].map(([group, own]) => ({
      targets: own.map((target) => `h${target}.test:80`),
      labels: { rack: `r${group}` },
    }));
  };
  const keys = keysOf(found(T0));
  const firstSlot = Math.floor(T0 / INTERVAL) - 2;
  const auditor = new Auditor(
    fleet,
    keys.map(({ offsetMs }) => offsetMs),
    firstSlot,
    (MINUTES * MINUTE) / INTERVAL + 20,
  );

  const world = new Deployment({
    seed: 11,
    startMs: T0 - 1,
    lanes,
    network: async (request) => {
      const { hostname } = new URL(request.url);
      const { clock } = world;
      if (hostname === 'sd.test') return Response.json(found(clock.now()));
      if (hostname === 'sink.test') {
        await clock.sleepUntil(clock.now() + 50);
        const [fromMs, untilMs, wellMs] = DOWN_MS;
        const isDown = clock.now() < untilMs || (clock.now() < wellMs && Math.random() < 0.7);
        if (outage && clock.now() >= fromMs && isDown) return new Response('down', { status: 503 });
        return await clock.track(() => auditor.receive(request));
      }
      const target = Number(hostname.slice(1, -'.test'.length));
      const slot = auditor.slotOf(target, clock.now());
      await clock.sleepUntil(clock.now() + 20 + (target % 60));
      if (fleet.fails(target, slot)) return new Response('no', { status: 500 });
      return new Response(fleet.page(target, slot), { headers: { 'Content-Type': 'text/plain; version=0.0.4' } });
    },
  });
  worlds.push(world);
  const { clock } = world;
  const lines: string[] = [];

  // Decided before the first run; the second change is decided by a run, when the first is through.
  world.vars['NARTHEX_AGENTS'] = String(agents[1]);
  const director = directorOf(world);
  await director.push(T0, CONFIG, 'bucket');
  const { generation } = await director.place(T0 - 10 * MINUTE, ALONE.generation, agents[0]);
  await director.place(T0 + MINUTE - LEAD_MS, generation, agents[1]);

  let mark = markOf(world);
  let samples = 0;
  const begin = (): void => {
    [mark, samples] = [markOf(world), auditor.samples];
  };
  const end = (what: string): number => lines.push(...sumOf(what, mark, markOf(world), auditor.samples - samples));
  let settling: Promise<number> | null = null;
  for (let minute = 0; minute < MINUTES; minute++) {
    await clock.advanceTo(T0 + minute * MINUTE);
    if (minute === 3) begin();
    if (minute === 4) {
      end(`a minute on ${agents[1]} agents`);
      lines.push(await memoryOf(world));
    }
    if (minute === 2) world.vars['NARTHEX_AGENTS'] = String(agents[2]);
    world.minute();
    if (minute === 0 || minute === 4) {
      await clock.advanceTo(T0 + (minute + 1) * MINUTE - 1_000);
      begin();
      settling = settled(world);
    }
    if (minute === 1 || minute === 5) {
      await clock.advanceTo(T0 + (minute + 1) * MINUTE - 1_000);
      const [before, after] = (minute === 1 ? agents : agents.slice(1)) as [number, number];
      const tookMs = await settling!;
      end(`the minute of ${before} → ${after} agents`);
      lines.push(
        `  ${movedOf(keys, before, after)} of ${targets} targets moved; everything had come ${tookMs / 1000} s after the change`,
        spreadOf(keys, after, series),
      );
    }
  }
  await clock.advanceTo(T0 + MINUTES * MINUTE);
  await stopped(world, keys);
  const endedMs = clock.now();
  await clock.advanceTo(endedMs + RUN_MS);
  await world.ended();

  auditor.check(T0, endedMs, (target, atMs) => {
    const [fromMs, untilMs] = AWAY_MS;
    if (atMs < fromMs - INTERVAL) return false;
    return gone(target) || (away(target) && atMs < untilMs + SEEN_MS + INTERVAL);
  });
  expect(world.waitingMax).toBeLessThanOrEqual(CONNECTIONS);
  expect(world.warnings.filter((line) => !line.includes('HTTP status 500'))).toEqual([]);
  await conserved(world, auditor);
  lines.push(...(await pagesOf(world, targets)));
  return lines;
}

const directorOf = (world: Deployment): Director => world.object('Director', 'director');
const agentObject = (world: Deployment, index: number): Agent => world.object('Agent', `agent-${index}`);

const keysOf = (groups: readonly { targets: readonly string[]; labels: Record<string, string> }[]) => {
  const loaded = loadConfig(CONFIG);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const discoveries = discoveriesOf(loaded.config);
  const found = groups.map(({ targets, labels }, i) => ({
    source: String(i),
    labels: labelsOf(labels),
    targets: targets.map((target) => labelsOf({ __address__: target })),
  }));
  const known = new Map(discoveries.map(({ key }) => [key, { fingerprint: '', groups: found }]));
  return targetsOf(loaded.config, groupsByJob(discoveries, known));
};

/** In all logs: what came in was sent, and is what the remote got; nothing was refused but what another run had begun. */
async function conserved(world: Deployment, auditor: Auditor): Promise<void> {
  const { used } = await directorOf(world).placement();
  let sent = 0;
  for (let index = 0; index < used; index++) {
    const { remotes, scrapesRefused } = await agentObject(world, index).report(world.clock.now());
    expect(Object.keys(scrapesRefused).filter((reason) => reason !== 'slot of another run')).toEqual([]);
    for (const { samplesIn, samplesSent, samplesPending, samplesDropped } of remotes) {
      expect({ samplesPending, samplesDropped }).toEqual({ samplesPending: 0, samplesDropped: {} });
      expect(samplesSent).toBe(samplesIn);
      sent += samplesSent;
    }
  }
  expect(sent).toBe(auditor.samples + auditor.markers);
}

/** Nobody owns a slot from now on: the runs end, and hand in what they have. */
async function stopped(world: Deployment, targets: readonly { readonly key: string }[]): Promise<void> {
  const placement = await directorOf(world).placement();
  const keys = targets.map(({ key }) => key);
  for (let index = 0; index < placement.count; index++) {
    const plan = { configVersion: 1, targets: keys, remotes: ['sink'], place: { index, placement } };
    await agentObject(world, index).takeBaton(world.clock.now(), plan);
  }
}

/** How long after the change that is to come everything has come everywhere, ms. */
async function settled(world: Deployment): Promise<number> {
  const placement = await directorOf(world).placement();
  const { fromMs, count } = placement;
  expect(fromMs).toBeGreaterThan(world.clock.now());
  for (let atMs = fromMs + 1_000; ; atMs += 1_000) {
    await world.clock.sleepUntil(atMs);
    const loads = await Promise.all(
      Array.from({ length: count }, (_, index) => agentObject(world, index).load(atMs, { index, placement })),
    );
    if (loads.every(({ isSettled }) => isSettled)) return atMs - fromMs;
  }
}

interface Mark {
  readonly atMs: number;
  readonly cpu: number;
  readonly calls: ReadonlyMap<string, Calls>;
  readonly written: ReadonlyMap<string, Written>;
}

const markOf = (world: Deployment): Mark => {
  const { user, system } = process.cpuUsage();
  const calls = new Map([...world.calls].map(([method, one]) => [method, { ...one }]));
  return { atMs: world.clock.now(), cpu: user + system, calls, written: world.written('Agent') };
};

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const kilobytes = (bytes: number): string => `${(bytes / 1e3).toFixed(1)} KB`;

function sumOf(what: string, before: Mark, now: Mark, samples: number): string[] {
  const seconds = (now.atMs - before.atMs) / 1000;
  const calls = (method: string) => {
    const { count, cpu } = now.calls.get(method) ?? { count: 0, cpu: 0 };
    const was = before.calls.get(method) ?? { count: 0, cpu: 0 };
    return { count: count - was.count, cpu: cpu - was.cpu };
  };
  const append = calls('append');
  const tables = [...now.written].map(([table, { rows, bytes, largest }]) => {
    const was = before.written.get(table) ?? { rows: 0, bytes: 0 };
    return { table, rows: rows - was.rows, bytes: bytes - was.bytes, largest };
  });
  const sum = (of: 'rows' | 'bytes'): number => tables.reduce((total, table) => total + table[of], 0);
  const moves = ['release', 'adopt', 'forget', 'arrived', 'settle'].map((method) => ({ method, ...calls(method) }));
  return [
    `${what}: ${samples} samples to the remote in ${seconds.toFixed(0)} s; ${append.count} flushes`,
    `  CPU: agents ${(append.cpu / samples).toFixed(2)} µs a sample; with runs, network, remote and this test ${((now.cpu - before.cpu) / samples).toFixed(2)}`,
    `  written: ${(sum('rows') / append.count).toFixed(1)} rows and ${kilobytes(sum('bytes') / append.count)} a flush: ${tables
      .filter(({ rows }) => rows > 0)
      .map(
        ({ table, rows, bytes, largest }) =>
          `${table} ${rows} rows, ${megabytes(bytes)}, largest ${kilobytes(largest)}`,
      )
      .join('; ')}`,
    `  moving: ${moves.map(({ method, count, cpu }) => `${method} ${count} (${(cpu / 1000).toFixed(0)} ms)`).join(', ')}`,
  ];
}

function spreadOf(keys: readonly { readonly key: string }[], count: number, series: number): string {
  const own = Array.from({ length: count }, () => 0);
  for (const { key } of keys) own[agentOf(key, count)]!++;
  const [min, max] = [Math.min(...own), Math.max(...own)];
  return `  ${count} agents: ${min} to ${max} targets, ${min * (series + REPORTS)} to ${max * (series + REPORTS)} series each`;
}

const movedOf = (keys: readonly { readonly key: string }[], before: number, after: number): number =>
  keys.filter(({ key }) => agentOf(key, before) !== agentOf(key, after)).length;

/** What the pages would take in memory, all decoded. */
async function memoryOf(world: Deployment): Promise<string> {
  const sizes = world.names('Agent').map((name) => {
    const { sql } = world.storage(name);
    const stored = new Map(
      sql
        .exec('SELECT name, bytes FROM blob WHERE part = 0')
        .toArray()
        .map((row) => [row['name'], row['bytes']]),
    );
    const changes = new Map(
      sql
        .exec('SELECT name, bytes FROM page_change')
        .toArray()
        .map((row) => [row['name'], row['bytes']]),
    );
    let [memory, disk] = [0, 0];
    for (const [key, bytes] of stored) {
      const change = changes.get(key!) as ArrayBuffer | undefined;
      memory += Page.decode(
        new Uint8Array(bytes as ArrayBuffer),
        change === undefined ? null : new Uint8Array(change),
      ).bytes;
      disk += (bytes as ArrayBuffer).byteLength + (change?.byteLength ?? 0);
    }
    return { memory, disk };
  });
  const memory = sizes.map((size) => size.memory);
  const disk = sizes.map((size) => size.disk);
  const total = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0);
  return `  pages: ${megabytes(Math.min(...memory))} to ${megabytes(Math.max(...memory))} an agent decoded, ${megabytes(total(memory))} together; stored ${megabytes(total(disk))}`;
}

/** The API with all targets, and the largest calls. */
async function pagesOf(world: Deployment, targets: number): Promise<string[]> {
  const lines: string[] = [];
  for (const path of ['/api/v1/targets', '/targets', '/service-discovery', '/', '/metrics']) {
    const before = process.cpuUsage();
    const response = await world.request(path);
    const text = await response.text();
    const { user, system } = process.cpuUsage(before);
    expect(response.status, path).toBe(200);
    if (path === '/api/v1/targets') {
      const { data } = JSON.parse(text) as { data: { activeTargets: unknown[] } };
      expect(data.activeTargets.length).toBe(targets - Math.ceil((targets - 7) / 100));
    }
    lines.push(`${path}: ${kilobytes(text.length)}, ${((user + system) / 1000).toFixed(0)} ms`);
  }
  const { subrequestsMax, calls } = world;
  lines.push(`an invocation made ${subrequestsMax} subrequests at the most`);
  for (const [method, { count, cpu, largest }] of calls)
    if (largest > 0)
      lines.push(`${method}: ${count} calls, ${(cpu / 1000).toFixed(0)} ms, at the most ${kilobytes(largest)}`);
  return lines;
}
