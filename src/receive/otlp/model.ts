/**
 * A metrics request of OTLP as plain objects (opentelemetry-proto, metrics/v1/metrics.proto): what of it becomes series. `protobuf.ts` and
 * `json.ts` make it, `translate.ts` reads it. Times are Unix ms, cut as Prometheus cuts them from nanoseconds.
 */

import { DecodeError } from '../../encoding/protobuf-reader.ts';

/** Attributes as text, the values as Go's pdata has them (`AsString`). */
export type Attributes = readonly (readonly [key: string, value: string])[];

export interface ResourceMetrics {
  readonly attributes: Attributes;
  readonly scopes: readonly ScopeMetrics[];
}

export interface ScopeMetrics {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
  readonly attributes: Attributes;
  readonly metrics: readonly Metric[];
}

export type MetricKind = 'gauge' | 'sum' | 'histogram' | 'exponential_histogram' | 'summary';

export interface Metric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  /** Null for one that holds no data of a kind that is known. */
  readonly kind: MetricKind | null;
  readonly monotonic: boolean;
  /** 0 unspecified, 1 delta, 2 cumulative; gauges and summaries have none. */
  readonly temporality: number;
  readonly points: readonly Point[];
}

/** A data point of any kind. */
export interface Point {
  readonly attributes: Attributes;
  readonly timeMs: number;
  /** When what it counts began; 0 when that is not known. */
  readonly startMs: number;
  /** Flag 1: no recorded value, which is a stale marker. */
  readonly stale: boolean;
  /** Of gauges and sums. */
  readonly value: number;
  readonly count: number;
  /** Null when the point has none. */
  readonly sum: number | null;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
  /** Only of exponential histograms, else null. */
  readonly exponential: Exponential | null;
  readonly exemplars: readonly Exemplar[];
}

/** Buckets of powers of 2^(2^−scale). */
export interface Exponential {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: Buckets;
  readonly negative: Buckets;
}

/** Counts of buckets next to each other; the first has the index `offset`. */
export interface Buckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface Exemplar {
  readonly timeMs: number;
  /** Null when it has none. */
  readonly value: number | null;
  /** Hexadecimal; empty when there is none, or nothing but zeros. */
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

/** An id as it is shown; its length is fixed by OTLP. */
export function idText(hex: string, bytes: number, what: string): string {
  if (hex === '' || /^0+$/.test(hex)) return '';
  if (hex.length !== 2 * bytes || !/^[0-9a-f]+$/i.test(hex)) {
    throw new DecodeError(`${what} ${JSON.stringify(hex.slice(0, 40))} is not ${bytes} bytes in hexadecimal digits`);
  }
  return hex.toLowerCase();
}

export const DELTA = 1;
export const CUMULATIVE = 2;

/** What one request may hold: objects take some hundred bytes each, on the wire an empty one takes two. */
export const OBJECTS_MAX = 1 << 19;

/** The request holds more than objects are made for. The way out is a smaller one. */
export class TooManyObjectsError extends Error {
  override readonly name = 'TooManyObjectsError';
}

/** Unix ms of a fixed64 of nanoseconds, from its halves. The product is exact, so its remainder is, and so the quotient. */
export function msOfNanos(hi: number, lo: number): number {
  const high = hi * 0x1_0000_0000;
  const rest = high % 1e6;
  return Math.round((high - rest) / 1e6) + Math.floor((rest + lo) / 1e6);
}

/** A double as Go's pdata shows it: as ES6 does, but for −0 and what JSON does not know. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) {
    return `json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`;
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A text in JSON as Go's encoder writes it when it need not be safe in HTML. */
function goJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A value of an attribute: its text, and what it is within a list or a mapping. Null is one that JSON cannot hold. */
export interface AnyValue {
  readonly text: string;
  readonly json: string | null;
}

export const NOTHING: AnyValue = { text: '', json: 'null' };
export const ofText = (text: string): AnyValue => ({ text, json: goJson(text) });
export const ofDouble = (value: number): AnyValue => ({
  text: doubleText(value),
  json: Number.isFinite(value) ? doubleText(value) : null,
});
export const ofPlain = (text: string): AnyValue => ({ text, json: text });

export function ofList(values: readonly AnyValue[]): AnyValue {
  const json = values.some((value) => value.json === null) ? null : `[${values.map((value) => value.json).join(',')}]`;
  return { text: json ?? '', json };
}

/** Keys are sorted, the last of equal ones counts. */
export function ofMapping(entries: readonly (readonly [string, AnyValue])[]): AnyValue {
  const sorted = [...new Map(entries)].sort(([a], [b]) => (a < b ? -1 : 1));
  const json = sorted.some(([, value]) => value.json === null)
    ? null
    : `{${sorted.map(([key, value]) => `${goJson(key)}:${value.json}`).join(',')}}`;
  return { text: json ?? '', json };
}
