/**
 * Exemplars of a page: what is new since the last scrape. A target exposes an exemplar until there is another one, and Prometheus appends
 * each once (tsdb/agent/db.go, `validateExemplar`); so does this, from memory only: after an object's sleep all are sent once more, and a
 * receiver drops what it has.
 *
 * The one invariant: an exemplar with more than 128 characters of labels, or a label twice, goes no further; the sample stays.
 */

import { compareUtf8 } from '../../model/labels.ts';
import type { PageCursor } from '../exposition/cursor.ts';
import { doubleOf } from '../exposition/number.ts';

export interface Exemplar {
  /** Which sample of the reading it belongs to. */
  readonly sample: number;
  /** Name and value by turns, sorted by name. */
  readonly labels: readonly string[];
  /** The value's bits. */
  readonly hi: number;
  readonly lo: number;
  /** Unix ms. */
  readonly t: number;
}

/** Characters of all names and values (`ExemplarMaxLabelSetLength`). */
const CHARACTERS_MAX = 128;
/** As many as there are samples at most; a histogram may have many. Further ones are left out. */
const EXEMPLARS_MAX = 100_000;

export class Exemplars {
  /** The exemplars of the page being read that are new, in the order of their samples. */
  fresh: Exemplar[] = [];
  /** Exemplars with their series, in the last page that was taken and in the one being read. */
  #last = new Set<string>();
  #seen = new Set<string>();
  readonly #labels: string[] = [];

  /** A new page is read; what the one before had counts only if it was committed. */
  begin(): void {
    this.fresh = [];
    if (this.#seen.size > 0) this.#seen = new Set();
  }

  /** Takes the exemplars of the series that the cursor stands on. `t` is the sample's timestamp, for an exemplar without its own. Throws TextError. */
  take(cursor: PageCursor, series: string, sample: number, t: number): void {
    const from = this.fresh.length;
    do this.#takeOne(cursor, series, sample, t);
    while (cursor.nextExemplar());
    // A receiver takes them in this order alone.
    if (this.fresh.length > from + 1) this.fresh.push(...this.fresh.splice(from).sort(compare));
  }

  #takeOne(cursor: PageCursor, series: string, sample: number, t: number): void {
    const { exemplarHi: hi, exemplarLo: lo, exemplarHasTimestamp } = cursor;
    // As in Prometheus: that of a histogram must say when it was.
    if (cursor.histogram !== null && !exemplarHasTimestamp) return;
    if (this.#seen.size >= EXEMPLARS_MAX) return;
    cursor.exemplarLabels(this.#labels);
    const labels = sorted(this.#labels);
    if (labels === null) return;
    const own = exemplarHasTimestamp ? cursor.exemplarTimestamp : null;
    const identity = JSON.stringify([labels, hi, lo, own]) + series;
    if (this.#seen.has(identity)) return;
    this.#seen.add(identity);
    if (!this.#last.has(identity)) this.fresh.push({ sample, labels, hi, lo, t: own ?? t });
  }

  /** The page was taken. */
  commit(): void {
    this.#last = this.#seen;
    this.#seen = new Set();
  }
}

/** By time, then value, then labels, as Prometheus sorts them (model/exemplar, `Compare`). */
function compare(a: Exemplar, b: Exemplar): number {
  const [valueA, valueB] = [doubleOf(a), doubleOf(b)];
  return (
    a.t - b.t ||
    (valueA < valueB ? -1 : valueA > valueB ? 1 : compareUtf8(a.labels.join('\xff'), b.labels.join('\xff')))
  );
}

/** The labels by name, or null when they are not to be taken. */
function sorted(labels: readonly string[]): string[] | null {
  let characters = 0;
  const pairs: [name: string, value: string][] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    const value = labels[i + 1]!;
    // No text has more characters than UTF-16 units, and none fewer than half as many.
    if (name.length + value.length > 2 * CHARACTERS_MAX) return null;
    characters += charactersOf(name) + charactersOf(value);
    if (characters > CHARACTERS_MAX) return null;
    pairs.push([name, value]);
  }
  pairs.sort(([a], [b]) => compareUtf8(a, b));
  for (let i = 1; i < pairs.length; i++) if (pairs[i]![0] === pairs[i - 1]![0]) return null;
  return pairs.flat();
}

/** Unicode code points, as Go counts runes. */
function charactersOf(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--;
  return count;
}
