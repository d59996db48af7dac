/**
 * How many requests to a remote may be under way at once: Prometheus' word for it is shards (storage/remote/queue_manager.go). There they are queues;
 * here they are how much of the log's lanes is used. A remote that keeps up has `min_shards`; with a backlog one more for each request that it takes, up
 * to `max_shards` and the connections of a run; half as many when it fails. They outlive a run in the consumer's memo.
 */

import type { RemoteWriteConfig } from '../config/model.ts';
import { CONNECTIONS } from '../scrape/reach/connections.ts';

type Bounds = Pick<RemoteWriteConfig, 'minShards' | 'maxShards'>;

/** No more than a run has connections, whatever is configured. */
export const shardsMin = ({ minShards }: Bounds): number => Math.min(minShards, CONNECTIONS);
export const shardsMax = ({ maxShards }: Bounds): number => Math.min(maxShards, CONNECTIONS);

export class Shards {
  readonly #min: number;
  readonly #max: number;
  count: number;
  /** How many there would be if nothing bounded them. */
  #desired: number;
  /** More could have been sent at once. */
  wanted = false;

  constructor(bounds: Bounds, memo: Readonly<Record<string, number>>) {
    this.#min = shardsMin(bounds);
    this.#max = shardsMax(bounds);
    this.count = this.#desired = Math.min(this.#max, Math.max(this.#min, memo['shards'] ?? 0));
  }

  get memo(): Readonly<Record<string, number>> {
    return { shards: this.count, shardsDesired: this.#desired };
  }

  /** The remote took a request; `behind`: there is a backlog. */
  delivered(behind: boolean): void {
    this.#desired = behind && this.wanted ? this.count + 1 : this.count;
    this.count = Math.min(this.#max, this.#desired);
    this.wanted = false;
  }

  /** It has everything. */
  drained(): void {
    this.count = this.#desired = Math.max(this.#min, this.count - 1);
  }

  failed(): void {
    this.count = this.#desired = Math.max(this.#min, this.count >> 1);
  }
}
