/**
 * A scraping run of one lane: a round for each of its agents, over connections that they share. One lane leads: it asks discoveries, and decides how
 * many agents there are.
 */

import type { Config } from '../src/config/model.ts';
import { groupsByJob } from '../src/discovery/discoveries.ts';
import { targetsOf } from '../src/discovery/targets.ts';
import { watch } from '../src/discovery/watch.ts';
import type { Fetch } from '../src/model/doors.ts';
import { Connections } from '../src/scrape/reach/connections.ts';
import { SCRAPE_BODY_BYTES_MAX } from '../src/scrape/reach/fetch.ts';
import { lanesOf } from '../src/scrape/lanes.ts';
import { agentOf, agentsNeeded, type Placement } from '../src/scrape/placement/placement.ts';
import { scrapeRound } from '../src/scrape/round.ts';
import { takeover } from '../src/scrape/placement/takeover.ts';
import type { Target } from '../src/scrape/target.ts';
import { inForce } from './configuration.ts';
import { discoveryDoors, type Known, knownDiscoveries } from './discovery.ts';
import { clock, info, networkOf, tokens, warn } from './doors.ts';
import { agentNumber, director, type Env } from './env.ts';
import { routesFrom } from './routes.ts';

export interface CronDoors {
  /** Reaches the deployment itself in process. */
  readonly self: Fetch;
  readonly userAgent: string;
}

/** Which agents a run serves, and whether it leads. */
export interface Part {
  readonly serves: (agent: number) => boolean;
  readonly leads: boolean;
}

/** Discovery gives up on an answer after this long itself. */
const DISCOVERY_TIMEOUT_MS = 30_000;
/** How often a lane that does not lead looks for what was discovered. */
const FOLLOW_MS = 5_000;
/** How often agents are asked how much their logs take in. */
const WEIGH_MINUTES = 10;

/** The agents of a lane: every `lanes`-th. Throws when there is no such lane. */
export function partOf(lane: number, cron: string, env: Env): Part {
  const lanes = lanesOf(env.NARTHEX_SCRAPE_LANES);
  if (lane >= lanes)
    throw new Error(
      `the cron ${JSON.stringify(cron)} is scraping lane ${lane + 1}, and NARTHEX_SCRAPE_LANES is ${lanes}: make it ${lane + 1}, or remove the cron`,
    );
  return { serves: (agent) => agent % lanes === lane, leads: lane === 0 };
}

export async function scrapeRun(env: Env, { self, userAgent }: CronDoors, runMs: number, part: Part): Promise<void> {
  const watches: Promise<void>[] = [];
  const connections = new Connections(clock);
  const discovery = {
    ...discoveryDoors(env, userAgent),
    fetch: connections.fetch(networkOf(env), DISCOVERY_TIMEOUT_MS),
  };
  try {
    for (;;) {
      const { version, config } = await inForce(env);
      const found = await knownDiscoveries(env, config);
      const { discoveries, known, groups } = found;
      if (part.leads)
        await director(env).keepDiscoveries(
          version.version,
          discoveries.map(({ key }) => key),
        );
      const all = targetsOf(config, groups);
      let placement = await director(env).placement();
      if (part.leads) placement = await decided(env, placement, all.length);
      const targets = new Live(all, placement);
      const watching = part.leads
        ? watch(discoveries, known, { store: director(env), discovery, warn }, (now) =>
            targets.set(targetsOf(config, groupsByJob(discoveries, now))),
          )
        : follow(env, config, found, ({ groups: now }) => targets.set(targetsOf(config, now)));
      watches.push(watching.done);
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
      const own = agentsOf(placement).filter(part.serves);
      const round = (index: number) => {
        const agent = agentNumber(env, index);
        const plan = {
          runMs,
          configVersion: version.version,
          external: config.externalLabels,
          targets: targets.first(index),
          listen: (changed: (now: readonly Target[]) => void) => targets.listen(index, changed),
          remotes: config.remoteWrites.map((remote) => remote.name),
          place: { index, placement },
          takeover: takeover(placement, index, agent, (other) => agentNumber(env, other)),
        };
        return scrapeRound(plan, agent, doors);
      };
      try {
        const ends = await Promise.all(own.map(round));
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

/** The agents that have slots now or after a change that is to come. */
function agentsOf({ count, before, fromMs }: Placement): number[] {
  return Array.from({ length: Date.now() < fromMs ? Math.max(count, before) : count }, (_, index) => index);
}

/** The placement with as many agents as are needed, when nothing moves any more. */
async function decided(env: Env, placement: Placement, targets: number): Promise<Placement> {
  const nowMs = Date.now();
  const lanes = lanesOf(env.NARTHEX_SCRAPE_LANES);
  const need = { targets, bytesADay: null, logBytesMax: Infinity, lanes, fixed: fixedAgents(env) };
  const isTime = Math.floor(nowMs / 60_000) % WEIGH_MINUTES === 0;
  if (!isTime && agentsNeeded(need, placement.count) === placement.count) return placement;
  try {
    const loads = await Promise.all(
      Array.from({ length: placement.used }, (_, index) => agentNumber(env, index).load(nowMs, { index, placement })),
    );
    const own = loads.slice(0, placement.count);
    if (nowMs < placement.fromMs || own.some(({ isSettled }) => !isSettled)) return placement;
    let { used } = placement;
    while (used > placement.count && loads[used - 1]!.isEmpty) used--;
    let now = used < placement.used ? await director(env).unused(placement.generation, used) : placement;
    const bytesADay = own.every((load) => load.bytesADay !== null)
      ? own.reduce((sum, load) => sum + load.bytesADay!, 0)
      : null;
    const count = agentsNeeded({ ...need, bytesADay, logBytesMax: loads[0]!.logBytesMax }, now.count);
    if (count !== now.count) {
      now = await director(env).place(nowMs, now.generation, count);
      info(`${now.count} agents instead of ${now.before}, from ${new Date(now.fromMs).toISOString()} on`);
    }
    return now;
  } catch (error) {
    warn(`the number of agents stays ${placement.count}, as not all could be asked: ${String(error)}`);
    return placement;
  }
}

function fixedAgents({ NARTHEX_AGENTS: text = '' }: Env): number | null {
  if (text.trim() === '') return null;
  const agents = Number(text);
  if (Number.isInteger(agents) && agents >= 1 && agents <= 1000) return agents;
  warn(`NARTHEX_AGENTS is ${JSON.stringify(text)}, no number from 1 to 1000: there are as many agents as are needed`);
  return null;
}

/** Looks for what the lane that leads has discovered. */
function follow(
  env: Env,
  config: Config,
  first: Known,
  changed: (now: Known) => void,
): { stop: () => void; done: Promise<void> } {
  let stopped = first.discoveries.length === 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const printOf = ({ known }: Known): string => [...known].map(([key, { fingerprint }]) => key + fingerprint).join();
  const loop = async (): Promise<void> => {
    let seen = printOf(first);
    while (!stopped) {
      await Promise.race([clock.sleepUntil(clock.now() + FOLLOW_MS), ended]);
      if (stopped) return;
      try {
        const now = await knownDiscoveries(env, config);
        if (printOf(now) !== seen) changed(now);
        seen = printOf(now);
      } catch (error) {
        warn(`what was discovered could not be read: ${String(error)}`);
      }
    }
  };
  return {
    stop: () => {
      stopped = true;
      end();
    },
    done: loop(),
  };
}

/** The targets of a run by agent, as they change. */
class Live {
  readonly #placement: Placement;
  readonly #first: ReadonlyMap<number, readonly Target[]>;
  #now: ReadonlyMap<number, readonly Target[]>;
  readonly #listeners: (() => void)[] = [];

  constructor(all: readonly Target[], placement: Placement) {
    this.#placement = placement;
    this.#first = this.#now = this.#split(all);
  }

  first(agent: number): readonly Target[] {
    return this.#first.get(agent) ?? [];
  }

  set(all: readonly Target[]): void {
    this.#now = this.#split(all);
    for (const listener of this.#listeners) listener();
  }

  listen(agent: number, changed: (now: readonly Target[]) => void): void {
    const tell = (): void => changed(this.#now.get(agent) ?? []);
    this.#listeners.push(tell);
    if (this.#now !== this.#first) tell();
  }

  /** A target that moves during the run is two agents'. */
  #split(all: readonly Target[]): ReadonlyMap<number, readonly Target[]> {
    const { count, before, fromMs } = this.#placement;
    const isChanging = Date.now() < fromMs;
    const byAgent = new Map<number, Target[]>();
    const add = (agent: number, target: Target): void => {
      const own = byAgent.get(agent);
      if (own === undefined) byAgent.set(agent, [target]);
      else own.push(target);
    };
    for (const target of all) {
      const after = agentOf(target.key, count);
      add(after, target);
      const now = isChanging ? agentOf(target.key, before) : after;
      if (now !== after) add(now, target);
    }
    return byAgent;
  }
}
