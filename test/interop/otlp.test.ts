import { expect } from 'vitest';
import { asJson, asProtobuf, everything, type OtlpJson, request } from '../receive/otlp/metrics.ts';
import { freePort, test } from './harness.ts';
import { pullSnapshot, startNarthex } from './narthex.ts';
import { startPrometheus } from './prometheus.ts';
import { difference, doubled, dump, lines } from './promtool.ts';

const STRATEGIES = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const;

/** What else may be set, so that each setting is seen with some strategy. */
const SETTINGS: Readonly<Record<(typeof STRATEGIES)[number], string>> = {
  UnderscoreEscapingWithSuffixes: '',
  UnderscoreEscapingWithoutSuffixes:
    ', promote_resource_attributes: [host.name, ports], label_name_underscore_sanitization: false, label_name_preserve_multiple_underscores: false',
  NoUTF8EscapingWithSuffixes: ', promote_scope_metadata: true, keep_identifying_resource_attributes: true',
  NoTranslation:
    ', convert_histograms_to_nhcb: true, promote_all_resource_attributes: true, ignore_resource_attributes: [k8s.pod.labels]',
};

async function post(url: string, type: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(`${url}/api/v1/otlp/v1/metrics`, {
    method: 'POST',
    headers: { 'Content-Type': type },
    body,
  });
  expect([response.status, await response.text()]).toEqual([200, type === 'application/json' ? '{}' : '']);
}

test.for(STRATEGIES)('%s: the same bodies become the same series as in Prometheus 3', async (strategy, { lab }) => {
  const config = `otlp: { translation_strategy: ${strategy}${SETTINGS[strategy]} }\n`;
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config,
  });
  const reference = await startPrometheus(lab, { name: 'reference', major: 3, config, otlp: true });
  const nowNanos = BigInt(Date.now()) * 1_000_000n;
  const bodies: [string, (request: OtlpJson) => Uint8Array<ArrayBuffer>, bigint][] = [
    ['application/x-protobuf', asProtobuf, nowNanos - 400_000_000_000n],
    ['application/json', asJson, nowNanos],
  ];
  for (const [type, encode, nanos] of bodies) {
    const body = encode(everything(nanos));
    await fetch(`${reference.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'Content-Type': type },
      body,
    }).then(async (response) => expect([response.status, await response.text()]).toEqual([200, '']));
    await post(narthex.url, type, body);
  }
  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  await reference.process.stop();
  const sent = await dump(3, reference.dir);
  const stored = await dump(3, pulled);
  expect(sent.length).toBeGreaterThan(60);
  expect(sent.filter(({ value }) => value.startsWith('{count:')).length).toBeGreaterThanOrEqual(20);
  expect(difference(lines(stored), lines(sent))).toEqual([]);
  expect(doubled(stored)).toEqual([]);
});

test('buckets that are merged behind an empty one: Prometheus 3.15 counts them one too low', async ({ lab }) => {
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: 'global: { scrape_interval: 15s }\n',
  });
  const reference = await startPrometheus(lab, { name: 'reference', major: 3, otlp: true });
  // Two buckets become one: of the indexes 1, 2 and 3 the last two are one bucket, with all eight observations.
  const point = {
    timeUnixNano: String(BigInt(Date.now()) * 1_000_000n),
    count: '8',
    sum: 8,
    scale: 9,
    positive: { offset: 1, bucketCounts: ['0', '5', '3'] },
  };
  const body = asJson(
    request(
      { 'service.name': 's' },
      { name: 'merged', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [point] } },
    ),
  );
  for (const url of [narthex.url, reference.url]) {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${url}/api/v1/otlp/v1/metrics`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
  }
  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  await reference.process.stop();
  const value = async (dir: string): Promise<string> => (await dump(3, dir)).map(({ value }) => value).join();
  // The bucket that ends at 2^(2/256).
  expect(await value(pulled)).toMatch(/^\{count:8, sum:8, \(1\.0027\d*,1\.0054\d*\]:8\}$/);
  // When this fails, Prometheus has mended it, and the README need not say so any more.
  expect(await value(reference.dir)).toMatch(/^\{count:8, sum:8, \(1,1\.0027\d*\]:5, \(1\.0027\d*,1\.0054\d*\]:3\}$/);
});
