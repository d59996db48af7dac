/**
 * What a receiver keeps beside samples, next to Prometheus 3: exemplars as its exemplar storage tells them when it receives the same, metadata as a sending
 * Prometheus tells that of its own target.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { asProtobuf, everything } from '../receive/otlp/metrics.ts';
import { freePort, type Lab, test, waitUntil } from './harness.ts';
import { startNarthex } from './narthex.ts';
import { messages, startPrometheus } from './prometheus.ts';
import { difference } from './promtool.ts';

const OTLP = { 'Content-Type': 'application/x-protobuf' };
const TENANTS = ['one', 'two'] as const;

/** Exemplars with times of their own, in seconds, so that they are the same wherever they go; `n` tells those of one time from the next. */
const page = (ms: number, n: number): string => `# HELP done_jobs Jobs "done"\\nso far.
# TYPE done_jobs counter
# UNIT done_jobs jobs
done_jobs_total{a="1"} 3 # {trace_id="one ${n}"} ${n}.5 ${(ms / 1000).toFixed(3)}
done_jobs_total{a="2"} 4 # {trace_id="two",span="é \\"${n}\\""} -0.25 ${(ms / 1000 + 0.25).toFixed(3)}
# HELP took_seconds How long.
# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{le="1.0"} 1 # {trace_id="fast"} 0.5 ${(ms / 1000).toFixed(3)}
took_seconds_bucket{le="+Inf"} 2 # {} ${n} ${(ms / 1000 + 0.5).toFixed(3)}
took_seconds_count 2
took_seconds_sum 7.5
# HELP sizes Of requests.
# TYPE sizes summary
sizes{quantile="0.5"} 1
sizes_count 1
sizes_sum 1
# HELP temperature How warm.
# TYPE temperature gauge
temperature 21
# HELP states Which.
# TYPE states stateset
states{states="on"} 1
# HELP build What.
# TYPE build info
build_info{version="1"} 1
# EOF
`;
/** Those with exemplars, in one answer of it. */
const EXEMPLARS = 4;

/** Serves the page, whose exemplars move with each answer until it is told to stand still: what comes before a sender knows their series is never sent. */
async function serve(lab: Lab): Promise<{ address: string; stop: () => number }> {
  let [ms, n, still] = [0, 0, false];
  const server = createServer((_, response) => {
    if (!still) [ms, n] = [Date.now() - 2_000, n + 1];
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0').end(page(ms, n));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const stop = (): number => {
    still = true;
    return ms;
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

interface Exemplars {
  readonly data: readonly {
    readonly seriesLabels: Readonly<Record<string, string>>;
    readonly exemplars: readonly { readonly timestamp: number }[];
  }[];
}

/** A line an exemplar of the time `fromMs` or later, as both tell them. */
async function exemplars(url: string, query: string, fromMs: number, tenant?: string): Promise<string[]> {
  const times = { start: String(fromMs / 1000), end: String(Date.now() / 1000 + 600) };
  const headers: Record<string, string> = tenant === undefined ? {} : { 'X-Scope-OrgID': tenant };
  const answer = await fetch(`${url}/api/v1/query_exemplars?${new URLSearchParams({ query, ...times })}`, { headers });
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()) as Exemplars;
  return data.flatMap(({ seriesLabels, exemplars }) =>
    exemplars.map((exemplar) => `${JSON.stringify(seriesLabels, sorted)} ${JSON.stringify(exemplar, sorted)}`),
  );
}

const sorted = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** A line a family. */
async function metadata(url: string, tenant?: string): Promise<string[]> {
  const headers: Record<string, string> = tenant === undefined ? {} : { 'X-Scope-OrgID': tenant };
  const answer = await fetch(`${url}/api/v1/metadata`, { headers });
  expect(answer.status).toBe(200);
  const { data } = (await answer.json()) as { data: Record<string, readonly object[]> };
  return Object.entries(data).map(([metric, said]) => `${metric} ${JSON.stringify(said, sorted)}`);
}

/** A snapshot digests what has come. */
async function digested(url: string, tenant: string): Promise<void> {
  const headers = { 'X-Scope-OrgID': tenant };
  const answer = await fetch(`${url}/api/v1/admin/tsdb/snapshot`, { method: 'POST', headers });
  expect([200, 202]).toContain(answer.status);
  await answer.arrayBuffer();
}

test('exemplars and metadata that are received are those that Prometheus 3 has', async ({ lab }) => {
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: 'global: { scrape_interval: 15s }\n',
  });
  const features = ['exemplar-storage'];
  const receiver = await startPrometheus(lab, { name: 'receiver', major: 3, otlp: true, features });
  const target = await serve(lab);
  const remote = (url: string, message: string, tenant: string): string => `
  - url: ${url}/api/v1/write
    headers: { X-Scope-OrgID: ${tenant} }
    protobuf_message: ${message}
    send_exemplars: true
    metadata_config: { send: ${message === messages[1]}, send_interval: 1s }`;
  // To Prometheus in 1.0: in 2.0 its sender gives exemplars series of their own, which its receiver refuses (it wants a sample in each).
  const sender = await startPrometheus(lab, {
    name: 'sender',
    major: 3,
    features,
    config: `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${target.address}'] }] }]
remote_write:${remote(narthex.url, messages[1], 'one')}${remote(narthex.url, messages[2], 'two')}${remote(receiver.url, messages[1], 'any')}
`,
  });

  // Prometheus 3.15 sends no metadata in 2.0, whatever is enabled: its stores keep no records of it. So another Narthex sends that of the same target.
  await startNarthex(lab, {
    name: 'agent',
    port: await freePort(),
    state: await lab.dir('agent-state'),
    config: `
global: { scrape_interval: 5s }
scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${target.address}'] }] }]
remote_write: [{ url: '${narthex.url}/api/v1/write', protobuf_message: ${messages[2]}, headers: { X-Scope-OrgID: agent } }]
`,
  });

  const reaches = async (fromMs: number, least: number): Promise<boolean> => {
    for (const tenant of TENANTS) {
      await digested(narthex.url, tenant);
      if ((await exemplars(narthex.url, '{job="page"}', fromMs, tenant)).length < least) return false;
    }
    return (await exemplars(receiver.url, '{job="page"}', fromMs)).length >= least;
  };
  await waitUntil('all senders know the series', 60_000, () => reaches(0, 1), 1_000);
  const fromMs = Date.now();
  await sleep(15_000);
  const lastMs = target.stop();
  await waitUntil('the last have come', 60_000, () => reaches(lastMs, EXEMPLARS), 1_000);

  await waitUntil('metadata has come', 90_000, async () => {
    await digested(narthex.url, 'agent');
    return (await metadata(narthex.url, 'agent')).length > 0;
  });

  // OTLP: to Prometheus, and to Narthex as a tenant of its own.
  const body = asProtobuf(everything(BigInt(Date.now()) * 1_000_000n));
  for (const [url, headers] of [
    [receiver.url, OTLP],
    [narthex.url, { ...OTLP, 'X-Scope-OrgID': 'otlp' }],
  ] as const) {
    const answer = await fetch(`${url}/api/v1/otlp/v1/metrics`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
  }
  await digested(narthex.url, 'otlp');

  const scraped = await exemplars(receiver.url, '{job="page"}', fromMs);
  expect(scraped.length).toBeGreaterThan(10 * EXEMPLARS);
  for (const tenant of TENANTS) {
    const kept = await exemplars(narthex.url, '{job="page"}', fromMs, tenant);
    expect(difference(kept, scraped), tenant).toEqual([]);
    expect(kept.length, `${tenant}, each once`).toBe(scraped.length);
  }
  const one = '{__name__="took_seconds_bucket",le="+Inf"}';
  expect(
    difference(await exemplars(narthex.url, one, fromMs, 'two'), await exemplars(receiver.url, one, fromMs)),
  ).toEqual([]);
  const posted = await exemplars(receiver.url, '{__name__=~".+",job!="page"}', 0);
  expect(posted.length).toBeGreaterThan(2);
  expect(difference(await exemplars(narthex.url, '{__name__=~".+",job!="page"}', 0, 'otlp'), posted)).toEqual([]);

  const told = await metadata(sender.url);
  expect(told.map((line) => line.split(' ')[0]).sort()).toEqual([
    'build',
    'done_jobs',
    'sizes',
    'states',
    'temperature',
    'took_seconds',
  ]);
  expect(difference(await metadata(narthex.url, 'one'), told)).toEqual([]);
  // In 2.0 it stands in each series, which does not tell the family: a counter's keeps its `_total`. Of what a scrape itself adds it is said too.
  const named = told.map((line) => line.replace(/^done_jobs /, 'done_jobs_total '));
  const kept = await metadata(narthex.url, 'agent');
  expect(
    difference(
      kept.filter((line) => !/^(up|scrape_\w+) /.test(line)),
      named,
    ),
  ).toEqual([]);
});
