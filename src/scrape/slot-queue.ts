/** Targets in the order of their next slots: a binary heap, as a run of thousands of targets must not look at all of them whenever one is due. */

import type { Target } from './target.ts';

export interface Place {
  readonly target: Target;
  /** Its next slot, Unix ms. */
  slotMs: number;
}

export class SlotQueue {
  readonly #heap: Place[];

  constructor(places: readonly Place[]) {
    // A sorted array is a heap.
    this.#heap = places.toSorted((a, b) => a.slotMs - b.slotMs);
  }

  /** The place with the earliest slot. */
  get first(): Place | undefined {
    return this.#heap[0];
  }

  /** The first place has a later slot now. */
  moved(): void {
    const heap = this.#heap;
    const place = heap[0]!;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.slotMs < heap[child]!.slotMs) child++;
      if (heap[child]!.slotMs >= place.slotMs) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = place;
  }
}
