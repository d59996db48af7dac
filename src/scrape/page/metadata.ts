/**
 * What scraped targets say of their metric families, for the API. It is not kept beside the pages: it is read from them, so it is as
 * durable as they are. Plain data: it crosses RPC.
 */

import { type FamilyMetadata, metricType } from '../../model/metadata.ts';
import type { Families } from './families.ts';

/** Metadata of several targets. Many say the same, so each family stands once. */
export interface TargetsMetadata {
  readonly families: readonly FamilyMetadata[];
  /** Of each target by its key, the places of its families. A target that was never scraped is not there. */
  readonly of: Readonly<Record<string, readonly number[]>>;
}

/** Gathers what targets say; `metric` null is all of it, else only the family of this name. */
export class MetadataTable {
  readonly #metric: string | null;
  readonly #families: FamilyMetadata[] = [];
  readonly #of: Record<string, number[]> = {};
  readonly #places = new Map<string, number>();

  constructor(metric: string | null) {
    this.#metric = metric;
  }

  add(key: string, { names, types, helps, units }: Families): void {
    const places: number[] = [];
    for (const [id, metric] of names.entries()) {
      if (this.#metric !== null && metric !== this.#metric) continue;
      places.push(this.#place({ metric, type: metricType(types[id]!), help: helps[id]!, unit: units[id]! }));
    }
    this.#of[key] = places;
  }

  result(): TargetsMetadata {
    return { families: this.#families, of: this.#of };
  }

  #place(family: FamilyMetadata): number {
    const { metric, type, help, unit } = family;
    const identity = JSON.stringify([metric, type, help, unit]);
    let place = this.#places.get(identity);
    if (place === undefined) {
      place = this.#families.push(family) - 1;
      this.#places.set(identity, place);
    }
    return place;
  }
}
