/**
 * Real exporters, scraped by a real Prometheus 3 in agent mode and by Narthex, both writing to one Prometheus 3: what arrives of each series, in order, must be
 * the same. The exporters' pages move, so that they stand behind a proxy: within a phase, whoever asks in the same words gets what the first got. In the last
 * phase all are gone, so every series ends.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { type Lab, freePort, get, peer, test, waitUntil } from './harness.ts';
import { histories } from './histories.ts';
import { startNarthex } from './narthex.ts';
import { messages, queryValue, startPrometheus } from './prometheus.ts';
import { difference, dump, select } from './promtool.ts';
import { fromSeed, randomRules, yaml } from './random-rules.ts';

/** Of these the last has no pages. */
const PHASES = 4;
const AGENTS = ['Narthex', 'Prometheus'];

class Recorder {
  phase = 0;
  readonly address: string;
  readonly #pages = new Map<string, Promise<{ type: string; body: Uint8Array }>>();
  readonly #scrapes = new Map<string, number>();

  private constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
  }

  /** `jobs` are paths of the proxy, and the pages behind them. */
  static async serve(lab: Lab, jobs: Readonly<Record<string, string>>): Promise<Recorder> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const recorder = new Recorder((server.address() as AddressInfo).port);
    server.on('request', (request, response) => {
      const job = request.url!.slice(1);
      const { phase } = recorder;
      const agent = request.headers['user-agent']!.split('/')[0]!;
      const answered = (): void => {
        recorder.#scrapes.set(`${phase} ${job} ${agent}`, recorder.#count(phase, job, agent) + 1);
      };
      if (phase === PHASES - 1) {
        response.writeHead(503).end();
        answered();
        return;
      }
      const { accept } = request.headers;
      const key = `${phase} ${jobs[job]} ${accept}`;
      const page = recorder.#pages.get(key) ?? record(jobs[job]!, accept!);
      recorder.#pages.set(key, page);
      void page.then(({ type, body }) => {
        response.writeHead(200, { 'Content-Type': type, 'Content-Encoding': 'gzip' }).end(gzipSync(body));
        answered();
      });
    });
    lab.defer(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return recorder;
  }

  /** Waits until both have come twice for every page: what came first may have begun in the phase before. */
  async served(jobs: readonly string[]): Promise<void> {
    await waitUntil(`both have scraped all of phase ${this.phase}`, 150_000, () =>
      jobs.every((job) => AGENTS.every((agent) => this.#count(this.phase, job, agent) >= 2)),
    );
  }

  #count(phase: number, job: string, agent: string): number {
    return this.#scrapes.get(`${phase} ${job} ${agent}`) ?? 0;
  }
}

async function record(url: string, accept: string): Promise<{ type: string; body: Uint8Array }> {
  const response = await fetch(url, { headers: { accept } });
  return { type: response.headers.get('content-type')!, body: new Uint8Array(await response.arrayBuffer()) };
}

/** Starts an exporter on a port of its own and waits for its page. */
async function exporter(
  lab: Lab,
  name: 'node_exporter' | 'process_exporter' | 'blackbox_exporter' | 'pushgateway',
  args: (port: number) => readonly string[],
): Promise<string> {
  const port = await freePort();
  lab.start(name, peer(name), args(port));
  const url = `http://127.0.0.1:${port}`;
  await waitUntil(`${name} answers`, 30_000, async () => await get(`${url}/metrics`));
  return url;
}

test('real exporters give what Prometheus makes of them', async ({ lab }) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
  console.log(`SEED=${seed}`);
  const receiver = await startPrometheus(lab, { name: 'receiver', major: 3 });
  const listen = (port: number): string[] => [`--web.listen-address=127.0.0.1:${port}`];
  const modules = 'modules:\n  http_2xx: { prober: http, timeout: 2s }\n  tcp: { prober: tcp, timeout: 2s }\n';
  const blackboxConfig = await lab.write('blackbox.yml', modules);
  const node = await exporter(lab, 'node_exporter', listen);
  const processes = await exporter(lab, 'process_exporter', (port) => [
    `-web.listen-address=127.0.0.1:${port}`,
    '-children=false',
    '-procnames=prometheus,node,workerd,bash',
  ]);
  const blackbox = await exporter(lab, 'blackbox_exporter', (port) => [
    ...listen(port),
    `--config.file=${blackboxConfig}`,
  ]);
  const pushgateway = await exporter(lab, 'pushgateway', listen);
  /** A job a page; several jobs may be of one. */
  const pages: Record<string, string> = {
    node: `${node}/metrics`,
    processes: `${processes}/metrics`,
    blackbox: `${blackbox}/metrics`,
    probe: `${blackbox}/probe?module=http_2xx&target=${receiver.url}/-/healthy`,
    'probe-dead': `${blackbox}/probe?module=tcp&target=127.0.0.1:1`,
    pushgateway: `${pushgateway}/metrics`,
    prometheus: `${receiver.url}/metrics`,
    'node-proto': `${node}/metrics`,
    'prometheus-proto': `${receiver.url}/metrics`,
    'pushed-honored': `${pushgateway}/metrics`,
  };
  const random = fromSeed(seed);
  const more: Record<string, string> = {
    'node-proto': 'scrape_protocols: [PrometheusProto]',
    'prometheus-proto': 'scrape_protocols: [PrometheusProto]',
    'pushed-honored': 'honor_labels: true',
  };
  for (let i = 0; i < 6; i++) {
    pages[`ruled-${i}`] = `${node}/metrics`;
    more[`ruled-${i}`] = `metric_relabel_configs: ${yaml(randomRules(random, 'sample'))}`;
  }
  const jobs = Object.keys(pages);
  const push = async (method: string, job: string, body?: string): Promise<void> => {
    const { ok, status } = await fetch(`${pushgateway}/metrics/job/${job}/instance/there`, {
      method,
      ...(body === undefined ? {} : { body }),
    });
    if (!ok) throw new Error(`the pushgateway answered ${status}`);
  };
  await push('PUT', 'batch', '# TYPE last_run gauge\nlast_run 1.5e9\n# TYPE rows counter\nrows{kind="ü"} 3\n');
  await push('PUT', 'gone', 'soon_gone 1\n');

  const recorder = await Recorder.serve(lab, pages);
  const config = (by: string, message: string): string => `
global:
  external_labels: { by: ${by} }
scrape_configs:
${jobs
  .map(
    (job) => `  - job_name: ${job}
    scrape_interval: 5s
    scrape_timeout: 5s
    metrics_path: /${job}
    ${more[job] ?? ''}
    static_configs: [{ targets: ['${recorder.address}'] }]
`,
  )
  .join('')}
remote_write:
  - { url: '${receiver.url}/api/v1/write', protobuf_message: ${message} }
`;
  await startPrometheus(lab, { name: 'agent', major: 3, mode: 'agent', config: config('prometheus', messages[2]) });
  await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: config('narthex', messages[2]),
  });

  for (; recorder.phase < PHASES; recorder.phase++) {
    await recorder.served(jobs);
    if (recorder.phase === 0) await push('DELETE', 'gone');
    if (recorder.phase === 1) await push('POST', 'batch', '# TYPE last_run gauge\nlast_run 1.6e9\n');
  }
  const endMs = Date.now();
  recorder.phase = PHASES - 1;
  for (const by of ['prometheus', 'narthex']) {
    await waitUntil(`everything of ${by} has arrived`, 90_000, async () => {
      const oldest = await queryValue(receiver, `min(timestamp(up{by="${by}"}))`);
      return oldest !== undefined && Number(oldest) * 1000 > endMs;
    });
  }
  await receiver.process.stop();
  const samples = await dump(3, receiver.dir);
  const [ours, theirs] = ['narthex', 'prometheus'].map((by) => histories(select(samples, { by })));
  expect(theirs!.length).toBeGreaterThan(3000);
  expect(theirs!.filter((line) => /"soon_gone".* 1 NaN$/.test(line))).toHaveLength(2);
  expect(difference(ours!, theirs!)).toEqual([]);
});
