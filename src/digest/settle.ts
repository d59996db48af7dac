/**
 * The samples of one series, settled: ascending in time, one value a timestamp. The first accepted value wins; the same bits
 * again are a duplicate, other bits a conflict. Used by the digest (samples in the order of arrival) and by the merge (in
 * the order of its sources), so the rule stands once.
 */

import type { MixedColumns } from '../block/columns.ts';
import { AT_COUNT, AT_SUM, highWord, type Histogram, lowWord, sameHistogram, wordsOf } from '../model/histogram.ts';
import { labelsFromBytes } from '../model/label-bytes.ts';
import { formatLabels } from '../model/labels.ts';
import { STALE_HI, STALE_LO } from '../model/sample.ts';
import { keepShape } from '../model/shape.ts';

const EXAMPLE_LABELS_MAX = 500;

/** Samples that were not stored a second time, and one of the conflicts in words. */
export interface Repeats {
  /** Samples whose timestamp was taken by the same bits. */
  duplicates: number;
  /** Samples whose timestamp was taken by another value; they are dropped. */
  conflicts: number;
  /** `{__name__="x", job="a"} at 1700000000000: kept 1, refused 2`, or null when there was no conflict. */
  conflictExample: string | null;
}

export const NO_REPEATS: Readonly<Repeats> = { duplicates: 0, conflicts: 0, conflictExample: null };

/** What was seen in two places. */
export function together(a: Repeats, b: Repeats): Repeats {
  return {
    duplicates: a.duplicates + b.duplicates,
    conflicts: a.conflicts + b.conflicts,
    conflictExample: b.conflictExample ?? a.conflictExample,
  };
}

/** Gathers one series after another: `clear`, then `push` (or `reserve` and write into the columns), then `settle`. */
export class Settling implements MixedColumns, Repeats {
  t = new Float64Array(256);
  hi = new Uint32Array(256);
  lo = new Uint32Array(256);
  histograms: (Histogram | undefined)[] | null = null;
  count = 0;
  duplicates = 0;
  conflicts = 0;
  conflictExample: string | null = null;

  clear(): void {
    this.count = 0;
    this.histograms = null;
  }

  push(t: number, hi: number, lo: number): void {
    if (this.count === this.t.length) this.reserve(1);
    this.t[this.count] = t;
    this.hi[this.count] = hi;
    this.lo[this.count++] = lo;
  }

  pushHistogram(t: number, histogram: Histogram): void {
    (this.histograms ??= [])[this.count] = histogram;
    this.push(t, 0, 0);
  }

  /** Room for `more` samples behind `count`. */
  reserve(more: number): void {
    const length = this.count + more;
    if (length <= this.t.length) return;
    const places = Math.max(length, this.t.length * 2);
    const { t, hi, lo } = this;
    this.t = new Float64Array(places);
    this.hi = new Uint32Array(places);
    this.lo = new Uint32Array(places);
    this.t.set(t);
    this.hi.set(hi);
    this.lo.set(lo);
  }

  /** Sorts by time, stable, and drops what repeats a timestamp; `count` is then what is left. `labels` only for the example. */
  settle(labels: () => Uint8Array): void {
    const { t, hi, lo } = this;
    const total = this.count;
    let sorted = true;
    let strict = 1;
    for (let i = 1; i < total; i++) {
      if (t[i]! > t[i - 1]!) strict++;
      else if (t[i]! < t[i - 1]!) sorted = false;
    }
    if (total === 0 || strict === total) return;
    if (!sorted) this.#sort();
    const { histograms } = this;
    let kept = 0;
    for (let i = 1; i < total; i++) {
      if (t[i] !== t[kept]) {
        kept++;
        t[kept] = t[i]!;
        hi[kept] = hi[i]!;
        lo[kept] = lo[i]!;
        if (histograms !== null) histograms[kept] = histograms[i];
      } else if (
        hi[i] === hi[kept] &&
        lo[i] === lo[kept] &&
        (histograms === null || same(histograms[i], histograms[kept]))
      )
        this.duplicates++;
      else {
        this.conflicts++;
        this.conflictExample ??= conflictText(labels(), t[kept]!, sampleText(this, kept), sampleText(this, i));
      }
    }
    this.count = kept + 1;
  }

  /** The rare path: a series whose samples did not come in order. */
  #sort(): void {
    const { t, hi, lo } = this;
    const before = { t: t.slice(0, this.count), hi: hi.slice(0, this.count), lo: lo.slice(0, this.count) };
    const order = Uint32Array.from(before.t, (_, i) => i).sort((a, b) => before.t[a]! - before.t[b]! || a - b);
    for (let i = 0; i < order.length; i++) {
      t[i] = before.t[order[i]!]!;
      hi[i] = before.hi[order[i]!]!;
      lo[i] = before.lo[order[i]!]!;
    }
    const { histograms } = this;
    if (histograms !== null) this.histograms = Array.from(order, (i) => histograms[i]);
  }
}

keepShape(new Settling());

/** A conflict in words, with what sampleText says of both. */
export function conflictText(labels: Uint8Array, t: number, kept: string, refused: string): string {
  return `${shortLabels(labels)} at ${t}: kept ${kept}, refused ${refused}`;
}

/** The value of sample `i` in words. */
export function sampleText({ hi, lo, histograms }: MixedColumns, i: number): string {
  const histogram = histograms?.[i];
  return histogram === undefined ? valueText(hi[i]!, lo[i]!) : histogramText(histogram);
}

/** Two floats, whose bits were compared, or equal histograms. */
function same(a: Histogram | undefined, b: Histogram | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameHistogram(a, b);
}

function shortLabels(labels: Uint8Array): string {
  const text = formatLabels(labelsFromBytes(labels));
  return text.length <= EXAMPLE_LABELS_MAX ? text : `${text.slice(0, EXAMPLE_LABELS_MAX)}…}`;
}

function histogramText({ isFloat, values }: Histogram): string {
  const words = wordsOf(values);
  const kind = isFloat ? 'float histogram' : 'histogram';
  return `a ${kind} with count ${values[AT_COUNT]} and sum ${valueText(highWord(words, AT_SUM), lowWord(words, AT_SUM))}`;
}

/** A value as Prometheus writes it; NaNs with their bits, since two that differ would read the same. */
function valueText(hi: number, lo: number): string {
  if (hi === STALE_HI && lo === STALE_LO) return 'stale marker';
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, hi);
  view.setUint32(4, lo);
  const value = view.getFloat64(0);
  if (Number.isNaN(value)) {
    return `NaN (0x${hi.toString(16).padStart(8, '0')}${lo.toString(16).padStart(8, '0')})`;
  }
  if (Math.abs(value) === Infinity) return value > 0 ? '+Inf' : '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
}
