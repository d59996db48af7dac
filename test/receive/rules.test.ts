/**
 * The receiver's rules of both specifications, a line each (prometheus.io/docs/specs/prw: Remote Write 1.0, and 2.0-rc.4). A rule for senders
 * stands here when a receiver has to answer for it.
 */

import { describe, expect, it } from 'vitest';
import { Digest } from '../../src/digest/digest.ts';
import { PartCursor } from '../../src/digest/segment.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { labelsFromBytes } from '../../src/model/label-bytes.ts';
import { hexOf, STALE } from '../encoding/remote-write/cases.ts';
import { bits, double, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { message1, message2, NOW, type Outcome, Receiver, series1, series2 } from './receiver.ts';

type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'MAY';
type Rule = readonly [id: string, level: Level, rule: string, check: (receiver: Receiver) => Promise<void>];

const PROTOBUF = 'application/x-protobuf';
const V1_TYPE = `${PROTOBUF};proto=prometheus.WriteRequest`;
const V2_TYPE = `${PROTOBUF};proto=io.prometheus.write.v2.Request`;
const GOOD_1 = message1(series1('a'), series1('b'));
const GOOD_2 = message2(series2('a'), series2('b'));
const PARTLY_BAD_1 = message1(series1('a'), series1('b', { labels: [] }));
const PARTLY_BAD_2 = message2(series2('a'), series2('b', { labels: [] }));
const BUSY = { ok: false, status: 503, retryAfterS: 30, message: 'busy' } as const;

/** Bits that a careless reader changes. */
const VALUES = [
  double(-0),
  double(0.1),
  double(Infinity),
  double(5e-324),
  bits(0xfff80000, 0xdeadbeef),
  bits(0x7ff00000, 3),
];

const post = (receiver: Receiver, message: Uint8Array, headers: Record<string, string>): Promise<Outcome> =>
  receiver.post(snappyCompress(message), headers);

const rules: readonly Rule[] = [
  // Remote Write 1.0.
  [
    '1.0 protocol',
    'MUST',
    'a snappy-compressed prometheus.WriteRequest, posted with the headers of a 1.0 sender, is taken',
    async (receiver) => {
      const headers = { 'Content-Type': PROTOBUF, 'User-Agent': 'x/1', 'X-Prometheus-Remote-Write-Version': '0.1.0' };
      expect((await post(receiver, GOOD_1, headers)).status).toBe(204);
      expect(receiver.names()).toEqual(['a', 'b']);
    },
  ],
  [
    '1.0 framing',
    'MUST NOT',
    'the framed snappy format is not taken',
    async (receiver) => {
      const framed = Buffer.concat([
        Buffer.from('ff060000734e61507059', 'hex'),
        Buffer.from('0105000000000000 00'.replace(' ', ''), 'hex'),
      ]);
      expect((await receiver.post(framed, { 'Content-Type': PROTOBUF })).status).toBe(400);
    },
  ],
  [
    '1.0 versions',
    'MUST',
    'any 1.x sender is taken',
    async (receiver) => {
      for (const version of ['0.1.0', '1.0.0', '1.99.0']) {
        expect((await post(receiver, GOOD_1, { 'X-Prometheus-Remote-Write-Version': version })).status).toBe(204);
      }
    },
  ],
  [
    '1.0 success',
    'MUST',
    'success is 2xx, with an empty body (SHOULD)',
    async (receiver) => {
      const { status, text } = await receiver.send(1, GOOD_1);
      expect([status, text]).toEqual([204, '']);
    },
  ],
  [
    '1.0 retry',
    'MUST',
    'what may succeed later is 5xx',
    async (receiver) => {
      receiver.result = BUSY;
      expect((await receiver.send(1, GOOD_1)).status).toBe(503);
    },
  ],
  [
    '1.0 never',
    'MUST',
    'what can never succeed is 4xx',
    async (receiver) => {
      expect((await receiver.send(1, new Uint8Array([0xff]))).status).toBe(400);
    },
  ],
  [
    '1.0 invalid samples',
    'MUST',
    'a request with any invalid sample is 400, even when its valid ones are taken (MAY), and says why (SHOULD)',
    async (receiver) => {
      const { status, text } = await receiver.send(1, PARTLY_BAD_1);
      expect(status).toBe(400);
      expect(text).toMatch(/series 1 .*no label __name__/);
      expect(receiver.names()).toEqual(['a']);
    },
  ],
  [
    '1.0 stale markers',
    'MUST',
    'a stale marker is kept to the bit',
    async (receiver) => {
      await receiver.send(1, message1(series1('a', { samples: [{ value: STALE, timestamp: NOW }] })));
      expect(receiver.series()[0]!.samples).toEqual([[NOW, '7ff0000000000002']]);
    },
  ],
  [
    '1.0 values',
    'MUST',
    'timestamps are int64 milliseconds, values float64: to the bit',
    async (receiver) => {
      const samples = VALUES.map((value, i) => ({ value, timestamp: NOW + i }));
      expect((await receiver.send(1, message1(series1('a', { samples })))).status).toBe(204);
      expect(receiver.series()[0]!.samples).toEqual(VALUES.map((value, i) => [NOW + i, hexOf(value)]));
    },
  ],
  [
    '1.0 reserved',
    'MUST',
    'what other senders have in the reserved fields 2 (source) and 3 (metadata) is no reason to refuse',
    async (receiver) => {
      const source = Buffer.from('1001', 'hex');
      const metadata = v1.encode({ metadata: [{ type: 1, metric_family_name: 'a' }] });
      expect((await receiver.send(1, Buffer.concat([GOOD_1, source, metadata]))).status).toBe(204);
      expect(receiver.names()).toEqual(['a', 'b']);
    },
  ],
  [
    '1.0 labels',
    'MUST NOT',
    'repeated and empty label names are not taken; those that are not sorted are',
    async (receiver) => {
      const named = (...names: string[]) =>
        message1(series1('a', { labels: names.map((name) => ({ name, value: 'x' })) }));
      for (const message of [named('__name__', 'a', 'a'), named('', '__name__')]) {
        expect((await receiver.send(1, message)).status).toBe(400);
      }
      expect(receiver.appends).toEqual([]);
      expect((await receiver.send(1, named('z', 'a', '__name__'))).status).toBe(204);
    },
  ],
  [
    '1.0 limits',
    'MAY',
    'there are limits on labels and sizes, and a refusal names its own',
    async (receiver) => {
      receiver.limits = { ...receiver.limits, labelsMax: 1, samplesMax: 3 };
      expect((await receiver.send(1, GOOD_1)).text).toMatch(/label_limit/);
      receiver.limits = { ...receiver.limits, samplesMax: 1 };
      expect(await receiver.send(1, GOOD_1)).toMatchObject({
        status: 413,
        text: expect.stringMatching(/sample_limit/) as string,
      });
    },
  ],

  // Remote Write 2.0.
  [
    '2.0 message',
    'MUST',
    'snappy and io.prometheus.write.v2.Request are supported',
    async (receiver) => {
      const { status, text } = await post(receiver, GOOD_2, { 'Content-Type': V2_TYPE });
      expect([status, text]).toEqual([204, '']);
      expect(receiver.names()).toEqual(['a', 'b']);
    },
  ],
  [
    '2.0 framing',
    'MUST NOT',
    'the framed snappy format is not taken',
    async (receiver) => {
      const framed = Buffer.from('ff060000734e6150705901050000000000 00'.replace(' ', ''), 'hex');
      expect((await receiver.post(framed, { 'Content-Type': V2_TYPE })).status).toBe(400);
    },
  ],
  [
    '2.0 success',
    'MUST',
    'success is 2xx; it SHOULD be 204 with an empty body',
    async (receiver) => {
      for (const message of [GOOD_2, new Uint8Array(0), v2.encode({ symbols: [''] })]) {
        const { status, text } = await receiver.send(2, message);
        expect([status, text]).toEqual([204, '']);
      }
    },
  ],
  [
    '2.0 content type',
    'MUST',
    'the content type chooses the message, not the version header',
    async (receiver) => {
      expect(
        (await post(receiver, GOOD_2, { 'Content-Type': V2_TYPE, 'X-Prometheus-Remote-Write-Version': '0.1.0' }))
          .status,
      ).toBe(204);
      for (const type of [V1_TYPE, PROTOBUF]) {
        expect(
          (await post(receiver, GOOD_1, { 'Content-Type': type, 'X-Prometheus-Remote-Write-Version': '2.0.0' })).status,
        ).toBe(204);
      }
      expect(receiver.records.map(({ schema }) => schema)).toEqual([2, 1, 1]);
    },
  ],
  [
    '2.0 versions',
    'MUST',
    'any 2.x is read: rc.3 with its created timestamp, rc.4 with its start timestamp, later ones with fields not known yet',
    async (receiver) => {
      const samples = [{ value: double(1), timestamp: NOW, startTimestamp: NOW - 1000 }];
      for (const more of [{ createdTimestamp: NOW - 1000 }, { samples }, { samples, u32: 1, blob: Uint8Array.of(1) }]) {
        expect((await receiver.send(2, message2(series2('a', more)))).status).toBe(204);
      }
    },
  ],
  [
    '2.0 all written',
    'MUST NOT',
    'a partial write is not 2xx',
    async (receiver) => {
      expect((await receiver.send(2, PARTLY_BAD_2)).status).toBe(400);
      receiver.result = BUSY;
      expect((await receiver.send(2, GOOD_2)).status).toBe(503);
    },
  ],
  [
    '2.0 written',
    'MUST',
    'the Written headers are exact, whether the request succeeds or not',
    async (receiver) => {
      const exemplars = [{ labelsRefs: [], value: double(1), timestamp: NOW }];
      const histograms = [{ countInt: 1, zeroCountInt: 1, timestamp: NOW }];
      const invalid = [{ countInt: 2, timestamp: NOW }];
      const two = { samples: [NOW - 1, NOW].map((timestamp) => ({ value: double(1), timestamp })), exemplars };
      expect((await receiver.send(2, message2(series2('a', two)))).written).toEqual(['2', '0', '1']);
      const mixed = message2(
        series2('a', two),
        series2('b', { ...two, labels: [] }),
        series2('c', { samples: [], histograms }),
        series2('d', { samples: [], histograms: invalid }),
      );
      expect((await receiver.send(2, mixed)).written).toEqual(['2', '1', '1']);
      expect((await receiver.send(2, new Uint8Array([0xff]))).written).toEqual(['0', '0', '0']);
      expect((await receiver.send(2, new Uint8Array(0))).written).toEqual(['0', '0', '0']);
      receiver.result = BUSY;
      expect((await receiver.send(2, GOOD_2)).written).toEqual(['0', '0', '0']);
    },
  ],
  [
    '2.0 written, 1.0',
    'MAY',
    'a 1.0 message is answered without them',
    async (receiver) => {
      expect((await receiver.send(1, GOOD_1)).written).toBe(null);
      expect((await receiver.send(1, PARTLY_BAD_1)).written).toBe(null);
    },
  ],
  [
    '2.0 partial failure',
    'MUST',
    'a partial failure is told readably, with counts and reasons (SHOULD)',
    async (receiver) => {
      const { text } = await receiver.send(2, PARTLY_BAD_2);
      expect(text).toMatch(/^1 of 2 series refused, the other 1 series \(1 sample\) were written/);
      expect(text).toContain('- no_metric_name, 1 series (1 sample)');
    },
  ],
  [
    '2.0 unsupported',
    'MUST',
    'an unsupported content type or encoding is 415',
    async (receiver) => {
      for (const headers of [
        { 'Content-Type': 'text/plain' },
        { 'Content-Type': `${PROTOBUF};proto=io.prometheus.write.v3.Request` },
        { 'Content-Type': V2_TYPE, 'Content-Encoding': 'gzip' },
      ]) {
        expect((await post(receiver, GOOD_2, headers as Record<string, string>)).status).toBe(415);
      }
      expect(receiver.appends).toEqual([]);
    },
  ],
  [
    '2.0 invalid data',
    'MUST',
    'invalid data is 400',
    async (receiver) => {
      for (const message of [new Uint8Array([0xff]), GOOD_1, v2.encode({ symbols: ['x'] }), PARTLY_BAD_2]) {
        expect((await receiver.send(2, message)).status).toBe(400);
      }
    },
  ],
  [
    '2.0 retry after',
    'MAY',
    '429 and 5xx carry Retry-After',
    async (receiver) => {
      receiver.result = { ...BUSY, status: 429 };
      const { status, headers } = await receiver.send(2, GOOD_2);
      expect([status, headers.get('Retry-After')]).toEqual([429, '30']);
    },
  ],
  [
    '2.0 idempotent',
    'MUST',
    'after a 5xx or 429 nothing was written, so that the whole may come again',
    async (receiver) => {
      receiver.result = BUSY;
      await receiver.send(2, PARTLY_BAD_2);
      expect(receiver.records).toEqual([]);
      receiver.result = { ok: true };
      await receiver.send(2, PARTLY_BAD_2);
      expect(receiver.names()).toEqual(['a']);
    },
  ],
  [
    '2.0 symbols',
    'MUST',
    'the first symbol is the empty string; references come in pairs, and lead to symbols',
    async (receiver) => {
      expect((await receiver.send(2, v2.encode({ symbols: ['a'], timeseries: [] }))).status).toBe(400);
      for (const labelsRefs of [[1], [1, 9]]) {
        expect(
          (await receiver.send(2, v2.encode({ symbols: ['', '__name__'], timeseries: [{ labelsRefs }] }))).status,
        ).toBe(400);
      }
    },
  ],
  [
    '2.0 samples',
    'MUST',
    'a series without sample and histogram is not taken (but one of exemplars is: Prometheus sends such)',
    async (receiver) => {
      expect((await receiver.send(2, message2(series2('a', { samples: [] })))).status).toBe(400);
      const exemplars = [{ labelsRefs: [], value: double(1), timestamp: NOW }];
      expect((await receiver.send(2, message2(series2('a', { samples: [], exemplars })))).status).toBe(204);
    },
  ],
  [
    '2.0 mixed',
    'MUST NOT',
    'a series with both samples and histograms is not taken',
    async (receiver) => {
      const histograms = [{ countInt: 1, zeroCountInt: 1, timestamp: NOW }];
      const { status, text } = await receiver.send(2, message2(series2('a', { histograms }), series2('b')));
      expect(status).toBe(400);
      expect(text).toMatch(/mixed_samples, 1 series \(2 samples\).*both samples and histograms/);
      expect(receiver.names()).toEqual(['b']);
    },
  ],
  [
    '2.0 values',
    'MUST',
    'timestamps are int64 milliseconds, values float64: to the bit',
    async (receiver) => {
      const samples = VALUES.map((value, i) => ({ value, timestamp: NOW + i }));
      expect((await receiver.send(2, message2(series2('a', { samples })))).status).toBe(204);
      expect(receiver.series()[0]!.samples).toEqual(VALUES.map((value, i) => [NOW + i, hexOf(value)]));
    },
  ],
  [
    '2.0 start timestamps',
    'MUST',
    'a start timestamp of 0 is none; a series without one is taken, as is one without metadata (MAY be refused)',
    async (receiver) => {
      const samples = [{ value: double(1), timestamp: NOW, startTimestamp: 0 }];
      const metadata = { type: 1, helpRef: 0, unitRef: 0 };
      for (const more of [{ samples }, { samples, metadata }, { metadata }]) {
        expect((await receiver.send(2, message2(series2('a', more)))).status).toBe(204);
      }
    },
  ],
  [
    '2.0 labels',
    'MUST NOT',
    'repeated and empty label names are not taken; any UTF-8 name is',
    async (receiver) => {
      const name = ['__name__', 'x'] as const;
      for (const label of [name, ['', 'x']] as const) {
        expect((await receiver.send(2, message2(series2('a', { labels: [name, label] })))).status).toBe(400);
      }
      expect((await receiver.send(2, message2(series2('a', { labels: [name, ['http.größe', 'x']] })))).status).toBe(
        204,
      );
    },
  ],
  [
    '2.0 sorted labels',
    'MUST',
    'label names are sorted, and no value is empty: what a sender got wrong there is put right when it is stored',
    async (receiver) => {
      const labels = [
        ['job', 'x'],
        ['__name__', 'a'],
        ['none', ''],
      ] as const;
      expect((await receiver.send(2, message2(series2('a', { labels })))).status).toBe(204);
      expect((await receiver.send(2, message2(series2('a', { labels: [['__name__', '']] })))).status).toBe(400);
      const digest = new Digest({ samplesMax: 10, partBytesMax: 1 << 18 });
      for (const { schema, body } of receiver.records) digest.add(schema, snappyUncompress(body, 1 << 20));
      const part = new PartCursor(digest.finish().segments[0]!.parts[0]!);
      part.next();
      expect(labelsFromBytes(part.bytes, part.labelsStart, part.labelsEnd)).toEqual([
        { name: '__name__', value: 'a' },
        { name: 'job', value: 'x' },
      ]);
    },
  ],
  [
    '2.0 references',
    'MUST',
    'references of metadata and exemplars lead to symbols too, and those of exemplars come in pairs',
    async (receiver) => {
      const exemplar = { value: double(1), timestamp: NOW };
      const samples = [{ value: double(1), timestamp: NOW }];
      const wrong = [
        { metadata: { type: 1, helpRef: 9, unitRef: 0 } },
        { metadata: { type: 1, helpRef: 0, unitRef: 9 } },
        { exemplars: [{ ...exemplar, labelsRefs: [1, 9] }] },
        { exemplars: [{ ...exemplar, labelsRefs: [1] }] },
      ];
      for (const more of wrong) {
        const timeseries = [{ labelsRefs: [1, 2], samples, ...more }];
        const { status, text } = await receiver.send(2, v2.encode({ symbols: ['', '__name__', 'a'], timeseries }));
        expect([status, text]).toEqual([400, expect.stringContaining('bad_reference')]);
      }
      expect(receiver.appends).toEqual([]);
    },
  ],
  [
    '2.0 distinct series',
    'MAY',
    'one series may stand in a request several times (other exemplars, metadata or start timestamps), and a symbol too',
    async (receiver) => {
      const one = { labelsRefs: [1, 2], samples: [{ value: double(1), timestamp: NOW, startTimestamp: NOW - 2 }] };
      const other = { labelsRefs: [1, 3], samples: [{ value: double(2), timestamp: NOW + 1, startTimestamp: NOW }] };
      const message = v2.encode({ symbols: ['', '__name__', 'a', 'a'], timeseries: [one, other] });
      expect((await receiver.send(2, message)).written).toEqual(['2', '0', '0']);
    },
  ],
  [
    '2.0 histograms',
    'MUST',
    'histograms are taken: of whole counts, floats, gauges, custom buckets, and stale markers; of 1.0 too',
    async (receiver) => {
      const histograms = [
        { countInt: 3, zeroCountInt: 1, positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: [2] },
        { countFloat: double(0.5), zeroCountFloat: double(0.5) },
        { countFloat: double(1), zeroCountFloat: double(1), resetHint: 3 },
        { schema: -53, customValues: [double(1)], countInt: 1, positiveSpans: [{ length: 1 }], positiveDeltas: [1] },
        { sum: STALE },
      ].map((histogram, i) => ({ ...histogram, timestamp: NOW + i }));
      const two = await receiver.send(2, message2(series2('a', { samples: [], histograms })));
      expect([two.status, two.text, two.written]).toEqual([204, '', ['0', '5', '0']]);
      expect((await receiver.send(1, message1(series1('a', { samples: [], histograms })))).status).toBe(204);
      expect(receiver.counts['samples_in']).toBe(10);
    },
  ],
  [
    '2.0 metadata',
    'SHOULD',
    'metadata is kept for whoever asks; a type that no version knows is no reason to refuse',
    async (receiver) => {
      const symbols = ['', '__name__', 'a', 'Help.', 's'];
      const series = (type: number) => ({
        labelsRefs: [1, 2],
        samples: [{ value: double(1), timestamp: NOW }],
        metadata: { type, helpRef: 3, unitRef: 4 },
      });
      for (const type of [1, 99]) {
        expect((await receiver.send(2, v2.encode({ symbols, timeseries: [series(type)] }))).status).toBe(204);
      }
      const digest = new Digest({ samplesMax: 10, partBytesMax: 1 << 18 });
      const { schema, body } = receiver.records[0]!;
      digest.add(schema, snappyUncompress(body, 1 << 20));
      expect(digest.finish().metadata.families).toEqual([{ metric: 'a', type: 'counter', help: 'Help.', unit: 's' }]);
    },
  ],
  [
    '2.0 exemplars',
    'MUST',
    'exemplars count by themselves, with labels or without',
    async (receiver) => {
      const exemplar = { value: double(1), timestamp: NOW };
      const samples = [{ value: double(1), timestamp: NOW }];
      const exemplars = [
        { ...exemplar, labelsRefs: [1, 2] },
        { ...exemplar, labelsRefs: [], timestamp: NOW - 1 },
      ];
      const timeseries = [{ labelsRefs: [1, 2], samples, exemplars }];
      const message = v2.encode({ symbols: ['', '__name__', 'a'], timeseries });
      expect((await receiver.send(2, message)).written).toEqual(['1', '0', '2']);
    },
  ],
  [
    '2.0 stale markers',
    'MUST',
    'a stale marker is kept to the bit',
    async (receiver) => {
      await receiver.send(2, message2(series2('a', { samples: [{ value: STALE, timestamp: NOW }] })));
      expect(receiver.series()[0]!.samples).toEqual([[NOW, hexOf(STALE)]]);
    },
  ],
];

describe('rules', () => {
  it.each(rules)('%s, %s: %s', async (_id, _level, _rule, check) => {
    await check(new Receiver());
  });
});

it('methods other than POST are 405, and say what is allowed', async () => {
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await new Receiver().handle(new Request('http://narthex/', { method }));
    expect([status, headers.get('Allow')]).toEqual([405, 'POST']);
  }
});
