/**
 * A scraping run: one runner of the relay race. It takes the baton, waits for each slot, scrapes, and hands what has gathered to the agent
 * at a flush, until a later run owns the slots or its time is up. It keeps nothing that must survive it.
 *
 * The one invariant: a slot that it began is handed in, or its loss is reported.
 */

import type { ScrapeConfig } from '../config/model.ts';
import type { Labels } from '../model/labels.ts';
import type { Fetch } from '../model/doors.ts';
import { RUN_MS } from './baton.ts';
import { Connections } from './reach/connections.ts';
import { type ScrapeDoors, type ScrapeResult, scrapeTarget } from './reach/fetch.ts';
import { Gathered } from './gathered.ts';
import type { Route } from './reach/routes.ts';
import { schemaOf } from './page/histograms.ts';
import type { Place as AgentPlace } from './placement/moving.ts';
import type { PageTarget } from './page/page.ts';
import { agentAt, comesTo } from './placement/placement.ts';
import { type Place, SlotQueue } from './slot-queue.ts';
import { firstSlotAfter } from './slots.ts';
import { type Asked, claimOf, HUNG_MS, noConnection, type Standing, UNKNOWN } from './standing.ts';
import type { Takeover } from './placement/takeover.ts';
import type { Target } from './target.ts';

export { RUN_MS } from './baton.ts';

/** What a flush carries of one scrape: no more of the target than its page needs. */
export interface Scraped {
  readonly key: string;
  readonly target: PageTarget;
  readonly intervalMs: number;
  readonly result: ScrapeResult;
  /** Of one that hung: when it was asked. */
  readonly hung?: Asked;
}

export interface BatonPlan {
  readonly configVersion: number;
  /** The keys of all targets that the agent has now, or will have when the number of agents changes during the run. */
  readonly targets: readonly string[];
  readonly remotes: readonly string[];
  /** Which agent it is of how many; absent when there is but one. */
  readonly place?: AgentPlace;
}

/** The agent as a run sees it. */
export interface AgentDoor {
  /**
   * Makes the caller the owner of all slots from `nowMs` on. What the agent remembers of targets that are gone ends with stale markers, two
   * intervals later. `remotes` are the consumers of its log. `standings` are those of the targets
   * that it knows, by their keys; an agent of an earlier version does not tell.
   */
  takeBaton(
    nowMs: number,
    plan: BatonPlan,
  ): Promise<{ epoch: number; standings?: Readonly<Record<string, Standing>>; isSettled?: boolean }>;
  /**
   * The targets are others now: what it remembers of those that are gone for two intervals ends with stale markers, the others at a later
   * baton. Refused, with the same answer, from any run but the newest.
   */
  retarget(nowMs: number, epoch: number, configVersion: number, targets: readonly string[]): Promise<FlushAnswer>;
  /** Appends scrapes in the order of their slots. Refuses what the epoch does not own and slots that are not newer than the target's last. */
  append(nowMs: number, epoch: number, external: Labels, scrapes: readonly Scraped[]): Promise<FlushAnswer>;
}

export interface FlushAnswer {
  /** The run owns slots before this moment only, Unix ms; null while it is the newest. */
  readonly ownedUntilMs: number | null;
  /** The version that a run should use now. */
  readonly wantedVersion: number;
}

export interface RoundDoors extends Omit<ScrapeDoors, 'fetch'> {
  /** The way to a target. */
  readonly route: (route: Route) => Fetch;
  /** Those of the invocation, shared by its rounds; its own when absent. */
  readonly connections?: Connections;
  /** A line for the deployment's log. */
  readonly warn: (message: string, fields?: Readonly<Record<string, string>>) => void;
}

export interface RoundPlan {
  /** How long the run goes on when nobody relieves it, ms. */
  readonly runMs: number;
  readonly configVersion: number;
  readonly external: Labels;
  readonly targets: readonly Target[];
  /** Tells the run, while it goes on, that its targets are others now; absent when they stay as they are. */
  readonly listen?: (changed: (targets: readonly Target[]) => void) => void;
  readonly remotes: readonly string[];
  /** Which agent's the run is, where there are several, and how it gets what others remember of targets that come to it. */
  readonly place?: AgentPlace;
  readonly takeover?: Takeover;
}

/** A flush is due when what has gathered is old enough, or when bodies of this size have gathered: about 10,000 samples of text. */
const FLUSH_BODY_BYTES = 1_000_000;
/** One call to the agent carries at most this much: RPC ends at 32 MiB. */
const APPEND_BODY_BYTES = 16_000_000;
/** What cannot be handed in is kept up to this size, then the oldest is given up: an isolate has 128 MB. */
const GATHERED_BODY_BYTES_MAX = 32_000_000;
const RETRY_MS = 1_000;
/** How often it is asked whether other agents are ready to give what they remember of targets that move. */
const STEP_MS = 2_000;

export type RoundEnd = 'superseded' | 'reload' | 'time is up';

export async function scrapeRound(plan: RoundPlan, agent: AgentDoor, doors: RoundDoors): Promise<RoundEnd> {
  const { clock, connections = new Connections(clock) } = doors;
  const startMs = clock.now();
  const { place: own, takeover } = plan;
  const baton = await agent.takeBaton(startMs, {
    configVersion: plan.configVersion,
    targets: plan.targets.map((target) => target.key),
    remotes: plan.remotes,
    ...(own === undefined ? {} : { place: own }),
  });
  const { epoch, standings: known = {} } = baton;

  let end: RoundEnd = 'time is up';
  let ownedUntilMs = startMs + plan.runMs;
  const placed = (target: Target, fromMs: number): [string, Place] => [
    target.key,
    { target, slotMs: firstSlotAfter(target, fromMs - 1) },
  ];
  let places = new Map(plan.targets.map((target) => placed(target, startMs)));
  let slots = new SlotQueue([...places.values()]);
  const standings = new Map(Object.entries(known));
  /** The newest targets, while the agent does not know of them yet. */
  let coming: readonly Target[] | null = null;
  const gathered = new Gathered();
  /** Scrapes of targets that come from another agent, until what that one remembers of them has come. */
  const held = new Gathered();
  const arrived = new Set(Object.keys(known));
  let isSettled = own === undefined || takeover === undefined || baton.isSettled !== false;
  let stepAtMs = isSettled ? Infinity : Math.max(startMs, own!.placement.fromMs);
  let stepping: Promise<void> | null = null;
  const waits = (key: string): boolean => !isSettled && !arrived.has(key) && comesTo(own!.placement, key, own!.index);
  const owns = (key: string, slotMs: number): boolean =>
    own === undefined || agentAt(own.placement, key, slotMs) === own.index;
  let scraping = 0;
  let flushing: Promise<void> | null = null;
  let retryAtMs = 0;
  let wake: () => void = () => undefined;

  /** Scrapes a target when it has a connection, again when it had to give that back. Null when its slot is another run's meanwhile. */
  const attempt = async (
    target: Target,
    slotMs: number,
  ): Promise<Omit<Scraped, 'key' | 'target' | 'intervalMs'> | null> => {
    const door = doors.route(target.route);
    if (target.route.kind === 'self' || target.refusal !== undefined)
      return { result: await scrapeTarget(target, slotMs, { ...doors, fetch: door }) };
    let standing = standings.get(target.key) ?? UNKNOWN;
    for (let gaveWay = 0; ;) {
      const turn = await connections.take(claimOf(standing, gaveWay, slotMs, target.timeoutMs));
      if (slotMs >= ownedUntilMs || !places.has(target.key)) {
        turn?.end();
        return null;
      }
      // Who gave way twice may be slow, or hang: it counts as one that hung until it has answered.
      let hung = standing.hung || gaveWay > 1;
      let result: ScrapeResult;
      if (turn === null) {
        const error = noConnection(hung, standing.lookedMs >= slotMs, target.timeoutMs);
        const nothing = { bodyBytes: 0, body: null, format: 'text' as const };
        result = { slotMs, timestampMs: slotMs, durationMs: target.timeoutMs, ...nothing, error };
      } else {
        standing = { ...standing, lookedMs: clock.now() };
        result = await scrapeTarget(target, slotMs, {
          ...doors,
          fetch: turn.fetch(door),
          network: turn.fetch(doors.network),
        });
        turn.end();
        if (result.error !== null && turn.wasCut) {
          if (!standing.hung) gaveWay++;
          continue;
        }
        // A look that ended with the timeout is none of its tries.
        if (result.error === null || !turn.short) standing = { ...standing, triedMs: standing.lookedMs };
        // Whose time was up soon after it began has shown nothing.
        if (result.error === null || turn.heldMs >= HUNG_MS || clock.now() < slotMs + target.timeoutMs) {
          hung = result.error !== null && turn.heldMs >= HUNG_MS;
          if (!hung) standing = { ...standing, tookMs: turn.heldMs };
        }
      }
      const { tookMs, triedMs, lookedMs } = standing;
      standings.set(target.key, { ...standing, hung });
      return hung ? { result, hung: { triedMs, lookedMs, ...(tookMs === null ? {} : { tookMs }) } } : { result };
    }
  };

  const scrape = async (target: Target, slotMs: number): Promise<void> => {
    scraping++;
    const done = await attempt(target, slotMs);
    scraping--;
    // A target that is gone meanwhile is not scraped any more, as if this one had been cut off.
    if (done !== null && places.has(target.key)) {
      const { error } = done.result;
      if (error !== null && target.refusal === undefined && target.config.scrapeFailureLogFile !== '')
        doors.warn(error, { job_name: target.job, target: target.url });
      const to = waits(target.key) ? held : gathered;
      to.add({ key: target.key, target: pageTarget(target), intervalMs: target.intervalMs, ...done }, clock.now());
      giveUpHeld();
    }
    wake();
  };

  const giveUpHeld = (): void => {
    if (held.bytes <= GATHERED_BODY_BYTES_MAX) return;
    const given = held.giveUp(GATHERED_BODY_BYTES_MAX);
    doors.warn(`what another agent remembers of targets has not come: ${given} scrapes given up, ${held.count} wait`);
  };

  /** A step of bringing over what other agents remember. */
  const step = async (): Promise<void> => {
    const keys: string[] = [];
    let done = false;
    let againMs = STEP_MS;
    try {
      done = await takeover!.step(clock.now(), (came) => keys.push(...came));
    } catch (error) {
      doors.warn(`what another agent remembers of targets did not come: ${String(error)}`);
      againMs = RETRY_MS;
    }
    stepAtMs = done ? Infinity : clock.now() + againMs;
    const letGo = (): void => {
      for (const key of keys) arrived.add(key);
      isSettled ||= done;
      gathered.putBack(held.takeOf((key) => !waits(key)));
      wake();
    };
    // A run from before this one may hold older scrapes of them: those go first.
    if (startMs < own!.placement.fromMs) letGo();
    else void clock.sleepUntil(clock.now() + 2 * STEP_MS).then(letGo);
    stepping = null;
    wake();
  };

  const learn = ({ ownedUntilMs: untilMs, wantedVersion }: FlushAnswer): void => {
    if (untilMs !== null && end === 'time is up') {
      end = 'superseded';
      ownedUntilMs = Math.min(ownedUntilMs, untilMs);
    }
    if (wantedVersion > plan.configVersion && end === 'time is up') {
      end = 'reload';
      ownedUntilMs = Math.min(ownedUntilMs, clock.now());
    }
  };

  /** Takes over other targets. A target that stays keeps its place: no slot of it is lost or done twice. */
  const retarget = async (next: readonly Target[]): Promise<void> => {
    try {
      const keys = next.map((target) => target.key);
      const answer = await agent.retarget(clock.now(), epoch, plan.configVersion, keys);
      learn(answer);
      if (coming === next) coming = null;
      if (end === 'time is up') {
        const nowMs = clock.now();
        const before = places;
        places = new Map(
          next.map((target) => {
            const place = before.get(target.key);
            const same = place?.target.intervalMs === target.intervalMs;
            return same ? [target.key, { target, slotMs: place.slotMs }] : placed(target, nowMs);
          }),
        );
        slots = new SlotQueue([...places.values()]);
        gathered.keep(({ key }) => places.has(key));
        held.keep(({ key }) => places.has(key));
      }
    } catch (error) {
      retryAtMs = clock.now() + RETRY_MS;
      doors.warn(`agent did not take other targets: ${String(error)}`);
    }
    flushing = null;
    wake();
  };
  plan.listen?.((next) => {
    coming = next;
    wake();
  });

  const flush = async (): Promise<void> => {
    const batch = gathered.take(APPEND_BODY_BYTES);
    try {
      learn(await agent.append(clock.now(), epoch, plan.external, batch));
    } catch (error) {
      // The agent refuses slots that it has already, so handing in again is safe.
      gathered.putBack(batch);
      retryAtMs = clock.now() + RETRY_MS;
      const given = gathered.giveUp(GATHERED_BODY_BYTES_MAX);
      doors.warn(
        `agent did not take a flush: ${String(error)}; ${given > 0 ? `${given} scrapes given up, ` : ''}${gathered.count} kept for another try`,
      );
    }
    flushing = null;
    wake();
  };

  for (;;) {
    const nowMs = clock.now();
    let wakeAtMs = Infinity;
    for (;;) {
      const place = slots.first;
      if (place === undefined || place.slotMs > nowMs || place.slotMs >= ownedUntilMs) break;
      if (owns(place.target.key, place.slotMs)) void scrape(place.target, place.slotMs);
      place.slotMs = firstSlotAfter(place.target, place.slotMs);
      slots.moved();
    }
    const nextMs = slots.first?.slotMs ?? Infinity;
    const ended = nextMs >= ownedUntilMs;
    if (!ended) wakeAtMs = nextMs;

    const ending = ended && scraping === 0;
    if (stepAtMs <= nowMs) stepping ??= step();
    else wakeAtMs = Math.min(wakeAtMs, stepAtMs);
    if (ending && held.count > 0 && nowMs > ownedUntilMs + RUN_MS) {
      doors.warn(`what another agent remembers of targets has not come: ${held.count} scrapes given up`);
      held.keep(() => false);
    }
    if (ending && gathered.count + held.count === 0 && flushing === null) {
      await stepping;
      if (end !== 'time is up' || nowMs >= ownedUntilMs) return end;
      wakeAtMs = Math.min(wakeAtMs, ownedUntilMs);
    }
    const retargets = coming !== null && end === 'time is up' && nowMs < ownedUntilMs;
    if (retargets && flushing === null && gathered.count === 0) {
      if (retryAtMs <= nowMs) flushing = retarget(coming!);
      else wakeAtMs = Math.min(wakeAtMs, retryAtMs);
    }
    if (gathered.count > 0 && flushing === null) {
      const dueMs = ending || retargets || gathered.bytes >= FLUSH_BODY_BYTES ? nowMs : gathered.dueMs;
      const atMs = Math.max(dueMs, retryAtMs);
      if (atMs <= nowMs) {
        if (ending && nowMs > ownedUntilMs + RUN_MS) {
          doors.warn(`agent unreachable: ${gathered.count} scrapes given up at the end of the run`);
          return end;
        }
        flushing = flush();
      } else {
        wakeAtMs = Math.min(wakeAtMs, atMs);
      }
    }
    const woken = new Promise<void>((resolve) => (wake = resolve));
    await (wakeAtMs === Infinity ? woken : Promise.race([woken, clock.sleepUntil(wakeAtMs)]));
  }
}

const pageTarget = ({ labels, timeoutMs, histograms, config }: Target): PageTarget => ({
  labels,
  honorLabels: config.honorLabels,
  honorTimestamps: config.honorTimestamps,
  sampleLimit: config.sampleLimit,
  metricRelabelConfigs: config.metricRelabelConfigs,
  metricNameValidationScheme: config.metricNameValidationScheme,
  ...labelLimits(config),
  ...histogramSettings(histograms, config),
  ...(config.startTimestamps === undefined ? {} : { startTimestamps: config.startTimestamps }),
  ...(config.trackTimestampsStaleness ? { trackTimestampsStaleness: true } : {}),
  ...(config.extraScrapeMetrics ? { extraMetrics: { timeoutMs } } : {}),
});

function histogramSettings(scraped: Target['histograms'], config: ScrapeConfig): Partial<PageTarget> {
  if (!scraped.native && !scraped.convert) return {};
  const { nativeHistogramBucketLimit: bucketLimit, nativeHistogramMinBucketFactor: minFactor } = config;
  return { histograms: { ...scraped, bucketLimit, schemaMax: schemaOf(minFactor) } };
}

function labelLimits({ labelLimit, labelNameLengthLimit, labelValueLengthLimit }: ScrapeConfig): Partial<PageTarget> {
  if (labelLimit === 0 && labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return {};
  return { labelLimits: { labelLimit, labelNameLengthLimit, labelValueLengthLimit } };
}
