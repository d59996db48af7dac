/** What each cron of wrangler.toml runs. Strings that differ but mean the same minute are lanes: each is an invocation of its own. */

import { cutShard } from '../src/compact/cut.ts';
import type { Config, RemoteWriteConfig } from '../src/config/model.ts';
import type { Sender } from '../src/forward/deliver.ts';
import { inOrderOfChanges } from '../src/forward/changes.ts';
import type { LogDoor } from '../src/forward/door.ts';
import { forwardRound } from '../src/forward/round.ts';
import { groupsByJob } from '../src/discovery/discoveries.ts';
import { targetsOf } from '../src/discovery/targets.ts';
import { watch } from '../src/discovery/watch.ts';
import type { Fetch } from '../src/model/doors.ts';
import { Connections } from '../src/scrape/connections.ts';
import { changesOf } from '../src/receive/shards.ts';
import { SCRAPE_BODY_BYTES_MAX } from '../src/scrape/fetch.ts';
import { RUN_MS, scrapeRound } from '../src/scrape/round.ts';
import type { Target } from '../src/scrape/target.ts';
import { bucketOf } from './bucket.ts';
import { inForce, limitsInForce, relayRemotes } from './configuration.ts';
import { clock, info, networkOf, tokens, warn } from './doors.ts';
import { discoveryDoors, knownDiscoveries } from './discovery.ts';
import { agents, catalogue, director, type Env, tenants } from './env.ts';
import { routesFrom, wayTo } from './routes.ts';

export interface CronDoors {
  /** Reaches the deployment itself in process. */
  readonly self: Fetch;
  readonly userAgent: string;
}

export const CRONS: Readonly<Record<string, (env: Env, doors: CronDoors) => Promise<void>>> = {
  '* * * * *': (env, doors) => scrapeRun(env, doors, RUN_MS),
  '*/1 * * * *': (env, doors) => forwardRun(env, doors, RUN_MS),
  '35 * * * *': cutRun,
};

/** What may go on after an answer was given is stopped after 30 s: a run that no cron started must end before. */
const RESCUE_MS = 25_000;
/** Discovery gives up on an answer after this long itself. */
const DISCOVERY_TIMEOUT_MS = 30_000;

/** Scrapes and forwards for a short while. An agent's alarm asks for it, again and again, while cron is silent. */
export async function rescueRun(env: Env, doors: CronDoors): Promise<void> {
  info('no cron has fired for a while: the alarm runs instead');
  await Promise.all([scrapeRun(env, doors, RESCUE_MS), forwardRun(env, doors, RESCUE_MS)]);
}

async function scrapeRun(env: Env, { self, userAgent }: CronDoors, runMs: number): Promise<void> {
  const watches: Promise<void>[] = [];
  const connections = new Connections(clock);
  const discovery = {
    ...discoveryDoors(env, userAgent),
    fetch: connections.fetch(networkOf(env), DISCOVERY_TIMEOUT_MS),
  };
  try {
    for (;;) {
      const { version, config } = await inForce(env);
      const { discoveries, known, groups } = await knownDiscoveries(env, config);
      await director(env).keepDiscoveries(
        version.version,
        discoveries.map(({ key }) => key),
      );
      const targets = new Live(targetsOf(config, groups));
      const watching = watch(discoveries, known, { store: director(env), discovery, warn }, (now) =>
        targets.set(targetsOf(config, groupsByJob(discoveries, now))),
      );
      watches.push(watching.done);
      const plan = {
        runMs,
        configVersion: version.version,
        external: config.externalLabels,
        targets: targets.first,
        listen: (changed: (now: readonly Target[]) => void) => targets.listen(changed),
        remotes: config.remoteWrites.map((remote) => remote.name),
      };
      const doors = {
        clock,
        network: networkOf(env),
        route: routesFrom(env, self),
        connections,
        tokens,
        userAgent,
        bodyBytesMax: SCRAPE_BODY_BYTES_MAX,
        warn,
      };
      try {
        const ends = await Promise.all(agents(env).map((agent) => scrapeRound(plan, agent, doors)));
        if (!ends.includes('reload')) return;
      } finally {
        watching.stop();
      }
    }
  } finally {
    // A refresh that is under way is handed in before the run ends; it ends by itself.
    await Promise.all(watches);
  }
}

/** The targets of a run, as they change. */
class Live {
  readonly first: readonly Target[];
  #now: readonly Target[];
  readonly #listeners: ((now: readonly Target[]) => void)[] = [];

  constructor(first: readonly Target[]) {
    this.first = this.#now = first;
  }

  set(now: readonly Target[]): void {
    this.#now = now;
    for (const listener of this.#listeners) listener(now);
  }

  listen(listener: (now: readonly Target[]) => void): void {
    this.#listeners.push(listener);
    if (this.#now !== this.first) listener(this.#now);
  }
}

async function forwardRun(env: Env, { self, userAgent }: CronDoors, runMs: number): Promise<void> {
  for (;;) {
    const { version, config } = await inForce(env);
    const plan = { runMs, configVersion: version.version, remotes: config.remoteWrites };
    const fetch: Fetch = (request) => wayTo(env, request.url)(request);
    const connections = new Connections(clock);
    const senders = new Set<Sender>();
    const doors = { clock, fetch, self, connections, senders, userAgent, random: Math.random, tokens, warn };
    const relays = await relayLogs(env, config);
    const ends = await Promise.all([
      ...agents(env).map((agent) => forwardRound(plan, agent, doors)),
      ...relays.map(({ shard, remotes }) => forwardRound({ ...plan, remotes }, shard, doors)),
    ]);
    if (!ends.some(({ reload }) => reload)) return;
  }
}

/** The shards of tenants whose samples go out again, and where to. */
async function relayLogs(
  env: Env,
  config: Config,
): Promise<{ shard: LogDoor; remotes: readonly RemoteWriteConfig[] }[]> {
  const limits = limitsInForce(env);
  if (limits.relays.length === 0) return [];
  return [...(await tenants(env))].flatMap(([tenant, { shards, record }]) => {
    const names = limits.of(tenant).relay;
    // Also when none of them is a remote any more: then the run says so, and nothing is kept for it.
    const remotes = relayRemotes(names, config);
    if (names.length === 0) return [];
    return inOrderOfChanges(shards, changesOf(record), clock).map((shard) => ({ shard, remotes }));
  });
}

async function cutRun(env: Env): Promise<void> {
  for (const [tenant, { shards }] of await tenants(env)) {
    const doors = { catalogue: catalogue(env, tenant), bucket: bucketOf(env.BUCKET), random: Math.random };
    for (const [shard, ingester] of shards.entries()) {
      try {
        const ulids = await cutShard(tenant, shard, ingester, Date.now(), doors);
        if (ulids.length > 0) info(`blocks cut for tenant ${tenant}, shard ${shard}: ${ulids.join(', ')}`);
      } catch (error) {
        // One tenant's trouble is not another's; the next hour tries again.
        warn(`cut of tenant ${tenant}, shard ${shard} failed: ${String(error)}`);
      }
    }
  }
}
