/**
 * The same pages, in every format, scraped by a real Prometheus 3 in agent mode and by Narthex, both writing to one Prometheus 3: what
 * arrives of each series, in order, must be the same. A page's values stand still within a phase, so that it does not matter who came
 * how often; the third phase is a page that fails, so every series ends. It fails at once: Prometheus marks no series stale that it saw before
 * the fault, Narthex marks all.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { encodeFamilies, type TestFamily } from '../scrape/exposition/metric-family.ts';
import { type Lab, freePort, get, test, waitUntil } from './harness.ts';
import { histogramPages } from './histogram-pages.ts';
import { histories } from './histories.ts';
import { startNarthex } from './narthex.ts';
import { messages, queryValue, startPrometheus } from './prometheus.ts';
import { difference, dump, select } from './promtool.ts';

interface Format {
  readonly job: string;
  readonly contentType: string;
  /** More lines of the scrape configuration. */
  readonly config?: string;
  /** More labels of the target. */
  readonly labels?: string;
  /** The pages of the three phases. */
  readonly pages: readonly (string | Uint8Array)[];
}

const PHASES = 3;
/** The timestamp of what has its own. Ahead, since a Prometheus agent forwards nothing from before its start. */
const startMs = Date.now() + 240_000;
const startS = (startMs / 1000).toFixed(3);

const TEXT = [
  `# HELP t_total Help \\\\ with \\n escapes "and quotes".
# TYPE t_total counter
t_total{a="1"} 1
t_total { b = "2" , } 2
t_total{a="quote \\" backslash \\\\ line \\n other \\x é😀"} 3e-7
# TYPE t_value gauge
t_value 0x
`.replace('t_value 0x\n', 't_value NaN\nt_value{inf="+"} +Inf\nt_value{inf="-"} -inf\nt_value{zero="-"} -0\n'),
  `# TYPE h histogram
h_bucket{le="1"} 1
h_bucket{le="10"} 2
h_bucket{le="1e6"} 2
h_bucket{le="+Inf"} 3
h_sum 7.5
h_count 3
# TYPE s summary
s{quantile="0.50"} 1
s{quantile="1"} NaN
s_sum 1
s_count 1
{"utf8.name","label name"="x"} 1
old{a="1"} 5 ${startMs}
same{a="x",b="y"} 1
same{b="y",a="x"} 2
job_clash{job="mine",instance="there"} 1
empty{label=""} 1
`,
];

const OPENMETRICS = `# HELP o Help \\\\ with \\n and \\".
# TYPE o counter
o_total{a="1"} 1 # {trace_id="abc"} 0.5 ${startS}
o_created{a="1"} 1.7e9
o_total{a="2"} 2 ${startS} # {trace_id="a b",span="\\"x"} 1
o_total{a="é😀",b="} # {"} 3e-7 # {} 1
# TYPE o_seconds gauge
# UNIT o_seconds seconds
o_seconds NaN
o_seconds{inf="+"} +Inf
# TYPE oh histogram
oh_bucket{le="1"} 1 # {trace_id="one"} 0.7
oh_bucket{le="1e6"} 2
oh_bucket{le="+Inf"} 3
oh_count 3
oh_sum 7.5
oh_created 1.7e9
# TYPE og gaugehistogram
og_bucket{le="1"} 1
og_gcount 3
og_gsum 2
# TYPE os summary
os{quantile="0.50"} 1
os_sum 1
os_count 1
# TYPE build info
build_info{version="1"} 1
# TYPE state stateset
state{state="a"} 1
state{state="b"} 0
# TYPE thing unknown
thing 4
{"utf8.name","label name"="x"} 1
too_long_total 1 # {t="${'x'.repeat(200)}"} 1
`;

const exemplar = { labels: { trace_id: 'proto' }, value: 0.5, ms: startMs };
const FAMILIES: readonly TestFamily[] = [
  {
    name: 'p_total',
    type: 'counter',
    help: 'Help.',
    metrics: [
      { labels: { a: '1' }, value: 1, exemplar },
      { labels: { a: 'quote " é😀 \\ \n' }, value: 3e-7 },
      { labels: { a: 'timed' }, value: 2, ms: startMs },
    ],
  },
  { name: 'p_value', type: 'gauge', unit: 'value', metrics: [{ value: NaN }, { labels: { i: '+' }, value: Infinity }] },
  { name: 'p.untyped', type: 'untyped', metrics: [{ labels: { 'label name': 'x' }, value: -0 }] },
  { name: 'p_empty', type: 'gauge', metrics: [] },
  {
    name: 'ps',
    type: 'summary',
    metrics: [
      {
        count: 4,
        sum: 5,
        quantiles: [
          [0.5, 1],
          [1, NaN],
        ],
      },
      { labels: { none: 'y' }, count: 1, sum: 1 },
    ],
  },
  {
    name: 'ph',
    type: 'histogram',
    metrics: [
      {
        count: 3,
        sum: 9,
        buckets: [
          [0.1, 1],
          [1, 2, { labels: { trace_id: 'b' }, value: 0.7, ms: startMs }],
        ],
        native: true,
      },
      {
        labels: { f: '1' },
        countFloat: 2.5,
        sum: 1,
        buckets: [
          [1e6, 1],
          [Infinity, 2],
        ],
      },
      { labels: { n: '1' }, count: 1, sum: 1, native: true },
    ],
  },
  { name: 'pg', type: 'gaugehistogram', metrics: [{ count: 1, sum: 1, buckets: [[-1, 0]] }] },
];

/** The same with one series less and another value. */
const later = FAMILIES.map((family) => ({
  ...family,
  metrics: family.metrics
    .slice(family.name === 'p_total' ? 1 : 0)
    .map((metric) => (metric.value === 2 ? metric : { ...metric, value: 8 })),
}));

const proto = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const om = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const text = TEXT.join('');
const FORMATS: readonly Format[] = [
  {
    job: 'text',
    contentType: 'text/plain; version=0.0.4',
    pages: [text, TEXT[1]!.replace('h_sum 7.5', 'h_sum 8'), `a{ 1\n${text}`],
  },
  {
    job: 'text1',
    contentType: 'text/plain; version=1.0.0; escaping=allow-utf-8',
    config: 'scrape_protocols: [PrometheusText1.0.0]',
    pages: [text, `${text}new 1\n`, `a 1_0\n${text}`],
  },
  {
    job: 'openmetrics',
    contentType: om,
    pages: [
      `${OPENMETRICS}# EOF\n`,
      `${OPENMETRICS.replace(/^o_total\{a="1"\}.*\n/m, '').replace('thing 4', 'thing 5')}# EOF\n`,
      `\n${OPENMETRICS}# EOF\n`,
    ],
  },
  {
    job: 'openmetrics0',
    contentType: om.replace('1.0.0', '0.0.1'),
    config: 'scrape_protocols: [OpenMetricsText0.0.1, PrometheusText0.0.4]\n    metric_name_escaping_scheme: dots',
    pages: [`${OPENMETRICS}# EOF`, '# EOF\n', `# comment\n${OPENMETRICS}# EOF\n`],
  },
  {
    job: 'protobuf',
    contentType: proto,
    config: 'scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0]',
    pages: [encodeFamilies(FAMILIES), encodeFamilies(later), encodeFamilies(FAMILIES).slice(1)],
  },
  {
    job: 'fallback',
    contentType: '',
    config: 'fallback_scrape_protocol: OpenMetricsText1.0.0',
    pages: ['a 1\n# EOF\n', 'a 2\n# EOF\n', ' a 3\n'],
  },
  { job: 'blank', contentType: '', pages: ['a 1\n', 'a 1\n', 'a 1\n'] },
  { job: 'html', contentType: 'text/html', pages: ['a 1\n', 'a 1\n', 'a 1\n'] },
  {
    job: 'legacy',
    contentType: 'text/plain; version=0.0.4',
    config: 'metric_name_validation_scheme: legacy',
    pages: ['a 1\n', '{"utf8.name"} 1\na 1\n', 'a{"b c"="d"} 1\n'],
  },
  // The format changes, the series go on.
  { job: 'changes', contentType: 'changes', pages: ['c{a="b"} 1\n', 'c{a="b"} 2\n# EOF\n', ''] },
  ...histogramPages(startMs),
];

/** Jobs of which Prometheus sends no exemplars of histograms, as it does not send these. */
const CONVERTS = new Set(FORMATS.filter(({ config = '' }) => config.includes('to_nhcb: true')).map(({ job }) => job));

class Pages {
  phase = 0;
  /** Scrapes in the current phase, and the headers of the last one, by `job agent`. */
  scrapes = new Map<string, number>();
  readonly headers = new Map<string, string>();
  readonly address: string;

  private constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
  }

  static async serve(lab: Lab): Promise<Pages> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const pages = new Pages((server.address() as AddressInfo).port);
    server.on('request', (request, response) => {
      const format = FORMATS.find(({ job }) => request.url === `/${job}`)!;
      const agent = request.headers['user-agent']!.split('/')[0]!;
      const key = `${format.job} ${agent}`;
      const body = format.pages[pages.phase]!;
      pages.headers.set(key, `${request.headers.accept} ${request.headers['x-prometheus-scrape-timeout-seconds']}`);
      const type = format.contentType === 'changes' ? (pages.phase === 1 ? om : 'text/plain') : format.contentType;
      if (type !== '') response.setHeader('Content-Type', type);
      response.setHeader('Content-Encoding', 'gzip');
      response.end(gzipSync(body));
      pages.scrapes.set(key, (pages.scrapes.get(key) ?? 0) + 1);
    });
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return pages;
  }

  /** Waits until both have come twice for every page: what came first may have begun in the phase before. */
  async served(): Promise<void> {
    await waitUntil(
      `both have scraped all of phase ${this.phase}`,
      150_000,
      () => this.scrapes.size === FORMATS.length * 2 && [...this.scrapes.values()].every((count) => count >= 2),
    );
  }
}

const scrapeConfigs = (address: string): string =>
  FORMATS.map(
    ({ job, config = '', labels = '' }) => `  - job_name: ${job}
    scrape_interval: 5s
    scrape_timeout: 4s
    metrics_path: /${job}
    ${config}
    static_configs: [{ targets: ['${address}'], labels: { ${labels} } }]
`,
  ).join('');

test('pages of every format give what Prometheus makes of them', async ({ lab }) => {
  const pages = await Pages.serve(lab);
  const receiver = await startPrometheus(lab, { name: 'receiver', major: 3, features: ['exemplar-storage'] });
  const config = (by: string): string => `
global:
  external_labels: { by: ${by} }
scrape_configs:
${scrapeConfigs(pages.address)}
remote_write:
  - { url: '${receiver.url}/api/v1/write', protobuf_message: ${messages[2]}, send_native_histograms: true }
`;
  // Exemplars in 1.0, since the receiver refuses the 2.0 messages in which Prometheus sends them alone; in 1.0 it sends no custom buckets. And
  // elsewhere, since a receiver of both refuses what comes later of one.
  const others = await startPrometheus(lab, { name: 'exemplars', major: 3, features: ['exemplar-storage'] });
  const also = `  - { url: '${others.url}/api/v1/write', protobuf_message: ${messages[1]}, send_native_histograms: true, send_exemplars: true }\n`;
  await startPrometheus(lab, { name: 'agent', major: 3, mode: 'agent', config: config('prometheus') + also });
  await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: config('narthex'),
  });

  for (pages.phase = 0; pages.phase < PHASES; pages.phase++) {
    pages.scrapes = new Map();
    await pages.served();
  }
  pages.phase = PHASES - 1;
  const endMs = Date.now();
  const arrivals = [['prometheus', receiver] as const, ['narthex', receiver] as const, ['prometheus', others] as const];
  for (const [by, at] of arrivals) {
    await waitUntil(`everything of ${by} has arrived`, 90_000, async () => {
      const oldest = await queryValue(at, `min(timestamp(up{by="${by}"}))`);
      return oldest !== undefined && Number(oldest) * 1000 > endMs;
    });
  }

  // Both ask in the same words.
  for (const { job } of FORMATS) {
    const [asked, wanted] = ['Narthex', 'Prometheus'].map((agent) => pages.headers.get(`${job} ${agent}`));
    expect({ job, asked }).toEqual({ job, asked: wanted });
  }
  const exemplars = [await exemplarsOf(receiver.url, 'narthex'), await exemplarsOf(others.url, 'prometheus')];
  await receiver.process.stop();
  const samples = await dump(3, receiver.dir);
  const [ours, theirs] = ['narthex', 'prometheus'].map((by) => histories(select(samples, { by }), startMs));
  expect(theirs!.length).toBeGreaterThan(100);
  expect(theirs!.filter((history) => history.includes('{count:')).length).toBeGreaterThan(40);
  expect(difference(ours!, theirs!)).toEqual([]);
  expect(difference(exemplars[0]!, exemplars[1]!)).toEqual([]);
  expect(exemplars[1]!.length).toBeGreaterThan(5);
});

/** Exemplars that a Prometheus holds; where one has no time of its own, it is not compared. */
async function exemplarsOf(url: string, by: string): Promise<string[]> {
  interface Answer {
    data: {
      seriesLabels: Record<string, string>;
      exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
    }[];
  }
  const parameters = new URLSearchParams({
    query: `{by="${by}",job=~".+"}`,
    start: String((startMs - 60_000) / 1000),
    end: String(Date.now() / 1000 + 600),
  });
  const { data } = JSON.parse(await get(`${url}/api/v1/query_exemplars?${parameters}`)) as Answer;
  const sent = data.filter(({ seriesLabels: { job, le } }) => !CONVERTS.has(job!) || le !== undefined);
  const lines = sent.flatMap(({ seriesLabels, exemplars }) =>
    exemplars.map(({ labels, value, timestamp }) => {
      const series = labelsText({ ...seriesLabels, by: '' });
      // Those with times of their own have one of two (histogram-pages.ts).
      const afterMs = Math.round(timestamp * 1000) - startMs;
      const time = afterMs === 0 || afterMs === 500 ? ` @${afterMs}` : '';
      return `${series} ${labelsText(labels)} ${value}${time}`;
    }),
  );
  return [...new Set(lines)].sort();
}

const labelsText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map((pair) => JSON.stringify(pair))
    .sort()
    .join();
