/**
 * Start timestamps, behind the same feature flags: a Prometheus 3 in agent mode and Narthex scrape the same pages, and each sends 2.0 and 1.0 to
 * sinks of its own. What these got of each series, in order, with the start timestamps that were sent, must be the same.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import snappy from 'snappyjs';
import { type HistogramMessage, v2 } from '../encoding/remote-write/oracle.ts';
import { encodeFamilies, type TestFamily, type TestMetric } from '../scrape/exposition/metric-family.ts';
import { freePort, type Lab, test, waitUntil } from './harness.ts';
import { startNarthex } from './narthex.ts';
import { messages, startPrometheus } from './prometheus.ts';
import { difference } from './promtool.ts';
import { Sink } from './sink.ts';

/** When what the pages count began, Unix ms: long ago; after both agents; in between; at the restart. */
interface Times {
  readonly old: number;
  first: number;
  later: number;
  restart: number;
}

const NATIVE = {
  schema: 3,
  zeroThreshold: 0.001,
  zeroCount: 1,
  positiveSpans: [[1, 2]],
  positiveDeltas: [1, 1],
} as const;

function families(phase: number, { old, first, later, restart }: Times): TestFamily[] {
  if (phase === 0) return [{ name: 'g', type: 'gauge', metrics: [{ value: 1 }] }];
  const again = phase > 1;
  const startMs = again ? restart : first;
  const native: TestMetric = { count: 4, sum: again ? 1 : 5, startMs, native: NATIVE };
  const more = again ? [{ labels: { a: 'more' }, value: 2, startMs: later }] : [];
  return [
    {
      name: 'c',
      type: 'counter',
      metrics: [
        { labels: { a: 'restarts' }, value: again ? 1 : 5, startMs },
        { labels: { a: 'old' }, value: 5, startMs: old },
        { labels: { a: 'none' }, value: 5 },
        { labels: { a: 'ahead' }, value: 5, startMs: first + 3_600_000 },
        ...more,
      ],
    },
    { name: 'g', type: 'gauge', metrics: [{ value: 1, startMs: first }] },
    { name: 's', type: 'summary', metrics: [{ count: 4, sum: 5, quantiles: [[0.5, 1]], startMs }] },
    { name: 'h', type: 'histogram', metrics: [{ count: 4, sum: again ? 1 : 5, buckets: [[1, 3]], startMs }] },
    {
      name: 'n',
      type: 'histogram',
      metrics: [
        native,
        {
          labels: { of: 'floats' },
          countFloat: 4.5,
          sum: again ? 1 : 5,
          startMs,
          native: { schema: 1, zeroThreshold: 0.5, zeroCountFloat: 1, positiveSpans: [[0, 1]], positiveCounts: [3.5] },
        },
      ],
    },
    { name: 'gh', type: 'gaugehistogram', metrics: [{ ...native, startMs }] },
  ];
}

function openMetrics(phase: number, { old, first, later, restart }: Times): string {
  if (phase === 0) return '# TYPE g gauge\ng 1\n# EOF\n';
  const again = phase > 1;
  const s = (ms: number): string => (ms / 1000).toFixed(3);
  const start = s(again ? restart : first);
  const value = again ? 1 : 5;
  return `# TYPE c counter
c_total{a="restarts"} ${value} # {trace_id="x"} 1
c_created{a="restarts"} ${start} # {trace_id="y"} 1
c_total{a="old"} 5
c_created{a="old"} ${s(old)}
c_total{a="none"} 5
${again ? `c_total{a="more"} 2\nc_created{a="more"} ${s(later)}\n` : ''}# TYPE order counter
order_total{a="1",b="2"} 1
order_created{b="2",a="1"} ${start}
# TYPE behind counter
behind_created ${start}
behind_total 1
# TYPE together counter
together_total{a="1"} 1
together_total{a="2"} 1
together_created{a="1"} ${start}
together_created{a="2"} ${start}
together_total{a="1"} 1
# TYPE g gauge
g 1
g_created ${s(old)}
# TYPE "quoted.name" counter
{"quoted.name_total",a="1"} ${value}
{"quoted.name_created",a="1"} ${start}
# TYPE other_family counter
stray_total 1
stray_created ${start}
# TYPE nan counter
nan_total 1
nan_created -1
# TYPE h histogram
h_bucket{le="1",a="1"} 1
h_bucket{le="+Inf",a="1"} 2
h_count{a="1"} 2
h_sum{a="1"} ${value}
h_created{a="1"} ${start}
h_bucket{le="1",a="2"} 1
h_bucket{le="+Inf",a="2"} 2
h_count{a="2"} 2
h_sum{a="2"} ${value}
# TYPE s summary
s{quantile="0.5"} 1
s_count 2
s_sum ${value}
s_created ${start}
# TYPE u unknown
u 1
u_created ${start}
# EOF
`;
}

const PROTO = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const OM = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const JOBS: readonly (readonly [job: string, contentType: string, config: string])[] = [
  ['protobuf', PROTO, 'scrape_native_histograms: true'],
  ['classic', PROTO, ''],
  ['openmetrics', OM, ''],
  ['nhcb', OM, 'convert_classic_histograms_to_nhcb: true'],
  ['both', OM, 'convert_classic_histograms_to_nhcb: true\n    always_scrape_classic_histograms: true'],
];
const PHASES = 5;
/** In this phase the target fails. */
const FAILS = 3;
const AGENTS = ['Prometheus', 'Narthex'];

class Pages {
  phase = 0;
  readonly times: Times = { old: Date.now() - 7_200_000, first: 0, later: 0, restart: 0 };
  readonly address: string;
  /** By `job agent`: how often it came in this phase, and when it came last; and what it asked for. */
  scrapes = new Map<string, { count: number; lastMs: number }>();
  readonly accept = new Map<string, string>();

  private constructor(server: Server) {
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      const [job, contentType] = JOBS.find(([name]) => request.url === `/${name}`)!;
      const key = `${job} ${request.headers['user-agent']!.split('/')[0]!}`;
      this.accept.set(key, String(request.headers.accept));
      const body =
        contentType === PROTO ? encodeFamilies(families(this.phase, this.times)) : openMetrics(this.phase, this.times);
      if (this.phase === FAILS) response.writeHead(500).end();
      else response.setHeader('Content-Type', contentType).end(body);
      this.scrapes.set(key, { count: (this.scrapes.get(key)?.count ?? 0) + 1, lastMs: Date.now() });
    });
  }

  static async serve(lab: Lab): Promise<Pages> {
    return new Pages(await listen(lab));
  }

  /** Waits until both have come twice for each page, and none is about to come or has just been: then the next phase can begin. */
  async served(): Promise<void> {
    await waitUntil(
      `both have scraped all of phase ${this.phase}`,
      120_000,
      () => {
        const all = [...this.scrapes.values()];
        const quiet = all.every(({ lastMs }) => Date.now() - lastMs > 100 && Date.now() - lastMs < 4_800);
        return all.length === JOBS.length * AGENTS.length && all.every(({ count }) => count >= 2) && quiet;
      },
      20,
    );
  }
}

interface Got {
  readonly series: string;
  readonly t: number;
  readonly text: string;
}

/** A remote that takes 2.0 and remembers what came. */
class Sink2 {
  readonly url: string;
  readonly got: Got[] = [];
  readonly errors: string[] = [];

  private constructor(server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/write`;
    server.on('request', (request, response) => {
      void this.#receive(request).then(
        ([samples, histograms]) => {
          response.setHeader('X-Prometheus-Remote-Write-Samples-Written', String(samples));
          response.setHeader('X-Prometheus-Remote-Write-Histograms-Written', String(histograms));
          response.setHeader('X-Prometheus-Remote-Write-Exemplars-Written', '0');
          response.writeHead(204).end();
        },
        (error: unknown) => {
          this.errors.push(String(error));
          response.writeHead(400).end();
        },
      );
    });
  }

  static async serve(lab: Lab): Promise<Sink2> {
    return new Sink2(await listen(lab));
  }

  async #receive(request: IncomingMessage): Promise<[samples: number, histograms: number]> {
    const pieces: Uint8Array[] = [];
    for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece);
    const message = snappy.uncompress(new Uint8Array(Buffer.concat(pieces)));
    const { symbols = [], timeseries = [] } = v2.decode(message);
    const bits = v2.decodeBits(message).timeseries ?? [];
    let [floats, histogramCount] = [0, 0];
    timeseries.forEach(({ labelsRefs = [], samples = [], histograms = [] }, s) => {
      const series = JSON.stringify(labelsRefs.map((ref) => symbols[ref]));
      samples.forEach(({ timestamp, startTimestamp }, i) => {
        const { low, high } = bits[s]!.samples![i]!.value!;
        const isStale = high === 0x7ff00000 && low === 2;
        const value = isStale ? 'stale' : String(new Float64Array(Int32Array.of(low, high).buffer)[0]);
        this.#add(series, Number(timestamp), value, startTimestamp);
      });
      for (const { timestamp, startTimestamp, ...histogram } of histograms) {
        this.#add(series, Number(timestamp), textOf(histogram), startTimestamp);
      }
      floats += samples.length;
      histogramCount += histograms.length;
    });
    return [floats, histogramCount];
  }

  #add(series: string, t: number, value: string, start = 0): void {
    this.got.push({ series, t, text: start === 0 ? value : `${value} since ${start}` });
  }
}

/** One whose sum is the marker is that alone: Prometheus sends a float, Narthex a histogram. */
function textOf({ sum, ...more }: Omit<HistogramMessage, 'timestamp' | 'startTimestamp'>): string {
  // 64 bits as a number: the marker is the only one of these.
  return Number(sum) === Number(0x7ff0000000000002n) ? 'stale' : JSON.stringify({ sum, ...more });
}

async function listen(lab: Lab): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return server;
}

/** By series what came, in order of time, each as often as it changes. A sample's own time is told when it is one of the pages'. */
function histories(got: readonly Got[], times: Times): string[] {
  const names = new Map(Object.entries(times).map(([name, ms]) => [String(ms), name]));
  const named = (text: string): string => text.replaceAll(/\d{13}/g, (ms) => names.get(ms) ?? ms);
  const bySeries = new Map<string, Got[]>();
  for (const one of got) {
    if (/"scrape_\w+"/.test(one.series)) continue;
    const all = bySeries.get(one.series) ?? [];
    bySeries.set(one.series, all);
    all.push(one);
  }
  return [...bySeries]
    .map(([series, all]) => {
      const lines = all
        .sort((a, b) => a.t - b.t)
        .map(({ t, text }) => named(names.has(String(t)) ? `${text} @${t}` : text));
      return `${series}: ${lines.filter((line, i) => line !== lines[i - 1]).join('; ')}`;
    })
    .sort();
}

const FEATURES = ['created-timestamp-zero-ingestion', 'st-storage'] as const;

const SETS: readonly (readonly string[])[] = [[FEATURES[0]], [FEATURES[1]], FEATURES, []];

test.for(SETS.map((features) => ({ features, title: features.join(' and ') || 'no feature' })))(
  '$title',
  async ({ features }, { lab }) => {
    const pages = await Pages.serve(lab);
    const sinks = await Promise.all(AGENTS.map(() => Sink2.serve(lab)));
    const older = await Promise.all(AGENTS.map(() => Sink.serve(lab)));
    const config = (i: number): string => `
scrape_configs:
${JOBS.map(
  ([job, , more]) => `  - job_name: ${job}
    scrape_interval: 5s
    scrape_timeout: 4s
    metrics_path: /${job}
    ${more}
    static_configs: [{ targets: ['${pages.address}'], labels: { instance: i } }]
`,
).join('')}
remote_write:
  - { url: '${sinks[i]!.url}', protobuf_message: ${messages[2]}, send_native_histograms: true }
  - { url: '${older[i]!.url}', protobuf_message: ${messages[1]}, send_native_histograms: false }
`;
    await startPrometheus(lab, { name: 'agent', major: 3, mode: 'agent', config: config(0), features });
    await startNarthex(lab, {
      name: 'narthex',
      port: await freePort(),
      state: await lab.dir('state'),
      config: config(1),
      features,
    });
    for (;;) {
      await pages.served();
      const { times } = pages;
      const nowMs = Date.now();
      if (pages.phase === 0) times.first = nowMs;
      if (pages.phase === 1) [times.later, times.restart] = [times.first + 1, nowMs];
      if (pages.phase === PHASES - 1) break;
      pages.scrapes = new Map();
      pages.phase++;
    }
    const endMs = Date.now();
    for (const all of [...sinks.map(({ got }) => got), ...older.map(({ samples }) => samples)]) {
      await waitUntil('everything has arrived', 60_000, () =>
        JOBS.every(([job]) =>
          (all as readonly { t?: number; timestamp?: number; series?: string; labels?: object }[]).some(
            (one) =>
              (one.t ?? one.timestamp!) > endMs && (one.series ?? JSON.stringify(one.labels)).includes(`"${job}"`),
          ),
        ),
      );
    }

    for (const [job] of JOBS) {
      const [theirs, ours] = AGENTS.map((agent) => pages.accept.get(`${job} ${agent}`));
      expect({ job, asked: ours }).toEqual({ job, asked: theirs });
    }
    const [theirs, ours] = sinks.map(({ got }) => histories(got, pages.times));
    expect(theirs!.length).toBeGreaterThan(80);
    expect(difference(ours!, theirs!)).toEqual([]);
    const told = theirs!.join('\n');
    expect(told.includes(' since ')).toBe(features.includes(FEATURES[1]));
    expect(told.includes('0 @first;')).toBe(features.includes(FEATURES[0]));
    expect(told.includes('"c_created"')).toBe(features.length === 0);
    const [their1, our1] = older.map(({ samples }) =>
      histories(
        samples.map(({ labels, timestamp: t, value }) => ({
          series: JSON.stringify(Object.entries(labels).flat()),
          t,
          text: Number.isNaN(value) ? 'NaN' : String(value),
        })),
        pages.times,
      ),
    );
    // Prometheus' markers of histograms are floats, so they go also where no histograms go.
    expect(
      difference(
        our1!,
        their1!.filter((history) => !history.endsWith(': NaN')),
      ),
    ).toEqual([]);
    expect(our1!.length).toBeGreaterThan(60);
    expect([...sinks, ...older].flatMap(({ errors }) => errors)).toEqual([]);
  },
);
