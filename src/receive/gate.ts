/**
 * Whether a shard takes an append now: rate, active series, and room for it. Asked before anything is written, so that what it refuses may come
 * again as a whole; senders are told when, each another time, so that they do not come back together.
 *
 * Its state is in memory and may be forgotten: an object that slept begins with a full bucket and no series. What it protects storage by
 * (`room`) it does not remember but is told.
 */

import type { Random } from '../model/doors.ts';
import { ActiveSeries } from './active-series.ts';
import type { ShardLimits } from './limits.ts';
import type { NotAppended } from './write.ts';

/** An object has 10 GB; from here on it takes nothing until blocks were cut. */
export const STORAGE_BYTES_MAX = 9_500_000_000;

/** How long senders wait for a digest, for room, and for series to go: at least this, at most twice. */
const DIGEST_RETRY_S = 5;
const STORAGE_RETRY_S = 60;
const SERIES_RETRY_S = 60;
/** A sender that was told to wait longer would rather give up. */
const RATE_RETRY_S_MAX = 60;

export interface Room {
  /** Bytes of records that wait for the digest. */
  readonly pendingBytes: number;
  /** Bytes of the object's storage. */
  readonly storageBytes: number;
}

export class Gate {
  readonly #random: Random;
  /** Samples that may come now; below zero when a request was larger than what was left. */
  #tokens = 0;
  #filledMs: number | null = null;
  #series: ActiveSeries | null = null;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Estimated number of active series; null when they are not counted. */
  activeSeries(): number | null {
    return this.#series?.estimate() ?? null;
  }

  /** Null when the append may go on, which is counted then; else the answer. `hashes` are of its series, null when they are not limited. */
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
      return this.#refuse(503, STORAGE_RETRY_S, message);
    }
    if (room.pendingBytes >= pendingBytesMax) {
      const message = `${room.pendingBytes} B wait to be digested, at most ${pendingBytesMax} B may (pending_size_limit in NARTHEX_LIMITS); send it again`;
      return this.#refuse(503, DIGEST_RETRY_S, message);
    }
    return this.#rate(nowMs, limits) ?? this.#activeSeries(nowMs, hashes, limits) ?? this.#take(samples, limits);
  }

  /** A bucket that may go into debt: a request larger than the burst passes too, and the next ones wait for it. */
  #rate(nowMs: number, { samplesPerS, samplesBurst }: ShardLimits): NotAppended | null {
    if (samplesPerS === null) return null;
    const elapsedMs = this.#filledMs === null ? Infinity : Math.max(0, nowMs - this.#filledMs);
    this.#tokens = Math.min(samplesBurst, this.#tokens + (elapsedMs / 1000) * samplesPerS);
    this.#filledMs = Math.max(nowMs, this.#filledMs ?? nowMs);
    if (this.#tokens > 0) return null;
    const waitS = Math.min(RATE_RETRY_S_MAX, -this.#tokens / samplesPerS);
    const message = `more than ${samplesPerS} samples a second (samples_per_second in NARTHEX_LIMITS; ${samplesBurst} may come at once, samples_burst); send it again`;
    return this.#refuse(429, Math.max(1, waitS), message);
  }

  #activeSeries(nowMs: number, hashes: Uint32Array | null, { seriesMax }: ShardLimits): NotAppended | null {
    if (seriesMax === null || hashes === null) {
      this.#series = null;
      return null;
    }
    if (this.#series?.seriesMax !== seriesMax) this.#series = new ActiveSeries(seriesMax);
    const fresh = this.#series.add(nowMs, hashes);
    if (fresh === null) return null;
    const message = `about ${this.#series.estimate()} series are active, at most ${seriesMax} may be (series_limit in NARTHEX_LIMITS), and ${fresh} of the request are new; nothing of it was kept`;
    return this.#refuse(429, SERIES_RETRY_S, message);
  }

  #take(samples: number, { samplesPerS }: ShardLimits): null {
    if (samplesPerS !== null) this.#tokens -= samples;
    return null;
  }

  /** Retry-After is in whole seconds: `leastS` to twice that, and one more, so that even short waits are spread. */
  #refuse(status: 429 | 503, leastS: number, message: string): NotAppended {
    return { ok: false, status, retryAfterS: Math.ceil(leastS) + Math.floor(this.#random() * (leastS + 2)), message };
  }
}
