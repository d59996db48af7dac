/**
 * `convert_classic_histograms_to_nhcb` for the text formats: a cursor over another one, which gives each classic histogram as one sample with
 * custom buckets, behind its series or in their place (Prometheus, model/textparse, nhcbparse.go). What does not add up is left out, as there.
 * It differs in one point: the sample has the timestamp of its own series, not of the line behind them.
 *
 * The one invariant: series are of one histogram while they come one after the other, under the TYPE of their family, with the same labels
 * but for `le`.
 */

import { HISTOGRAM_BUCKETS_MAX } from '../../encoding/histogram-parts.ts';
import { HINT_UNKNOWN } from '../../model/histogram.ts';
import { ClassicHistogram } from './classic-histogram.ts';
import { END, type Entry, HISTOGRAM, PageCursor, SERIES, TYPE } from './cursor.ts';
import { KeyWriter } from './key.ts';
import { doubleOf, parseValue, type ValueBits } from './number.ts';
import type { TextError } from './text-bytes.ts';
import { keepShape } from '../../model/shape.ts';
import { TextCursor } from './text.ts';

const NOTHING = new Uint8Array(0);

/** What a name ends with; what is before is the histogram's name. */
const ASCII = new TextEncoder();
const BUCKET = ASCII.encode('_bucket');
const SUM = ASCII.encode('_sum');
const COUNT = ASCII.encode('_count');
const OTHER = ASCII.encode('');
const SUFFIXES = [BUCKET, SUM, COUNT];

interface CollectedExemplar {
  readonly start: number;
  readonly end: number;
  readonly hi: number;
  readonly lo: number;
  readonly hasTimestamp: boolean;
  readonly timestamp: number;
}

export class ConvertingCursor extends PageCursor {
  readonly #inner: PageCursor;
  readonly #keepsClassic: boolean;
  /** The name of the last TYPE line. */
  #typeStart = 0;
  #typeEnd = 0;

  /** The histogram whose series are being read. Its name and labels are ranges of the first of them, without the suffix and `le`. */
  #collecting = false;
  readonly #classic = new ClassicHistogram();
  #baseStart = 0;
  #baseEnd = 0;
  #baseLabels: number[] = [];
  #exemplars: CollectedExemplar[] = [];
  /** Since when it counts, as the first of its series says. */
  #startTimestamp = 0;
  #lastHasTimestamp = false;
  #lastTimestamp = 0;

  /** Stands on a converted histogram; what the other cursor stands on, and comes next, was read already. */
  #emitting = false;
  #pending: Entry = END;
  #exemplarAt = 0;
  readonly #key = new KeyWriter('escaped');
  readonly #bits: ValueBits = { hi: 0, lo: 0 };

  constructor(inner: PageCursor, keepsClassic: boolean) {
    super(inner.bytes);
    this.#inner = inner;
    this.#keepsClassic = keepsClassic;
  }

  override next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    const inner = this.#inner;
    const isPending = this.#emitting;
    let entry = this.#pending;
    if (isPending) this.#emitting = false;
    for (let first = true; ; first = false) {
      if (!isPending || !first) {
        // Series of a histogram are looked at, so none of them is expected.
        const mayBePart = inner.type === HISTOGRAM;
        entry = mayBePart ? inner.next(NOTHING, 0, 0) : inner.next(expect, expectStart, expectEnd);
        if (entry === SERIES && !mayBePart) return this.#give(entry);
        if (entry === TYPE) {
          this.#typeStart = inner.nameStart;
          this.#typeEnd = inner.nameEnd;
        }
        if (
          this.#collecting &&
          (entry !== SERIES || this.#isOther()) &&
          this.#convert(expect, expectStart, expectEnd)
        ) {
          this.#pending = entry;
          return SERIES;
        }
      }
      if (entry !== SERIES) return this.#give(entry);
      const isPart = this.#collect();
      if (isPart && !this.#keepsClassic) continue;
      this.#give(entry);
      this.expected = isKey(this.keys, this.keyStart, this.keyEnd, expect, expectStart, expectEnd);
      // The exemplar is the histogram's.
      if (isPart) this.exemplarEnd = 0;
      return SERIES;
    }
  }

  override labels(out: string[]): void {
    if (!this.#emitting) {
      this.#inner.labels(out);
      return;
    }
    out.length = 0;
    const name = this.string(this.#baseStart, this.#baseEnd);
    if (name === '') throw this.error(this.#baseStart, 'a metric name that is not empty');
    out.push('__name__', name);
    const labels = this.#baseLabels;
    for (let i = 0; i < labels.length; i += 2) {
      const text = this.string(labels[i]!, labels[i + 1]!);
      if (i % 4 === 0 && text === '') throw this.error(labels[i]!, 'a label name that is not empty');
      out.push(text);
    }
  }

  override exemplarLabels(out: string[]): void {
    const inner = this.#inner;
    inner.exemplarStart = this.exemplarStart;
    inner.exemplarLabels(out);
  }

  override nextExemplar(): boolean {
    if (!this.#emitting) return false;
    const exemplar = this.#exemplars[this.#exemplarAt++];
    this.exemplarEnd = exemplar?.end ?? 0;
    if (exemplar === undefined) return false;
    this.exemplarStart = exemplar.start;
    this.exemplarHi = exemplar.hi;
    this.exemplarLo = exemplar.lo;
    this.exemplarHasTimestamp = exemplar.hasTimestamp;
    this.exemplarTimestamp = exemplar.timestamp;
    return true;
  }

  override startTimestamp(): number {
    return this.#emitting || this.#collecting ? this.#startTimestamp : this.#inner.startTimestamp();
  }

  override familyName(): string {
    return this.#inner.familyName();
  }

  override helpText(): string {
    return this.#inner.helpText();
  }

  override unitText(): string {
    return this.#inner.unitText();
  }

  override error(at: number, wanted: string): TextError {
    return this.#inner.error(at, wanted);
  }

  /** Stands where the other cursor stands. */
  #give(entry: Entry): Entry {
    const inner = this.#inner;
    this.histogram = null;
    this.keys = inner.keys;
    this.keyStart = inner.keyStart;
    this.keyEnd = inner.keyEnd;
    this.expected = inner.expected;
    this.hi = inner.hi;
    this.lo = inner.lo;
    this.hasTimestamp = inner.hasTimestamp;
    this.timestamp = inner.timestamp;
    this.nameStart = inner.nameStart;
    this.nameEnd = inner.nameEnd;
    this.textStart = inner.textStart;
    this.textEnd = inner.textEnd;
    this.type = inner.type;
    this.exemplarStart = inner.exemplarStart;
    this.exemplarEnd = inner.exemplarEnd;
    this.exemplarHi = inner.exemplarHi;
    this.exemplarLo = inner.exemplarLo;
    this.exemplarHasTimestamp = inner.exemplarHasTimestamp;
    this.exemplarTimestamp = inner.exemplarTimestamp;
    return entry;
  }

  /** Takes the series if it is part of a classic histogram; whether it is. */
  #collect(): boolean {
    const inner = this.#inner;
    if (inner.type !== HISTOGRAM) return false;
    const suffix = this.#suffix();
    const nameEnd = inner.nameEnd - suffix.length;
    if (suffix === OTHER || !this.#isRange(inner.nameStart, nameEnd, this.#typeStart, this.#typeEnd)) return false;
    let bound = 0;
    if (suffix === BUCKET) {
      const at = this.#boundAt();
      if (at < 0) return false;
      const fault = parseValue(this.bytes, inner.offsets[at + 2]!, inner.offsets[at + 3]!, this.#bits);
      bound = doubleOf(this.#bits);
      if (fault !== null || Number.isNaN(bound)) return false;
    }
    if (!this.#collecting) this.#begin(nameEnd);
    const value = doubleOf(inner);
    const classic = this.#classic;
    if (suffix === COUNT) classic.count(value);
    else if (suffix === SUM) classic.sum(inner.hi, inner.lo);
    else if (classic.isFull)
      throw this.error(inner.keyStart, `at most ${HISTOGRAM_BUCKETS_MAX} buckets of a histogram`);
    else classic.bucket(bound, value);
    this.#lastHasTimestamp = inner.hasTimestamp;
    this.#lastTimestamp = inner.timestamp;
    if (inner.exemplarEnd > 0) {
      this.#exemplars.push({
        start: inner.exemplarStart,
        end: inner.exemplarEnd,
        hi: inner.exemplarHi,
        lo: inner.exemplarLo,
        hasTimestamp: inner.exemplarHasTimestamp,
        timestamp: inner.exemplarTimestamp,
      });
    }
    return true;
  }

  #begin(nameEnd: number): void {
    const inner = this.#inner;
    this.#collecting = true;
    this.#classic.clear();
    this.#exemplars = [];
    this.#baseStart = inner.nameStart;
    this.#baseEnd = nameEnd;
    this.#baseLabels = this.#labelsOf();
    this.#startTimestamp = inner.startTimestamp();
  }

  /** Ends the histogram and stands on it; false when there is none to be made of its series. */
  #convert(expect: Uint8Array, start: number, end: number): boolean {
    this.#collecting = false;
    const histogram = this.#classic.convert(HINT_UNKNOWN);
    if (typeof histogram === 'string') return false;
    const key = this.#key;
    const labels = this.#baseLabels;
    key.clearLabels();
    for (let i = 0; i < labels.length; i += 4) {
      key.label(this.bytes, labels[i]!, labels[i + 1]!, labels[i + 2]!, labels[i + 3]!);
    }
    key.make(this.bytes, this.#baseStart, this.#baseEnd, OTHER, '', '');
    this.keys = key.bytes;
    this.keyStart = 0;
    this.keyEnd = key.length;
    this.expected = key.is(expect, start, end);
    this.histogram = histogram;
    this.hi = this.lo = 0;
    this.hasTimestamp = this.#lastHasTimestamp;
    this.timestamp = this.#lastTimestamp;
    this.#emitting = true;
    this.#exemplarAt = 0;
    this.nextExemplar();
    return true;
  }

  /** Whether the series is of another histogram than the one being collected, or of none. */
  #isOther(): boolean {
    const inner = this.#inner;
    const nameEnd = inner.nameEnd - this.#suffix().length;
    if (!this.#isRange(inner.nameStart, nameEnd, this.#baseStart, this.#baseEnd)) return true;
    const base = this.#baseLabels;
    const { offsets, offsetCount } = inner;
    let at = 0;
    let isSame = true;
    for (let i = 0; i < offsetCount; i += 4) {
      if (this.#isBound(i)) continue;
      isSame &&=
        at < base.length &&
        this.#isRange(offsets[i]!, offsets[i + 1]!, base[at]!, base[at + 1]!) &&
        this.#isRange(offsets[i + 2]!, offsets[i + 3]!, base[at + 2]!, base[at + 3]!);
      at += 4;
    }
    if (at !== base.length) return true;
    return !isSame && this.#textOf(this.#labelsOf()) !== this.#textOf(base);
  }

  /** The ranges of the labels, without `le`. */
  #labelsOf(): number[] {
    const { offsets, offsetCount } = this.#inner;
    const ranges: number[] = [];
    for (let i = 0; i < offsetCount; i += 4) {
      if (!this.#isBound(i)) ranges.push(offsets[i]!, offsets[i + 1]!, offsets[i + 2]!, offsets[i + 3]!);
    }
    return ranges;
  }

  /** Labels in any order, spelled in any way. */
  #textOf(ranges: readonly number[]): string {
    const labels: string[] = [];
    for (let i = 0; i < ranges.length; i += 4) {
      labels.push(
        JSON.stringify([this.string(ranges[i]!, ranges[i + 1]!), this.string(ranges[i + 2]!, ranges[i + 3]!)]),
      );
    }
    return labels.sort().join();
  }

  /** Where the offsets of the label `le` are, or −1. */
  #boundAt(): number {
    for (let i = 0; i < this.#inner.offsetCount; i += 4) if (this.#isBound(i)) return i;
    return -1;
  }

  #isBound(i: number): boolean {
    const { offsets } = this.#inner;
    const start = offsets[i]!;
    return offsets[i + 1]! - start === 2 && this.bytes[start] === 0x6c && this.bytes[start + 1] === 0x65;
  }

  /** What the name of the series ends with. */
  #suffix(): Uint8Array {
    const { nameStart, nameEnd } = this.#inner;
    for (const suffix of SUFFIXES) {
      const from = nameEnd - suffix.length;
      if (from >= nameStart && isKey(this.bytes, from, nameEnd, suffix, 0, suffix.length)) return suffix;
    }
    return OTHER;
  }

  #isRange(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    return isKey(this.bytes, start, end, this.bytes, otherStart, otherEnd);
  }
}

keepShape(new ConvertingCursor(new TextCursor(new Uint8Array(0)), false));

/** Whether two ranges hold the same bytes. */
function isKey(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) if (a[i] !== b[j]) return false;
  return true;
}
