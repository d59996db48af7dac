/**
 * The discoveries of a configuration, each with the name that its groups are kept under and its own slots in time: when to refresh is a
 * pure function of both, as with scrapes, so that runs that know nothing of each other agree and nothing has to be remembered.
 */

import type { Config, DiscoveryConfig } from '../config/model.ts';
import { keyOf } from '../scrape/target.ts';
import { offsetOf } from '../scrape/slots.ts';
import type { DiscoveredGroups, TargetGroup } from './group.ts';

export interface Discovery {
  /** 16 hexadecimal digits; the same for as long as what is asked is the same. No secret is in it: other credentials ask the same question. */
  readonly key: string;
  readonly job: string;
  readonly config: DiscoveryConfig;
  readonly intervalMs: number;
  readonly offsetMs: number;
}

/** What is known of a discovery. */
export interface Discovered {
  /** Tells two lists of groups apart. */
  readonly fingerprint: string;
  readonly groups: readonly TargetGroup[];
}

const SECRETS: ReadonlySet<string> = new Set(['basicAuth', 'authorization', 'oauth2', 'httpHeaders', 'token']);

export function discoveriesOf(config: Config): Discovery[] {
  return config.scrapeConfigs.flatMap((scrape) =>
    scrape.discoveries.map((discovery, i) => {
      const asked = Object.entries(discovery).filter(([name]) => !SECRETS.has(name));
      const identity = JSON.stringify([scrape.jobName, i, Object.fromEntries(asked)]);
      const intervalMs = discovery.refreshIntervalMs;
      return {
        key: keyOf(identity),
        job: scrape.jobName,
        config: discovery,
        intervalMs,
        offsetMs: offsetOf(identity, intervalMs),
      };
    }),
  );
}

/** The groups of each job, in the order of its discoveries. */
export function groupsByJob(
  discoveries: readonly Discovery[],
  known: ReadonlyMap<string, Discovered>,
): DiscoveredGroups {
  const byJob = new Map<string, TargetGroup[]>();
  for (const { key, job } of discoveries) {
    const groups = byJob.get(job) ?? [];
    groups.push(...(known.get(key)?.groups ?? []));
    byJob.set(job, groups);
  }
  return byJob;
}
