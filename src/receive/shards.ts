/**
 * Which shard of a tenant a series goes to: by its `job` and `instance` alone, so that what one target exposes stays together, and most requests
 * of senders with few targets go whole to one shard.
 *
 * Invariant: a series is in one shard for one number of shards, whatever the schema, the order of its labels, or what else is in the request; and when the
 * number grows, a series stays where it is or goes to a new shard (rendezvous hashing, Thaler and Ravishankar, 1998).
 */

import { hashOf, mixed } from '../model/hash.ts';
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

/** A Worker goes by a placement for so long before it asks again, unless it is for one shard, as wanted. */
export const PLACEMENT_CACHE_MS = 10_000;
/** A number holds so long after it was first asked for: until then every Worker has asked, and every run of a minute has begun with it. */
export const PLACEMENT_DELAY_MS = 90_000;
/** Changes that are remembered: a relay that is days behind may still have to mind them. */
const CHANGES_MAX = 32;

export const shardsAt = ({ shards, next }: Placement, nowMs: number): number =>
  next !== null && nowMs >= next.fromMs ? next.shards : shards;

/** What the deployment remembers of a tenant's shards. */
export interface ShardsRecord extends Placement {
  /** The highest number there ever was: so many shards may hold samples. */
  readonly highest: number;
  /** When numbers came in force, Unix ms, ascending; without the one that comes next. */
  readonly changesMs: readonly number[];
}

export const ONE_SHARD: ShardsRecord = { shards: 1, next: null, highest: 1, changesMs: [] };

/** The record after a Worker wanted so many shards at `nowMs`; the same object when nothing changed. A tenant that is new has them at once. */
export function wanted(known: ShardsRecord | undefined, shards: number, nowMs: number): ShardsRecord {
  if (known === undefined) return { shards, next: null, highest: shards, changesMs: [] };
  const { next } = known;
  if ((next?.shards ?? known.shards) === shards) return known;
  const held: ShardsRecord =
    next === null || nowMs < next.fromMs
      ? { ...known, next: null }
      : { ...known, shards: next.shards, next: null, changesMs: [...known.changesMs, next.fromMs].slice(-CHANGES_MAX) };
  if (held.shards === shards) return held;
  const highest = Math.max(held.highest, shards);
  return { ...held, highest, next: { shards, fromMs: nowMs + PLACEMENT_DELAY_MS } };
}

/** Every moment at which the number changed or will, Unix ms, ascending. */
export const changesOf = ({ changesMs, next }: ShardsRecord): readonly number[] =>
  next === null ? changesMs : [...changesMs, next.fromMs];
