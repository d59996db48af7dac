/**
 * A scraping run: one runner of the relay race. It takes the baton, waits for each slot, scrapes, and hands what has gathered to the agent
 * at a flush, until a later run owns the slots or its time is up. It keeps nothing that must survive it.
 *
 * The one invariant: a slot that it began is handed in, or its loss is reported.
 */

import type { ScrapeConfig } from '../config/model.ts';
import type { Labels } from '../model/labels.ts';
import type { Fetch } from '../model/doors.ts';
import { type ScrapeDoors, type ScrapeResult, scrapeTarget } from './fetch.ts';
import type { Route } from './routes.ts';
import { firstSlotAfter } from './slots.ts';
import type { PageTarget } from './page.ts';
import type { Target } from './target.ts';

/** What a flush carries of one scrape: no more of the target than its page needs. */
export interface Scraped {
  readonly key: string;
  readonly target: PageTarget;
  readonly intervalMs: number;
  readonly result: ScrapeResult;
}

/** The agent as a run sees it. */
export interface AgentDoor {
  /**
   * Makes the caller the owner of all slots from `nowMs` on. `targets` are the keys of all targets that the agent has now: what it
   * remembers of others ends with stale markers, two intervals later. `remotes` are the consumers of its log.
   */
  takeBaton(
    nowMs: number,
    plan: { configVersion: number; targets: readonly string[]; remotes: readonly string[] },
  ): Promise<{ epoch: number }>;
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
}

/** A flush is due when the oldest slot that has gathered is this old. A row a second would cost five times as much. */
export const FLUSH_AGE_MS = 5_000;
/** … or when bodies of this size have gathered: about 10,000 samples of text. */
const FLUSH_BODY_BYTES = 1_000_000;
/** One call to the agent carries at most this much: RPC ends at 32 MiB. */
const APPEND_BODY_BYTES = 16_000_000;
/** What cannot be handed in is kept up to this size, then the oldest is given up: an isolate has 128 MB. */
const GATHERED_BODY_BYTES_MAX = 32_000_000;
/** A run that nobody relieves goes on this long: cron may be late by a minute. */
export const RUN_MS = 150_000;
const RETRY_MS = 1_000;

export type RoundEnd = 'superseded' | 'reload' | 'time is up';

export async function scrapeRound(plan: RoundPlan, agent: AgentDoor, doors: RoundDoors): Promise<RoundEnd> {
  const { clock } = doors;
  const startMs = clock.now();
  const { epoch } = await agent.takeBaton(startMs, {
    configVersion: plan.configVersion,
    targets: plan.targets.map((target) => target.key),
    remotes: plan.remotes,
  });

  let end: RoundEnd = 'time is up';
  let ownedUntilMs = startMs + plan.runMs;
  let targets = plan.targets;
  let nextSlot = new Map(targets.map((target) => [target.key, firstSlotAfter(target, startMs - 1)]));
  /** The newest targets, while the agent does not know of them yet. */
  let coming: readonly Target[] | null = null;
  const gathered: Scraped[] = [];
  let scraping = 0;
  let flushing: Promise<void> | null = null;
  let retryAtMs = 0;
  let wake: () => void = () => undefined;

  const scrape = async (target: Target, slotMs: number): Promise<void> => {
    scraping++;
    const result = await scrapeTarget(target, slotMs, { ...doors, fetch: doors.route(target.route) });
    scraping--;
    const { error } = result;
    if (error !== null && target.refusal === undefined && target.config.scrapeFailureLogFile !== '')
      doors.warn(error, { job_name: target.job, target: target.url });
    // A target that is gone meanwhile is not scraped any more, as if this one had been cut off.
    if (nextSlot.has(target.key))
      gathered.push({ key: target.key, target: pageTarget(target), intervalMs: target.intervalMs, result });
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
        const before = new Map(targets.map((target) => [target.key, target]));
        const slots = nextSlot;
        nextSlot = new Map(
          next.map((target) => {
            const same = before.get(target.key)?.intervalMs === target.intervalMs;
            return [target.key, same ? slots.get(target.key)! : firstSlotAfter(target, nowMs - 1)];
          }),
        );
        targets = next;
        gathered.splice(0, Infinity, ...gathered.filter(({ key }) => nextSlot.has(key)));
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
    const batch = takeBatch(gathered);
    try {
      learn(await agent.append(clock.now(), epoch, plan.external, batch));
    } catch (error) {
      // The agent refuses slots that it has already, so handing in again is safe.
      gathered.unshift(...batch);
      retryAtMs = clock.now() + RETRY_MS;
      giveUpOldest(gathered, doors.warn, error);
    }
    flushing = null;
    wake();
  };

  for (;;) {
    const nowMs = clock.now();
    let wakeAtMs = Infinity;
    let ended = true;
    for (const target of targets) {
      let slotMs = nextSlot.get(target.key)!;
      while (slotMs <= nowMs && slotMs < ownedUntilMs) {
        void scrape(target, slotMs);
        slotMs = firstSlotAfter(target, slotMs);
        nextSlot.set(target.key, slotMs);
      }
      if (slotMs < ownedUntilMs) {
        ended = false;
        wakeAtMs = Math.min(wakeAtMs, slotMs);
      }
    }

    const ending = ended && scraping === 0;
    if (ending && gathered.length === 0 && flushing === null) {
      if (end !== 'time is up' || nowMs >= ownedUntilMs) return end;
      wakeAtMs = Math.min(wakeAtMs, ownedUntilMs);
    }
    const retargets = coming !== null && end === 'time is up' && nowMs < ownedUntilMs;
    if (retargets && flushing === null && gathered.length === 0) {
      if (retryAtMs <= nowMs) flushing = retarget(coming!);
      else wakeAtMs = Math.min(wakeAtMs, retryAtMs);
    }
    if (gathered.length > 0 && flushing === null) {
      const dueMs =
        ending || retargets || bodyBytes(gathered) >= FLUSH_BODY_BYTES ? nowMs : oldestSlot(gathered) + FLUSH_AGE_MS;
      const atMs = Math.max(dueMs, retryAtMs);
      if (atMs <= nowMs) {
        if (ending && nowMs > ownedUntilMs + RUN_MS) {
          doors.warn(`agent unreachable: ${gathered.length} scrapes given up at the end of the run`);
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

const pageTarget = ({ labels, timeoutMs, config }: Target): PageTarget => ({
  labels,
  honorLabels: config.honorLabels,
  honorTimestamps: config.honorTimestamps,
  sampleLimit: config.sampleLimit,
  metricRelabelConfigs: config.metricRelabelConfigs,
  metricNameValidationScheme: config.metricNameValidationScheme,
  ...labelLimits(config),
  ...(config.trackTimestampsStaleness ? { trackTimestampsStaleness: true } : {}),
  ...(config.extraScrapeMetrics ? { extraMetrics: { timeoutMs } } : {}),
});

function labelLimits({ labelLimit, labelNameLengthLimit, labelValueLengthLimit }: ScrapeConfig): Partial<PageTarget> {
  if (labelLimit === 0 && labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return {};
  return { labelLimits: { labelLimit, labelNameLengthLimit, labelValueLengthLimit } };
}

const sizeOf = ({ result }: Scraped): number => 1_000 + (result.body?.byteLength ?? 0);
const bodyBytes = (scrapes: readonly Scraped[]): number => scrapes.reduce((sum, scraped) => sum + sizeOf(scraped), 0);
const oldestSlot = (scrapes: readonly Scraped[]): number =>
  scrapes.reduce((min, { result }) => Math.min(min, result.slotMs), Infinity);

/** Takes what one call may carry from the front, in the order of slots. */
function takeBatch(gathered: Scraped[]): Scraped[] {
  gathered.sort((a, b) => a.result.slotMs - b.result.slotMs);
  let bytes = 0;
  let n = 0;
  while (n < gathered.length && (n === 0 || bytes + sizeOf(gathered[n]!) <= APPEND_BODY_BYTES))
    bytes += sizeOf(gathered[n++]!);
  return gathered.splice(0, n);
}

function giveUpOldest(gathered: Scraped[], warn: (message: string) => void, error: unknown): void {
  let given = 0;
  while (gathered.length > 1 && bodyBytes(gathered) > GATHERED_BODY_BYTES_MAX) {
    gathered.shift();
    given++;
  }
  warn(
    `agent did not take a flush: ${String(error)}; ${given > 0 ? `${given} scrapes given up, ` : ''}${gathered.length} kept for another try`,
  );
}
