import { describe, expect, it } from 'vitest';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { DEFAULT_RECEIVE_LIMITS, FAMILIES_MAX } from '../../src/receive/limits.ts';
import { hexOf, STALE } from '../encoding/remote-write/cases.ts';
import { double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, Receiver, series1, series2 } from './receiver.ts';

const MiB = 1024 * 1024;
const V2_TYPE = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** A stream that gives the parts, then ends, fails, or tells how far it was read. */
function streamOf(parts: Iterable<Uint8Array>, fails?: Error): ReadableStream & { pulled: number; cancelled: boolean } {
  const iterator = parts[Symbol.iterator]();
  const stream = new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (!done) {
        state.pulled += value.length;
        controller.enqueue(value);
      } else if (fails !== undefined) controller.error(fails);
      else controller.close();
    },
    cancel() {
      state.cancelled = true;
    },
  });
  const state = Object.assign(stream, { pulled: 0, cancelled: false });
  return state;
}

describe('a good request', () => {
  it('is logged as it came, with what the log wants to know', async () => {
    for (const [schema, message] of [
      [1, message1(series1('a', { samples: [{ value: STALE, timestamp: NOW - 5 }] }), series1('b'))],
      [2, message2(series2('a', { samples: [{ value: STALE, timestamp: NOW - 5 }] }), series2('b'))],
    ] as const) {
      const receiver = new Receiver();
      const { status, text } = await receiver.send(schema, message);
      expect([status, text]).toEqual([204, '']);
      expect(receiver.appends).toEqual([{ tenant: 'acme', records: 1 }]);
      const { body, ...rest } = receiver.records[0]!;
      expect(rest).toMatchObject({ schema, samples: 2, series: 2, minT: NOW - 5, maxT: NOW });
      expect(body).toEqual(snappyCompress(message));
      expect(body.buffer.byteLength).toBe(body.byteLength);
      expect(receiver.series()[0]!.samples).toEqual([[NOW - 5, hexOf(STALE)]]);
      expect(receiver.counts).toEqual({ 'requests:204': 1, samples_in: 2 });
    }
  });

  it('may come in pieces of any size', async () => {
    const message = message2(...Array.from({ length: 50 }, (_, i) => series2(`m${i}`)));
    const body = snappyCompress(message);
    for (const size of [1, 7, 64, body.length]) {
      const parts = Array.from({ length: Math.ceil(body.length / size) }, (_, i) =>
        body.subarray(i * size, (i + 1) * size),
      );
      const receiver = new Receiver();
      expect((await receiver.post(streamOf(parts), { 'Content-Type': V2_TYPE })).status).toBe(204);
      expect(receiver.records[0]!.body).toEqual(body);
      expect(receiver.records[0]!.body.buffer.byteLength).toBe(body.length);
    }
  });

  it('without a sample is 204 and appends nothing; its metadata is kept by itself', async () => {
    const receiver = new Receiver();
    expect((await receiver.send(1, new Uint8Array(0))).status).toBe(204);
    expect((await receiver.send(2, v2.encode({ symbols: [''] }))).status).toBe(204);
    const metadata = [
      { type: 1, metricFamilyName: 'a_total', help: 'A.', unit: 'seconds' },
      { type: 99, metricFamilyName: 'b' },
      { help: 'of nothing' },
    ];
    expect((await receiver.send(1, v1.encode({ metadata }))).status).toBe(204);
    expect(receiver.appends).toEqual([]);
    expect(receiver.counts).toEqual({ 'requests:204': 3, metadata_in: 2 });
    expect(receiver.families).toEqual([
      { metric: 'a_total', type: 'counter', help: 'A.', unit: 'seconds' },
      { metric: 'b', type: 'unknown', help: '', unit: '' },
    ]);
  });

  it('of metadata beside samples is one record, from which the digest takes both', async () => {
    const receiver = new Receiver();
    const metadata = [{ type: 1, metricFamilyName: 'a' }];
    expect((await receiver.send(1, v1.encode({ timeseries: [series1('a')], metadata }))).status).toBe(204);
    expect([receiver.records.length, receiver.families.length]).toEqual([1, 0]);
  });

  it('of metadata that is damaged, or of more than is kept', async () => {
    const receiver = new Receiver();
    // A field of bytes that ends behind the message it is in.
    const damaged = await receiver.send(1, Uint8Array.of(0x1a, 2, 0x12, 9));
    expect([damaged.status, receiver.families.length]).toEqual([400, 0]);
    const many = Array.from({ length: FAMILIES_MAX + 5 }, (_, i) => ({ metricFamilyName: `m${i}` }));
    expect((await receiver.send(1, v1.encode({ metadata: many }))).status).toBe(204);
    expect(receiver.families).toHaveLength(FAMILIES_MAX);
    expect(receiver.counts['metadata_left_out']).toBe(5);
  });

  it('of exemplars alone is logged', async () => {
    const receiver = new Receiver();
    const exemplars = [{ labelsRefs: [], value: double(1), timestamp: NOW }];
    const { status, written } = await receiver.send(2, message2(series2('a', { samples: [], exemplars })));
    expect([status, written]).toEqual([204, ['0', '0', '1']]);
    expect(receiver.records).toMatchObject([{ samples: 0, series: 1, minT: NOW, maxT: NOW }]);
  });
});

describe('a partly bad request', () => {
  it('is 400; the good part is logged, and the text says which part is not', async () => {
    const receiver = new Receiver();
    const old = { samples: [1, 2].map((days) => ({ value: double(1), timestamp: NOW - (7 + days) * 86_400_000 })) };
    const { status, text, written } = await receiver.send(
      2,
      message2(
        series2('a'),
        series2('b', old),
        series2('c'),
        series2('d', { labels: [['job', 'x']] }),
        series2('e', old),
      ),
    );
    expect(status).toBe(400);
    expect(text).toBe(
      [
        '3 of 5 series refused, the other 2 series (2 samples) were written; do not send them again',
        '- too_old, 2 series (4 samples); the first: series 1 {__name__="b", job="test"}: timestamp 1794657600000 (2026-11-14T12:00:00.000Z) is 8 d old, at most 7 d are taken (past_limit in NARTHEX_LIMITS)',
        '- no_metric_name, 1 series (1 sample); the first: series 3 {job="x"}: it has no label __name__',
        '',
      ].join('\n'),
    );
    expect(written).toEqual(['2', '0', '0']);
    expect(receiver.names()).toEqual(['a', 'c']);
    expect(receiver.records).toMatchObject([{ samples: 2, series: 2, minT: NOW, maxT: NOW }]);
    expect(receiver.counts).toEqual({
      'requests:400': 1,
      samples_in: 2,
      'refused_samples:too_old': 4,
      'refused_series:too_old': 2,
      'refused_samples:no_metric_name': 1,
      'refused_series:no_metric_name': 1,
    });
  });

  it('that is bad through and through appends nothing', async () => {
    const receiver = new Receiver();
    const { status, text } = await receiver.send(1, message1(series1('a', { labels: [] })));
    expect(status).toBe(400);
    expect(text).toMatch(
      /^1 of 1 series refused, nothing was written; do not send them again\n- no_metric_name, 1 series/,
    );
    expect(receiver.appends).toEqual([]);
  });
});

describe('what is malformed', () => {
  const rows: [string, number, RegExp, Record<string, string>, Uint8Array | null][] = [
    ['no body', 400, /not a snappy block/, {}, null],
    ['not snappy', 400, /snappy block/, {}, Buffer.from('hello, this is not snappy')],
    [
      'framed snappy',
      400,
      /snappy's framed format; remote write has the block format/,
      {},
      Buffer.from('ff060000734e61507059', 'hex'),
    ],
    [
      'not protobuf',
      400,
      /not a valid prometheus.WriteRequest: wire type 4 of field 13/,
      {},
      snappyCompress(Buffer.from('hello')),
    ],
    [
      'not 2.0',
      400,
      /not a valid io.prometheus.write.v2.Request: this is a prometheus.WriteRequest/,
      { 'Content-Type': V2_TYPE },
      snappyCompress(message1(series1('a'))),
    ],
    ['not 1.0', 400, /this is an io.prometheus.write.v2.Request/, {}, snappyCompress(message2(series2('a')))],
    [
      'a length of 4 GiB',
      413,
      /has 4294967295 B uncompressed, at most 33554432 B/,
      {},
      Buffer.from('ffffffff0f0061', 'hex'),
    ],
    ['a length that it cannot hold', 400, /cannot hold/, {}, Buffer.from('80808008006161', 'hex')],
    [
      'a content type of another kind',
      415,
      /"application\/json" is not supported/,
      { 'Content-Type': 'application/json' },
      Buffer.from('{}'),
    ],
    [
      'another encoding',
      415,
      /Content-Encoding "gzip" is not supported/,
      { 'Content-Encoding': 'gzip' },
      Buffer.from('x'),
    ],
  ];
  it.each(rows)('%s', async (_, status, text, headers, body) => {
    const receiver = new Receiver();
    const outcome = await receiver.post(body as BodyInit | null, headers);
    expect([outcome.status, receiver.appends]).toEqual([status, []]);
    expect(outcome.text).toMatch(text);
    expect(receiver.counts[`requests:${status}`]).toBe(1);
    expect(Object.keys(receiver.counts).filter((key) => key.startsWith('refused_requests:'))).toHaveLength(1);
  });
});

describe('what is too large', () => {
  it('by Content-Length, unread', async () => {
    const receiver = new Receiver();
    const body = streamOf([new Uint8Array(10)]);
    const { status, text } = await receiver.post(body, { 'Content-Length': String(16 * MiB + 1) });
    expect(status).toBe(413);
    expect(text).toMatch(/larger than 16777216 B; send smaller requests/);
    expect(receiver.counts).toEqual({ 'requests:413': 1, 'refused_requests:too_large': 1 });
  });

  it('while it is read: no more than the limit and a piece', async () => {
    const receiver = new Receiver();
    receiver.limits = { ...DEFAULT_RECEIVE_LIMITS, bodyBytesMax: 100_000 };
    const body = streamOf(
      (function* () {
        for (;;) yield new Uint8Array(10_000);
      })(),
    );
    expect((await receiver.post(body)).status).toBe(413);
    expect(body.pulled).toBeLessThan(200_000);
    expect(body.cancelled).toBe(true);
  });

  it('by the number of samples', async () => {
    const receiver = new Receiver();
    receiver.limits = { ...DEFAULT_RECEIVE_LIMITS, samplesMax: 3 };
    const four = message1(...['a', 'b', 'c', 'd'].map((name) => series1(name)));
    const { status, text } = await receiver.send(1, four);
    expect(status).toBe(413);
    expect(text).toMatch(/has 4 samples, at most 3 are taken; send smaller requests/);
    expect(receiver.appends).toEqual([]);
  });

  it('by what its columns would take', async () => {
    const receiver = new Receiver();
    const { status, text } = await receiver.send(1, Buffer.alloc(2 * ((1 << 18) + 1), '0a00', 'hex'));
    expect([status, text]).toEqual([413, 'more than 262144 series in one request; send smaller requests\n']);
  });
});

describe('a body that does not arrive', () => {
  it('fails: 400', async () => {
    const receiver = new Receiver();
    const { status, text } = await receiver.post(streamOf([new Uint8Array(5)], new Error('connection lost')));
    expect(status).toBe(400);
    expect(text).toMatch(/the body ended before its end: Error: connection lost/);
    expect(receiver.counts).toEqual({ 'requests:400': 1, 'refused_requests:body': 1 });
  });

  it('was read by somebody else: 400', async () => {
    const receiver = new Receiver();
    const request = new Request('http://narthex/', { method: 'POST', body: new Uint8Array(1) });
    await request.text();
    expect((await receiver.handle(request)).status).toBe(400);
  });
});

describe('a log that does not take it', () => {
  it.each([429, 503] as const)('%d, with the time to wait, and nothing counts as written', async (status) => {
    const receiver = new Receiver();
    receiver.result = { ok: false, status, retryAfterS: 17, message: 'the log is full' };
    const partlyBad = message2(series2('a'), series2('b', { labels: [] }));
    const outcome = await receiver.send(2, partlyBad);
    expect([outcome.status, outcome.text, outcome.headers.get('Retry-After')]).toEqual([
      status,
      'the log is full\n',
      '17',
    ]);
    expect(outcome.written).toEqual(['0', '0', '0']);
    expect(receiver.counts).toEqual({ [`requests:${status}`]: 1, [`unwritten_samples:${status}`]: 1 });
  });

  it('throws: 503', async () => {
    const receiver = new Receiver();
    receiver.result = new Error('Durable Object reset');
    const { status, headers, text } = await receiver.send(1, message1(series1('a')));
    expect([status, headers.get('Retry-After')]).toEqual([503, '5']);
    expect(text).toMatch(/the log did not take it: Error: Durable Object reset/);
    expect(receiver.counts).toEqual({ 'requests:503': 1, append_failed: 1, 'unwritten_samples:503': 1 });
  });
});

describe('a request too large for one record', () => {
  const many = Array.from({ length: 100 }, (_, i) => `m${i}`);
  const record = DEFAULT_RECEIVE_LIMITS.record;
  // In 2.0 every record carries all symbols, so that it cannot become much smaller than the request.
  const rows: [string, (body: Uint8Array) => Partial<typeof record>][] = [
    ['compressed', (body) => ({ bodyBytesMax: Math.floor(body.length * 0.8) })],
    ['uncompressed', () => ({ messageBytesMax: 2000 })],
    ['in samples', () => ({ samplesMax: 7 })],
  ];
  it.each(rows)('%s: becomes several, appended as one', async (_, limitOf) => {
    for (const [schema, message] of [
      [1, message1(...many.map((name) => series1(name)), series1('bad', { labels: [] }))],
      [2, message2(...many.map((name) => series2(name)), series2('bad', { labels: [] }))],
    ] as const) {
      const receiver = new Receiver();
      const max = { ...record, ...limitOf(snappyCompress(message)) };
      receiver.limits = { ...DEFAULT_RECEIVE_LIMITS, record: max };
      expect((await receiver.send(schema, message)).status).toBe(400);
      expect(receiver.appends).toEqual([{ tenant: 'acme', records: receiver.records.length }]);
      expect(receiver.records.length).toBeGreaterThan(1);
      expect(receiver.names()).toEqual(many);
      expect(receiver.records.reduce((sum, { samples }) => sum + samples, 0)).toBe(100);
      for (const { body, samples } of receiver.records) {
        expect(body.length).toBeLessThanOrEqual(max.bodyBytesMax);
        expect(samples).toBeLessThanOrEqual(max.samplesMax);
        expect(snappyUncompress(body, 1 << 24).length).toBeLessThanOrEqual(max.messageBytesMax);
      }
    }
  });

  it('that cannot be cut is 413, and none of it is written', async () => {
    const samples = Array.from({ length: 50 }, (_, i) => ({ value: double(i), timestamp: NOW - i }));
    const message = message2(series2('a'), series2('b', { samples }), series2('c'));
    for (const limit of [
      { samplesMax: 20 },
      { messageBytesMax: 300 },
      { bodyBytesMax: 60 },
      { samplesMax: 1, allBytesMax: 100 },
    ]) {
      const receiver = new Receiver();
      receiver.limits = { ...DEFAULT_RECEIVE_LIMITS, record: { ...record, ...limit } };
      const { status, text, written } = await receiver.send(2, message);
      expect([status, written]).toEqual([413, ['0', '0', '0']]);
      expect(text).toMatch(/cannot be cut into records/);
      expect(receiver.appends).toEqual([]);
    }
  });
});
