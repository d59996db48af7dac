/**
 * What the log remembers of one consumer. The one invariant: `at − base = sent + Σ dropped`, so that
 * `in = sent + Σ dropped + pending` holds whatever happens. `advance` is the only function that moves a cursor.
 */

import type { ConsumerMinute, ConsumerStatus } from './status.ts';

export interface ConsumerState {
  /** `samples_in` of the log when the consumer began, and at its cursor. */
  readonly base: number;
  readonly at: number;
  readonly sent: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly requestsFailed: number;
  readonly samplesRetried: number;
  readonly bytesSent: number;
  readonly highestSentMs: number | null;
  readonly lastSentAtMs: number | null;
  readonly lastError: { readonly atMs: number; readonly message: string } | null;
  readonly healthy: boolean;
  /** The consumer's own memory, such as the schema that a remote turned out to speak. */
  readonly memo: Readonly<Record<string, number>>;
  /** How it stood in the minutes of the last hour in which something was written, oldest first. Rides in a row that is written anyway. */
  readonly recent?: readonly ConsumerMinute[];
  /** How long the requests took that were counted in `requestsTimed`, ms. */
  readonly requestsMs?: number;
  readonly requestsTimed?: number;
  /** Samples that it was given once more: it was moved back. They count as given to it again, in `base` too. */
  readonly replayed?: number;
  readonly histogramsSent?: number;
  readonly histogramsFailed?: number;
  readonly histogramsRetried?: number;
  readonly exemplarsSent?: number;
  readonly exemplarsFailed?: number;
  readonly exemplarsRetried?: number;
  readonly metadata?: MetadataCounts;
}

/** Metric families in requests of their own, and the bytes of those that were taken. */
export interface MetadataCounts {
  readonly sent: number;
  readonly failed: number;
  readonly retried: number;
  readonly bytes: number;
}

const NO_METADATA: MetadataCounts = { sent: 0, failed: 0, retried: 0, bytes: 0 };

export interface Consumer {
  readonly name: string;
  /** The last seq that it is done with. */
  readonly cursor: number;
  readonly state: ConsumerState;
}

/** What became of the records between the cursor and the new one. What it does not account for was unreadable. */
export interface Outcome {
  readonly sent: number;
  readonly dropped?: Readonly<Record<string, number>>;
  /** Requests that were made, how many of them failed, samples in those that were made again, and bytes of those that were taken. */
  readonly requests?: number;
  readonly requestsFailed?: number;
  readonly samplesRetried?: number;
  /** How many of `sent` are histograms, and exemplars that were sent with them; those that were refused, and those in requests that were made again. */
  readonly histograms?: number;
  readonly histogramsFailed?: number;
  readonly histogramsRetried?: number;
  readonly exemplars?: number;
  readonly exemplarsFailed?: number;
  readonly exemplarsRetried?: number;
  readonly bytes?: number;
  /** How long requests took that were answered for good, ms, and how many they were. */
  readonly requestsMs?: number;
  readonly requestsTimed?: number;
  readonly highestMs?: number;
  readonly error?: string;
  readonly memo?: Readonly<Record<string, number>>;
}

/** What became of records that lie one behind the other, as one. */
export function mergeOutcomes(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce<Outcome>(
    (a, b) => {
      const highestMs = Math.max(a.highestMs ?? -Infinity, b.highestMs ?? -Infinity);
      const error = b.error ?? a.error;
      return {
        sent: a.sent + b.sent,
        dropped: add(a.dropped ?? {}, b.dropped ?? {}),
        requests: (a.requests ?? 0) + (b.requests ?? 0),
        requestsFailed: (a.requestsFailed ?? 0) + (b.requestsFailed ?? 0),
        samplesRetried: (a.samplesRetried ?? 0) + (b.samplesRetried ?? 0),
        histograms: (a.histograms ?? 0) + (b.histograms ?? 0),
        histogramsFailed: (a.histogramsFailed ?? 0) + (b.histogramsFailed ?? 0),
        histogramsRetried: (a.histogramsRetried ?? 0) + (b.histogramsRetried ?? 0),
        exemplars: (a.exemplars ?? 0) + (b.exemplars ?? 0),
        exemplarsFailed: (a.exemplarsFailed ?? 0) + (b.exemplarsFailed ?? 0),
        exemplarsRetried: (a.exemplarsRetried ?? 0) + (b.exemplarsRetried ?? 0),
        bytes: (a.bytes ?? 0) + (b.bytes ?? 0),
        requestsMs: (a.requestsMs ?? 0) + (b.requestsMs ?? 0),
        requestsTimed: (a.requestsTimed ?? 0) + (b.requestsTimed ?? 0),
        ...(highestMs > -Infinity ? { highestMs } : {}),
        ...(error === undefined ? {} : { error }),
      };
    },
    { sent: 0 },
  );
}

/** Errors of a remote are kept for the page; as much as Prometheus logs of them. */
const ERROR_CHARACTERS_MAX = 1024;

export function newConsumer(name: string, cursor: number, samplesIn: number): Consumer {
  return {
    name,
    cursor,
    state: {
      base: samplesIn,
      at: samplesIn,
      sent: 0,
      dropped: {},
      requests: 0,
      requestsFailed: 0,
      samplesRetried: 0,
      bytesSent: 0,
      highestSentMs: null,
      lastSentAtMs: null,
      lastError: null,
      healthy: true,
      memo: {},
    },
  };
}

function add(counts: Readonly<Record<string, number>>, more: Readonly<Record<string, number>>): Record<string, number> {
  const sum = { ...counts };
  for (const [reason, n] of Object.entries(more)) if (n > 0) sum[reason] = (sum[reason] ?? 0) + n;
  return sum;
}

const later = (a: number | null, b: number | undefined): number | null =>
  b === undefined ? a : a === null ? b : Math.max(a, b);

const errorOf = (nowMs: number, message: string): { atMs: number; message: string } => ({
  atMs: nowMs,
  message: message.slice(0, ERROR_CHARACTERS_MAX),
});

/**
 * Moves a cursor to `seq`, where the log's running total of samples is `samplesIn`. Samples in between that the outcome does not
 * account for were in records that could not be read: they are dropped with that reason, never lost silently.
 */
export function advance(consumer: Consumer, seq: number, samplesIn: number, outcome: Outcome, nowMs: number): Consumer {
  const { state } = consumer;
  let unaccounted = samplesIn - state.at - outcome.sent;
  for (const n of Object.values(outcome.dropped ?? {})) unaccounted -= n;
  if (unaccounted < 0) {
    throw new Error(
      `consumer ${consumer.name}: acknowledged ${-unaccounted} more samples than the log holds up to ${seq}`,
    );
  }
  const requests = outcome.requests ?? 0;
  return {
    name: consumer.name,
    cursor: seq,
    state: {
      ...state,
      at: samplesIn,
      sent: state.sent + outcome.sent,
      dropped: add(add(state.dropped, outcome.dropped ?? {}), { unreadable: unaccounted }),
      requests: state.requests + requests,
      requestsFailed: state.requestsFailed + (outcome.requestsFailed ?? 0),
      samplesRetried: state.samplesRetried + (outcome.samplesRetried ?? 0),
      requestsMs: (state.requestsMs ?? 0) + (outcome.requestsMs ?? 0),
      requestsTimed: (state.requestsTimed ?? 0) + (outcome.requestsTimed ?? 0),
      histogramsSent: (state.histogramsSent ?? 0) + (outcome.histograms ?? 0),
      histogramsFailed: (state.histogramsFailed ?? 0) + (outcome.histogramsFailed ?? 0),
      histogramsRetried: (state.histogramsRetried ?? 0) + (outcome.histogramsRetried ?? 0),
      exemplarsSent: (state.exemplarsSent ?? 0) + (outcome.exemplars ?? 0),
      exemplarsFailed: (state.exemplarsFailed ?? 0) + (outcome.exemplarsFailed ?? 0),
      exemplarsRetried: (state.exemplarsRetried ?? 0) + (outcome.exemplarsRetried ?? 0),
      bytesSent: state.bytesSent + (outcome.bytes ?? 0),
      highestSentMs: later(state.highestSentMs, outcome.highestMs),
      lastSentAtMs: outcome.sent > 0 ? nowMs : state.lastSentAtMs,
      lastError: outcome.error === undefined ? state.lastError : errorOf(nowMs, outcome.error),
      // What was dropped without asking the remote says nothing about it.
      healthy: outcome.error === undefined && (state.healthy || outcome.sent > 0 || requests > 0),
      memo: { ...state.memo, ...outcome.memo },
    },
  };
}

/** Moves a cursor back to `seq`, where the log's running total was `samplesIn`: what lies between is given to the consumer once more. */
export function rewound(consumer: Consumer, seq: number, samplesIn: number): Consumer {
  const { state } = consumer;
  const again = state.at - samplesIn;
  return {
    ...consumer,
    cursor: seq,
    state: { ...state, at: samplesIn, base: state.base - again, replayed: (state.replayed ?? 0) + again },
  };
}

/** A request failed and its samples will be sent again: nothing moves, the failure is remembered. */
export function retried(
  consumer: Consumer,
  {
    requests,
    samples,
    histograms,
    exemplars,
  }: Readonly<Record<'requests' | 'samples' | 'histograms' | 'exemplars', number>>,
  error: string,
  nowMs: number,
): Consumer {
  const { state } = consumer;
  return {
    ...consumer,
    state: {
      ...state,
      requests: state.requests + requests,
      requestsFailed: state.requestsFailed + requests,
      samplesRetried: state.samplesRetried + samples,
      histogramsRetried: (state.histogramsRetried ?? 0) + histograms,
      exemplarsRetried: (state.exemplarsRetried ?? 0) + exemplars,
      lastError: errorOf(nowMs, error),
      healthy: false,
    },
  };
}

/** Metadata was sent, or was not taken: nothing moves. */
export function withMetadata(consumer: Consumer, more: MetadataCounts): Consumer {
  const { sent, failed, retried, bytes } = consumer.state.metadata ?? NO_METADATA;
  const metadata = {
    sent: sent + more.sent,
    failed: failed + more.failed,
    retried: retried + more.retried,
    bytes: bytes + more.bytes,
  };
  return { ...consumer, state: { ...consumer.state, metadata } };
}

const MINUTE_MS = 60_000;
const MINUTES_KEPT = 60;

/** True when nothing was noted in this minute yet. */
export const isNewMinute = ({ state }: Consumer, nowMs: number): boolean =>
  (state.recent?.at(-1)?.minute ?? -1) < Math.floor(nowMs / MINUTE_MS);

/** Notes how the consumer stands: once a minute, an hour is kept. */
export function noted(consumer: Consumer, pending: number, lagMs: number, nowMs: number): Consumer {
  const minute = Math.floor(nowMs / MINUTE_MS);
  const kept = (consumer.state.recent ?? []).filter((entry) => entry.minute > minute - MINUTES_KEPT);
  return { ...consumer, state: { ...consumer.state, recent: [...kept, { minute, pending, lagMs }] } };
}

/** `newestSamplesIn` and `newestSeq` are the log's; `oldestPendingAtMs` is when the first record after the cursor was appended. */
export function consumerStatus(
  consumer: Consumer,
  newest: { readonly seq: number; readonly samplesIn: number },
  oldestPendingAtMs: number | null,
  nowMs: number,
): ConsumerStatus {
  const { name, cursor, state } = consumer;
  return {
    name,
    cursor,
    samplesIn: newest.samplesIn - state.base,
    samplesSent: state.sent,
    samplesDropped: state.dropped,
    samplesPending: newest.samplesIn - state.at,
    recordsPending: newest.seq - cursor,
    lagMs: oldestPendingAtMs === null ? 0 : Math.max(0, nowMs - oldestPendingAtMs),
    requests: state.requests,
    requestsFailed: state.requestsFailed,
    samplesRetried: state.samplesRetried,
    bytesSent: state.bytesSent,
    highestSentMs: state.highestSentMs,
    lastSentAtMs: state.lastSentAtMs,
    lastError: state.lastError,
    healthy: state.healthy,
    recent: state.recent ?? [],
    requestsMs: state.requestsMs ?? 0,
    requestsTimed: state.requestsTimed ?? 0,
    samplesReplayed: state.replayed ?? 0,
    histogramsSent: state.histogramsSent ?? 0,
    histogramsFailed: state.histogramsFailed ?? 0,
    histogramsRetried: state.histogramsRetried ?? 0,
    exemplarsSent: state.exemplarsSent ?? 0,
    exemplarsFailed: state.exemplarsFailed ?? 0,
    exemplarsRetried: state.exemplarsRetried ?? 0,
    metadata: state.metadata ?? NO_METADATA,
    shards: state.memo['shards'] ?? 1,
    shardsDesired: state.memo['shardsDesired'] ?? 1,
    schema1UntilMs: until(state.memo, 'schema1UntilMs', nowMs),
    samplesMax: until(state.memo, 'samplesMaxUntilMs', nowMs) === null ? null : (state.memo['samplesMax'] ?? null),
  };
}

/** A moment that a consumer remembers, when it is still to come. */
function until(memo: Readonly<Record<string, number>>, name: string, nowMs: number): number | null {
  const atMs = memo[name] ?? 0;
  return atMs > nowMs ? atMs : null;
}
