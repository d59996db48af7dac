/**
 * What digests know of series from those before: which there are, and in which segments they are defined. It is a cache and nothing else: without it the
 * series of a batch are looked up and defined anew, and merging makes one of several definitions.
 *
 * Invariant: definitions that are given out are of segments that end up in the same cut: what is closed is forgotten first (`forgetClosed`).
 */

import { RANGE_MS } from '../model/sample.ts';
import { SeriesTable } from './series.ts';

/** Ranges whose definitions are known: the open one, the one before, and one that comes late. */
const RANGES_MAX = 3;

/** Where the series of one range are defined. */
export class Definitions {
  /** Per series: the segment that defines it, 0 when none does, and its number there. */
  segment = new Uint32Array(0);
  number = new Uint32Array(0);

  reserve(series: number): void {
    if (series <= this.segment.length) return;
    const segment = new Uint32Array(2 * series);
    const number = new Uint32Array(2 * series);
    segment.set(this.segment);
    number.set(this.number);
    this.segment = segment;
    this.number = number;
  }
}

export class Known {
  readonly series: SeriesTable;
  /** By the start of their range; the ones used last are the last. */
  readonly #definitions = new Map<number, Definitions>();
  #generation = -1;

  /** `seed` is of the hash of label sets; any number will do, one that a sender cannot guess is better. */
  constructor(seed = 0) {
    this.series = new SeriesTable(seed);
  }

  get bytes(): number {
    let bytes = this.series.bytes;
    for (const { segment } of this.#definitions.values()) bytes += 2 * segment.byteLength;
    return bytes;
  }

  /** Must be called before a digest: with another generation of cuts, segments of ranges that end at or before the watermark are closed. */
  forgetClosed(generation: number, watermarkMs: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    for (const start of this.#definitions.keys()) {
      if (start + RANGE_MS <= watermarkMs) this.#definitions.delete(start);
    }
  }

  /** Definitions in a range, with room for all series that there are; whoever writes a segment adds to them. */
  definitions(rangeStartMs: number): Definitions {
    const found = this.#definitions.get(rangeStartMs) ?? new Definitions();
    this.#definitions.delete(rangeStartMs);
    this.#definitions.set(rangeStartMs, found);
    const [oldest] = this.#definitions.keys();
    if (this.#definitions.size > RANGES_MAX) this.#definitions.delete(oldest!);
    found.reserve(this.series.count);
    return found;
  }
}

/** Where an object keeps what it knows. It may be taken from it at any time. */
export class Keeper {
  known: Known | null = null;
}

/**
 * What all keepers of an isolate hold together is bounded, since they share its memory: whoever kept something longest ago loses it. They are not held
 * here, so that what an object knows goes with the object.
 */
export class Keepers {
  readonly #bytesMax: number;
  /** Ascending by when they kept it. */
  #kept: { readonly keeper: WeakRef<Keeper>; readonly bytes: number }[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  keep(keeper: Keeper, known: Known): void {
    keeper.known = known;
    this.#kept = this.#kept.filter(({ keeper: other }) => other.deref()?.known != null && other.deref() !== keeper);
    this.#kept.push({ keeper: new WeakRef(keeper), bytes: known.bytes });
    let bytes = this.#kept.reduce((sum, one) => sum + one.bytes, 0);
    while (bytes > this.#bytesMax) {
      const [oldest] = this.#kept.splice(0, 1);
      bytes -= oldest!.bytes;
      const loses = oldest!.keeper.deref();
      if (loses !== undefined) loses.known = null;
    }
  }

  /** Nobody else may change it meanwhile: it is gone until it is kept again. */
  take(keeper: Keeper): Known | null {
    const { known } = keeper;
    keeper.known = null;
    return known;
  }
}
