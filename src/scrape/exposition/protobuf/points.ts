/**
 * A summary or classic histogram: its count and sum, and its quantiles or buckets, one a call, read where they stand.
 *
 * The one invariant: nothing is gathered. As series, a histogram without a bucket for everything gets one, with its count.
 */

import type { Cursor } from '../../../encoding/protobuf-reader.ts';
import type { PageCursor } from '../cursor.ts';
import { doubleOf, formatBound, putBits, type ValueBits } from '../number.ts';
import { readExemplar } from './exemplar.ts';
import { BUCKET, MANY, QUANTILE } from './messages.ts';

export class PointReader {
  readonly #reader: Cursor;
  readonly count: ValueBits = { hi: 0, lo: 0 };
  readonly sum: ValueBits = { hi: 0, lo: 0 };
  /** Of the point that was read last: its value or count, its bound, and that as the text of a label. */
  readonly value: ValueBits = { hi: 0, lo: 0 };
  bound = 0;
  boundText = '';
  #isSummary = false;
  #start = 0;
  #at = 0;
  #end = 0;
  #hasInfinity = false;
  readonly #bits: ValueBits = { hi: 0, lo: 0 };
  readonly #texts = new Map<number, string>();

  constructor(reader: Cursor) {
    this.#reader = reader;
  }

  /** Begins with an empty message. */
  clear(isSummary: boolean): void {
    this.#isSummary = isSummary;
    this.#hasInfinity = false;
    this.#start = this.#at = this.#end = 0;
    this.count.hi = this.count.lo = this.sum.hi = this.sum.lo = 0;
  }

  /** Begins with the message at the reader's place. Its count and sum are known then. */
  begin(end: number): void {
    const reader = this.#reader;
    this.#start = this.#at = reader.offset;
    this.#end = end;
    let count = 0;
    let countFloat = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === MANY.count) count = unsigned(reader.int64(end));
      else if (tag === MANY.sum) readBits(reader, end, this.sum);
      else if (tag === MANY.countFloat && !this.#isSummary) countFloat = this.#readDouble(end);
      else reader.skip(tag, end);
    }
    putBits(countFloat === 0 ? count : countFloat, this.count);
  }

  /** Goes back before the first point. */
  rewind(): void {
    this.#at = this.#start;
  }

  /** Reads the next point as a series has it, the exemplar of a bucket into `out`; false when there is none. After +Inf none is looked at. */
  next(out: PageCursor): boolean {
    if (this.#hasInfinity) return false;
    if (this.nextPoint(out)) {
      this.boundText = this.#text(this.bound);
      return true;
    }
    if (this.#isSummary) return false;
    // The bucket that has all may be missing.
    this.#hasInfinity = true;
    this.value.hi = this.count.hi;
    this.value.lo = this.count.lo;
    this.bound = Infinity;
    this.boundText = '+Inf';
    return true;
  }

  /** Reads the next point that is there; false when there is none. `boundText` is not made. */
  nextPoint(out: PageCursor): boolean {
    const reader = this.#reader;
    const end = this.#end;
    reader.offset = this.#at;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag !== MANY.point) {
        reader.skip(tag, end);
        continue;
      }
      const stop = reader.length(end);
      if (this.#isSummary) this.#readQuantile(stop);
      else this.#readBucket(stop, out);
      this.#at = stop;
      return true;
    }
    this.#at = end;
    return false;
  }

  #readQuantile(end: number): void {
    const reader = this.#reader;
    const { value } = this;
    this.bound = 0;
    value.hi = value.lo = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === QUANTILE.quantile) this.bound = this.#readDouble(end);
      else if (tag === QUANTILE.value) readBits(reader, end, value);
      else reader.skipOther(tag, end, 'Quantile', 2);
    }
  }

  #readBucket(end: number, out: PageCursor): void {
    const reader = this.#reader;
    let count = 0;
    let countFloat = 0;
    this.bound = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === BUCKET.count) count = unsigned(reader.int64(end));
      else if (tag === BUCKET.bound) this.bound = this.#readDouble(end);
      else if (tag === BUCKET.countFloat) countFloat = this.#readDouble(end);
      else if (tag === BUCKET.exemplar) readExemplar(reader, reader.length(end), out);
      else reader.skipOther(tag, end, 'Bucket', 4);
    }
    putBits(countFloat === 0 ? count : countFloat, this.value);
    this.#hasInfinity = this.bound === Infinity;
  }

  #readDouble(end: number): number {
    readBits(this.#reader, end, this.#bits);
    return doubleOf(this.#bits);
  }

  /** Few bounds stand in many metrics. */
  #text(bound: number): string {
    let text = this.#texts.get(bound);
    if (text === undefined) {
      text = formatBound(bound);
      if (this.#texts.size < 1000) this.#texts.set(bound, text);
    }
    return text;
  }
}

export function readBits(reader: Cursor, end: number, out: ValueBits): void {
  out.lo = reader.fixed32(end);
  out.hi = reader.fixed32(end);
}

/** Of a uint64 that was read as an int64. */
const unsigned = (value: number): number => (value < 0 ? value + 2 ** 64 : value);
