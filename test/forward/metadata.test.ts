/** What remotes get besides samples: metadata in requests of its own, exemplars and native histograms only where they are wanted. */

import { expect, it } from 'vitest';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { double, v1, type V2, v2 } from '../encoding/remote-write/oracle.ts';
import { remote, T0, world } from './world.ts';

const MINUTE = 60_000;

/** Series of three families, with metadata as a scrape has it. */
function record(t: number) {
  const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
  const add = (name: string, type: number, help: string, unit = ''): void => {
    builder.reserve(500);
    const refs = ['__name__', name, 'x', String(type)].map((text) => builder.symbol(text));
    builder.add(refs, 4, t, 0, 0, type, help === '' ? 0 : builder.symbol(help), unit === '' ? 0 : builder.symbol(unit));
  };
  add('requests_total', 1, 'Requests.');
  add('requests_total', 1, 'Requests.');
  for (const part of ['bucket', 'sum', 'count']) add(`took_seconds_${part}`, 3, 'Took.', 'seconds');
  add('plain', 0, '');
  const { message, ...about } = builder.finish()[0]!;
  return { ...about, schema: 2 as const, body: snappyCompress(message) };
}

it('a remote of 1.0 gets metadata once an interval, in requests of so many families; one of 2.0 has it in its series', async () => {
  const metadata = { intervalMs: MINUTE, maxSamplesPerSend: 1 };
  const w = world([
    remote('one', { protobufMessage: 'prometheus.WriteRequest', metadata }),
    remote('none', { protobufMessage: 'prometheus.WriteRequest' }),
    remote('two', { metadata }),
  ]);
  const got = new Map<string, object[][]>();
  const fetch = async (request: Request): Promise<Response> => {
    const { host } = new URL(request.url);
    const body = new Uint8Array(await request.clone().arrayBuffer());
    if (host !== 'two') {
      const { metadata = [], timeseries = [] } = v1.decode(snappyUncompress(body, 1e6));
      if (metadata.length > 0) {
        expect(timeseries).toEqual([]);
        got.set(host, [...(got.get(host) ?? []), metadata]);
        return new Response(null, { status: 204 });
      }
    }
    return await w.accept(request);
  };
  const runs: Promise<unknown>[] = [];
  for (let minute = 0; minute < 3; minute++) {
    runs.push(w.run(fetch));
    for (let n = 0; n < 4; n++) {
      w.log.append(w.clock.now(), [record(w.clock.now())]);
      await w.clock.advanceTo(w.clock.now() + 15_000);
    }
  }
  await w.clock.advanceTo(T0 + 10 * MINUTE);
  await Promise.all(runs);
  const once = [
    [{ type: 1, metricFamilyName: 'requests_total', help: 'Requests.', unit: '' }],
    [{ type: 3, metricFamilyName: 'took_seconds', help: 'Took.', unit: 'seconds' }],
  ];
  expect([...got.keys()]).toEqual(['one']);
  expect(got.get('one')).toEqual([...once, ...once, ...once]);
  for (const name of ['one', 'none', 'two'])
    expect(w.status(name)).toMatchObject({ samplesIn: 72, samplesSent: 72, samplesPending: 0, samplesDropped: {} });
  expect(w.status('one').metadata).toMatchObject({ sent: 6, failed: 0, retried: 0 });
  expect(w.status('one').metadata.bytes).toBeGreaterThan(0);
  for (const name of ['none', 'two']) {
    expect(w.status(name).metadata).toEqual({ sent: 0, failed: 0, retried: 0, bytes: 0 });
  }
});

it('metadata that is not taken is counted, and gathered again', async () => {
  const metadata = { intervalMs: MINUTE, maxSamplesPerSend: 100 };
  const w = world([remote('one', { protobufMessage: 'prometheus.WriteRequest', metadata })]);
  const answers = [503, 400, 204];
  const fetch = async (request: Request): Promise<Response> => {
    const body = new Uint8Array(await request.clone().arrayBuffer());
    if (v1.decode(snappyUncompress(body, 1e6)).metadata?.length === 0) return await w.accept(request);
    return new Response(null, { status: answers.shift()! });
  };
  const runs: Promise<unknown>[] = [];
  for (let minute = 0; minute < 3; minute++) {
    runs.push(w.run(fetch));
    w.log.append(w.clock.now(), [record(w.clock.now())]);
    await w.clock.advanceTo(w.clock.now() + MINUTE);
  }
  await w.clock.advanceTo(w.clock.now() + 10 * MINUTE);
  await Promise.all(runs);
  expect(answers).toEqual([]);
  expect(w.status('one').metadata).toMatchObject({ sent: 2, failed: 2, retried: 2 });
  expect(w.status('one')).toMatchObject({ samplesSent: 18, samplesDropped: {}, samplesPending: 0 });
});

/** Of each kind some: 3 floats, 2 histograms, 1 exemplar. */
function mixed(t: number) {
  const series = { labelsRefs: [1, 2] };
  const message: V2 = {
    symbols: ['', '__name__', 'f', 'h', 'trace_id', 'abc'],
    timeseries: [
      ...[1, 2, 3].map((i) => ({ ...series, samples: [{ value: double(1), timestamp: t + i }] })),
      ...[4, 5].map((i) => ({
        labelsRefs: [1, 3],
        histograms: [{ countInt: 0, sum: double(0), schema: 0, timestamp: t + i }],
        exemplars: i === 4 ? [{ labelsRefs: [4, 5], value: double(1), timestamp: t }] : [],
      })),
    ],
  };
  return {
    schema: 2 as const,
    samples: 5,
    histograms: 2,
    exemplars: 1,
    maxT: t + 5,
    body: snappyCompress(v2.encode(message)),
  };
}

it.each([
  ['io.prometheus.write.v2.Request', 5, 100],
  ['io.prometheus.write.v2.Request', 3, 2],
  ['prometheus.WriteRequest', 0, 100],
] as const)(
  'histograms and exemplars are told apart: taken, refused and made again (%s, %d taken, %d a request)',
  async (protobufMessage, taken, maxSamplesPerSend) => {
    const w = world([remote('a', { protobufMessage, maxSamplesPerSend })]);
    w.log.append(T0, [mixed(T0)]);
    const written = (samples: number, histograms: number, exemplars: number): Record<string, string> => ({
      'X-Prometheus-Remote-Write-Samples-Written': String(samples),
      'X-Prometheus-Remote-Write-Histograms-Written': String(histograms),
      'X-Prometheus-Remote-Write-Exemplars-Written': String(exemplars),
    });
    const answers =
      maxSamplesPerSend === 100
        ? [new Response('', { status: 503 }), new Response('', { status: 400, headers: written(3, 2, 0) })]
        : // Two floats; a float and a histogram, of which the histogram is refused; a histogram.
          [
            new Response(null, { status: 204, headers: written(2, 0, 0) }),
            new Response('', { status: 400, headers: written(1, 0, 0) }),
            new Response('', { status: 400, headers: written(0, 0, 0) }),
          ];
    const run = w.run(async () => answers.shift()!);
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(answers).toEqual([]);
    const again = maxSamplesPerSend === 100 ? 1 : 0;
    const histograms = taken === 5 ? 2 : 0;
    expect(w.status('a')).toMatchObject({
      samplesIn: 5,
      samplesSent: taken,
      samplesDropped: taken === 5 ? {} : { http_400: 5 - taken },
      samplesPending: 0,
      samplesRetried: 5 * again,
      histogramsSent: histograms,
      histogramsFailed: 2 - histograms,
      histogramsRetried: 2 * again,
      exemplarsSent: 0,
      exemplarsFailed: 1,
      exemplarsRetried: again,
    });
  },
);

it('a target scraped as seldom as metadata is sent is not missed for ever', async () => {
  const metadata = { intervalMs: 2 * MINUTE, maxSamplesPerSend: 100 };
  const w = world([remote('one', { protobufMessage: 'prometheus.WriteRequest', metadata })]);
  let requests = 0;
  const fetch = async (request: Request): Promise<Response> => {
    const body = new Uint8Array(await request.clone().arrayBuffer());
    if (v1.decode(snappyUncompress(body, 1e6)).metadata?.length === 0) return await w.accept(request);
    requests++;
    return new Response(null, { status: 204 });
  };
  const runs: Promise<unknown>[] = [];
  for (let minute = 0; minute < 8; minute++) {
    runs.push(w.run(fetch));
    if (minute % 2 === 0) w.log.append(w.clock.now(), [record(w.clock.now())]);
    await w.clock.advanceTo(w.clock.now() + MINUTE);
  }
  await w.clock.advanceTo(w.clock.now() + 10 * MINUTE);
  await Promise.all(runs);
  expect(requests).toBe(2);
});

it('exemplars and native histograms are left out where they are not wanted, and counted', async () => {
  const message: V2 = {
    symbols: ['', '__name__', 'f', 'h', 'trace_id', 'abc'],
    timeseries: [
      {
        labelsRefs: [1, 2],
        samples: [{ value: double(1), timestamp: T0 + 1 }],
        exemplars: [{ labelsRefs: [4, 5], value: double(1), timestamp: T0 + 1 }],
      },
      { labelsRefs: [1, 3], histograms: [{ countInt: 0, sum: double(0), schema: 0, timestamp: T0 + 2 }] },
    ],
  };
  const old = { protobufMessage: 'prometheus.WriteRequest' } as const;
  const none = { sendExemplars: false, sendNativeHistograms: false };
  const w = world([remote('all1', old), remote('none1', { ...old, ...none }), remote('none2', none), remote('all2')]);
  const body = snappyCompress(v2.encode(message));
  w.log.append(T0, [{ schema: 2, samples: 2, histograms: 1, exemplars: 1, maxT: T0 + 2, body }]);
  const got: Record<string, number[]> = {};
  const run = w.run(async (request) => {
    const { host } = new URL(request.url);
    const bytes = new Uint8Array(await request.clone().arrayBuffer());
    const sent = decodeWrite(host.endsWith('1') ? 1 : 2, snappyUncompress(bytes, 1e6));
    got[host] = [sent.seriesCount, sent.sampleCount, sent.histogramCount, sent.exemplarCount[0]!];
    if (host === 'all2') expect(bytes).toEqual(body);
    return w.written(1);
  });
  await w.clock.advanceTo(T0 + 3 * MINUTE);
  await run;
  expect(got).toEqual({ all1: [2, 1, 1, 1], none1: [1, 1, 0, 0], none2: [2, 1, 1, 0], all2: [2, 1, 1, 1] });
  expect(w.status('none1')).toMatchObject({
    samplesSent: 1,
    samplesDropped: { native_histograms_not_sent: 1 },
    samplesPending: 0,
  });
  expect(w.status('none2')).toMatchObject({ samplesSent: 2, samplesDropped: {} });
});
