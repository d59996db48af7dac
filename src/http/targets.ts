/** `GET /api/v1/targets`, as Prometheus answers it (web/api/v1/api.go, `targets`). */

import { formatDuration } from '../config/duration.ts';
import { compareUtf8, type Labels } from '../model/labels.ts';
import { SELF } from '../scrape/target.ts';
import { redactedUrl, timestamp } from './humanise.ts';
import type { DroppedTargetStatus, ScrapePoolStatus, SystemStatus, TargetStatus } from './status.ts';

/** Go's zero time: how Prometheus says "never". */
export const NEVER = '0001-01-01T00:00:00Z';

/** Hosts that mean something else to whoever reads the answer. */
const LOCAL: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** `data` of the answer. `state` is `active`, `dropped` or `any`, `scrapePool` a job's name, `''` is any; `origin` is where the reader found us. */
export function targetsData(status: SystemStatus, state: string, scrapePool: string, origin: string): object {
  const wanted = state.toLowerCase() || 'any';
  const showsActive = wanted === 'any' || wanted === 'active';
  const showsDropped = wanted === 'any' || wanted === 'dropped';
  const ofPool = <T extends { readonly job: string }>(targets: readonly T[]): T[] =>
    targets.filter(({ job }) => scrapePool === '' || job === scrapePool).toSorted((a, b) => compareUtf8(a.job, b.job));
  const active = status.agents.flatMap((agent) => agent.targets);
  return {
    activeTargets: showsActive ? ofPool(active).map((target) => activeTarget(target, origin)) : [],
    droppedTargets: showsDropped ? ofPool(keptDropped(status)).map(droppedTarget) : [],
    droppedTargetCounts: showsDropped ? droppedCounts(status) : null,
  };
}

function activeTarget(target: TargetStatus, origin: string): object {
  return {
    discoveredLabels: record(target.discovered),
    labels: record(target.labels),
    scrapePool: target.job,
    scrapeUrl: redactedUrl(target.url),
    globalUrl: redactedUrl(globalUrl(target.url, origin)),
    lastError: target.lastError ?? '',
    lastScrape: target.lastScrapeMs === null ? NEVER : timestamp(target.lastScrapeMs),
    lastScrapeDuration: (target.lastDurationMs ?? 0) / 1000,
    health: target.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}

/** The target's URL for whoever reads the answer: the deployment itself is where they found it, and localhost the same machine (`getGlobalURL`). */
export function globalUrl(url: string, origin: string): string {
  const target = URL.parse(url);
  const here = URL.parse(origin);
  if (target === null || here === null) return url;
  const rest = `${target.pathname}${target.search}`;
  if (target.hostname === SELF) return `${here.origin}${rest}`;
  if (!LOCAL.has(target.hostname)) return url;
  return `${target.protocol}//${here.hostname}${target.port === '' ? '' : `:${target.port}`}${rest}`;
}

/** `error` is Narthex' own: why a target that no rule dropped cannot be scraped all the same. */
const droppedTarget = ({ job, discovered, reason }: DroppedTargetStatus): object => ({
  discoveredLabels: record(discovered),
  scrapePool: job,
  ...(reason === null ? {} : { error: reason }),
});

/** The dropped targets that are shown: as many of each job as `keep_dropped_targets` says. What cannot be scraped is always among them. */
export function keptDropped({ agents, scrapePools }: SystemStatus): DroppedTargetStatus[] {
  const keep = new Map(scrapePools.map(({ job, keepDroppedTargets }: ScrapePoolStatus) => [job, keepDroppedTargets]));
  const shown = new Map<string, number>();
  return agents
    .flatMap((agent) => agent.droppedTargets)
    .filter(({ job, reason }) => {
      if (reason !== null) return true;
      const count = (shown.get(job) ?? 0) + 1;
      shown.set(job, count);
      return count <= (keep.get(job) || Infinity);
    });
}

/** Of every pool, also those that drop none. */
function droppedCounts({ agents, scrapePools }: SystemStatus): Record<string, number> {
  const counts = new Map(scrapePools.map(({ job }) => [job, 0]));
  for (const { job } of agents.flatMap((agent) => agent.droppedTargets)) counts.set(job, (counts.get(job) ?? 0) + 1);
  return Object.fromEntries(counts);
}

export const record = (labels: Labels): Record<string, string> =>
  Object.fromEntries(labels.map(({ name, value }) => [name, value]));
