/**
 * Whether a shard takes an append now: rate, active series, and room for it. Asked before anything is written, so that what it refuses may come
 * again as a whole; senders are told when, each another time, so that they do not come back together. What it refuses it would refuse for a while,
 * and says so (`hold`): whoever asks need not ask again until then.
 *
 * What it knows is in memory. The object remembers it besides: what is left of the rate rides in the log (rider.ts), series are stored with each
 * digest and recalled with what came since. What it protects storage by (`room`) it is told.
 */

import type { Random } from '../model/doors.ts';
import { ActiveSeries, tooManySeries } from './active-series.ts';
import type { ShardLimits } from './limits.ts';
import { type Hold, refusal } from './refusals.ts';
import type { NotAppended } from './write.ts';

/** An object has 10 GB; from here on it takes nothing until blocks were cut. */
export const STORAGE_BYTES_MAX = 9_500_000_000;

/** How long senders wait for a digest, for room, and for series to go: at least this, at most twice. */
const DIGEST_RETRY_S = 5;
export const STORAGE_RETRY_S = 60;
const SERIES_RETRY_S = 60;
/** A sender that was told to wait longer would rather give up. */
const RATE_RETRY_S_MAX = 60;

export interface Room {
  /** Bytes of records that wait for the digest. */
  readonly pendingBytes: number;
  /** Bytes of the object's storage. */
  readonly storageBytes: number;
}

/** What is left of a rate. */
export interface Bucket {
  /** Samples that might come then; below zero when a request was larger than what was left. */
  readonly tokens: number;
  /** Unix ms. */
  readonly filledMs: number;
}

export class Gate {
  readonly #random: Random;
  readonly #recall: (seriesMax: number) => ActiveSeries;
  /** Null is full. */
  #bucket: Bucket | null = null;
  #series: ActiveSeries | null = null;

  /** `recall` gives the series that were active before it had a memory. */
  constructor(random: Random, recall = (seriesMax: number) => new ActiveSeries(seriesMax)) {
    this.#random = random;
    this.#recall = recall;
  }

  /** Estimated number of active series; null when they are not counted. */
  activeSeries(): number | null {
    return this.#series?.estimate() ?? null;
  }

  /** What is to be remembered of active series; null when they are not counted, as far as it knows. */
  series(): ActiveSeries | null {
    return this.#series;
  }

  /** Goes on with the series that were active. */
  restoreSeries(series: ActiveSeries | null): void {
    this.#series = series;
  }

  /** What is left of the rate after the last append that was let in; null where there is no rate. */
  bucket(): Bucket | null {
    return this.#bucket;
  }

  /** Goes on with what was left. */
  restore(bucket: Bucket | null): void {
    this.#bucket = bucket;
  }

  /**
   * Null when the append may go on, which is counted then; else the answer. `samples` are all that is held to the rate: exemplars and metadata are
   * too, as in Mimir. `hashes` are of its series, null when they are not limited, or there are none.
   */
  admit(
    nowMs: number,
    samples: number,
    hashes: Uint32Array | null,
    limits: ShardLimits,
    room: Room,
  ): NotAppended | null {
    const { pendingBytesMax } = limits;
    if (room.storageBytes >= STORAGE_BYTES_MAX) {
      const message = `the shard's storage holds ${room.storageBytes} B of at most ${STORAGE_BYTES_MAX} B: it takes no more until blocks were cut`;
      return this.#refuse(503, message, nowMs, STORAGE_RETRY_S);
    }
    if (room.pendingBytes >= pendingBytesMax) {
      const message = `${room.pendingBytes} B wait to be digested, at most ${pendingBytesMax} B may (pending_size_limit in NARTHEX_LIMITS); send it again`;
      return this.#refuse(503, message, nowMs, DIGEST_RETRY_S);
    }
    return this.#rate(nowMs, limits) ?? this.#activeSeries(nowMs, hashes, limits) ?? this.#take(samples);
  }

  /** A bucket that may go into debt: a request larger than the burst passes too, and all that come next wait for it, however small. */
  #rate(nowMs: number, { samplesPerS, samplesBurst }: ShardLimits): NotAppended | null {
    if (samplesPerS === null) {
      this.#bucket = null;
      return null;
    }
    const { tokens: left, filledMs } = this.#bucket ?? { tokens: samplesBurst, filledMs: nowMs };
    const elapsedS = Math.max(0, nowMs - filledMs) / 1000;
    const tokens = Math.min(samplesBurst, left + elapsedS * samplesPerS);
    this.#bucket = { tokens, filledMs: Math.max(nowMs, filledMs) };
    if (tokens > 0) return null;
    const waitS = Math.min(RATE_RETRY_S_MAX, -tokens / samplesPerS);
    const message = `more than ${samplesPerS} samples a second (samples_per_second in NARTHEX_LIMITS; ${samplesBurst} may come at once, samples_burst); send it again`;
    return this.#refuse(429, message, nowMs, waitS, 1);
  }

  #activeSeries(nowMs: number, hashes: Uint32Array | null, { seriesMax }: ShardLimits): NotAppended | null {
    if (seriesMax === null) this.#series = null;
    if (seriesMax === null || hashes === null) return null;
    if (this.#series?.seriesMax !== seriesMax) this.#series = this.#recall(seriesMax);
    const fresh = this.#series.add(nowMs, hashes);
    if (fresh === null) return null;
    const sketch = this.#series.sketch();
    const untilMs = Math.min(sketch.untilMs, nowMs + SERIES_RETRY_S * 1000);
    const hold: Hold = { untilMs, leastS: SERIES_RETRY_S, series: sketch };
    return refusal(429, tooManySeries(sketch.active, seriesMax, fresh), nowMs, hold, this.#random);
  }

  #take(samples: number): null {
    if (this.#bucket !== null) this.#bucket = { ...this.#bucket, tokens: this.#bucket.tokens - samples };
    return null;
  }

  /** For `waitS`; senders are told to wait no less than `leastS`. */
  #refuse(status: 429 | 503, message: string, nowMs: number, waitS: number, leastS = waitS): NotAppended {
    const hold: Hold = { untilMs: nowMs + Math.ceil(waitS * 1000), leastS, series: null };
    return refusal(status, message, nowMs, hold, this.#random);
  }
}
