/** Which targets a reader wants to see: by pool, by state and by words. Pure; the form of the page says it, and so does its address. */

import { compareUtf8, type Labels } from '../../model/labels.ts';

export interface Selection {
  /** `''` is all. */
  readonly scrapePool: string;
  readonly state: string;
  readonly search: string;
}

export const selectionOf = (query: (name: string) => string | undefined): Selection => ({
  scrapePool: query('scrapePool') ?? '',
  state: query('state') ?? '',
  search: query('search') ?? '',
});

/** Whether every word stands in one of the texts, or in a label as `name=value`, whatever its case. */
export function hasWords(search: string, texts: readonly string[], ...labels: readonly Labels[]): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const held = [...texts, ...labels.flat().map(({ name, value }) => `${name}=${value}`)].map((text) =>
    text.toLowerCase(),
  );
  return words.every((word) => held.some((text) => text.includes(word.replaceAll('"', ''))));
}

/** Things by their pool, pools in order; those without any are there too when they are among `jobs`. */
export function byPool<T extends { readonly job: string }>(
  jobs: readonly string[],
  things: readonly T[],
): [job: string, things: T[]][] {
  const pools = new Map<string, T[]>(jobs.map((job) => [job, []]));
  for (const thing of things) {
    const own = pools.get(thing.job);
    if (own === undefined) pools.set(thing.job, [thing]);
    else own.push(thing);
  }
  return [...pools].toSorted(([a], [b]) => compareUtf8(a, b));
}
