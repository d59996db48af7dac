/**
 * What a run has scraped and not handed in yet.
 *
 * The one invariant: of two runs, each hands in what it has of a target before the other can hand in a newer slot of it.
 */

import type { Scraped } from './round.ts';

/** Scrapes are handed in when their slot is this old. A row a second would cost five times as much. */
export const FLUSH_AGE_MS = 5_000;

const sizeOf = ({ result }: Scraped): number => 1_000 + (result.body?.byteLength ?? 0);
/**
 * A result that comes later than that may wait as long again, so that targets that hang do not cost a row each; but not longer than until the target's
 * next slot, which may be another run's.
 */
const dueMs = ({ result: { slotMs }, intervalMs }: Scraped, nowMs: number): number =>
  Math.max(slotMs + FLUSH_AGE_MS, Math.min(nowMs + FLUSH_AGE_MS, slotMs + intervalMs));
const bySlot = (a: Scraped, b: Scraped): number => a.result.slotMs - b.result.slotMs;

export class Gathered {
  #scrapes: Scraped[] = [];
  #bytes = 0;
  #dueMs = Infinity;

  get count(): number {
    return this.#scrapes.length;
  }

  /** Bytes of bodies, and something for each scrape. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When they are to be handed in, Unix ms; Infinity when there is none. */
  get dueMs(): number {
    return this.#dueMs;
  }

  add(scrape: Scraped, nowMs: number): void {
    this.#scrapes.push(scrape);
    this.#bytes += sizeOf(scrape);
    this.#dueMs = Math.min(this.#dueMs, dueMs(scrape, nowMs));
  }

  /** Takes the oldest, in the order of slots: at most `bytesMax`, but at least one. */
  take(bytesMax: number): Scraped[] {
    this.#scrapes.sort(bySlot);
    let bytes = 0;
    let n = 0;
    while (n < this.#scrapes.length && (n === 0 || bytes + sizeOf(this.#scrapes[n]!) <= bytesMax))
      bytes += sizeOf(this.#scrapes[n++]!);
    const taken = this.#scrapes.splice(0, n);
    this.#count();
    return taken;
  }

  /** What was taken could not be handed in. */
  putBack(scrapes: readonly Scraped[]): void {
    for (const scrape of scrapes) this.add(scrape, 0);
  }

  /** Gives up the oldest until at most `bytesMax` are left, but never the last one. Says how many. */
  giveUp(bytesMax: number): number {
    this.#scrapes.sort(bySlot);
    let bytes = this.#bytes;
    let n = 0;
    while (n < this.#scrapes.length - 1 && bytes > bytesMax) bytes -= sizeOf(this.#scrapes[n++]!);
    this.#scrapes.splice(0, n);
    this.#count();
    return n;
  }

  /** Takes those out that are asked for. */
  takeOf(wanted: (key: string) => boolean): Scraped[] {
    const taken = this.#scrapes.filter(({ key }) => wanted(key));
    if (taken.length > 0) this.keep(({ key }) => !wanted(key));
    return taken;
  }

  keep(wanted: (scrape: Scraped) => boolean): void {
    this.#scrapes = this.#scrapes.filter(wanted);
    this.#count();
  }

  #count(): void {
    this.#bytes = this.#scrapes.reduce((sum, scrape) => sum + sizeOf(scrape), 0);
    this.#dueMs = this.#scrapes.reduce((min, scrape) => Math.min(min, dueMs(scrape, 0)), Infinity);
  }
}
