/**
 * Reads `ExportMetricsServiceRequest` from OTLP's JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): lowerCamelCase names, 64-bit
 * integers as text or numbers, enums as numbers or names. Names as in the protocol's files (`resource_metrics`), which the specification does not
 * allow, are read as by the Collector's library, and so by Prometheus: ignored they would lose everything silently. Unknown fields are ignored; a value of another type is a DecodeError with its path.
 */

import { DecodeError } from '../../encoding/protobuf-reader.ts';
import {
  type AnyValue,
  type Buckets,
  CUMULATIVE,
  DELTA,
  type Exemplar,
  idText,
  type Metric,
  type MetricKind,
  NOTHING,
  ofDouble,
  ofList,
  ofMapping,
  ofPlain,
  ofText,
  type Point,
  type ResourceMetrics,
  type ScopeMetrics,
} from './model.ts';

/** A body is parsed as a whole, and objects take many times their text. */
export const JSON_BYTES_MAX = 4 * 1024 * 1024;
const DEPTH_MAX = 32;

const KINDS: readonly (readonly [field: string, kind: MetricKind])[] = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'exponential_histogram'],
  ['summary', 'summary'],
];

const TEMPORALITIES: Readonly<Record<string, number>> = {
  AGGREGATION_TEMPORALITY_DELTA: DELTA,
  AGGREGATION_TEMPORALITY_CUMULATIVE: CUMULATIVE,
};

type Fields = Readonly<Record<string, unknown>>;

export function decodeOtlpJson(body: Uint8Array): ResourceMetrics[] {
  let root: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body);
    root = JSON.parse(text, SNAKE_NAME.test(text) ? camelCased : undefined);
  } catch (error) {
    throw new DecodeError(`not JSON: ${(error as Error).message}`);
  }
  return list(object(root, ''), 'resourceMetrics', '').map(([fields, path]): ResourceMetrics => ({
    attributes: attributesOf(maybe(fields, 'resource', path), `${path}.resource`),
    scopes: list(fields, 'scopeMetrics', path).map(([scope, path]) => scopeOf(scope, path)),
  }));
}

/** Attributes are no fields: their names are values here. */
const SNAKE_NAME = /"[a-z]+(_[a-z]+)+"\s*:/;
const SNAKE = /^[a-z]+(_[a-z]+)+$/;

/** For JSON.parse: gives the fields of an object their lowerCamelCase names. */
function camelCased(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (SNAKE.test(name))
      fields[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] ??= fields[name];
  }
  return fields;
}

function scopeOf(fields: Fields, path: string): ScopeMetrics {
  const scope = maybe(fields, 'scope', path);
  return {
    name: text(scope, 'name', path),
    version: text(scope, 'version', path),
    schemaUrl: text(fields, 'schemaUrl', path),
    attributes: attributesOf(scope, path),
    metrics: list(fields, 'metrics', path).map(([metric, path]) => metricOf(metric, path)),
  };
}

function metricOf(fields: Fields, path: string): Metric {
  const found = KINDS.findLast(([field]) => isPresent(fields[field]));
  const data = found === undefined ? {} : object(fields[found[0]], path);
  const given = data['aggregationTemporality'];
  const kind = found?.[1] ?? null;
  return {
    name: text(fields, 'name', path),
    description: text(fields, 'description', path),
    unit: text(fields, 'unit', path),
    kind,
    monotonic: boolean(data, 'isMonotonic', path),
    temporality: typeof given === 'string' ? (TEMPORALITIES[given] ?? Number(given)) : Number(given ?? 0),
    points: kind === null ? [] : list(data, 'dataPoints', path).map(([point, path]) => pointOf(point, kind, path)),
  };
}

function pointOf(fields: Fields, kind: MetricKind, path: string): Point {
  const value = isPresent(fields['asInt']) ? integer(fields['asInt'], path) : number(fields, 'asDouble', path);
  const sum = isPresent(fields['sum']) ? number(fields, 'sum', path) : kind === 'summary' ? 0 : null;
  return {
    attributes: attributesOf(fields, path),
    timeMs: ms(fields, 'timeUnixNano', path),
    startMs: ms(fields, 'startTimeUnixNano', path),
    stale: (number(fields, 'flags', path) & 1) !== 0,
    value,
    count: integer(fields['count'] ?? 0, `${path}.count`),
    sum,
    bucketCounts: values(fields, 'bucketCounts', path).map((count) => integer(count, `${path}.bucketCounts`)),
    bounds: values(fields, 'explicitBounds', path).map((bound) => double(bound, `${path}.explicitBounds`)),
    quantiles: list(fields, 'quantileValues', path).map(([quantile, path]): [number, number] => [
      number(quantile, 'quantile', path),
      number(quantile, 'value', path),
    ]),
    exponential:
      kind !== 'exponential_histogram'
        ? null
        : {
            scale: integer(fields['scale'] ?? 0, `${path}.scale`),
            zeroCount: integer(fields['zeroCount'] ?? 0, `${path}.zeroCount`),
            positive: bucketsOf(maybe(fields, 'positive', path), `${path}.positive`),
            negative: bucketsOf(maybe(fields, 'negative', path), `${path}.negative`),
          },
    exemplars: list(fields, 'exemplars', path).map(([exemplar, path]) => exemplarOf(exemplar, path)),
  };
}

const bucketsOf = (fields: Fields, path: string): Buckets => ({
  offset: integer(fields['offset'] ?? 0, `${path}.offset`),
  counts: values(fields, 'bucketCounts', path).map((count) => integer(count, `${path}.bucketCounts`)),
});

function exemplarOf(fields: Fields, path: string): Exemplar {
  const isInt = isPresent(fields['asInt']);
  return {
    timeMs: ms(fields, 'timeUnixNano', path),
    value: isInt
      ? integer(fields['asInt'], path)
      : isPresent(fields['asDouble'])
        ? number(fields, 'asDouble', path)
        : null,
    traceId: idText(text(fields, 'traceId', path), 16, `${path}.traceId`),
    spanId: idText(text(fields, 'spanId', path), 8, `${path}.spanId`),
    attributes: attributesOf(fields, path, 'filteredAttributes'),
  };
}

/** Unix ms of a time in nanoseconds. */
const ms = (fields: Fields, name: string, path: string): number =>
  Number(bigint(fields[name] ?? 0, `${path}.${name}`) / 1_000_000n);

function attributesOf(fields: Fields, path: string, name = 'attributes'): [string, string][] {
  return keyValues(fields, name, path, 0).map(([key, value]) => [key, value.text]);
}

function keyValues(fields: Fields, name: string, path: string, depth: number): [string, AnyValue][] {
  return list(fields, name, path).map(([entry, path]) => [
    text(entry, 'key', path),
    anyValue(entry['value'], path, depth),
  ]);
}

function anyValue(given: unknown, path: string, depth: number): AnyValue {
  if (!isPresent(given)) return NOTHING;
  if (depth > DEPTH_MAX) throw new DecodeError(`${path}: nested more than ${DEPTH_MAX} deep`);
  const fields = object(given, path);
  if (isPresent(fields['stringValue'])) return ofText(text(fields, 'stringValue', path));
  if (isPresent(fields['boolValue'])) return ofPlain(String(boolean(fields, 'boolValue', path)));
  if (isPresent(fields['intValue'])) return ofPlain(bigint(fields['intValue'], path).toString());
  if (isPresent(fields['doubleValue'])) return ofDouble(number(fields, 'doubleValue', path));
  if (isPresent(fields['bytesValue'])) return ofText(text(fields, 'bytesValue', path));
  if (isPresent(fields['arrayValue'])) {
    const all = values(object(fields['arrayValue'], path), 'values', path);
    return ofList(all.map((value) => anyValue(value, path, depth + 1)));
  }
  if (isPresent(fields['kvlistValue'])) {
    return ofMapping(keyValues(object(fields['kvlistValue'], path), 'values', path, depth + 1));
  }
  return NOTHING;
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

function object(value: unknown, path: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new DecodeError(`${path === '' ? 'the request' : path} is not an object`);
}

const maybe = (fields: Fields, name: string, path: string): Fields =>
  isPresent(fields[name]) ? object(fields[name], `${path}.${name}`) : {};

function values(fields: Fields, name: string, path: string): readonly unknown[] {
  const value = fields[name];
  if (!isPresent(value)) return [];
  if (Array.isArray(value)) return value as unknown[];
  throw new DecodeError(`${path}.${name} is not a list`);
}

const list = (fields: Fields, name: string, path: string): (readonly [Fields, string])[] =>
  values(fields, name, path).map((entry, i) => {
    const at = `${path === '' ? '' : `${path}.`}${name}[${i}]`;
    return [object(entry, at), at] as const;
  });

function text(fields: Fields, name: string, path: string): string {
  const value = fields[name];
  if (!isPresent(value)) return '';
  if (typeof value === 'string' && value.isWellFormed()) return value;
  throw new DecodeError(`${path}.${name} is not a text`);
}

function boolean(fields: Fields, name: string, path: string): boolean {
  const value = fields[name];
  if (!isPresent(value)) return false;
  if (typeof value === 'boolean') return value;
  throw new DecodeError(`${path}.${name} is not a boolean`);
}

const number = (fields: Fields, name: string, path: string): number =>
  isPresent(fields[name]) ? double(fields[name], `${path}.${name}`) : 0;

function double(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && value.trim() !== '') {
    const parsed = Number(value);
    if (!Number.isNaN(parsed) || value === 'NaN') return parsed;
  }
  throw new DecodeError(`${path} is not a number`);
}

function bigint(value: unknown, path: string): bigint {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  throw new DecodeError(`${path} is not a whole number`);
}

const integer = (value: unknown, path: string): number => Number(bigint(value, path));
