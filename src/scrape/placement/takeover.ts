/**
 * The run's side of moving targets: brings over what other agents remember, step by step, until everything has come. Any run may do it, also two at
 * once, and one that ends half way leaves the rest to the next.
 */

import type { Moved, Place, Released } from './moving.ts';
import { gives, type Placement } from './placement.ts';

/** An agent that gives, and one that takes. */
export interface GivingAgent {
  release(nowMs: number, place: Place, to: number): Promise<Released>;
  forget(place: Place, keys: readonly string[]): Promise<void>;
}
export interface TakingAgent {
  /** The targets that it remembers something of. */
  arrived(): Promise<readonly string[]>;
  adopt(place: Place, from: number, seq: number, moved: readonly Moved[]): Promise<void>;
  settle(place: Place): Promise<void>;
}

export interface Takeover {
  /** Brings what is ready; true when everything has come. `came` is called with keys that may be scraped now. */
  step(nowMs: number, came: (keys: readonly string[]) => void): Promise<boolean>;
}

/** What comes to the agent of this index, from all others that may have something. */
export function takeover(
  placement: Placement,
  index: number,
  own: TakingAgent,
  other: (index: number) => GivingAgent,
): Takeover {
  const place = { index, placement };
  /** Agents from which not everything has come. */
  const left = new Set(
    Array.from({ length: placement.used }, (_, from) => from).filter((from) => gives(placement, from, index)),
  );
  return {
    step: async (nowMs, came) => {
      // Another run may have brought them, or this one without learning that it had.
      came(await own.arrived());
      for (const from of left) {
        const there = { index: from, placement };
        for (;;) {
          const { moved, seq, more, waits } = await other(from).release(nowMs, there, index);
          if (moved.length > 0) {
            const keys = moved.map(({ key }) => key);
            await own.adopt(place, from, seq, moved);
            came(keys);
            await other(from).forget(there, keys);
          }
          if (more) continue;
          if (!waits) left.delete(from);
          break;
        }
      }
      if (left.size > 0) return false;
      await own.settle(place);
      return true;
    },
  };
}
