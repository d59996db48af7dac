/** What the receiver takes. Every limit has a 4xx with its number in it; none is silent. */

import { RECORD_BYTES_MAX } from '../log/record.ts';

export interface ReceiveLimits {
  /** Bytes of the compressed body. */
  readonly bodyBytesMax: number;
  /** Bytes of the message, uncompressed. */
  readonly messageBytesMax: number;
  /** Samples in one request. */
  readonly samplesMax: number;
  /** Labels of one series, `__name__` included. */
  readonly labelsMax: number;
  readonly nameBytesMax: number;
  readonly valueBytesMax: number;
  /** How far a timestamp may be ahead of the receiver's clock, in ms, inclusive. */
  readonly futureMs: number;
  /** How far it may be behind, in ms, inclusive. */
  readonly pastMs: number;
  readonly record: RecordLimits;
}

/** What a shard is held to; judged in the log's object, so it goes with each append. */
export interface ShardLimits {
  /** Samples a second on average; null is no limit. */
  readonly samplesPerS: number | null;
  /** How many may come at once. */
  readonly samplesBurst: number;
  /** Active series (active-series.ts); null is no limit. */
  readonly seriesMax: number | null;
  /** Bytes of records that may wait for the digest. */
  readonly pendingBytesMax: number;
}

/** What holds for one tenant. */
export interface TenantSettings {
  readonly receive: ReceiveLimits;
  readonly shard: ShardLimits;
  /** How many shards it has. */
  readonly shards: number;
  /** Whether one replica of an HA pair is elected. */
  readonly ha: boolean;
  /** Names of the remotes that what is received goes out to. */
  readonly relay: readonly string[];
}

/** What one record of the log may be. A larger request becomes several, appended as one. */
export interface RecordLimits {
  readonly bodyBytesMax: number;
  readonly messageBytesMax: number;
  readonly samplesMax: number;
  /** Bytes of the compressed bodies of all records of one request: they cross to the log's object in one call, which takes 32 MiB. */
  readonly allBytesMax: number;
}

const MINUTE_MS = 60 * 1000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * 32 MiB and 10 minutes are Prometheus' own (its receiver since 3.12; its head's out-of-bounds check). Seven days is the age
 * up to which late data is taken. The others are far above what senders make, and low enough for an isolate of 128 MB.
 */
export const DEFAULT_RECEIVE_LIMITS: ReceiveLimits = {
  bodyBytesMax: 16 * 1024 * 1024,
  messageBytesMax: 32 * 1024 * 1024,
  samplesMax: 500_000,
  labelsMax: 100,
  nameBytesMax: 1024,
  valueBytesMax: 8192,
  futureMs: 10 * MINUTE_MS,
  pastMs: 7 * DAY_MS,
  // Readers of the log decode a record at a time: what it expands to is bounded as its row is.
  record: {
    bodyBytesMax: RECORD_BYTES_MAX,
    messageBytesMax: 8 * 1024 * 1024,
    samplesMax: 100_000,
    allBytesMax: 28 * 1024 * 1024,
  },
};

/** Metric families that are kept of a shard, and so as many as one request without samples may bring. Prometheus itself has 500. */
export const FAMILIES_MAX = 10_000;

/** Two bitmaps of a byte for each series that the limit allows: ten megabytes of an isolate's 128. */
export const SERIES_LIMIT_MAX = 5_000_000;

/**
 * No rate and no number of series is anybody's but the owner's to choose. 512 MB are some 150 million samples, minutes of digesting, and far below
 * the bound of the log, so that what was accepted is never dropped before it is digested.
 */
export const DEFAULT_SHARD_LIMITS: ShardLimits = {
  samplesPerS: null,
  samplesBurst: 0,
  seriesMax: null,
  pendingBytesMax: 512 * 1024 * 1024,
};
