/** What the objects tell of themselves, for the page, the API and `/metrics`. Plain data: it crosses RPC. */

import type { ConfigVersion } from '../config/model.ts';
import type { Labels } from '../model/labels.ts';

/** One log. `…In` are totals since the object was created, stored in the newest row. */
export interface LogStatus {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Records and bytes of bodies that stand in the log now. */
  readonly records: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** When the oldest record was appended, Unix ms; null when there is none. */
  readonly oldestAtMs: number | null;
  /** Highest timestamp of a sample in the newest hundred records, Unix ms; null when there is none. */
  readonly highestMs: number | null;
  readonly recordsIn: number;
  readonly samplesIn: number;
  readonly bytesIn: number;
  /** Rows that the log's object has written since it woke, for the log or anything else, as the platform bills them; alarms are not counted. */
  readonly rowsWritten: number;
  /** Records that could not be read, set aside with their reason. */
  readonly setAside: readonly { readonly seq: number; readonly reason: string }[];
}

/** How a consumer stood at some moment of a minute (Unix ms / 60,000): samples that waited, and the age of the oldest record of them. */
export interface ConsumerMinute {
  readonly minute: number;
  readonly pending: number;
  readonly lagMs: number;
}

/** One consumer of a log: a remote, or the digest. `in = sent + dropped + pending`, always, in samples. */
export interface ConsumerStatus {
  readonly name: string;
  /** A remote's, from the configuration; the digest has none. */
  readonly url?: string;
  /** The last seq that it is done with. */
  readonly cursor: number;
  readonly samplesIn: number;
  readonly samplesSent: number;
  readonly samplesDropped: Readonly<Record<string, number>>;
  readonly samplesPending: number;
  readonly recordsPending: number;
  /** Age of the oldest pending record in ms; 0 when none is pending. */
  readonly lagMs: number;
  readonly requests: number;
  readonly requestsFailed: number;
  readonly samplesRetried: number;
  readonly bytesSent: number;
  /** The highest sample timestamp that was sent, Unix ms. */
  readonly highestSentMs: number | null;
  readonly lastSentAtMs: number | null;
  readonly lastError: { readonly atMs: number; readonly message: string } | null;
  /** False while it is backing off after an error. */
  readonly healthy: boolean;
  /** The last hour, oldest first; minutes in which nothing happened are not there. */
  readonly recent: readonly ConsumerMinute[];
  /** Time that requests took, ms, and how many of them it is known of. */
  readonly requestsMs: number;
  readonly requestsTimed: number;
  /** Of `samplesIn`, those that it was given once more, since it was moved back. */
  readonly samplesReplayed: number;
  /** Of the samples that were sent, those that are histograms; and exemplars besides. What relabelling drops of a record is not told apart. */
  readonly histogramsSent: number;
  readonly exemplarsSent: number;
  /** Requests that may be under way at once, and how many there would be if `max_shards` allowed it. */
  readonly shards: number;
  readonly shardsDesired: number;
  /** A remote's, from the configuration. */
  readonly shardsMin?: number;
  readonly shardsMax?: number;
  readonly samplesPerSendMax?: number;
  /** Until when a remote is sent 1.0, since it did not understand 2.0; null when it is not. */
  readonly schema1UntilMs: number | null;
  /** The samples a request may have since a remote refused more; null when it did not. */
  readonly samplesMax: number | null;
}

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

/** Samples of one block range in segments, not yet in a block. Times are Unix ms, end exclusive. */
export interface RangeStatus {
  readonly startMs: number;
  readonly endMs: number;
  /** The range had been cut already when these samples came. */
  readonly late: boolean;
  readonly segments: number;
  readonly samples: number;
  readonly bytes: number;
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

export interface BlockStatus {
  readonly ulid: string;
  readonly tenant: string;
  readonly shard: number;
  /** First sample and end (exclusive), Unix ms. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly samples: number;
  readonly series: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly late: boolean;
  readonly createdAtMs: number;
  /** `index`, `chunks/000001`, …, `meta.json`. */
  readonly files: readonly string[];
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
