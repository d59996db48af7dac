/**
 * Damaged bodies by the hundred thousand. Whatever comes in is answered; damage is a 4xx that says why; nothing of it is stored, and no length that it claims is
 * believed. A failure names the number of its case: `new Rng(number)` makes the same again.
 */

import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import snappy from 'snappyjs';
import { loadConfig } from '../../src/config/load.ts';
import type { OtlpConfig } from '../../src/config/model.ts';
import { decodeWrite, type Schema } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { handleOtlp } from '../../src/receive/otlp/write.ts';
import { mutate, Rng } from '../encoding/damage.ts';
import { hexOf, type PlainSeries, plain, STALE } from '../encoding/remote-write/cases.ts';
import {
  type Bits,
  double,
  type HistogramMessage,
  raw1,
  raw2,
  type Series1,
  v1,
} from '../encoding/remote-write/oracle.ts';
import { faultyMessage, faultySnappy, type Nested, OTLP, WRITE_1, WRITE_2 } from './faults.ts';
import { asJson, asProtobuf, everything } from './otlp/metrics.ts';
import { message1, message2, NOW, Receiver, series1, series2, type TestLabels, type TextSeries2 } from './receiver.ts';

const PROTOBUF = 'application/x-protobuf';
const TYPES: Record<Schema, string> = { 1: PROTOBUF, 2: `${PROTOBUF};proto=io.prometheus.write.v2.Request` };
const NESTED: Record<Schema, Nested> = { 1: WRITE_1, 2: WRITE_2 };
const MiB = 1 << 20;
const SCHEMAS = [1, 2] as const;

const histogram: HistogramMessage = {
  countInt: 6,
  sum: double(3),
  schema: 3,
  zeroThreshold: double(2 ** -128),
  zeroCountInt: 1,
  positiveSpans: [{ offset: -1, length: 2 }],
  positiveDeltas: [2, 1],
  timestamp: NOW,
};
const samples = [NOW - 1000, NOW].map((timestamp) => ({ value: double(timestamp / 7), timestamp }));
const stale = [{ value: STALE, timestamp: NOW }];
const pairs: TestLabels = [
  ['__name__', 'requests_total'],
  ['job', 'größe'],
  ['path', '/a/b/c/d/e/f'],
];

/** Sound messages with all that a sender may put in, and fields that are not known. */
const SEEDS: Record<Schema, readonly Uint8Array[]> = {
  1: [
    message1(series1('a', { samples }), series1('b', { samples: stale }), series1('c')),
    message1(
      {
        labels: pairs.map(([name, value]) => ({ name, value })),
        samples,
        exemplars: [{ labels: [{ name: 'trace_id', value: 'abc' }], value: double(1), timestamp: NOW }],
      },
      series1('h', { samples: [], histograms: [histogram] }),
    ),
    v1.encode({
      timeseries: [series1('a')],
      metadata: [{ type: 1, metric_family_name: 'a', help: 'About a.', unit: 's' }],
    }),
  ],
  2: [
    message2(series2('a', { samples }), series2('b', { samples: stale }), series2('c')),
    message2(
      series2('r', {
        labels: pairs,
        samples,
        exemplars: [{ labelsRefs: [1, 2], value: double(1), timestamp: NOW }],
        metadata: { type: 1, helpRef: 2, unitRef: 0 },
        createdTimestamp: NOW - 5000,
      }),
      series2('h', { samples: [], histograms: [histogram] }),
    ),
  ],
};

let largest = 0;
const { stackTraceLimit } = Error;

/** Notes the largest piece of memory that is asked for by length. */
beforeEach(() => {
  largest = 0;
  // Each case is refused by an error, whose stack nobody reads.
  Error.stackTraceLimit = 0;
  for (const name of ['ArrayBuffer', 'Uint8Array', 'Uint32Array', 'Int32Array', 'Float64Array'] as const) {
    const original = globalThis[name];
    const bytes = 'BYTES_PER_ELEMENT' in original ? original.BYTES_PER_ELEMENT : 1;
    const construct = (target: object, args: unknown[], newTarget: object): object => {
      if (typeof args[0] === 'number') largest = Math.max(largest, args[0] * bytes);
      return Reflect.construct(target as never, args, (newTarget === watched ? target : newTarget) as never) as object;
    };
    const watched: object = new Proxy(original, { construct });
    vi.stubGlobal(name, watched);
  }
});
afterEach(() => {
  Error.stackTraceLimit = stackTraceLimit;
  vi.unstubAllGlobals();
});

/** Runs the cases `from`, `from` + 1, … and names the one that fails. */
async function cases(from: number, count: number, run: (rng: Rng) => Promise<void>): Promise<void> {
  for (let i = from; i < from + count; i++) {
    try {
      await run(new Rng(i));
    } catch (error) {
      throw new Error(`case ${i}: ${(error as Error).message}`, { cause: error });
    }
  }
  // No body here has a kilobyte: what is taken for one is far below what it may claim.
  expect(largest).toBeLessThan(MiB);
}

function refused(status: number, text: string, receiver: Receiver, kept: readonly string[] = []): void {
  if (status !== 400 && status !== 413) throw new Error(`answered ${status}: ${text}`);
  if (text.trim().length < 10 || text.length > 10_000) throw new Error(`not a reason: ${text.slice(0, 100)}`);
  const names = receiver.records.length === 0 ? [] : receiver.names();
  if (names.join() !== kept.join()) throw new Error(`stored ${names.join()}, expected ${kept.join()}`);
}

const pick = <T>(list: readonly T[], rng: Rng): T => list[rng.below(list.length)]!;

async function write(schema: Schema, body: Uint8Array): Promise<{ status: number; text: string; receiver: Receiver }> {
  const receiver = new Receiver();
  const outcome = await receiver.post(body as Uint8Array<ArrayBuffer>, { 'Content-Type': TYPES[schema] });
  return { ...outcome, receiver };
}

describe.each(SCHEMAS)('Remote Write %i.0', (schema) => {
  const blocks = SEEDS[schema].map((message) => snappyCompress(message));

  it('a damaged snappy block', async () => {
    await cases(1_000_000 * schema, 12_000, async (rng) => {
      const { status, text, receiver } = await write(schema, faultySnappy(pick(blocks, rng), rng));
      refused(status, text, receiver);
    });
  });

  it('a damaged message', async () => {
    await cases(1_200_000 * schema, 12_000, async (rng) => {
      const message = faultyMessage(pick(SEEDS[schema], rng), NESTED[schema], rng);
      const { status, text, receiver } = await write(schema, snappyCompress(message));
      // A histogram is read with its series: what is wrong in one costs no other.
      if (/invalid_histogram/.test(text)) refused(status, text, receiver, ['requests_total']);
      else refused(status, text, receiver);
    });
  });

  it('a damaged series among sound ones, which are kept', async () => {
    await cases(1_400_000 * schema, 8_000, async (rng) => {
      const all = Array.from({ length: 1 + rng.below(4) }, (_, i) => ({ name: `s${i}`, sound: rng.below(2) === 0 }));
      all[rng.below(all.length)]!.sound = false;
      const series = all.map(({ name, sound }) => (sound ? series2(name) : faultySeries(schema, name, rng)));
      const message = schema === 2 ? message2(...series) : message1(...series.map(asSeries1));
      const { status, text, receiver } = await write(schema, snappyCompress(message));
      refused(
        status,
        text,
        receiver,
        all.filter(({ sound }) => sound).map(({ name }) => name),
      );
    });
  });

  it('any damage: what is stored all the same says the same to every reader', async () => {
    let stored = 0;
    let bad = 0;
    await cases(1_600_000 * schema, 12_000, async (rng) => {
      const which = rng.below(SEEDS[schema].length);
      const body =
        rng.below(2) === 0 ? mutate(blocks[which]!, rng) : snappyCompress(mutate(SEEDS[schema][which]!, rng));
      const { status, text, receiver } = await write(schema, body);
      if (status === 204) stored++;
      else {
        bad++;
        refused(status, text, receiver, receiver.names());
      }
      for (const record of receiver.records) {
        const ours = plain(decodeWrite(schema, snappyUncompress(record.body, MiB)));
        const theirs = schema === 1 ? read1(record.body) : read2(record.body);
        if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
          throw new Error(`stored ${JSON.stringify(ours)}, which another reads as ${JSON.stringify(theirs)}`);
        }
      }
    });
    expect(stored).toBeGreaterThan(500);
    expect(bad).toBeGreaterThan(5000);
  });
});

/** A series that no receiver may take, with its name where it has one. */
function faultySeries(schema: Schema, name: string, rng: Rng): TextSeries2 {
  const named = ['__name__', name] as const;
  const value = double(1);
  const { labelsMax, nameBytesMax, valueBytesMax, futureMs, pastMs } = DEFAULT_RECEIVE_LIMITS;
  const more = pick<Partial<TextSeries2>>(
    [
      { labels: [] },
      { labels: [['a', 'b']] },
      { labels: [['__name__', '']] },
      { labels: [named, ['a', 'b'], ['a', 'b']] },
      { labels: [named, named] },
      { labels: [named, ['', 'x']] },
      { labels: [named, ['x'.repeat(nameBytesMax + 1), 'y']] },
      { labels: [named, ['x', 'y'.repeat(valueBytesMax + 1)]] },
      { labels: [named, ...Array.from({ length: labelsMax }, (_, i) => [`l${i}`, 'x'] as const)] },
      // 1.0 has no rule for a series without samples.
      schema === 2 ? { samples: [] } : { labels: [] },
      { samples: [...samples, { value, timestamp: NOW + futureMs + 1 + rng.below(1e9) }] },
      { samples: [{ value, timestamp: NOW - pastMs - 1 - rng.below(1e9) }, ...samples] },
      // 1.0 has no rule for a series with both.
      schema === 2 ? { samples, histograms: [histogram] } : { labels: [named, named] },
      { samples: [], histograms: [{ ...histogram, countInt: 7 + rng.below(9) }] },
      { samples: [], histograms: [{ ...histogram, positiveSpans: [{ offset: 0, length: 3 + rng.below(2 ** 31) }] }] },
      { samples: [], histograms: [{ ...histogram, schema: pick([53 + rng.below(9), -5, -52, -54, 1000], rng) }] },
      { samples: [], histograms: [{ ...histogram, positiveDeltas: [2, -3] }] },
    ],
    rng,
  );
  return series2(name, more);
}

function asSeries1({ labels, samples = [], histograms = [] }: TextSeries2): Series1 {
  return { samples, histograms, labels: labels.map(([name, value]) => ({ name, value })) };
}

// A record as protobufjs and snappyjs read it.

interface Read {
  readonly samples?: readonly { readonly value?: Bits; readonly timestamp?: unknown }[];
  readonly exemplars?: readonly unknown[];
  readonly histograms?: readonly unknown[];
}

const text = (bytes: Uint8Array | undefined): string =>
  new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(bytes);
const uncompressed = (body: Uint8Array): Uint8Array => snappy.uncompress(new Uint8Array(body));

const plainRead = (
  labels: [string, string][],
  { samples = [], exemplars = [], histograms = [] }: Read,
): PlainSeries => ({
  labels,
  samples: samples.map(({ value, timestamp }) => [Number(timestamp), hexOf(value!)]),
  exemplars: exemplars.length,
  histograms: histograms.length,
  bad: 0,
});

function read1(body: Uint8Array): PlainSeries[] {
  return (raw1.decodeBits(uncompressed(body)).timeseries ?? []).map((series) =>
    plainRead(
      (series.labels ?? []).map(({ name, value }) => [text(name), text(value)]),
      series as Read,
    ),
  );
}

function read2(body: Uint8Array): PlainSeries[] {
  const { symbols = [], timeseries = [] } = raw2.decodeBits(uncompressed(body));
  return timeseries.map((series) => {
    const refs = series.labelsRefs ?? [];
    const pairs = refs.flatMap((ref, i): [string, string][] =>
      i % 2 === 0 ? [[text(symbols[ref]), text(symbols[refs[i + 1]!])]] : [],
    );
    return plainRead(pairs, series as Read);
  });
}

describe('OTLP', () => {
  const loaded = loadConfig('otlp: {}\n');
  const config = (): Promise<OtlpConfig> =>
    loaded.ok ? Promise.resolve(loaded.config.otlp!) : Promise.reject(new Error('not a configuration'));
  const nanos = BigInt(NOW) * 1_000_000n;
  const all = everything(nanos);
  // The whole, and a metric a message: small ones are damaged in more places.
  const [resource] = all.resourceMetrics as [
    { resource: object; scopeMetrics: [{ scope: object; metrics: object[] }] },
  ];
  const { scope, metrics } = resource.scopeMetrics[0];
  const small = metrics.map((metric) => ({
    resourceMetrics: [{ resource: { attributes: [] }, scopeMetrics: [{ scope, metrics: [metric] }] }],
  }));
  const messages = [all, ...small].map(asProtobuf);
  const texts = [all, ...small].map(asJson);
  const JSON_TYPE = 'application/json';

  async function send(type: string, body: Uint8Array, encoding?: string) {
    const receiver = new Receiver();
    const headers = { 'Content-Type': type, ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }) };
    const request = new Request('http://narthex/', { method: 'POST', body: body as BodyInit, headers });
    const response = await handleOtlp(request, 'acme', { ...receiver.deps(), config });
    return { status: response.status, text: await response.text(), receiver };
  }

  it('a damaged message', async () => {
    await cases(3_000_000, 15_000, async (rng) => {
      const { status, text, receiver } = await send(PROTOBUF, faultyMessage(pick(messages, rng), OTLP, rng));
      refused(status, text, receiver);
    });
  });

  it('damaged JSON', async () => {
    await cases(3_200_000, 12_000, async (rng) => {
      const { status, text, receiver } = await send(JSON_TYPE, faultyJson(pick(texts, rng), rng));
      refused(status, text, receiver);
      if (typeof (JSON.parse(text) as { message?: unknown }).message !== 'string') throw new Error(text);
    });
  });

  it('damaged gzip', async () => {
    const bodies = messages.map((message) => gzipSync(message));
    await cases(3_400_000, 1_500, async (rng) => {
      const body = new Uint8Array(pick(bodies, rng));
      // Its checksum and its length are at the end; its header has flags that mean nothing here.
      const damaged = body.slice(0, rng.below(2) === 0 ? rng.below(body.length) : body.length);
      if (damaged.length === body.length) damaged[body.length - 1 - rng.below(8)]! ^= 1 + rng.below(255);
      const { status, text, receiver } = await send(PROTOBUF, damaged, 'gzip');
      refused(status, text, receiver);
    });
  });

  it.each([
    [PROTOBUF, messages],
    [JSON_TYPE, texts],
  ] as const)('any damage of %s: what is stored can be read', async (type, bodies) => {
    let stored = 0;
    await cases(type === PROTOBUF ? 3_600_000 : 3_800_000, 5_000, async (rng) => {
      const { status, text, receiver } = await send(type, mutate(pick(bodies, rng), rng));
      if (status !== 200) refused(status, text, receiver);
      for (const { body } of receiver.records) {
        const ours = plain(decodeWrite(2, snappyUncompress(body, 32 * MiB)));
        if (JSON.stringify(ours) !== JSON.stringify(read2(body))) throw new Error(`stored ${JSON.stringify(ours)}`);
        stored++;
      }
    });
    expect(stored).toBeGreaterThan(300);
  });
});

/** JSON that is none any more, or holds what is not OTLP. */
function faultyJson(text: Uint8Array, rng: Rng): Uint8Array {
  const at = rng.below(text.length);
  const put = (...bytes: number[]): Uint8Array =>
    Uint8Array.of(...text.subarray(0, at), ...bytes, ...text.subarray(at));
  switch (rng.below(4)) {
    case 0:
      return text.slice(0, at);
    case 1: // a byte that UTF-8 does not have
      return put(pick([0xc0, 0xc1, 0xf5, 0xff], rng));
    case 2: // a control character stands in no JSON text, and outside of one it is nothing
      return put(pick([0x00, 0x01, 0x0b, 0x1f], rng));
    default: {
      // Another type where a list or an object must be.
      const wrong = pick(['7', 'true', '"x"', '[]'], rng);
      const field = pick(['resourceMetrics', 'scopeMetrics', 'metrics', 'dataPoints'], rng);
      const other = wrong === '[]' ? `"${field}":[7]` : `"${field}":${wrong}`;
      const source = new TextDecoder().decode(text);
      const place = source.indexOf(`"${field}":[`);
      return new TextEncoder().encode(
        `${source.slice(0, place)}${other},"_":[${source.slice(place + field.length + 4)}`,
      );
    }
  }
}
