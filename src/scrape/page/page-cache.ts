/**
 * Decoded pages in memory, of all agents that share an isolate: objects of a class may share its 128 MB, so what they keep is bounded together. Only a
 * cache: what is stored decides, and who finds nothing here decodes it.
 *
 * The one invariant: after `settle` all pages together have at most `bytesMax`; those that were used longest ago have gone.
 */

import type { Page } from './page.ts';

interface Entry {
  readonly owner: Pages;
  readonly key: string;
  readonly page: Page;
  bytes: number;
}

export class PageCache {
  readonly #bytesMax: number;
  /** In the order of use. */
  readonly #entries = new Set<Entry>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The pages of one agent, for as long as it is awake. Those of one that sleeps go with time, as nobody uses them. */
  pages(): Pages {
    return new Pages(this);
  }

  enter(entry: Entry): void {
    this.leave(entry);
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
  }

  leave(entry: Entry): void {
    if (this.#entries.delete(entry)) this.#bytes -= entry.bytes;
  }

  trim(): void {
    for (const entry of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      entry.owner.delete(entry.key);
    }
  }
}

export class Pages {
  readonly #cache: PageCache;
  readonly #entries = new Map<string, Entry>();
  readonly #used = new Set<Entry>();

  constructor(cache: PageCache) {
    this.#cache = cache;
  }

  get(key: string): Page | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#used.add(entry);
    return entry?.page;
  }

  /** It stays at least until `settle`, whatever its size: what has changed and is not stored yet must not be forgotten. */
  set(key: string, page: Page): void {
    this.delete(key);
    const entry = { owner: this, key, page, bytes: 0 };
    this.#entries.set(key, entry);
    this.#used.add(entry);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#cache.leave(entry);
    this.#entries.delete(key);
    this.#used.delete(entry);
  }

  /** What was used is stored: it is weighed, and may go from now on. What is crowded goes at once. */
  settle(): void {
    for (const entry of this.#used) {
      if (entry.page.isCrowded) {
        this.delete(entry.key);
        continue;
      }
      this.#cache.leave(entry);
      entry.bytes = entry.page.bytes;
      this.#cache.enter(entry);
    }
    this.#used.clear();
    this.#cache.trim();
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.delete(key);
  }
}
