/**
 * Reads `ExportMetricsServiceRequest` (opentelemetry-proto, collector/metrics/v1/metrics_service.proto) from protobuf. It decodes, and judges
 * nothing but the encoding.
 *
 * Invariant: what it makes is bounded by OBJECTS_MAX, whatever the bytes claim; damage is a DecodeError with its place.
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../../encoding/protobuf-reader.ts';
import {
  type AnyValue,
  type Attributes,
  type Buckets,
  type Exemplar,
  idText,
  type Metric,
  type MetricKind,
  msOfNanos,
  NOTHING,
  OBJECTS_MAX,
  ofDouble,
  ofList,
  ofMapping,
  ofPlain,
  ofText,
  type Point,
  type ResourceMetrics,
  type ScopeMetrics,
  TooManyObjectsError,
} from './model.ts';

/** Attributes may hold lists and mappings of such; nobody nests deeper. */
const DEPTH_MAX = 32;

const KINDS: ReadonlyMap<number, MetricKind> = new Map([
  [tagOf(5, BYTES), 'gauge'],
  [tagOf(7, BYTES), 'sum'],
  [tagOf(9, BYTES), 'histogram'],
  [tagOf(10, BYTES), 'exponential_histogram'],
  [tagOf(11, BYTES), 'summary'],
]);

const KIND_FIELDS: ReadonlySet<number> = new Set([...KINDS.keys()].map((tag) => tag >>> 3));

/** Fields that kinds of data points have at different places, and the last one that is read. */
const PLACES: Readonly<
  Record<MetricKind, { attributes: number; flags: number; exemplars: number | null; last: number }>
> = {
  gauge: { attributes: 7, flags: 8, exemplars: 5, last: 8 },
  sum: { attributes: 7, flags: 8, exemplars: 5, last: 8 },
  histogram: { attributes: 9, flags: 10, exemplars: 8, last: 10 },
  exponential_histogram: { attributes: 1, flags: 10, exemplars: 11, last: 11 },
  summary: { attributes: 7, flags: 8, exemplars: null, last: 8 },
};

const NO_BUCKETS: Buckets = { offset: 0, counts: [] };

export function decodeOtlp(message: Uint8Array): ResourceMetrics[] {
  return new Reader(message).request();
}

class Reader {
  readonly #cursor: Cursor;
  readonly #bits = new DataView(new ArrayBuffer(8));
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #objects = 0;

  constructor(message: Uint8Array) {
    this.#cursor = new Cursor(message);
  }

  request(): ResourceMetrics[] {
    const all: ResourceMetrics[] = [];
    this.#fields(this.#cursor.bytes.length, {
      [tagOf(1, BYTES)]: (end) => all.push(this.#resourceMetrics(end)),
    });
    return all;
  }

  #resourceMetrics(end: number): ResourceMetrics {
    const attributes: [string, string][] = [];
    const scopes: ScopeMetrics[] = [];
    this.#fields(end, {
      [tagOf(1, BYTES)]: (end) =>
        this.#fields(end, { [tagOf(1, BYTES)]: (end) => attributes.push(this.#attribute(end)) }),
      [tagOf(2, BYTES)]: (end) => scopes.push(this.#scopeMetrics(end)),
    });
    return { attributes, scopes };
  }

  #scopeMetrics(end: number): ScopeMetrics {
    const scope = { name: '', version: '', schemaUrl: '' };
    const attributes: [string, string][] = [];
    const metrics: Metric[] = [];
    this.#fields(end, {
      [tagOf(1, BYTES)]: (end) =>
        this.#fields(end, {
          [tagOf(1, BYTES)]: (end) => (scope.name = this.#string(end)),
          [tagOf(2, BYTES)]: (end) => (scope.version = this.#string(end)),
          [tagOf(3, BYTES)]: (end) => attributes.push(this.#attribute(end)),
        }),
      [tagOf(2, BYTES)]: (end) => metrics.push(this.#metric(end)),
      [tagOf(3, BYTES)]: (end) => (scope.schemaUrl = this.#string(end)),
    });
    return { ...scope, attributes, metrics };
  }

  #metric(end: number): Metric {
    const text = { name: '', description: '', unit: '' };
    let kind: MetricKind | null = null;
    let monotonic = false;
    let temporality = 0;
    let points: Point[] = [];
    const cursor = this.#cursor;
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      const data = KINDS.get(tag);
      if (tag === tagOf(1, BYTES)) text.name = this.#string(cursor.length(end));
      else if (tag === tagOf(2, BYTES)) text.description = this.#string(cursor.length(end));
      else if (tag === tagOf(3, BYTES)) text.unit = this.#string(cursor.length(end));
      else if (data === undefined)
        this.#skip(tag, end, 'Metric', 1, tag >>> 3 < 5 ? 3 : KIND_FIELDS.has(tag >>> 3) ? Infinity : 0);
      else {
        // One of: the last counts.
        if (kind !== data) points = [];
        kind = data;
        const stop = cursor.length(end);
        while (cursor.offset < stop) {
          const inner = cursor.tag(stop);
          if (inner === tagOf(1, BYTES)) points.push(this.#point(cursor.length(stop), data));
          else if (inner === tagOf(2, VARINT)) temporality = cursor.uint32(stop);
          else if (inner === tagOf(3, VARINT)) monotonic = cursor.uint32(stop) !== 0;
          else
            this.#skip(inner, stop, 'the data of Metric', 1, data === 'sum' ? 3 : data.endsWith('histogram') ? 2 : 1);
        }
      }
    }
    return { ...text, kind, monotonic, temporality, points };
  }

  #point(end: number, kind: MetricKind): Point {
    const cursor = this.#cursor;
    const places = PLACES[kind];
    const attributes: [string, string][] = [];
    const bucketCounts: number[] = [];
    const bounds: number[] = [];
    const quantiles: [number, number][] = [];
    const exemplars: Exemplar[] = [];
    const point = { timeMs: 0, startMs: 0, stale: false, value: 0, count: 0, sum: null as number | null };
    const isNumber = kind === 'gauge' || kind === 'sum';
    const exponential = { scale: 0, zeroCount: 0, positive: NO_BUCKETS, negative: NO_BUCKETS };
    const isExponential = kind === 'exponential_histogram';
    const exemplarTag = places.exemplars === null ? -1 : tagOf(places.exemplars, BYTES);
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      if (tag === tagOf(places.attributes, BYTES)) attributes.push(this.#attribute(cursor.length(end)));
      else if (tag === tagOf(places.flags, VARINT)) point.stale = (cursor.uint32(end) & 1) !== 0;
      else if (tag === tagOf(2, FIXED64)) point.startMs = this.#nanos(end);
      else if (tag === tagOf(3, FIXED64)) point.timeMs = this.#nanos(end);
      else if (tag === exemplarTag) exemplars.push(this.#exemplar(cursor.length(end)));
      else if (isNumber && tag === tagOf(4, FIXED64)) point.value = this.#double(end);
      else if (isNumber && tag === tagOf(6, FIXED64)) point.value = this.#integer(end, true);
      else if (!isNumber && tag === tagOf(4, FIXED64)) point.count = this.#integer(end, false);
      else if (!isNumber && tag === tagOf(5, FIXED64)) point.sum = this.#double(end);
      else if (kind === 'histogram' && tag === tagOf(6, BYTES)) {
        for (const stop = cursor.length(end); cursor.offset < stop;)
          this.#push(bucketCounts, this.#integer(stop, false));
      } else if (kind === 'histogram' && tag === tagOf(6, FIXED64)) this.#push(bucketCounts, this.#integer(end, false));
      else if (kind === 'histogram' && tag === tagOf(7, BYTES)) {
        for (const stop = cursor.length(end); cursor.offset < stop;) this.#push(bounds, this.#double(stop));
      } else if (kind === 'histogram' && tag === tagOf(7, FIXED64)) this.#push(bounds, this.#double(end));
      else if (isExponential && tag === tagOf(6, VARINT)) exponential.scale = this.#sint32(end);
      else if (isExponential && tag === tagOf(7, FIXED64)) exponential.zeroCount = this.#integer(end, false);
      else if (isExponential && tag === tagOf(8, BYTES)) exponential.positive = this.#buckets(cursor.length(end));
      else if (isExponential && tag === tagOf(9, BYTES)) exponential.negative = this.#buckets(cursor.length(end));
      else if (kind === 'summary' && tag === tagOf(6, BYTES)) quantiles.push(this.#quantile(cursor.length(end)));
      else this.#skip(tag, end, 'a data point', isExponential ? 1 : 2, places.last);
    }
    // A summary always has a sum, a histogram may have none.
    if (kind === 'summary') point.sum ??= 0;
    return {
      ...point,
      attributes,
      bucketCounts,
      bounds,
      quantiles,
      exponential: isExponential ? exponential : null,
      exemplars,
    };
  }

  #buckets(end: number): Buckets {
    const cursor = this.#cursor;
    const counts: number[] = [];
    let offset = 0;
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      if (tag === tagOf(1, VARINT)) offset = this.#sint32(end);
      else if (tag === tagOf(2, BYTES)) {
        for (const stop = cursor.length(end); cursor.offset < stop;) this.#push(counts, this.#uint64(stop));
      } else if (tag === tagOf(2, VARINT)) this.#push(counts, this.#uint64(end));
      else this.#skip(tag, end, 'Buckets', 1, 2);
    }
    return { offset, counts };
  }

  #exemplar(end: number): Exemplar {
    const cursor = this.#cursor;
    const attributes: [string, string][] = [];
    const exemplar = { timeMs: 0, value: null as number | null, traceId: '', spanId: '' };
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      if (tag === tagOf(2, FIXED64)) exemplar.timeMs = this.#nanos(end);
      else if (tag === tagOf(3, FIXED64)) exemplar.value = this.#double(end);
      else if (tag === tagOf(6, FIXED64)) exemplar.value = this.#integer(end, true);
      else if (tag === tagOf(4, BYTES)) exemplar.spanId = idText(this.#hex(cursor.length(end)), 8, 'a span_id');
      else if (tag === tagOf(5, BYTES)) exemplar.traceId = idText(this.#hex(cursor.length(end)), 16, 'a trace_id');
      else if (tag === tagOf(7, BYTES)) attributes.push(this.#attribute(cursor.length(end)));
      else this.#skip(tag, end, 'Exemplar', 2, 7);
    }
    return { ...exemplar, attributes };
  }

  #hex(end: number): string {
    const cursor = this.#cursor;
    let hex = '';
    // An id has 16 bytes at most: what is longer is none, however much longer it is.
    for (const byte of cursor.bytes.subarray(cursor.offset, Math.min(end, cursor.offset + 17)))
      hex += byte.toString(16).padStart(2, '0');
    cursor.offset = end;
    return hex;
  }

  #sint32(end: number): number {
    const zigzag = this.#cursor.uint32(end);
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** A count; one beyond 2^63 is read as negative, which no histogram may have. */
  #uint64(end: number): number {
    return this.#cursor.int64(end);
  }

  #quantile(end: number): [number, number] {
    const pair: [number, number] = [0, 0];
    const cursor = this.#cursor;
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      if (tag === tagOf(1, FIXED64)) pair[0] = this.#double(end);
      else if (tag === tagOf(2, FIXED64)) pair[1] = this.#double(end);
      else this.#skip(tag, end, 'ValueAtQuantile', 1, 2);
    }
    return pair;
  }

  #attribute(end: number): Attributes[number] & [string, string] {
    const [key, value] = this.#keyValue(end, 0);
    return [key, value.text];
  }

  #keyValue(end: number, depth: number): [string, AnyValue] {
    let key = '';
    let value = NOTHING;
    this.#count();
    this.#fields(end, {
      [tagOf(1, BYTES)]: (end) => (key = this.#string(end)),
      [tagOf(2, BYTES)]: (end) => (value = this.#anyValue(end, depth)),
    });
    return [key, value];
  }

  #anyValue(end: number, depth: number): AnyValue {
    if (depth > DEPTH_MAX) throw new DecodeError(`an attribute nested more than ${DEPTH_MAX} deep`);
    const cursor = this.#cursor;
    let value = NOTHING;
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      if (tag === tagOf(1, BYTES)) value = ofText(this.#string(cursor.length(end)));
      else if (tag === tagOf(2, VARINT)) value = ofPlain(String(cursor.uint32(end) !== 0));
      else if (tag === tagOf(3, VARINT)) value = ofPlain(this.#varint64(end));
      else if (tag === tagOf(4, FIXED64)) value = ofDouble(this.#double(end));
      else if (tag === tagOf(5, BYTES)) {
        const values: AnyValue[] = [];
        this.#fields(cursor.length(end), { [tagOf(1, BYTES)]: (end) => values.push(this.#anyValue(end, depth + 1)) });
        value = ofList(values);
      } else if (tag === tagOf(6, BYTES)) {
        const entries: [string, AnyValue][] = [];
        this.#fields(cursor.length(end), { [tagOf(1, BYTES)]: (end) => entries.push(this.#keyValue(end, depth + 1)) });
        value = ofMapping(entries);
      } else if (tag === tagOf(7, BYTES)) {
        const stop = cursor.length(end);
        value = ofText(base64(cursor.bytes.subarray(cursor.offset, stop)));
        cursor.offset = stop;
      } else this.#skip(tag, end, 'AnyValue', 1, 7);
    }
    return value;
  }

  /** Passes over a field that is not read. All of [first, last] are: one of those has another wire type here, which is an error, as in Go. */
  #skip(tag: number, end: number, message: string, first: number, last: number): void {
    const field = tag >>> 3;
    if (field >= first && field <= last) {
      throw new DecodeError(`wire type ${tag & 7} of field ${field} of ${message} before byte ${this.#cursor.offset}`);
    }
    this.#cursor.skip(tag, end);
  }

  /** Reads a message whose fields of interest are all of bytes. */
  #fields(end: number, known: Readonly<Record<number, (end: number) => unknown>>): void {
    const cursor = this.#cursor;
    this.#count();
    while (cursor.offset < end) {
      const tag = cursor.tag(end);
      const read = known[tag];
      if (read !== undefined) read(cursor.length(end));
      else this.#skip(tag, end, 'a message', tag >>> 3, known[tagOf(tag >>> 3, BYTES)] === undefined ? 0 : tag >>> 3);
    }
  }

  #string(end: number): string {
    const cursor = this.#cursor;
    const start = cursor.offset;
    cursor.offset = end;
    try {
      return this.#text.decode(cursor.bytes.subarray(start, end));
    } catch {
      throw new DecodeError(`a text that is not valid UTF-8 at byte ${start}`);
    }
  }

  #double(end: number): number {
    const lo = this.#cursor.fixed32(end);
    this.#bits.setUint32(4, lo);
    this.#bits.setUint32(0, this.#cursor.fixed32(end));
    return this.#bits.getFloat64(0);
  }

  /** The nearest double of a 64-bit integer, as Go converts it. */
  #integer(end: number, signed: boolean): number {
    const lo = this.#cursor.fixed32(end);
    const hi = this.#cursor.fixed32(end);
    return (signed ? hi | 0 : hi) * 0x1_0000_0000 + lo;
  }

  #nanos(end: number): number {
    const lo = this.#cursor.fixed32(end);
    return msOfNanos(this.#cursor.fixed32(end), lo);
  }

  /** All digits of an int64: attributes are identifiers. */
  #varint64(end: number): string {
    const cursor = this.#cursor;
    const start = cursor.offset;
    const rounded = cursor.int64(end);
    if (Number.isSafeInteger(rounded)) return String(rounded);
    let exact = 0n;
    for (let i = start, shift = 0n; i < cursor.offset; i++, shift += 7n)
      exact |= BigInt(cursor.bytes[i]! & 0x7f) << shift;
    return BigInt.asIntN(64, exact).toString();
  }

  #push(list: number[], value: number): void {
    this.#count();
    list.push(value);
  }

  #count(): void {
    if (++this.#objects > OBJECTS_MAX) {
      throw new TooManyObjectsError(`more than ${OBJECTS_MAX} data points, attributes and buckets in one request`);
    }
  }
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
