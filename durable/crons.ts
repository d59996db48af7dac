/** What each cron of wrangler.toml runs. Strings that differ but mean the same minute are lanes: each is an invocation of its own. */

import { cutShard } from '../src/compact/cut.ts';
import type { Config, RemoteWriteConfig } from '../src/config/model.ts';
import { REMOTES_SPARED, type Sender } from '../src/forward/deliver.ts';
import { inOrderOfChanges } from '../src/forward/changes.ts';
import type { LogDoor } from '../src/forward/door.ts';
import { inOrder } from '../src/forward/in-order.ts';
import { forwardRound } from '../src/forward/round.ts';
import type { Fetch } from '../src/model/doors.ts';
import { RUN_MS } from '../src/scrape/baton.ts';
import { Connections } from '../src/scrape/reach/connections.ts';
import { changesOf, shardsAt } from '../src/receive/shards.ts';
import { SCRAPE_CRONS } from '../src/scrape/lanes.ts';
import { bucketOf } from './bucket.ts';
import { inForce, limitsInForce, relayRemotes } from './configuration.ts';
import { clock, info, tokens, warn } from './doors.ts';
import { agentNumber, catalogue, director, type Env, tenants } from './env.ts';
import { wayTo, withCertificate } from './routes.ts';
import { type CronDoors, partOf, scrapeRun } from './scraping.ts';

export type { CronDoors } from './scraping.ts';

export const CRONS: Readonly<Record<string, (env: Env, doors: CronDoors) => Promise<void>>> = {
  ...Object.fromEntries(
    SCRAPE_CRONS.map((cron, lane) => [
      cron,
      async (env: Env, doors: CronDoors) => await scrapeRun(env, doors, RUN_MS, partOf(lane, cron, env)),
    ]),
  ),
  '*/1 * * * *': (env, doors) => forwardRun(env, doors, RUN_MS, null),
  '35 * * * *': cutRun,
};

/** What may go on after an answer was given is stopped after 30 s: a run that no cron started must end before. */
const RESCUE_MS = 25_000;

/**
 * Scrapes and forwards for a short while. An agent's alarm asks for it, again and again, while cron is silent: for itself; the first one also for what
 * all agents have in common.
 */
export async function rescueRun(env: Env, doors: CronDoors, agent: number): Promise<void> {
  info(`no cron has fired for a while: the alarm of agent ${agent} runs instead`);
  const part = { serves: (index: number) => index === agent, leads: agent === 0 };
  await Promise.all([scrapeRun(env, doors, RESCUE_MS, part), forwardRun(env, doors, RESCUE_MS, agent)]);
}

/** Forwards all logs, or that of one agent; the first agent goes together with those that have no targets any more, and the relays. */
async function forwardRun(env: Env, { self, userAgent }: CronDoors, runMs: number, only: number | null): Promise<void> {
  for (;;) {
    const { version, config } = await inForce(env);
    const plan = { runMs, configVersion: version.version, remotes: config.remoteWrites };
    const fetch: Fetch = (request) => wayTo(env, request.url)(request);
    const connections = new Connections(clock, REMOTES_SPARED);
    const senders = new Set<Sender>();
    const certificate = (binding: string): Fetch => withCertificate(env, binding);
    const ways = { fetch, self, certificate, connections, senders, tokens };
    const doors = { ...ways, clock, userAgent, random: Math.random, warn };
    const { used, count } = await director(env).placement();
    const own = Array.from({ length: used }, (_, index) => index).filter(
      (index) => only === null || index === only || (only === 0 && index >= count),
    );
    const relays = only === null || only === 0 ? await relayLogs(env, config) : [];
    const ends = await Promise.all([
      ...own.map((index) => forwardRound(plan, agentLog(env, index), doors)),
      ...relays.map(({ shard, remotes }) => forwardRound({ ...plan, remotes }, shard, doors)),
    ]);
    if (!ends.some(({ reload }) => reload)) return;
  }
}

/** The log of an agent, whose targets may have been another's before. */
const agentLog = (env: Env, index: number): LogDoor => {
  const agent = agentNumber(env, index);
  return inOrder(
    {
      takeForwardBaton: async (...call) => await agent.takeForwardBaton(...call),
      next: async (...call) => await agent.next(...call),
      renew: async (...call) => await agent.renew(...call),
      acknowledge: async (...call) => await agent.acknowledge(...call),
      retried: async (...call) => await agent.retried(...call),
      countMetadata: async (...call) => await agent.countMetadata(...call),
      setAside: async (...call) => await agent.setAside(...call),
      passed: async (...call) => await agent.passed(...call),
    },
    async (other, remote) => await agentNumber(env, other).cursor(remote),
  );
};

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
  for (const [tenant, { shards, record }] of await tenants(env)) {
    const ways = { catalogue: catalogue(env, tenant), bucket: bucketOf(env.BUCKET), random: Math.random, warn };
    const doors = { ...ways, changesMs: changesOf(record) };
    // The shard that a series moved from comes first: it has the values that were accepted first.
    const order = [...shards.entries()];
    if (shardsAt(record, Date.now()) < record.highest) order.reverse();
    for (const [shard, ingester] of order) {
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
