/**
 * A native histogram as a line of text that is equal when the histograms are, whether it comes from the wire or from promtool's dump. Buckets that are empty do
 * not count, as promtool leaves them out; bounds are compared to ten digits, for not all libraries have the same last one.
 */
import type { Bits, HistogramMessage } from '../encoding/remote-write/oracle.ts';

const CUSTOM = -53;

interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** What promtool prints: `{count:4, sum:2, [-1,1]:1, (1,2]:3}`. A stale marker has no counts, and NaN for its sum. */
export function textOfDump(dumped: string): string {
  const [, count, sum] = /^\{count:([^,}]+), sum:([^,}]+)/.exec(dumped) ?? [];
  if (count === undefined || sum === undefined) throw new Error(`not a histogram: ${dumped}`);
  if (count === '0' && sum === 'NaN') return 'NaN';
  const buckets = [...dumped.matchAll(/[[(]([^,[(]+),([^\])]+)[\])]:([^,}]+)/g)].map(([, lower, upper, n]): Bucket => ({
    lower: number(lower!),
    upper: number(upper!),
    count: number(n!),
  }));
  return textOf(number(count), number(sum), buckets);
}

/** A histogram of a message that protobufjs has read with its 64-bit numbers as halves. A stale marker is `NaN`, as a float's. */
export function textOfMessage(h: HistogramMessage): string {
  const sum = double(h.sum);
  if (h.sum !== undefined && h.sum.high === 0x7ff00000 && h.sum.low === 2) return 'NaN';
  const schema = h.schema ?? 0;
  const isFloat = h.countFloat !== undefined && h.countFloat !== null;
  const bounds = (h.customValues ?? []).map(double);
  const bound = (i: number): number =>
    schema === CUSTOM ? (i < 0 ? -Infinity : (bounds[i] ?? Infinity)) : 2 ** (i / 2 ** schema);
  const side = (
    spans: HistogramMessage['positiveSpans'],
    deltas: HistogramMessage['positiveDeltas'],
    counts: HistogramMessage['positiveCounts'],
  ): [index: number, count: number][] => {
    const found: [number, number][] = [];
    let index = 0;
    let before = 0;
    for (const { offset = 0, length = 0 } of spans ?? []) {
      index += offset;
      for (let left = length; left > 0; left--, index++) {
        before = isFloat ? double(counts![found.length]) : before + whole(deltas![found.length]!);
        found.push([index, before]);
      }
    }
    return found;
  };
  const zero = isFloat ? double(h.zeroCountFloat) : whole(h.zeroCountInt ?? 0);
  const threshold = double(h.zeroThreshold);
  const buckets: Bucket[] = [{ lower: -threshold, upper: threshold, count: zero }];
  for (const [i, count] of side(h.positiveSpans, h.positiveDeltas, h.positiveCounts)) {
    buckets.push({ lower: bound(i - 1), upper: bound(i), count });
  }
  for (const [i, count] of side(h.negativeSpans, h.negativeDeltas, h.negativeCounts)) {
    buckets.push({ lower: -bound(i), upper: -bound(i - 1), count });
  }
  return textOf(isFloat ? double(h.countFloat) : whole(h.countInt ?? 0), sum, buckets);
}

function textOf(count: number, sum: number, buckets: readonly Bucket[]): string {
  const filled = buckets
    .filter((bucket) => bucket.count !== 0)
    .sort((a, b) => a.upper - b.upper)
    .map(({ lower, upper, count }) => `${digits(lower)} to ${digits(upper)}: ${count}`);
  return `{count ${count}, sum ${sum}, ${filled.join(', ')}}`;
}

const digits = (bound: number): string => (bound === 0 ? '0' : bound.toPrecision(10));

const number = (text: string): number => Number(text.trim().replace(/Inf$/, 'Infinity'));

function double(bits: Bits | undefined): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, bits?.high ?? 0);
  view.setInt32(4, bits?.low ?? 0);
  return view.getFloat64(0);
}

const whole = (n: number | Bits): number => (typeof n === 'number' ? n : n.high * 2 ** 32 + (n.low >>> 0));
