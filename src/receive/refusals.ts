/**
 * What shards refuse, remembered where they are asked: as long as a shard would refuse a request, it is not asked. It is memory of an isolate, which
 * may be lost: then the shard is asked once more.
 *
 * Invariant: nothing is refused here that the shard would take, but for 503, where it may have got room earlier than it said. A limit that the owner
 * changes holds at once: what was refused under other limits counts no more.
 */

import { freshIn, type Sketch, tooManySeries } from './active-series.ts';
import type { ShardLimits } from './limits.ts';
import type { Random } from '../model/doors.ts';
import type { NotAppended } from './write.ts';

/** Until when a shard refuses, and what. */
export interface Hold {
  /** Unix ms. */
  readonly untilMs: number;
  /** Senders are told to wait no less, in seconds, however soon that is. */
  readonly leastS: number;
  /** Null: all requests. Else those that bring more new series than it had room for. */
  readonly series: Sketch | null;
}

/** A refusal, with a Retry-After in whole seconds: as long as it holds, to twice that, and one more, so that even short waits are spread. */
export function refusal(
  status: 429 | 503,
  message: string,
  nowMs: number,
  hold: Hold,
  random: Random,
): NotAppended & { readonly hold: Hold } {
  const waitS = hold.series === null ? Math.max(hold.leastS, (hold.untilMs - nowMs) / 1000) : hold.leastS;
  return { ok: false, status, retryAfterS: Math.ceil(waitS) + Math.floor(random() * (waitS + 2)), message, hold };
}

interface Entry {
  /** What they were refused by, as an object: another one, and it counts no more. */
  readonly limits: ShardLimits;
  all: NotAppended | null;
  series: NotAppended | null;
}

/** Shards of all tenants that something is remembered of, and bytes of their sketches; the oldest go. */
const SHARDS_MAX = 1000;
const SKETCH_BYTES_MAX = 8 * 1024 * 1024;

export class Refusals {
  readonly #shards = new Map<string, Entry>();
  #sketchBytes = 0;

  /** What the shard would answer to a request with these series; null when only it can tell. `limits` are those in force. */
  answer(
    tenant: string,
    shard: number,
    hashes: Uint32Array | null,
    limits: ShardLimits,
    nowMs: number,
    random: Random,
  ): NotAppended | null {
    const key = keyOf(tenant, shard);
    const entry = this.#shards.get(key);
    if (entry === undefined) return null;
    if (entry.limits !== limits) {
      this.#forget(key);
      return null;
    }
    const { all, series } = entry;
    if (all !== null && nowMs < all.hold!.untilMs) return refusal(all.status, all.message, nowMs, all.hold!, random);
    if (series === null || hashes === null || nowMs >= series.hold!.untilMs) return null;
    const sketch = series.hold!.series!;
    const fresh = freshIn(sketch, hashes);
    if (fresh <= sketch.room) return null;
    const message = tooManySeries(sketch.active, sketch.seriesMax, fresh);
    return refusal(series.status, message, nowMs, series.hold!, random);
  }

  /** The shard refused a request, under these limits. */
  remember(tenant: string, shard: number, refused: NotAppended, limits: ShardLimits): void {
    if (refused.hold === undefined) return;
    const key = keyOf(tenant, shard);
    const known = this.#shards.get(key);
    this.#forget(key);
    const same = known?.limits === limits ? known : null;
    const isSeries = refused.hold.series !== null;
    const all = isSeries ? (same?.all ?? null) : refused;
    const series = isSeries ? refused : (same?.series ?? null);
    this.#shards.set(key, { limits, all, series });
    this.#sketchBytes += bytesOf(series);
    for (const oldest of this.#shards.keys()) {
      if (this.#shards.size <= SHARDS_MAX && this.#sketchBytes <= SKETCH_BYTES_MAX) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#sketchBytes -= bytesOf(this.#shards.get(key)?.series ?? null);
    this.#shards.delete(key);
  }
}

const keyOf = (tenant: string, shard: number): string => `${tenant}/${shard}`;

const bytesOf = (series: NotAppended | null): number => series?.hold!.series!.bits.byteLength ?? 0;
