/**
 * What a cursor over a page's bytes tells of the entry it stands on, whatever the format: one call of `next` an entry, no object a sample.
 * The grammars are in `text.ts` and `openmetrics.ts`; protobuf (`protobuf/`) has none.
 *
 * The one invariant: offsets are into `bytes`, those of a series' key into `keys`, and hold until the next call of `next`.
 */

import type { Histogram } from '../../model/histogram.ts';
import { WIDE_ZERO } from '../../model/shape.ts';
import { canonicalBound } from './number.ts';
import {
  BACKSLASH,
  decodeText,
  EncodingError,
  LF,
  lineError,
  QUOTE,
  type TextError,
  unescapeHelp,
  unescapeLabel,
} from './text-bytes.ts';

/** What `next` found. */
export const END = 0;
export const SERIES = 1;
export const HELP = 2;
export const TYPE = 3;
export const UNIT = 4;
export type Entry = typeof END | typeof SERIES | typeof HELP | typeof TYPE | typeof UNIT;

/** Types as Remote Write 2.0 numbers them (`Metadata.MetricType`). */
export const UNKNOWN = 0;
export const COUNTER = 1;
export const GAUGE = 2;
export const HISTOGRAM = 3;
export const GAUGE_HISTOGRAM = 4;
export const SUMMARY = 5;
export const INFO = 6;
export const STATE_SET = 7;

/** A series with more labels is no series: their places alone would fill an isolate's memory. */
const LABELS_MAX = 16_384;

export abstract class PageCursor {
  readonly bytes: Uint8Array;
  /** SERIES: what identifies the series on its page, name and labels as written: `keys[keyStart, keyEnd)`. */
  keys: Uint8Array;
  keyStart = 0;
  keyEnd = 0;
  /** SERIES: the key is the one that was expected; `labels` must not be called then. */
  expected = false;
  /** SERIES: the value's bits, unless it is a histogram. */
  hi = WIDE_ZERO;
  lo = WIDE_ZERO;
  histogram: Histogram | null = null;
  /** SERIES: an explicit timestamp, Unix ms. */
  hasTimestamp = false;
  timestamp = WIDE_ZERO;
  /** HELP, TYPE, UNIT: the metric family's name, without quotes: `bytes[nameStart, nameEnd)`. SERIES, unless expected: the metric's name. */
  nameStart = 0;
  nameEnd = 0;
  /** HELP, UNIT: the text, escaped: `bytes[textStart, textEnd)`. */
  textStart = 0;
  textEnd = 0;
  /** The type of the last TYPE line; of any family, as in Prometheus. */
  type = 0;
  /** SERIES: its exemplar as it stands there, or `exemplarEnd` 0: `bytes[exemplarStart, exemplarEnd)`. */
  exemplarStart = 0;
  exemplarEnd = 0;
  /** SERIES, unless expected: four offsets a label, start and end of its name and of its value. */
  offsets = new Int32Array(64);
  offsetCount = 0;
  /** The exemplar's value, and its timestamp, Unix ms. */
  exemplarHi = WIDE_ZERO;
  exemplarLo = WIDE_ZERO;
  exemplarHasTimestamp = false;
  exemplarTimestamp = WIDE_ZERO;

  /** Where the next entry begins. */
  protected at = 0;
  /** Start of the line that an error is about. */
  protected line = 0;
  readonly #view: DataView;
  /** Of the array that keys were expected from last; it is nearly always the same one. */
  #expect: Uint8Array;
  #expectView: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.keys = bytes;
    this.#expect = bytes;
    this.#view = this.#expectView = viewOf(bytes);
  }

  /**
   * The next entry. `expect[expectStart, expectEnd)` is the series' key that probably comes; when it does, its labels are
   * not looked at. Throws TextError; the cursor is of no use then.
   */
  abstract next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry;

  /** The labels of a SERIES that was not expected, name and value in turn, `__name__` first, unescaped. Throws TextError on invalid UTF-8. */
  labels(out: string[]): void {
    out.length = 0;
    const name = this.string(this.nameStart, this.nameEnd);
    if (name === '') throw this.error(this.keyStart, 'a metric name that is not empty');
    out.push('__name__', name);
    for (let i = 0; i < this.offsetCount; i += 4) {
      const label = this.string(this.offsets[i]!, this.offsets[i + 1]!);
      if (label === '') throw this.error(this.offsets[i]!, 'a label name that is not empty');
      const value = this.string(this.offsets[i + 2]!, this.offsets[i + 3]!);
      const isBound = (label === 'le' && this.type === HISTOGRAM) || (label === 'quantile' && this.type === SUMMARY);
      out.push(label, isBound ? canonicalBound(value) : value);
    }
  }

  /** The labels of the exemplar, name and value in turn, in their order on the page. Throws TextError on invalid UTF-8. */
  exemplarLabels(out: string[]): void {
    out.length = 0;
  }

  /** Goes to another exemplar of the same SERIES, which only a histogram may have; false when there is none. Throws TextError. */
  nextExemplar(): boolean {
    return false;
  }

  /**
   * Since when the SERIES counts, Unix ms; 0 when the page does not say, or the cursor was not made to read it. To be asked before the next call of
   * `next`.
   */
  startTimestamp(): number {
    return 0;
  }

  /** Whether the bytes at `at` are those that are expected; there must be more than them. By fours: most of a known page is this. */
  protected isExpected(at: number, expect: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length === 0 || at + length >= this.bytes.length) return false;
    if (expect !== this.#expect) {
      this.#expect = expect;
      this.#expectView = viewOf(expect);
    }
    const ours = this.#view;
    const theirs = this.#expectView;
    let i = 0;
    for (; i <= length - 4; i += 4) if (ours.getInt32(at + i) !== theirs.getInt32(start + i)) return false;
    for (; i < length; i++) if (ours.getUint8(at + i) !== theirs.getUint8(start + i)) return false;
    return true;
  }

  /** The name of a HELP, TYPE or UNIT entry. */
  familyName(): string {
    return this.string(this.nameStart, this.nameEnd);
  }

  /** The text of a HELP entry. Throws TextError on invalid UTF-8. */
  helpText(): string {
    return unescapeHelp(this.decode(this.textStart, this.textEnd));
  }

  /** The text of a UNIT entry. */
  unitText(): string {
    return this.decode(this.textStart, this.textEnd);
  }

  /** An error about the byte at `at`, for those who find fault with what the cursor stands on. */
  error(at: number, wanted: string): TextError {
    return lineError(this.bytes, this.line, at, wanted);
  }

  /** Where the closing quote is of a string that opens at `start`. A string may hold line breaks, but not after a backslash. */
  protected quoted(start: number, what: string, mayHoldNul: boolean): number {
    const bytes = this.bytes;
    for (let at = start + 1; at < bytes.length; at++) {
      const c = bytes[at]!;
      if (c === QUOTE) return at;
      if (c === BACKSLASH) {
        at++;
        while (mayHoldNul && bytes[at] === 0) at++;
        if (bytes[at] === LF) throw this.error(at, `${what} without a line break after a backslash`);
      }
      if (bytes[at] === 0 && !mayHoldNul) throw this.error(at, `${what} without a NUL byte`);
    }
    throw this.error(bytes.length, `a closing quote of ${what}`);
  }

  protected push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.offsetCount + 4 > this.offsets.length) {
      if (this.offsetCount >= 4 * LABELS_MAX) throw this.error(nameStart, `at most ${LABELS_MAX} labels`);
      const grown = new Int32Array(this.offsets.length * 2);
      grown.set(this.offsets);
      this.offsets = grown;
    }
    const offsets = this.offsets;
    offsets[this.offsetCount++] = nameStart;
    offsets[this.offsetCount++] = nameEnd;
    offsets[this.offsetCount++] = valueStart;
    offsets[this.offsetCount++] = valueEnd;
  }

  /** A name or label value. */
  protected string(start: number, end: number): string {
    return unescapeLabel(this.decode(start, end));
  }

  protected decode(start: number, end: number): string {
    const text = decodeText(this.bytes, start, end);
    if (text === null) throw new EncodingError(this.error(start, 'valid UTF-8').message);
    return text;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
