import { expect } from 'vitest';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import snappy from 'snappyjs';
import { double, type HistogramMessage, v1, v2 } from '../encoding/remote-write/oracle.ts';
import { STALE } from '../encoding/remote-write/cases.ts';
import { freePort, test } from './harness.ts';
import { pullSnapshot, startNarthex } from './narthex.ts';
import { messages, startPrometheus } from './prometheus.ts';
import { blocks, difference, promtool } from './promtool.ts';

const SAMPLES = 60;

/** The `i`-th histogram of each series; null is a float in its place. */
const kinds: Readonly<Record<string, (i: number) => HistogramMessage | null>> = {
  // Buckets come and go, and the counter begins anew halfway.
  counter: (i) => {
    const n = i % 30;
    return {
      countInt: 3 * n + 4,
      sum: double(n * 1.5),
      schema: 3,
      zeroThreshold: double(2 ** -128),
      zeroCountInt: 1,
      positiveSpans: [
        { offset: -1, length: 1 + (n > 10 ? 1 : 0) },
        { offset: n > 10 ? 2 : 3, length: 1 },
      ],
      positiveDeltas: n > 10 ? [n, -n, 2 * n] : [n, n],
      negativeSpans: [{ offset: 0, length: 1 }],
      negativeDeltas: [3],
    };
  },
  fine: (i) => ({ schema: 11, countInt: 6 * i, positiveSpans: [{ offset: 5, length: 3 }], positiveDeltas: [i, i, i] }),
  float: (i) => ({
    countFloat: double(i * 1.5),
    zeroCountFloat: double(i / 2),
    sum: double(-i),
    schema: -4,
    zeroThreshold: double(0.001),
    positiveSpans: [{ offset: 2, length: 2 }],
    positiveCounts: [double(i / 2), double(i / 2)],
  }),
  gauge: (i) => ({
    resetHint: 3,
    countInt: 10 + (i % 5),
    positiveSpans: [{ offset: i % 4, length: 1 }],
    positiveDeltas: [10 + (i % 5)],
  }),
  custom: (i) => ({
    schema: -53,
    countInt: 2 * i,
    sum: double(i),
    customValues: (i < 40 ? [0.005, 0.1, 5e6] : [0.005, 0.2]).map(double),
    positiveSpans: [
      { offset: 0, length: 1 },
      { offset: 1, length: 1 },
    ],
    positiveDeltas: [i, 0],
  }),
  stale: (i) => (i === 20 ? { sum: STALE } : { countInt: i, zeroCountInt: i, zeroThreshold: double(1) }),
  mixed: (i) => (i % 20 < 10 ? null : { countInt: i, zeroCountInt: i, zeroThreshold: double(1) }),
};

test('histograms of all kinds, by 1.0 and 2.0, are what Prometheus makes of them', async ({ lab }) => {
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: 'global: { scrape_interval: 15s }\n',
  });
  const reference = await startPrometheus(lab, { name: 'reference', major: 3 });
  const start = Date.now() - SAMPLES * 15_000;
  for (let i = 0; i < SAMPLES; i++) {
    const timestamp = start + i * 15_000;
    const series = Object.entries(kinds).map(([kind, of]) => {
      const histogram = of(i);
      if (histogram === null) return { kind, samples: [{ value: double(i), timestamp }] };
      return { kind, histograms: [{ sum: double(0), ...histogram, timestamp }] };
    });
    const one = v1.encode({
      timeseries: series.map(({ kind, ...rest }) => ({
        labels: [
          { name: '__name__', value: kind },
          { name: 'sender', value: '1' },
        ],
        ...rest,
      })),
    });
    const symbols = ['', '__name__', 'sender', '2', ...Object.keys(kinds)];
    const two = v2.encode({
      symbols,
      timeseries: series.map(({ kind, ...rest }) => ({ labelsRefs: [1, symbols.indexOf(kind), 2, 3], ...rest })),
    });
    const floats = series.filter(({ samples }) => samples !== undefined).length;
    for (const url of [narthex.url, reference.url]) {
      for (const [schema, message] of [[1, one] as const, [2, two] as const]) {
        const response = await fetch(`${url}/api/v1/write`, {
          method: 'POST',
          headers: {
            'Content-Type': `application/x-protobuf;proto=${messages[schema]}`,
            'Content-Encoding': 'snappy',
            'X-Prometheus-Remote-Write-Version': schema === 1 ? '0.1.0' : '2.0.0',
          },
          body: new Uint8Array(snappy.compress(message)),
        });
        expect([response.status, await response.text()]).toEqual([204, '']);
        if (schema === 1) continue;
        const written = ['Samples', 'Histograms'].map((what) =>
          response.headers.get(`X-Prometheus-Remote-Write-${what}-Written`),
        );
        expect(written).toEqual([String(floats), String(series.length - floats)]);
      }
    }
  }

  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  await reference.process.stop();
  // A line a sample, histograms with all their buckets that are not empty.
  const dumped = async (dir: string): Promise<string[]> => {
    await mkdir(join(dir, 'wal'), { recursive: true });
    return (await promtool(3, 'tsdb', 'dump', dir))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  };
  const wanted = await dumped(reference.dir);
  expect(wanted.length).toBe(2 * SAMPLES * Object.keys(kinds).length);
  expect(wanted.filter((line) => line.includes('{count:')).length).toBe(wanted.length - 2 * 30);
  expect(difference(await dumped(pulled), wanted)).toEqual([]);
  for (const { ulid, stats } of await blocks(pulled)) {
    const analysis = await promtool(3, 'tsdb', 'analyze', '--extended', pulled, ulid);
    expect(analysis).toMatch(new RegExp(`^(Total )?Series: ${stats.numSeries}$`, 'm'));
    expect(analysis).toContain('buckets per histogram chunk');
  }
});
