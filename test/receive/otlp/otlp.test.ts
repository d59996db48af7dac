import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { OtlpConfig } from '../../../src/config/model.ts';
import { DecodeError } from '../../../src/encoding/protobuf-reader.ts';
import { decodeWrite } from '../../../src/encoding/remote-write/decoded.ts';
import { decodeHistogram } from '../../../src/encoding/remote-write/histogram.ts';
import { snappyUncompress } from '../../../src/encoding/snappy.ts';
import { staleHistogram } from '../../../src/model/histogram.ts';
import { exponentialHistogram } from '../../../src/receive/otlp/histograms.ts';
import { handleOtlp } from '../../../src/receive/otlp/write.ts';
import { decodeOtlpJson } from '../../../src/receive/otlp/json.ts';
import { msOfNanos, type Point, TooManyObjectsError } from '../../../src/receive/otlp/model.ts';
import { labelName, metricName, type NameRules, unitName } from '../../../src/receive/otlp/names.ts';
import { decodeOtlp } from '../../../src/receive/otlp/protobuf.ts';
import { plain } from '../../../src/receive/otlp/translate.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../../src/receive/limits.ts';
import { mutate, Rng } from '../../encoding/damage.ts';
import { plain as plainSeries } from '../../encoding/remote-write/cases.ts';
import { v2 } from '../../encoding/remote-write/oracle.ts';
import { histogram, textOf } from '../../model/histograms.ts';
import { NOW, Receiver } from '../receiver.ts';
import { asJson, asProtobuf, attributes, everything, type OtlpJson, request } from './metrics.ts';

const NANOS = BigInt(NOW) * 1_000_000n;

const configOf = (section: string): OtlpConfig => {
  const loaded = loadConfig(`otlp: ${section}\n`);
  if (!loaded.ok) throw new Error('not a configuration');
  return loaded.config.otlp!;
};

interface Sent {
  readonly receiver: Receiver;
  readonly status: number;
  readonly json: { partialSuccess?: { rejectedDataPoints: string; errorMessage: string }; message?: string };
  readonly headers: Headers;
}

async function send(
  body: OtlpJson | Uint8Array,
  init: { type?: string; encoding?: string; config?: OtlpConfig; receiver?: Receiver } = {},
): Promise<Sent> {
  const receiver = init.receiver ?? new Receiver();
  const type = init.type ?? 'application/json';
  const bytes = body instanceof Uint8Array ? body : asJson(body);
  const headers = {
    'Content-Type': type,
    ...(init.encoding === undefined ? {} : { 'Content-Encoding': init.encoding }),
  };
  const response = await handleOtlp(
    new Request('http://narthex/', { method: 'POST', body: bytes as BodyInit, headers }),
    'acme',
    { ...receiver.deps(), config: () => Promise.resolve(init.config ?? configOf('{}')) },
  );
  const text = await response.text();
  return {
    receiver,
    status: response.status,
    json: type === 'application/json' ? (JSON.parse(text) as Sent['json']) : {},
    headers: response.headers,
  };
}

const simple = (more: object = {}): OtlpJson =>
  request(
    { 'service.name': 's' },
    { name: 'up', gauge: { dataPoints: [{ timeUnixNano: String(NANOS), asDouble: 1.5, ...more }] } },
  );

describe('both encodings', () => {
  it('are read alike', () => {
    expect(decodeOtlp(asProtobuf(everything(NANOS)))).toEqual(decodeOtlpJson(asJson(everything(NANOS))));
  });

  it('become the same series, with and without gzip', async () => {
    const one = await send(everything(NANOS));
    const two = await send(asProtobuf(everything(NANOS)), { type: 'application/x-protobuf' });
    const three = await send(gzipSync(asProtobuf(everything(NANOS))), {
      type: 'application/x-protobuf',
      encoding: 'gzip',
    });
    expect([one.status, two.status, three.status]).toEqual([200, 200, 200]);
    expect(one.json).toEqual({});
    expect(one.receiver.series().length).toBeGreaterThan(30);
    expect(two.receiver.series()).toEqual(one.receiver.series());
    expect(three.receiver.series()).toEqual(one.receiver.series());
  });
});

describe('what is refused', () => {
  const delta = {
    name: 'd',
    sum: { aggregationTemporality: 1, dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1' }] },
  };
  const coarse = {
    name: 'e',
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [{ timeUnixNano: String(NANOS), count: '1', scale: -5 }],
    },
  };
  const wrong = {
    name: 'w',
    exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano: String(NANOS), count: '1' }] },
  };
  const good = { name: 'g', gauge: { dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1' }] } };
  const old = { name: 'o', gauge: { dataPoints: [{ timeUnixNano: String(NANOS - 10n ** 15n), asInt: '1' }] } };

  it('is counted in a partial success, and the rest is kept', async () => {
    const { status, json, receiver } = await send(request({ 'service.name': 's' }, delta, good, coarse, wrong, old));
    expect(status).toBe(200);
    expect(json.partialSuccess!.rejectedDataPoints).toBe('4');
    expect(json.partialSuccess!.errorMessage).toContain(
      'invalid temporality and type combination for metric "d" (1 data point)',
    );
    expect(json.partialSuccess!.errorMessage).toContain('Scale must be >= -4, was -5 (1 data point)');
    expect(json.partialSuccess!.errorMessage).toContain('0 observations found in buckets, but the Count field is 1');
    expect(json.partialSuccess!.errorMessage).toContain('past_limit in NARTHEX_LIMITS');
    expect(receiver.names()).toEqual(['g']);
  });

  it('is counted under its own reason, however often and wherever that comes', async () => {
    const points = [1, 2].map((i) => ({
      timeUnixNano: String(NANOS),
      asInt: String(i),
      attributes: attributes({ '..': 'x' }),
    }));
    const bad = { name: 'b', gauge: { dataPoints: points } };
    const { json } = await send(request({ 'service.name': 's' }, delta, bad, delta));
    expect(json.partialSuccess!.rejectedDataPoints).toBe('4');
    expect(json.partialSuccess!.errorMessage.split('\n')).toEqual([
      'invalid temporality and type combination for metric "d" (2 data points)',
      'normalization for label name ".." resulted in invalid name "__" (2 data points)',
    ]);
  });

  it('for its type, its encoding or its size is not read', async () => {
    expect((await send(asJson(simple()), { type: 'text/plain' })).status).toBe(415);
    expect((await send(simple(), { encoding: 'zstd' })).status).toBe(415);
    expect((await send(simple(), { encoding: 'gzip' })).status).toBe(400);
    const small = new Receiver();
    small.limits = { ...DEFAULT_RECEIVE_LIMITS, messageBytesMax: 100 };
    expect(
      (
        await send(gzipSync(asProtobuf(simple())), {
          receiver: small,
          encoding: 'gzip',
          type: 'application/x-protobuf',
        })
      ).status,
    ).toBe(413);
    const few = new Receiver();
    few.limits = { ...DEFAULT_RECEIVE_LIMITS, samplesMax: 5 };
    const { status, json } = await send(everything(NANOS), { receiver: few });
    expect([status, json.message]).toEqual([413, expect.stringContaining('sample_limit in NARTHEX_LIMITS')]);
    expect(few.appends).toEqual([]);
  });

  it('by the log may come again', async () => {
    const receiver = new Receiver();
    receiver.result = { ok: false, status: 429, retryAfterS: 9, message: 'later' };
    const { status, headers, json } = await send(simple(), { receiver });
    expect([status, headers.get('Retry-After'), json.message]).toEqual([429, '9', 'later']);
  });

  it('is not because of names as in the protocol’s files: they are read as well', () => {
    const camel = JSON.parse(Buffer.from(asJson(everything(NANOS))).toString()) as unknown;
    const snake = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(snake);
      if (typeof value !== 'object' || value === null) return value;
      const renamed = Object.entries(value).map(([name, inner]) => [
        name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        snake(inner),
      ]);
      return Object.fromEntries(renamed) as unknown;
    };
    const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
    expect(JSON.stringify(snake(camel))).toContain('"resource_metrics"');
    expect(decodeOtlpJson(bytes(snake(camel)))).toEqual(decodeOtlpJson(bytes(camel)));
  });

  it('in JSON is told with its place', () => {
    const bad = (text: string) => () => decodeOtlpJson(Buffer.from(text));
    expect(bad('{')).toThrow(DecodeError);
    expect(bad('[]')).toThrow('the request is not an object');
    expect(
      bad('{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"timeUnixNano":"x"}]}}]}]}]}'),
    ).toThrow('resourceMetrics[0].scopeMetrics[0].metrics[0].dataPoints[0].timeUnixNano is not a whole number');
  });
});

describe('damage', () => {
  it('of ten thousand messages is a DecodeError or another message', () => {
    const rng = new Rng(11);
    const message = asProtobuf(everything(NANOS));
    let failed = 0;
    for (let i = 0; i < 10_000; i++) {
      try {
        decodeOtlp(mutate(message, rng));
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        failed++;
      }
    }
    expect(failed).toBeGreaterThan(2_000);
    expect(failed).toBeLessThan(10_000);
  });

  it('cannot make more objects than there are bytes for, nor nest without end', () => {
    expect(() => decodeOtlp(Buffer.alloc(2 * (1 << 20), '0a00', 'hex'))).toThrow(TooManyObjectsError);
    let value: object = { stringValue: 'x' };
    for (let i = 0; i < 40; i++) value = { arrayValue: { values: [value] } };
    const deep = simple({ attributes: [{ key: 'k', value }] });
    expect(() => decodeOtlp(asProtobuf(deep))).toThrow(/nested more than 32 deep/);
    expect(() => decodeOtlpJson(asJson(deep))).toThrow(/nested more than 32 deep/);
  });

  it('of a time far back repeats no target_info without end', async () => {
    const far = request(
      { 'service.name': 's', x: 'y' },
      {
        name: 'g',
        gauge: {
          dataPoints: [
            { timeUnixNano: '0', asInt: '1' },
            { timeUnixNano: String(NANOS), asInt: '1' },
          ],
        },
      },
    );
    const { receiver } = await send(far);
    expect(receiver.names().filter((name) => name === 'target_info').length).toBeLessThan(4100);
  });
});

describe('names', () => {
  const rules = (over: Partial<NameRules> = {}): NameRules => ({
    utf8: false,
    suffixes: true,
    underscoreSanitization: true,
    preserveUnderscores: true,
    ...over,
  });
  it.each<[string, string, 'counter' | 'gauge' | 'other', string, string]>([
    // name, unit, kind, escaped with suffixes, UTF-8 with suffixes
    ['http.requests', '1', 'counter', 'http_requests_total', 'http.requests_total'],
    ['requests.total', '', 'counter', 'requests_total', 'requests_total'],
    ['total.of.it', 's', 'counter', 'of_it_seconds_total', 'total.of.it_seconds_total'],
    ['cpu', '1', 'gauge', 'cpu_ratio', 'cpu_ratio'],
    ['cpu.ratio', '1', 'gauge', 'cpu_ratio', 'cpu_ratio'],
    ['mem.bytes', 'By', 'gauge', 'mem_bytes', 'mem.bytes'],
    ['speed', 'm/s', 'gauge', 'speed_meters_per_second', 'speed_meters_per_second'],
    ['x', '{items}/s', 'gauge', 'x_per_second', 'x_per_second'],
    ['2xx', '', 'other', '_2xx', '2xx'],
    ['a__b..c', '', 'other', 'a_b_c', 'a__b..c'],
  ])('%s in %j, a %s', (name, unit, kind, escaped, utf8) => {
    expect(metricName(name, unit, kind, rules())).toBe(escaped);
    expect(metricName(name, unit, kind, rules({ utf8: true }))).toBe(utf8);
    expect(metricName(name, unit, kind, rules({ utf8: true, suffixes: false }))).toBe(name);
  });

  it.each([
    ['a.b-c', 'a_b_c'],
    ['1st', 'key_1st'],
    ['_x', 'key_x'],
    ['__x', '__x'],
    ['a..b', 'a__b'],
    ['ünï', 'key_n_'],
  ])('the label %s is %s', (name, expected) => {
    expect(labelName(name, rules())).toBe(expected);
    expect(labelName(name, rules({ utf8: true }))).toBe(name);
  });

  it('that are none are errors', () => {
    expect(() => metricName('...', '', 'other', rules())).toThrow(/empty name/);
    expect(() => labelName('', rules())).toThrow(/empty/);
    expect(() => labelName('..', rules())).toThrow(/invalid name "__"/);
    expect(() => labelName('_', rules({ utf8: true }))).toThrow(/only underscores/);
  });

  it('of units', () => {
    expect(['By', 'm/s', '{x}', '1', 'By/{x}'].map(unitName)).toEqual(['bytes', 'meters_per_second', '', '', 'bytes']);
  });
});

it('reads nanoseconds as Go divides them', () => {
  for (const nanos of [0n, 999_999n, 1_000_000n, NANOS, NANOS + 999_999n, NANOS - 1n, 2n ** 63n - 1n]) {
    expect(msOfNanos(Number(nanos >> 32n), Number(nanos & 0xffffffffn))).toBe(Number(nanos / 1_000_000n));
  }
});

it.each([
  [0.001, '0.001'],
  [1e21, '1000000000000000000000'],
  [1.25e-9, '0.00000000125'],
  [5, '5'],
  [Infinity, '+Inf'],
])('%d without an exponent is %s', (value, text) => expect(plain(value)).toBe(text));

it('promotes attributes and scopes as told', async () => {
  const config = configOf(
    '{ promote_resource_attributes: [host.name], promote_scope_metadata: true, translation_strategy: NoTranslation }',
  );
  const { receiver } = await send(
    request(
      { 'service.name': 's', 'host.name': 'h' },
      {
        name: 'g.x',
        gauge: { dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1', attributes: attributes({ 'a.b': 'c' }) }] },
      },
    ),
    { config },
  );
  expect(receiver.series()[0]!.labels).toEqual([
    ['__name__', 'g.x'],
    ['a.b', 'c'],
    ['host.name', 'h'],
    ['job', 's'],
    ['otel_scope_lib.lang', 'go'],
    ['otel_scope_name', 'test.scope'],
    ['otel_scope_schema_url', 'https://schema.example/1'],
    ['otel_scope_version', '1.2'],
  ]);
});

/** The native histograms that were logged, by the value of a label. */
function histogramsBy(label: string, receiver: Receiver): Map<string, string> {
  const found = new Map<string, string>();
  for (const { schema, body } of receiver.records) {
    const decoded = decodeWrite(schema, snappyUncompress(body, 1 << 26));
    plainSeries(decoded).forEach(({ labels }, s) => {
      const from = decoded.histogramFrom(s);
      if (decoded.histogramEnd[s] === from) return;
      const read = decodeHistogram(decoded.message, decoded.histogramStart[from]!, decoded.histogramStop[from]!);
      expect(read.t).toBe(NOW);
      found.set(new Map(labels).get(label) ?? '', textOf(read.histogram));
    });
  }
  return found;
}

describe('exponential histograms', () => {
  it('become native ones', async () => {
    const { status, receiver } = await send(everything(NANOS));
    expect(status).toBe(200);
    const exponential = { zeroThreshold: 1e-128 };
    expect(Object.fromEntries(histogramsBy('kind', receiver))).toEqual(
      Object.fromEntries(
        Object.entries({
          both: histogram({
            ...exponential,
            schema: 3,
            zeroCount: 2,
            sum: -1.5,
            positive: { [-2]: 1, [-1]: 2, 1: 3 },
            negative: { 8: 6, 9: 7 },
          }),
          gaps: histogram({ ...exponential, sum: 6, positive: { 1: 1, 3: 1, 6: 1, 10: 1, 15: 1, 16: 1 } }),
          zeros: histogram({ ...exponential, schema: 1, sum: 3, positive: { 7: 3 } }),
          coarse: histogram({ ...exponential, schema: -4, sum: 1e6, positive: { 0: 3, 1: 1 } }),
          fine: histogram({ ...exponential, schema: 8, sum: 3, positive: { 1: 6, 2: 9 } }),
          finest: histogram({ ...exponential, schema: 8, sum: 1, positive: { [-1]: 10 } }),
          empty: histogram({ ...exponential, schema: 5 }),
          nosum: histogram({ ...exponential, schema: 5, zeroCount: 2 }),
          stale: staleHistogram(false, 0),
          exemplars: histogram({ ...exponential, schema: 2, sum: 1, positive: { 1: 2 } }),
        }).map(([kind, of]) => [kind, textOf(of)]),
      ),
    );
  });

  it('merge their buckets by index, also behind empty ones', () => {
    // Two source buckets a merged one; the first has no observation.
    const point = {
      count: 8,
      sum: 0,
      stale: false,
      exponential: {
        scale: 9,
        zeroCount: 0,
        positive: { offset: 1, counts: [0, 5, 3] },
        negative: { offset: 0, counts: [] },
      },
    } as unknown as Point;
    expect(textOf(exponentialHistogram(point))).toContain('+ 2=8 -');
  });

  it('of more buckets than are stored, or far away, are refused', async () => {
    const dataPoints = [
      { count: '20000', scale: 5, positive: { bucketCounts: Array.from({ length: 20_000 }, () => '1') } },
      { count: '1', scale: 5, positive: { offset: 2 ** 31 - 1, bucketCounts: ['1'] } },
      { count: '1', scale: 5, positive: { bucketCounts: ['18446744073709551615'] } },
    ].map((point) => ({ timeUnixNano: String(NANOS), ...point }));
    const metric = { name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints } };
    for (const type of ['application/json', 'application/x-protobuf']) {
      const body = type === 'application/json' ? asJson : asProtobuf;
      const { status, receiver } = await send(body(request({ 'service.name': 's' }, metric)), { type });
      expect(status).toBe(200);
      expect(receiver.names()).toEqual([]);
    }
  });
});

it('convert_histograms_to_nhcb makes native histograms of those with bounds', async () => {
  const config = configOf('{ convert_histograms_to_nhcb: true }');
  const { receiver } = await send(everything(NANOS), { config });
  const found = histogramsBy('route', receiver);
  expect(found.get('/')).toBe(
    textOf(histogram({ schema: -53, bounds: [0.001, 5, 1e21], positive: { 0: 1, 1: 2, 2: 3, 3: 4 }, sum: 123.5 })),
  );
  expect(found.get('/stale')).toBe(textOf(staleHistogram(false, 0)));
  expect(receiver.names().filter((name) => name.endsWith('_bucket'))).toEqual([]);
});

describe('exemplars', () => {
  /** `le` or the name, and what its exemplars are. */
  const exemplarsOf = (receiver: Receiver) =>
    receiver.records.flatMap(({ body }) => {
      const { symbols, timeseries } = v2.decode(snappyUncompress(body, 1 << 26));
      const text = (refs: readonly number[]) => refs.map((ref) => symbols![ref]!).join(' ');
      return timeseries!
        .filter(({ exemplars }) => exemplars!.length > 0)
        .map(({ labelsRefs, exemplars }) => [
          text(labelsRefs!).replace(/ instance .*? job \S+/, ''),
          exemplars!.map(({ labelsRefs, timestamp }) => `${timestamp - NOW} ${text(labelsRefs)}`),
        ]);
    });
  const IDS = 'span_id a1b2c3d4e5f60708 trace_id 0102030405060708090a0b0c0d0e0f10';

  it('of sums and histograms go with their series, those of buckets with the bucket', async () => {
    const { receiver } = await send(everything(NANOS));
    expect(exemplarsOf(receiver)).toEqual([
      ['__name__ with_exemplars_total', [`0 ${IDS} user u`, `1 ${IDS}`]],
      ['__name__ bucketed_seconds_bucket le 1', [`0 ${IDS}`]],
      ['__name__ bucketed_seconds_bucket le 2', [`1 ${IDS}`, `2 ${IDS}`]],
      ['__name__ bucketed_seconds_bucket le +Inf', [`3 ${IDS}`]],
      ['__name__ exponential_milliseconds kind exemplars', [`0 ${IDS}`]],
    ]);
  });

  it('lose attributes that make them too long, and are left out without a value or of a gauge', async () => {
    const sum = (...exemplars: object[]) => ({
      name: 's',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1', exemplars }],
      },
    });
    const gauge = {
      name: 'g',
      gauge: { dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1', exemplars: [{ asDouble: 1 }] }] },
    };
    const { receiver, status } = await send(
      request(
        { 'service.name': 's' },
        sum({ asInt: '3', traceId: '00'.repeat(16), filteredAttributes: attributes({ k: 'é'.repeat(127) }) }),
        sum({ asInt: '3', filteredAttributes: attributes({ k: 'é'.repeat(128) }) }),
        sum({ filteredAttributes: [] }),
        gauge,
      ),
    );
    expect(status).toBe(200);
    expect(exemplarsOf(receiver)).toEqual([
      ['__name__ s_total job s', [`0 k ${'é'.repeat(127)}`]],
      ['__name__ s_total job s', ['0 ']],
    ]);
    expect(receiver.counts['refused_exemplars']).toBe(2);
    expect(receiver.counts['exemplars_in']).toBe(2);
  });

  it('with an id of another length are no OTLP', async () => {
    const metric = {
      name: 's',
      sum: {
        aggregationTemporality: 2,
        dataPoints: [{ timeUnixNano: String(NANOS), asInt: '1', exemplars: [{ asInt: '1', traceId: '01' }] }],
      },
    };
    for (const type of ['application/json', 'application/x-protobuf']) {
      const body = type === 'application/json' ? asJson : asProtobuf;
      expect((await send(body(request({}, metric)), { type })).status).toBe(400);
    }
  });
});

it('start timestamps are kept', async () => {
  const { receiver } = await send(everything(NANOS));
  const { timeseries } = v2.decode(snappyUncompress(receiver.records[0]!.body, 1 << 26));
  const starts = timeseries!.flatMap(({ samples, histograms }) =>
    [...samples!, ...histograms!].map(({ startTimestamp }) => startTimestamp! - NOW),
  );
  expect(new Set(starts)).toEqual(new Set([-60_000, -NOW]));
  // Of target_info, which has none.
  expect(starts.filter((start) => start === -NOW)).toHaveLength(2);
});

describe('of an HA pair', () => {
  const of = (replica: string): OtlpJson =>
    request(
      { 'service.name': 's' },
      {
        name: 'up',
        gauge: {
          dataPoints: [
            {
              timeUnixNano: String(NANOS),
              asInt: '1',
              attributes: attributes({ cluster: 'c', __replica__: replica }),
            },
          ],
        },
      },
    );

  it('one replica is taken, without its label; the other is told that all is well', async () => {
    const receiver = new Receiver();
    receiver.leader = () => 'a';
    const one = await send(of('a'), { receiver });
    const two = await send(of('b'), { receiver });
    expect([one.status, two.status, two.json]).toEqual([200, 200, {}]);
    expect(receiver.series().map(({ labels }) => labels)).toEqual([
      [
        ['__name__', 'up'],
        ['cluster', 'c'],
        ['job', 's'],
      ],
    ]);
    expect(receiver.counts['deduplicated_samples']).toBe(1);
  });

  it('the log decides when it is not known who leads', async () => {
    const receiver = new Receiver();
    receiver.leader = () => null;
    receiver.result = { ok: true, leader: 'b' };
    const { status, json } = await send(of('a'), { receiver });
    expect([status, json]).toEqual([200, {}]);
    expect(receiver.counts['deduplicated_samples']).toBe(1);
  });
});
