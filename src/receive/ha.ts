/**
 * HA pairs: two Prometheus that scrape the same, told apart by the label `__replica__`. Of each `cluster` one replica is taken, and its label dropped;
 * when nothing has come from it for 30 s, the next that sends takes its place (grafana/mimir, pkg/distributor/ha_tracker.go: same labels,
 * and the first series of a request decides for all of it).
 *
 * The one invariant: of two replicas of a cluster, one at a time is appended, in the turn of the log's object. The state rides in the log's newest
 * row, so it changes with what was appended, and costs no row of its own. With several shards the first tells who leads, before anything is appended; a
 * Worker goes by that for far less time than another replica waits for its turn, so the invariant holds.
 */

import { labelAt } from '../encoding/remote-write/drop-label.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';

/** Mimir's and Cortex' defaults. */
export const CLUSTER_LABEL = 'cluster';
export const REPLICA_LABEL = '__replica__';

/** A replica that nothing came from for so long has lost its place. */
export const FAILOVER_MS = 30_000;
/** How long a Worker may go by what it was told last. */
export const LEADER_CACHE_MS = 5_000;

/** As many clusters as Mimir allows; the one seen longest ago goes. Together they must fit the row they ride in. */
const CLUSTERS_MAX = 100;
const TEXT_BYTES_MAX = 256;

export interface Replica {
  readonly cluster: string;
  readonly replica: string;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CLUSTER = ENCODER.encode(CLUSTER_LABEL);
export const REPLICA = ENCODER.encode(REPLICA_LABEL);

/** Whose a request is, by the labels of its first series; null when it is nobody's replica. */
export function replicaOf(decoded: Decoded): Replica | null {
  if (decoded.seriesCount === 0 || decoded.bad[0] !== 0) return null;
  const cluster = valueOf(decoded, CLUSTER);
  const replica = valueOf(decoded, REPLICA);
  return cluster === '' || replica === '' ? null : { cluster, replica };
}

/** Empty when the first series has no such label, or one that is no name. */
function valueOf(decoded: Decoded, name: Uint8Array): string {
  const label = labelAt(decoded, 0, name);
  if (label < 0) return '';
  const start = decoded.valueStart[label]!;
  const end = decoded.valueEnd[label]!;
  if (end - start > TEXT_BYTES_MAX) return '';
  try {
    return DECODER.decode(decoded.message.subarray(start, end));
  } catch {
    return '';
  }
}

/** By cluster: the replica, and when something came from it last, Unix ms. */
export type Leaders = readonly (readonly [cluster: string, leader: readonly [replica: string, seenMs: number]])[];

/** Who leads each cluster of a shard. */
export class Elections {
  readonly #leaders: Map<string, readonly [replica: string, seenMs: number]>;

  /** Throws when it is given something else. */
  constructor(leaders: Leaders) {
    this.#leaders = new Map(leaders);
  }

  /** In the order in which they were seen. */
  leaders(): Leaders {
    return [...this.#leaders];
  }

  /** With what others are known to be: of each cluster, who was seen last. */
  with(others: Elections): Elections {
    for (const [cluster, leader] of others.#leaders) {
      const own = this.#leaders.get(cluster);
      if (own === undefined || own[1] < leader[1]) this.#leaders.set(cluster, leader);
    }
    return this;
  }

  /** Who leads a cluster, and when something came from it last, Unix ms. */
  leaderOf(cluster: string): readonly [replica: string, seenMs: number] | undefined {
    return this.#leaders.get(cluster);
  }

  /** A request of a replica is here: the replica that leads its cluster now, which may be this one. */
  elect(nowMs: number, { cluster, replica }: Replica): string {
    const leader = this.#leaders.get(cluster);
    if (leader !== undefined && leader[0] !== replica && nowMs - leader[1] < FAILOVER_MS) return leader[0];
    const seenMs = leader?.[0] === replica ? Math.max(nowMs, leader[1]) : nowMs;
    // Deleted first, so that the map is in the order in which they were seen.
    this.#leaders.delete(cluster);
    this.#leaders.set(cluster, [replica, seenMs]);
    if (this.#leaders.size > CLUSTERS_MAX) this.#leaders.delete(this.#leaders.keys().next().value!);
    return replica;
  }
}

/** Who led lately, in a Worker's memory. */
export class LeaderCache {
  readonly #leaders = new Map<string, { readonly leader: string; readonly untilMs: number }>();

  get(tenant: string, cluster: string, nowMs: number): string | null {
    const known = this.#leaders.get(`${tenant}/${cluster}`);
    return known === undefined || known.untilMs <= nowMs ? null : known.leader;
  }

  set(tenant: string, cluster: string, leader: string, nowMs: number): void {
    if (this.#leaders.size >= CLUSTERS_MAX * 10) this.#leaders.clear();
    this.#leaders.set(`${tenant}/${cluster}`, { leader, untilMs: nowMs + LEADER_CACHE_MS });
  }
}
