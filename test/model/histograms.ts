/** Native histograms for tests, written in the plainest way, and read back as text that is equal when they are. */

import {
  AT_BUCKETS,
  bucketCount,
  bucketCounts,
  bucketIndexes,
  highWord,
  type Histogram,
  lowWord,
  type ResetHint,
  setWords,
  spansOf,
  wordsOf,
} from '../../src/model/histogram.ts';

export interface TestHistogram {
  readonly isFloat?: boolean;
  readonly hint?: ResetHint;
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCount?: number;
  /** That of all buckets by default. */
  readonly count?: number;
  /** A bigint is bits. */
  readonly sum?: number | bigint;
  /** Counts by index of the bucket. */
  readonly positive?: Readonly<Record<number, number>>;
  readonly negative?: Readonly<Record<number, number>>;
  readonly bounds?: readonly number[];
}

const sorted = (buckets: Readonly<Record<number, number>>): [index: number, count: number][] =>
  Object.entries(buckets)
    .map(([index, count]): [number, number] => [Number(index), count])
    .sort(([a], [b]) => a - b);

export function histogram(of: TestHistogram = {}): Histogram {
  const isFloat = of.isFloat ?? false;
  const positive = sorted(of.positive ?? {});
  const negative = sorted(of.negative ?? {});
  const values = new Float64Array(AT_BUCKETS + positive.length + negative.length);
  const all = [...positive, ...negative].reduce((sum, [, count]) => sum + count, of.zeroCount ?? 0);
  values.set([of.count ?? all, of.zeroCount ?? 0]);
  const view = new DataView(new ArrayBuffer(8));
  if (typeof of.sum === 'bigint') view.setBigUint64(0, of.sum);
  else view.setFloat64(0, of.sum ?? 0);
  setWords(wordsOf(values), 2, view.getUint32(0), view.getUint32(4));
  [positive, negative].reduce((at, side) => {
    side.forEach(([, count], i) => (values[at + i] = count - (isFloat || i === 0 ? 0 : side[i - 1]![1])));
    return at + side.length;
  }, AT_BUCKETS);
  return {
    isFloat,
    resetHint: of.hint ?? 0,
    schema: of.schema ?? 0,
    zeroThreshold: of.zeroThreshold ?? 0,
    positiveSpans: spansOf(Int32Array.from(positive, ([index]) => index)),
    negativeSpans: spansOf(Int32Array.from(negative, ([index]) => index)),
    customValues: Float64Array.from(of.bounds ?? []),
    values,
  };
}

/** Buckets without observations are left out: which there are is a matter of layout. */
export function textOf(h: Histogram): string {
  const words = wordsOf(h.values);
  const hex = (i: number): string => `${highWord(words, i).toString(16)}:${lowWord(words, i).toString(16)}`;
  const positive = AT_BUCKETS + bucketCount(h.positiveSpans);
  const side = (spans: Int32Array, from: number, to: number): string => {
    const counts = bucketCounts(h, from, to);
    return Array.from(bucketIndexes(spans), (index, i) => [index, counts[i]!] as const)
      .filter(([, count]) => count !== 0)
      .map(([index, count]) => `${index}=${count}`)
      .join(' ');
  };
  return [
    h.isFloat ? 'float' : 'int',
    `schema ${h.schema} threshold ${h.zeroThreshold} bounds ${h.customValues.join(' ')}`,
    `count ${h.values[0]} zero ${h.values[1]} sum ${hex(2)}`,
    `+ ${side(h.positiveSpans, AT_BUCKETS, positive)} - ${side(h.negativeSpans, positive, h.values.length)}`,
  ].join(', ');
}

export const STALE_SUM = 0x7ff0000000000002n;
