/**
 * The order in which the scrapes of a flush become records. Lane by lane, so that records of a large flush touch different lanes, and can be sent at
 * once. A small flush is one record all the same.
 */

import type { RequestBuilder } from '../encoding/remote-write/builder.ts';
import { laneOf } from '../log/lanes.ts';
import type { Scraped } from './round.ts';

/** A message that is filled less than this goes on over a lane's end, whatever comes: a row more would cost more than its lane is worth. */
const FILL_MIN = 0.25;

/**
 * Hands the scrapes to `add`, those of a lane together, those of a target in their order. Between two lanes a message ends when the next lane would not
 * fit into it: torn over two records, it would keep them from being sent at once.
 */
export function eachByLane(
  scrapes: readonly Scraped[],
  builder: RequestBuilder,
  add: (scraped: Scraped) => void,
): void {
  const lanes = [...Map.groupBy(scrapes, ({ key }) => laneOf(key))].sort(([a], [b]) => a - b);
  const first = builder.generation;
  let bytesDone = 0;
  for (const [bit, own] of lanes) {
    const bytes = own.reduce((sum, { result }) => sum + (result.body?.byteLength ?? 0), 0);
    // Messages a byte of body, as they were until now.
    const filled = builder.generation - first + builder.fill;
    const next = bytesDone === 0 ? 0 : (bytes * filled) / bytesDone;
    if (builder.fill >= FILL_MIN && builder.fill + next > 1) builder.cut();
    builder.lane = bit;
    for (const scraped of own) add(scraped);
    bytesDone += bytes;
  }
}
