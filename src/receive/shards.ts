/**
 * Which shard of a tenant a series goes to: by its `job` and `instance` alone, so that what one target exposes stays together, and most requests
 * of senders with few targets go whole to one shard.
 *
 * Invariant: a series is in one shard for one number of shards, whatever the schema, the order of its labels, or what else is in the request; and when the
 * number grows, a series stays where it is or goes to a new shard (rendezvous hashing, Thaler and Ravishankar, 1998).
 */

import { hashOf, mixed } from '../encoding/remote-write/hashes.ts';
import { labelAt } from '../encoding/remote-write/drop-label.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';

/** An object takes hundreds of requests a second: nobody needs more, and each is asked for every status. */
export const SHARDS_MAX = 64;

const ENCODER = new TextEncoder();
const JOB = ENCODER.encode('job');
const INSTANCE = ENCODER.encode('instance');

/** The shard, below `shards`, of each series whose `keep` is not 0. Those without both labels are together. */
export function placeSeries(decoded: Decoded, keep: Uint8Array, shards: number): Uint8Array {
  const places = new Uint8Array(decoded.seriesCount);
  const known = new Map<number, number>();
  for (let s = 0; s < decoded.seriesCount; s++) {
    if (keep[s] === 0) continue;
    const hash = mixed(Math.imul(valueHash(decoded, s, JOB), 0x9e3779b1) ^ valueHash(decoded, s, INSTANCE));
    let place = known.get(hash);
    if (place === undefined) known.set(hash, (place = shardOf(hash, shards)));
    places[s] = place;
  }
  return places;
}

/** 0 for a label that is not there, as for one without a value. */
function valueHash(decoded: Decoded, s: number, name: Uint8Array): number {
  const label = labelAt(decoded, s, name);
  if (label < 0 || decoded.valueStart[label] === decoded.valueEnd[label]) return 0;
  return hashOf(decoded.message, decoded.valueStart[label]!, decoded.valueEnd[label]!);
}

/** Of all shards the one that scores highest with the hash: another number of shards does not change the others' scores. */
export function shardOf(hash: number, shards: number): number {
  let best = 0;
  let highest = -1;
  for (let shard = 0; shard < shards; shard++) {
    const score = mixed(hash ^ mixed(shard + 1));
    if (score > highest) {
      highest = score;
      best = shard;
    }
  }
  return best;
}

/** How many shards a tenant has at a moment. */
export interface Placement {
  readonly shards: number;
  /** When the number changes, Unix ms, and to what. By then every Worker knows. */
  readonly next: { readonly shards: number; readonly fromMs: number } | null;
}

/** A Worker goes by a placement for so long before it asks again. */
export const PLACEMENT_CACHE_MS = 10_000;
/** A number of shards that grows, or falls to more than one, is in force so long after it was first asked for. */
export const PLACEMENT_DELAY_MS = 30_000;

export const shardsAt = ({ shards, next }: Placement, nowMs: number): number =>
  next !== null && nowMs >= next.fromMs ? next.shards : shards;

/** What the deployment remembers of a tenant's shards. */
export interface ShardsRecord extends Placement {
  /** The highest number there ever was: so many shards may hold samples. */
  readonly highest: number;
  /** When the number that is in force came in force, Unix ms; 0 for the first. */
  readonly sinceMs: number;
}

export const ONE_SHARD: ShardsRecord = { shards: 1, next: null, highest: 1, sinceMs: 0 };

/**
 * The record after a Worker wanted so many shards at `nowMs`; the same object when nothing changed. One shard is had at once: Workers that want one
 * need not ask, so that a tenant with one never waits for an answer. A tenant that is new has what it wants at once too.
 */
export function wanted(known: ShardsRecord | undefined, shards: number, nowMs: number): ShardsRecord {
  if (known === undefined) return { shards, next: null, highest: shards, sinceMs: 0 };
  const now = shardsAt(known, nowMs);
  const settled: ShardsRecord =
    now === known.shards && (known.next === null || nowMs < known.next.fromMs)
      ? known
      : { shards: now, next: null, highest: known.highest, sinceMs: known.next!.fromMs };
  if ((settled.next?.shards ?? settled.shards) === shards) return settled;
  const highest = Math.max(settled.highest, shards);
  if (shards === now) return { ...settled, next: null };
  if (shards === 1) return { shards, next: null, highest, sinceMs: nowMs };
  return { ...settled, highest, next: { shards, fromMs: nowMs + PLACEMENT_DELAY_MS } };
}
