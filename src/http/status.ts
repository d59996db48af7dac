/** What the objects tell of themselves, for the page, the API and `/metrics`. Plain data: it crosses RPC. */

import type { BlockStatus } from '../compact/doors.ts';
import type { ConfigVersion } from '../config/model.ts';
import type { RangeStatus } from '../digest/shelf.ts';
import type { ConsumerStatus, LogStatus } from '../log/status.ts';
import type { Labels } from '../model/labels.ts';

export type { BlockStatus, ConsumerStatus, LogStatus, RangeStatus };
export type { ConsumerMinute } from '../log/status.ts';

export interface TargetStatus {
  readonly key: string;
  readonly job: string;
  readonly url: string;
  readonly labels: Labels;
  readonly discovered: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly health: 'up' | 'down' | 'unknown';
  /** Timestamp of the last scrape in the log, Unix ms. */
  readonly lastScrapeMs: number | null;
  readonly lastDurationMs: number | null;
  readonly lastSamples: number | null;
  readonly lastError: string | null;
}

/** A target that is not scraped: a rule dropped it, or it cannot be scraped, for the reason given. */
export interface DroppedTargetStatus {
  readonly job: string;
  readonly discovered: Labels;
  readonly reason: string | null;
}

export interface AgentStatus {
  readonly name: string;
  readonly epoch: number;
  readonly batonTakenAtMs: number | null;
  readonly configVersion: number;
  readonly log: LogStatus;
  readonly remotes: readonly ConsumerStatus[];
  readonly targets: readonly TargetStatus[];
  readonly droppedTargets: readonly DroppedTargetStatus[];
  /** Highest sample timestamp ever appended, Unix ms. */
  readonly highestMs: number | null;
  /** Scrapes appended, and those refused, by reason; stored with the event. */
  readonly scrapes: number;
  readonly scrapesRefused: Readonly<Record<string, number>>;
  /** Totals that are stored with the event: limits that failed a scrape, samples left out, exemplars (src/scrape/journal.ts). */
  readonly scrapeCounts: Readonly<Record<string, number>>;
  /** By interval in ms: the time between the timestamps of two scrapes of a target, summed in ms, and how often. */
  readonly intervals: Readonly<Record<string, { readonly sumMs: number; readonly count: number }>>;
  /** Series that targets had in their last scrape. */
  readonly activeSeries: number;
}

export interface IngesterStatus {
  readonly tenant: string;
  readonly shard: number;
  readonly log: LogStatus;
  readonly digest: ConsumerStatus;
  /** Remotes that what is received goes out to. */
  readonly relays: readonly ConsumerStatus[];
  /** Ranges that end at or before it are cut, Unix ms. */
  readonly watermarkMs: number;
  readonly ranges: readonly RangeStatus[];
  /** Identical samples that came again. */
  readonly samplesDuplicate: number;
  /** Other values for a taken timestamp; the first was kept. */
  readonly samplesConflicting: number;
  readonly conflictExample: string | null;
  /** Estimated number of active series; null when they are not limited, or nothing came since the object woke up. */
  readonly activeSeries: number | null;
  /** Families of metrics that something is known of, and how often one was left out for want of room. */
  readonly metadataFamilies: number;
  readonly metadataLeftOut: number;
  /** Exemplars that were digested, and those of them that are not kept, by reason; the others are in the ring. */
  readonly exemplarsIn: number;
  readonly exemplarsDropped: Readonly<Record<string, number>>;
}

/** A scrape configuration: what Prometheus calls a scrape pool. */
export interface ScrapePoolStatus {
  readonly job: string;
  /** With more targets none is scraped; 0 is no limit. */
  readonly targetLimit: number;
  /** `keep_dropped_targets`: of those that a rule dropped, so many are shown; 0 is all. */
  readonly keepDroppedTargets: number;
}

/** One `*_sd_configs` of a job, or its `static_configs` together. Times are Unix ms. */
export interface DiscoveryStatus {
  readonly job: string;
  /** `static`, `http`, `file` …: what Prometheus calls the mechanism. */
  readonly kind: string;
  /** What is asked, for people. */
  readonly where: string;
  /** Null for static ones, which are never asked. */
  readonly intervalMs: number | null;
  readonly targets: number;
  readonly refreshedAtMs: number | null;
  readonly changedAtMs: number | null;
  readonly failures: number;
  /** Of the last refresh; the last good targets are kept. */
  readonly error: string | null;
}

export interface SystemStatus {
  readonly nowMs: number;
  readonly config: ConfigVersion;
  readonly scrapePools: readonly ScrapePoolStatus[];
  readonly discoveries: readonly DiscoveryStatus[];
  readonly agents: readonly AgentStatus[];
  readonly ingesters: readonly IngesterStatus[];
  readonly blocks: readonly BlockStatus[];
}
