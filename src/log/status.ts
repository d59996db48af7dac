/** What a log tells of itself and of its consumers. Plain data: it crosses RPC. */

import type { MetadataCounts } from './consumer.ts';

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
  /** Those that were refused for good, and those in requests that were made again. */
  readonly histogramsFailed: number;
  readonly histogramsRetried: number;
  readonly exemplarsFailed: number;
  readonly exemplarsRetried: number;
  /** Of metadata in requests of its own, which only 1.0 has; of 2.0 it stands in each series. */
  readonly metadata: MetadataCounts;
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
