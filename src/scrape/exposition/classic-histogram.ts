/**
 * A classic histogram as it comes, series by series, and what it is as a native one with custom buckets (NHCB): prometheus/prometheus,
 * util/convertnhcb. What does not add up has a fault and becomes none.
 */

import { HISTOGRAM_BUCKETS_MAX } from '../../encoding/histogram-parts.ts';
import {
  AT_BUCKETS,
  AT_COUNT,
  AT_SUM,
  COUNT_MAX,
  type Histogram,
  type ResetHint,
  SCHEMA_CUSTOM,
  setWords,
  wordsOf,
} from '../../model/histogram.ts';
import { compacted } from '../../model/histogram-buckets.ts';

/** Empty buckets that are kept between two others: which are empty changes from scrape to scrape, and each change is a new layout. */
const EMPTY_MAX = 2;
const NO_SPANS = new Int32Array(0);

export class ClassicHistogram {
  /** Upper bounds, ascending, and how many observations are at most that. */
  #bounds: number[] = [];
  #counts: number[] = [];
  #count: number | null = null;
  #sumHi = 0;
  #sumLo = 0;
  #fault: string | null = null;

  clear(): void {
    this.#bounds = [];
    this.#counts = [];
    this.#count = null;
    this.#sumHi = this.#sumLo = 0;
    this.#fault = null;
  }

  /** Whether there are as many buckets as a histogram may have. */
  get isFull(): boolean {
    return this.#bounds.length === HISTOGRAM_BUCKETS_MAX;
  }

  /** Adds a bucket; one whose bound is known does not count. */
  bucket(bound: number, count: number): void {
    if (this.#fault !== null) return;
    if (Number.isNaN(bound)) this.#fault = 'bucket boundary must not be NaN';
    else if (count < 0) this.#fault = `bucket count must be non-negative: le=${bound}, count=${count}`;
    else this.#insert(bound, count);
  }

  count(count: number): void {
    if (this.#fault !== null) return;
    if (count < 0) this.#fault = `count must be non-negative: count=${count}`;
    else this.#count = count;
  }

  /** The halves of the sum's bits. */
  sum(hi: number, lo: number): void {
    this.#sumHi = hi;
    this.#sumLo = lo;
  }

  /** The native histogram, or what is wrong. Whole numbers make one of integers. */
  convert(resetHint: ResetHint): Histogram | string {
    if (this.#fault !== null) return this.#fault;
    const bounds = this.#bounds;
    const counts = this.#counts;
    const count = this.#count ?? counts.at(-1) ?? 0;
    if (bounds.at(-1) !== Infinity) {
      bounds.push(Infinity);
      counts.push(count);
    }
    const last = counts.at(-1)!;
    // Not `!==` alone: NaN is not what is counted in the last bucket either.
    if (!(count === last)) return `count mismatch: count=${count} != le=+Inf count=${last}`;
    const isFloat = !counts.every((one) => Number.isInteger(one) && one <= COUNT_MAX);
    const values = new Float64Array(AT_BUCKETS + counts.length);
    values[AT_COUNT] = count;
    setWords(wordsOf(values), AT_SUM, this.#sumHi, this.#sumLo);
    let before = 0;
    let beforeDelta = 0;
    for (let i = 0; i < counts.length; i++) {
      const inBucket = counts[i]! - before;
      values[AT_BUCKETS + i] = isFloat ? inBucket : inBucket - beforeDelta;
      before = counts[i]!;
      beforeDelta = inBucket;
    }
    const whole: Histogram = {
      isFloat,
      resetHint,
      schema: SCHEMA_CUSTOM,
      zeroThreshold: 0,
      positiveSpans: Int32Array.of(0, counts.length),
      negativeSpans: NO_SPANS,
      customValues: Float64Array.from(bounds.slice(0, -1)),
      values,
    };
    return compacted(whole, isFloat ? 0 : EMPTY_MAX);
  }

  #insert(bound: number, count: number): void {
    const bounds = this.#bounds;
    const counts = this.#counts;
    // They come in order, most likely.
    let at = bounds.length;
    if (at > 0 && bounds[at - 1]! >= bound) at = firstNotBelow(bounds, bound);
    if (bounds[at] === bound) return;
    if (at > 0 && count < counts[at - 1]!) this.#fault = `count is not cumulative: ${count} < ${counts[at - 1]}`;
    else if (at < bounds.length && count > counts[at]!) {
      this.#fault = `count is not cumulative: ${count} > ${counts[at]}`;
    } else if (at === bounds.length) {
      bounds.push(bound);
      counts.push(count);
    } else {
      bounds.splice(at, 0, bound);
      counts.splice(at, 0, count);
    }
  }
}

/** The index of the first number that is not below `bound`; they ascend. */
function firstNotBelow(numbers: readonly number[], bound: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
