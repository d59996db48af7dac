/** OTLP requests for tests: written once as OTLP's JSON, and encoded as protobuf by protobufjs, whose schema is a second opinion on field numbers. */

import protobuf from 'protobufjs';

const PROTO = `
syntax = "proto3";
message Request { repeated ResourceMetrics resourceMetrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopeMetrics = 2; string schemaUrl = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 droppedAttributesCount = 2; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; string schemaUrl = 3; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message Metric { string name = 1; string description = 2; string unit = 3;
  oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; ExponentialHistogram exponentialHistogram = 10; Summary summary = 11; } }
message Gauge { repeated NumberDataPoint dataPoints = 1; }
message Sum { repeated NumberDataPoint dataPoints = 1; int32 aggregationTemporality = 2; bool isMonotonic = 3; }
message Histogram { repeated HistogramDataPoint dataPoints = 1; int32 aggregationTemporality = 2; }
message ExponentialHistogram { repeated ExponentialHistogramDataPoint dataPoints = 1; int32 aggregationTemporality = 2; }
message Summary { repeated SummaryDataPoint dataPoints = 1; }
message NumberDataPoint { repeated KeyValue attributes = 7; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3;
  oneof value { double asDouble = 4; sfixed64 asInt = 6; } uint32 flags = 8; repeated Exemplar exemplars = 5; }
message Exemplar { repeated KeyValue filteredAttributes = 7; fixed64 timeUnixNano = 2; oneof value { double asDouble = 3; sfixed64 asInt = 6; }
  bytes spanId = 4; bytes traceId = 5; }
message HistogramDataPoint { repeated KeyValue attributes = 9; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  optional double sum = 5; repeated fixed64 bucketCounts = 6; repeated double explicitBounds = 7; uint32 flags = 10; repeated Exemplar exemplars = 8; }
message ExponentialHistogramDataPoint { repeated KeyValue attributes = 1; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  optional double sum = 5; sint32 scale = 6; fixed64 zeroCount = 7; Buckets positive = 8; Buckets negative = 9; uint32 flags = 10;
  repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zeroThreshold = 14; }
message Buckets { sint32 offset = 1; repeated uint64 bucketCounts = 2; }
message SummaryDataPoint { repeated KeyValue attributes = 7; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  double sum = 5; repeated Quantile quantileValues = 6; uint32 flags = 8; }
message Quantile { double quantile = 1; double value = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string stringValue = 1; bool boolValue = 2; int64 intValue = 3; double doubleValue = 4; ArrayValue arrayValue = 5;
  KeyValueList kvlistValue = 6; bytes bytesValue = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
`;
const Request = protobuf.parse(PROTO).root.lookupType('Request');

export interface OtlpJson {
  readonly resourceMetrics: readonly unknown[];
}

export const asProtobuf = (request: OtlpJson): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Request.encode(Request.fromObject(withIds(request) as object)).finish());

/** OTLP's JSON has ids in hexadecimal, where protobuf's has bytes in base64. */
function withIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withIds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === 'traceId' || key === 'spanId' ? Buffer.from(inner as string, 'hex').toString('base64') : withIds(inner),
    ]),
  );
}

export const asJson = (request: OtlpJson): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(new TextEncoder().encode(JSON.stringify(request)));

type Value = string | number | boolean | Record<string, unknown>;

const anyValue = (value: Value): unknown => {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'object') return value;
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
};

export const attributes = (map: Readonly<Record<string, Value>>): unknown[] =>
  Object.entries(map).map(([key, value]) => ({ key, value: anyValue(value) }));

/** A request of one resource and scope. */
export function request(resource: Readonly<Record<string, Value>>, ...metrics: readonly object[]): OtlpJson {
  const scope = { name: 'test.scope', version: '1.2', attributes: attributes({ 'lib.lang': 'go' }) };
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes(resource) },
        scopeMetrics: [{ scope, metrics, schemaUrl: 'https://schema.example/1' }],
      },
    ],
  };
}

function exemplar(nanos: bigint, value: number, map: Readonly<Record<string, Value>>): object {
  return {
    timeUnixNano: String(nanos),
    asDouble: value,
    traceId: '0102030405060708090a0b0c0d0e0f10',
    spanId: 'a1b2c3d4e5f60708',
    filteredAttributes: attributes(map),
  };
}

/** Exponential histograms: both signs, gaps of every size, scales from −4 to above 8, none of anything, and a stale marker. */
function exponentials(at: () => object, nanos: bigint): object[] {
  const buckets = (offset: number, ...counts: number[]) => ({ offset, bucketCounts: counts.map(String) });
  const kinds: Readonly<Record<string, object>> = {
    both: {
      count: '21',
      sum: -1.5,
      scale: 3,
      zeroCount: '2',
      positive: buckets(-3, 1, 2, 0, 3),
      negative: buckets(7, 6, 7),
    },
    gaps: { count: '6', sum: 6, scale: 0, positive: buckets(0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1) },
    zeros: { count: '3', sum: 3, scale: 1, positive: buckets(4, 0, 0, 3, 0, 0), negative: buckets(0, 0, 0, 0, 0, 0) },
    coarse: { count: '4', sum: 1e6, scale: -4, positive: buckets(-1, 3, 1) },
    fine: { count: '15', sum: 3, scale: 10, positive: buckets(1, 1, 2, 3, 4, 5) },
    finest: { count: '10', sum: 1, scale: 20, positive: buckets(-5000, 4, 3, 2, 1) },
    empty: { count: '0', scale: 5 },
    nosum: { count: '2', scale: 5, zeroCount: '2', zeroThreshold: 0.25 },
    stale: { count: '2', sum: 1, scale: 5, zeroCount: '2', flags: 1 },
    exemplars: { count: '2', sum: 1, scale: 2, positive: buckets(0, 2), exemplars: [exemplar(nanos, 1.25, {})] },
  };
  return Object.entries(kinds).map(([kind, of]) => ({ ...at(), ...of, attributes: attributes({ kind }) }));
}

/** One of everything that becomes series, and of what makes naming hard; `nanos` is the time of the points. */
export function everything(nanos: bigint): OtlpJson {
  const at = (more: bigint = 0n) => ({
    timeUnixNano: String(nanos + more),
    startTimeUnixNano: String(nanos - 60_000_000_000n),
  });
  const number = (value: object, map: Readonly<Record<string, Value>> = {}, more: object = {}) => ({
    ...at(),
    ...value,
    attributes: attributes(map),
    ...more,
  });
  const gauge = (name: string, unit: string, ...dataPoints: object[]) => ({
    name,
    unit,
    description: `About ${name}.`,
    gauge: { dataPoints },
  });
  const sum = (name: string, unit: string, isMonotonic: boolean, ...dataPoints: object[]) => ({
    name,
    unit,
    sum: { dataPoints, isMonotonic, aggregationTemporality: 2 },
  });
  return request(
    {
      'service.name': 'shop',
      'service.namespace': 'acme',
      'service.instance.id': 'i-1',
      'host.name': 'h1',
      'k8s.pod.labels': { kvlistValue: { values: attributes({ b: 1, a: '<x>' }) } },
      ports: { arrayValue: { values: [{ intValue: '80' }, { doubleValue: 1.5 }, { stringValue: 'é"' }] } },
    },
    gauge('cpu.utilization', '1', number({ asDouble: 0.25 }, { cpu: 0, 'state.of-it': 'user' })),
    gauge(
      'mem.free',
      'By',
      number({ asInt: '1234567890123' }, { '1st': 'digit', _one: 'x', __two: 'y', ünïcode: 'é' }),
    ),
    gauge('mem.free.bytes', 'By', number({ asDouble: -0.5 })),
    gauge('2xx.rate', '{requests}/s', number({ asDouble: 1e21 })),
    gauge(
      'speed',
      'm/s',
      number({ asDouble: 3 }),
      number({ asDouble: 4 }, { big: { doubleValue: 1e21 }, small: 1.5e-9, yes: true }),
    ),
    gauge('odd___name--of..it', 'weird unit/per_x', number({ asDouble: 2 })),
    gauge('gone', '', number({ asDouble: 7 }, {}, { flags: 1 })),
    gauge('collide', '', number({ asDouble: 1 }, { 'a.b': 'first', a_b: 'second', empty: '' })),
    gauge('stolen', '', number({ asDouble: 1 }, { job: 'mine', __name__: 'mine', instance: 'mine' })),
    sum('http.requests', '1', true, number({ asInt: '42' }, { code: 200 }), number({ asInt: '7' }, { code: 500 })),
    sum('requests.total', '', true, number({ asDouble: 5 })),
    sum('total.of.it', 's', true, number({ asDouble: 5 })),
    sum('queue.length', '{items}', false, number({ asInt: '-3' })),
    {
      name: 'latency',
      unit: 'ms',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...at(),
            count: '10',
            sum: 123.5,
            bucketCounts: ['1', '2', '3', '4'],
            explicitBounds: [0.001, 5, 1e21],
            attributes: attributes({ route: '/' }),
          },
          { ...at(), count: '3', bucketCounts: ['3'], attributes: attributes({ route: '/nosum' }) },
          {
            ...at(),
            count: '3',
            sum: 1,
            bucketCounts: ['1', '2'],
            explicitBounds: [1],
            flags: 1,
            attributes: attributes({ route: '/stale' }),
          },
        ],
      },
    },
    sum(
      'with.exemplars',
      '',
      true,
      number(
        { asInt: '5' },
        {},
        { exemplars: [exemplar(nanos, 1.5, { user: 'u' }), exemplar(nanos + 1_000_000n, 2, {})] },
      ),
    ),
    {
      name: 'bucketed',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...at(),
            count: '7',
            sum: 20,
            bucketCounts: ['1', '2', '3', '1'],
            explicitBounds: [1, 2, 4],
            attributes: [],
            exemplars: [0.5, 1.5, 2, 100].map((value, i) => exemplar(nanos + BigInt(i) * 1_000_000n, value, {})),
          },
        ],
      },
    },
    {
      name: 'exponential',
      unit: 'ms',
      exponentialHistogram: { aggregationTemporality: 2, dataPoints: exponentials(at, nanos) },
    },
    {
      name: 'rpc.duration',
      unit: 's',
      summary: {
        dataPoints: [
          {
            ...at(1_999_999n),
            count: '9',
            sum: 4.5,
            quantileValues: [
              { quantile: 0.5, value: 0.25 },
              { quantile: 0.999, value: 2 },
              { quantile: 1, value: 3 },
            ],
            attributes: [],
          },
        ],
      },
    },
  );
}
