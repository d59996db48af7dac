import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Lab, type Started, freePort, peer, test, waitUntil } from './harness.ts';
import { type NarthexOptions, killAndRestart, pullSnapshot, startNarthex } from './narthex.ts';
import { Page } from './page.ts';
import { type Prometheus, messages, startPrometheus } from './prometheus.ts';
import { blocks, difference, doubled, dump, lines } from './promtool.ts';
import { Recorder } from './recorder.ts';

const DURATION_MS = 120_000;
/** When Narthex is killed, and for how long nothing is there. */
const KILLS: readonly (readonly [afterMs: number, downMs: number])[] = [
  [30_000, 0],
  [75_000, 8_000],
];

interface Sending {
  readonly name: string;
  readonly process: Started;
  readonly recorders: readonly Recorder[];
}

/** Each scrapes the page every second and sends through recorders of its own. */
const senders: readonly ((lab: Lab, page: Page, recorder: () => Promise<Recorder>) => Promise<Sending>)[] = [
  prometheus('prometheus-2', 2, undefined),
  prometheus('prometheus-3-write-1', 3, messages[1]),
  prometheus('prometheus-3-write-2', 3, messages[2]),
  vmagent,
  collector,
];

test('every sample that a sender got a 2xx for is in a block, once, though Narthex was killed twice', async ({
  lab,
}) => {
  const options: NarthexOptions = {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: 'global: { scrape_interval: 15s }\n',
  };
  let narthex = await startNarthex(lab, options);
  const page = await Page.serve(lab, 200);
  const running = await Promise.all(senders.map((start) => start(lab, page, () => Recorder.serve(lab, narthex.url))));
  const recorders = running.flatMap((sender) => sender.recorders.map((recorder) => ({ name: sender.name, recorder })));
  const beganMs = Date.now();
  const until = (ms: number): Promise<unknown> => sleep(Math.max(0, beganMs + ms - Date.now()));

  for (const [afterMs, downMs] of KILLS) {
    await until(afterMs);
    for (const { name, recorder } of recorders) {
      expect(recorder.acknowledged.size + recorder.otlp.length, `${name} has sent`).toBeGreaterThan(5);
    }
    narthex = await killAndRestart(lab, narthex, options, downMs);
    // A series that ends meanwhile has a stale marker among its samples.
    page.temporary = !page.temporary;
  }
  await until(DURATION_MS);
  // Asked to stop, a sender first sends what it has.
  await Promise.all(running.map(({ process }) => process.stop()));

  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  const samples = await dump(3, pulled);
  expect(doubled(samples)).toEqual([]);
  // promtool may hide a double that a chunk holds; the count in the block's own summary would not.
  expect((await blocks(pulled)).reduce((sum, { stats }) => sum + stats.numSamples, 0)).toBe(samples.length);

  const stored = new Set(lines(samples));
  const sent = new Set<string>();
  const histogramsOf = new Map<string, number>();
  for (const { name, recorder } of recorders) {
    expect(
      recorder.refusals.filter((refusal) => !refusal.startsWith('5')),
      name,
    ).toEqual([]);
    expect(recorder.unanswered, `${name} was cut off`).toBeGreaterThan(0);
    const acknowledged = recorder.otlpSent.size > 0 ? await translated(lab, recorder) : [...recorder.acknowledged];
    expect(acknowledged.length, name).toBeGreaterThan(15_000);
    const histograms = acknowledged.filter((line) => line.endsWith('}'));
    histogramsOf.set(name, Math.max(histogramsOf.get(name) ?? 0, histograms.length));
    expect(acknowledged.filter((line) => !stored.has(line)).slice(0, 20), `missing of ${name}`).toEqual([]);
    for (const line of [...recorder.sent, ...acknowledged]) sent.add(line);
  }
  expect(difference([...stored], [...sent]).filter((line) => line.startsWith('unexpected'))).toEqual([]);
  // Four or five native histograms a second of those that have them; vmagent sends none.
  for (const [name, count] of histogramsOf) {
    if (name !== 'vmagent') expect(count, `histograms of ${name}`).toBeGreaterThan(300);
  }
  // Custom buckets, which Prometheus sends in 2.0 alone (storage/remote/queue_manager.go, reasonNHCBNotSupported).
  const custom = [...stored].filter(
    (line) =>
      line.includes('__name__="page_classic_seconds"') &&
      / to 0\.25/.test(line) &&
      line.includes('"prometheus-3-write-2"'),
  );
  expect(custom.length).toBeGreaterThan(80);
});

/** What Prometheus 3 makes of the OTLP requests that were acknowledged. */
async function translated(lab: Lab, { otlp, otlpSent }: Recorder): Promise<string[]> {
  // Each was sent until it was acknowledged, so that nothing else can be stored.
  const acknowledged = new Set(otlp.map(({ body }) => body.toString('base64')));
  expect([...otlpSent].filter((body) => !acknowledged.has(body)).length).toBe(0);
  const reference = await startPrometheus(lab, {
    name: 'reference',
    major: 3,
    otlp: true,
    config: 'storage: { tsdb: { out_of_order_time_window: 1h } }\n',
  });
  for (const { type, encoding, body } of otlp) {
    const headers = { 'Content-Type': type, ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }) };
    const answer = await fetch(`${reference.url}/api/v1/otlp/v1/metrics`, { method: 'POST', headers, body });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  }
  await reference.process.stop();
  return lines(await dump(3, reference.dir));
}

function prometheus(name: string, major: 2 | 3, message: string | undefined): (typeof senders)[number] {
  return async (lab, page, record) => {
    const recorder = await record();
    const agent: Prometheus = await startPrometheus(lab, {
      name,
      major,
      mode: 'agent',
      // 2.42 takes native histograms of all targets then, and has no custom buckets yet.
      features: major === 2 ? ['native-histograms'] : [],
      config: `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { sender: '${name}' } }
scrape_configs:
  - { job_name: page, static_configs: [{ targets: ['${page.address}'] }] }
  - job_name: histograms
    metrics_path: /histograms
    ${major === 2 ? '' : 'scrape_native_histograms: true'}
    ${major === 2 ? '' : 'convert_classic_histograms_to_nhcb: true'}
    static_configs: [{ targets: ['${page.address}'] }]
remote_write:
  - url: ${recorder.url}/api/v1/write
    send_native_histograms: true
    queue_config: { batch_send_deadline: 1s }
    ${message === undefined ? '' : `protobuf_message: ${message}`}
`,
    });
    return { name, process: agent.process, recorders: [recorder] };
  };
}

async function vmagent(lab: Lab, page: Page, record: () => Promise<Recorder>): Promise<Sending> {
  const recorder = await record();
  const config = await lab.write(
    'vmagent.yml',
    `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { sender: vmagent } }
scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${page.address}'] }] }]
`,
  );
  const process = lab.start('vmagent', peer('vmagent'), [
    `-promscrape.config=${config}`,
    `-remoteWrite.url=${recorder.url}/api/v1/write`,
    `-remoteWrite.tmpDataPath=${await lab.dir('vmagent-data')}`,
    `-httpListenAddr=127.0.0.1:${await freePort()}`,
  ]);
  await waitUntil('vmagent has sent', 30_000, () => recorder.acknowledged.size > 0);
  return { name: 'vmagent', process, recorders: [recorder] };
}

/** One process, two ways out. */
async function collector(lab: Lab, page: Page, record: () => Promise<Recorder>): Promise<Sending> {
  const [write, otlp] = [await record(), await record()];
  const retry = 'retry_on_failure: { initial_interval: 1s, max_interval: 3s, max_elapsed_time: 0s }';
  const config = await lab.write(
    'otelcol.yml',
    `
receivers:
  prometheus:
    config:
      scrape_configs:
        - { job_name: otelcol, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{ targets: ['${page.address}'] }] }
        - job_name: histograms
          metrics_path: /histograms
          scrape_native_histograms: true
          scrape_interval: 1s
          scrape_timeout: 1s
          static_configs: [{ targets: ['${page.address}'] }]
exporters:
  prometheus_remote_write:
    endpoint: ${write.url}/api/v1/write
    external_labels: { sender: otelcol }
    ${retry}
  otlp_http:
    metrics_endpoint: ${otlp.url}/api/v1/otlp/v1/metrics
    ${retry}
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    metrics: { receivers: [prometheus], exporters: [prometheus_remote_write, otlp_http] }
`,
  );
  const process = lab.start('otelcol', peer('otelcol'), ['--config', config]);
  await waitUntil('the collector has sent', 30_000, () => write.acknowledged.size > 0 && otlp.otlp.length > 0);
  return { name: 'otelcol', process, recorders: [write, otlp] };
}
