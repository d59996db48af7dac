/** `GET /api/v1/targets`, in the shape that Prometheus' clients read (querying/api.md, "Targets"). */

import type { Labels } from '../model/labels.ts';
import { prometheusDuration, redactedUrl, timestamp } from './humanise.ts';
import type { AgentStatus, DroppedTargetStatus, SystemStatus, TargetStatus } from './status.ts';

/** Go's zero time: how Prometheus says "never". */
const NEVER = '0001-01-01T00:00:00Z';

/** `data` of the answer. `state` is `active`, `dropped` or `any` as in Prometheus, `scrapePool` a job's name; null is any. */
export function targetsData(status: SystemStatus, state: string | null, scrapePool: string | null): object {
  const wanted = (state ?? 'any').toLowerCase();
  const targets = status.agents.flatMap((agent) => agent.targets);
  const isWanted = ({ job }: DroppedTargetStatus): boolean => scrapePool === null || job === scrapePool;
  const dropped = status.agents.flatMap((agent) => agent.droppedTargets).filter(isWanted);
  const kept = status.agents.flatMap(keptDropped).filter(isWanted);
  return {
    activeTargets:
      wanted === 'dropped'
        ? []
        : targets.filter((target) => scrapePool === null || target.job === scrapePool).map(activeTarget),
    droppedTargets: wanted === 'active' ? [] : kept.map(droppedTarget),
    droppedTargetCounts: countsOf(dropped),
  };
}

function activeTarget(target: TargetStatus): object {
  const url = redactedUrl(target.url);
  return {
    discoveredLabels: record(target.discovered),
    labels: record(target.labels),
    scrapePool: target.job,
    scrapeUrl: url,
    globalUrl: url,
    lastError: target.lastError ?? '',
    lastScrape: target.lastScrapeMs === null ? NEVER : timestamp(target.lastScrapeMs),
    lastScrapeDuration: (target.lastDurationMs ?? 0) / 1000,
    health: target.health,
    scrapeInterval: prometheusDuration(target.intervalMs),
    scrapeTimeout: prometheusDuration(target.timeoutMs),
  };
}

/** `error` is Narthex' own: why a target that no rule dropped cannot be scraped all the same. */
const droppedTarget = ({ job, discovered, reason }: DroppedTargetStatus): object => ({
  discoveredLabels: record(discovered),
  scrapePool: job,
  ...(reason === null ? {} : { error: reason }),
});

/** The dropped targets that are shown: as many of each job as `keep_dropped_targets` says. What cannot be scraped is always among them. */
function keptDropped({ droppedTargets, keepDroppedTargets = {} }: AgentStatus): DroppedTargetStatus[] {
  const shown: Record<string, number> = {};
  return droppedTargets.filter(({ job, reason }) => {
    if (reason !== null) return true;
    shown[job] = (shown[job] ?? 0) + 1;
    return shown[job] <= (keepDroppedTargets[job] ?? Infinity);
  });
}

function countsOf(dropped: readonly DroppedTargetStatus[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { job } of dropped) counts[job] = (counts[job] ?? 0) + 1;
  return counts;
}

const record = (labels: Labels): Record<string, string> =>
  Object.fromEntries(labels.map(({ name, value }) => [name, value]));
