/**
 * What Histogram messages are made of, in remote write as in the exposition format: numbers, spans, doubles bit by bit. The messages
 * themselves are in remote-write/histogram.ts and scrape/exposition/protobuf/native.ts.
 *
 * Invariant: nothing grows beyond HISTOGRAM_BUCKETS_MAX, whatever a message claims.
 */

import { setWords, wordsOf } from '../model/histogram.ts';
import { type Cursor, DecodeError, tagOf, VARINT } from './protobuf-reader.ts';

/** The message is whole, but what it says is no histogram that can be stored. */
export class HistogramError extends DecodeError {
  override readonly name: string = 'HistogramError';
}

/** It has more than HISTOGRAM_BUCKETS_MAX of something. */
export class HistogramTooLargeError extends HistogramError {
  override readonly name = 'HistogramTooLargeError';
}

/** Buckets of a histogram, spans and custom bounds likewise. Clients make 160 buckets by default; the finest schema has 5,120 over six decades. */
export const HISTOGRAM_BUCKETS_MAX = 10_000;

/** Of BucketSpan. */
const SPAN_OFFSET = tagOf(1, VARINT);
const SPAN_LENGTH = tagOf(2, VARINT);

/** Numbers of a repeated field, as many as there are. */
export class Numbers {
  items = new Float64Array(0);
  #words = wordsOf(this.items);
  length = 0;

  push(value: number): void {
    this.#reserve();
    this.items[this.length++] = value;
  }

  /** A double, bit by bit. */
  pushDouble(cursor: Cursor, end: number): void {
    this.#reserve();
    readDouble(cursor, end, this.#words, this.length++);
  }

  #reserve(): void {
    if (this.length < this.items.length) return;
    if (this.length === HISTOGRAM_BUCKETS_MAX) throw tooLarge();
    const items = new Float64Array(Math.min(HISTOGRAM_BUCKETS_MAX, Math.max(16, 2 * this.length)));
    items.set(this.items);
    this.items = items;
    this.#words = wordsOf(items);
  }
}

const tooLarge = (): HistogramTooLargeError =>
  new HistogramTooLargeError(`more than ${HISTOGRAM_BUCKETS_MAX} buckets, spans or bounds`);

const INDEX_MAX = 2 ** 30;

/** Spans as they come, made such that equal buckets have equal spans: without empty ones, and joined where there is no gap. */
export class Spans {
  readonly #side: string;
  readonly #spans: number[] = [];
  #count = 0;
  #gap = 0;
  #buckets = 0;
  /** Index of the last bucket. Within ±2^30, gaps between any two fit 32 bits; the finest schema has ±2^18. */
  #index = -1;

  constructor(side: string) {
    this.#side = side;
  }

  add(offset: number, length: number): void {
    if (++this.#count > HISTOGRAM_BUCKETS_MAX) throw tooLarge();
    if (this.#count > 1 && offset < 0) {
      throw new HistogramError(
        `${this.#side} side: span number ${this.#count} with offset ${offset}: histogram has a span whose offset is negative`,
      );
    }
    this.#gap += offset;
    this.#index += offset + length;
    if (!(this.#index <= INDEX_MAX && this.#index + 1 - length >= -INDEX_MAX)) {
      throw new HistogramError(`${this.#side} side: span number ${this.#count} reaches beyond ±2^30`);
    }
    if (length === 0) return;
    this.#buckets += length;
    if (this.#gap === 0 && this.#spans.length > 0) this.#spans[this.#spans.length - 1]! += length;
    else this.#spans.push(this.#gap, length);
    this.#gap = 0;
  }

  finish(buckets: number): Int32Array {
    if (this.#buckets !== buckets) {
      throw new HistogramError(
        `${this.#side} side: spans need ${this.#buckets} buckets, have ${buckets} buckets: histogram spans specify different number of buckets than provided`,
      );
    }
    return Int32Array.from(this.#spans);
  }
}

export function readSpan(cursor: Cursor, end: number, out: Spans): void {
  let offset = 0;
  let length = 0;
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === SPAN_OFFSET) offset = sint32(cursor.uint32(end));
    else if (tag === SPAN_LENGTH) length = cursor.uint32(end);
    else cursor.skipOther(tag, end, 'BucketSpan', 2);
  }
  out.add(offset, length);
}

export function readDouble(cursor: Cursor, end: number, words: Uint32Array, i: number): void {
  const lo = cursor.fixed32(end);
  setWords(words, i, cursor.fixed32(end), lo);
}

const scratch = new Float64Array(1);
const scratchWords = wordsOf(scratch);

/** A double whose NaNs need not be told apart. */
export function float(cursor: Cursor, end: number): number {
  readDouble(cursor, end, scratchWords, 0);
  return scratch[0]!;
}

export const sint32 = (zigzag: number): number => (zigzag >>> 1) ^ -(zigzag & 1);

/** A sint64 that a double holds exactly. The first byte is split off by itself, for twice the number may not fit. */
export function sint64(cursor: Cursor, end: number): number {
  const at = cursor.offset;
  if (at >= end) throw new DecodeError(`the message ends within a varint at byte ${at}`);
  const first = cursor.bytes[at]!;
  cursor.offset = at + 1;
  const rest = first < 0x80 ? 0 : cursor.int64(end);
  const magnitude = ((first & 0x7f) >>> 1) + rest * 64;
  if (!(rest >= 0 && magnitude < Number.MAX_SAFE_INTEGER)) throw new HistogramError('a bucket count is beyond 2^53');
  return (first & 1) === 1 ? -magnitude - 1 : magnitude;
}
