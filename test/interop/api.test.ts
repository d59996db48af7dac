/** The API of an agent next to Prometheus 3's own: one configuration, the same targets, the same questions, the same answers. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { type Lab, freePort, test, waitUntil } from './harness.ts';
import { startNarthex } from './narthex.ts';
import { startPrometheus } from './prometheus.ts';

const BODY = `# HELP a_seconds Help of "a", with a \\\\ and a line\\nbreak.
# TYPE a_seconds counter
# UNIT a_seconds seconds
a_seconds_total 1
# HELP b Only help.
b 2
# TYPE c histogram
c_bucket{le="+Inf"} 1
c_count 1
c_sum 1
# EOF
`;

interface Answer {
  readonly code: number;
  readonly status?: string;
  readonly data?: any;
  readonly errorType?: string;
  readonly error?: string;
}

const sortedKeys = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

async function serve(lab: Lab): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8').end(BODY);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const config = (address: string, dead: string): string => `
global: { scrape_interval: 2s, external_labels: { site: edge } }
scrape_config_files: [more.yml]
scrape_configs:
  - job_name: pages
    params: { module: [a, b] }
    static_configs:
      - { targets: ['${address}'], labels: { env: prod } }
      - { targets: ['drop.example:1', 'drop.example:2'] }
    relabel_configs:
      - { source_labels: [__address__], regex: 'drop.*', action: drop }
      - { source_labels: [env], regex: (.)(.*), replacement: '$2-$1', target_label: turned }
      - { source_labels: [__address__], modulus: 7, target_label: __tmp_hash, action: hashmod }
  - job_name: dead
    scrape_timeout: 1s
    keep_dropped_targets: 1
    static_configs: [{ targets: ['${dead}'] }]
    relabel_configs: [{ regex: nothing, action: labeldrop }]
  - job_name: empty
remote_write: [{ url: 'http://127.0.0.1:1/api/v1/write' }]
`;

test('an agent answers what a Prometheus agent answers', async ({ lab }) => {
  const [address, dead] = [await serve(lab), `127.0.0.1:${await freePort()}`];
  await lab.write('more.yml', `scrape_configs: [{ job_name: more, static_configs: [{ targets: ['${address}'] }] }]\n`);
  const text = config(address, dead);
  const [prometheus, narthex] = await Promise.all([
    startPrometheus(lab, { name: 'agent-3', major: 3, mode: 'agent', config: text }),
    startNarthex(lab, { name: 'narthex', port: await freePort(), state: await lab.dir('state'), config: text }),
  ]);
  const of = async (url: string, path: string, method: string): Promise<Answer> => {
    const response = await fetch(url + path, { method });
    const said = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { code: response.status, ...(isJson ? (JSON.parse(said) as object) : {}) };
  };
  const both = async (path: string, method = 'GET'): Promise<[theirs: Answer, ours: Answer]> =>
    await Promise.all([of(prometheus.url, path, method), of(narthex.url, path, method)]);

  await waitUntil('both have scraped every target', 60_000, async () => {
    const answers = await both('/api/v1/targets?state=active');
    return answers.every(({ data }) => {
      const health = (data.activeTargets as { health: string }[]).map((target) => target.health);
      return health.length === 3 && !health.includes('unknown');
    });
  });

  // When something was, how long it took, what a machine is called from outside, and the words of its network are each one's own.
  const targets = ({ data, ...rest }: Answer): unknown => ({
    ...rest,
    data: {
      ...data,
      activeTargets: data.activeTargets.map(
        ({ lastScrape, lastScrapeDuration, lastError, globalUrl, ...target }: Record<string, string>) => {
          expect([typeof lastScrape, typeof lastScrapeDuration, typeof globalUrl]).toEqual([
            'string',
            'number',
            'string',
          ]);
          return { ...target, failed: lastError !== '' };
        },
      ),
    },
  });
  for (const query of [
    '',
    '?state=active',
    '?state=dropped',
    '?state=ANY&scrapePool=dead',
    '?state=x',
    '?scrapePool=x',
  ]) {
    const [theirs, ours] = await both(`/api/v1/targets${query}`);
    expect(targets(ours), query).toEqual(targets(theirs));
  }

  // Theirs come in the order of a Go map.
  const sorted = ({ data, ...rest }: Answer): unknown => ({
    ...rest,
    data: Array.isArray(data) ? data.map((one) => JSON.stringify(one, sortedKeys)).toSorted() : data,
  });
  const query = (path: string, params: Record<string, string>) =>
    `/api/v1/${path}?${String(new URLSearchParams(params))}`;
  const labels = JSON.stringify({ __address__: address, env: 'prod', empty: '' });
  for (const path of [
    '/api/v1/targets/metadata',
    query('targets/metadata', { metric: 'b' }),
    query('targets/metadata', { metric: 'nope' }),
    query('targets/metadata', { metric: 'a_seconds', match_target: '{job=~"p.*",env!="x"}' }),
    query('targets/metadata', { metric: 'a_seconds', match_target: 'up' }),
    query('targets/metadata', { limit: '0' }),
    query('targets/metadata', { limit: 'x' }),
    query('targets/metadata', { match_target: '{job="pages"' }),
    '/api/v1/metadata',
    query('metadata', { metric: 'a_seconds', limit_per_metric: '1' }),
    query('metadata', { limit: '0' }),
    query('metadata', { limit_per_metric: 'x' }),
    '/api/v1/scrape_pools',
    query('scrape_pools/config', {}),
    query('scrape_pools/config', { scrapePool: 'nope' }),
    query('targets/relabel_steps', {}),
    query('targets/relabel_steps', { scrapePool: 'pages' }),
    query('targets/relabel_steps', { scrapePool: 'nope', labels }),
    query('targets/relabel_steps', { scrapePool: 'pages', labels }),
    query('targets/relabel_steps', { scrapePool: 'dead', labels }),
    query('targets/relabel_steps', { scrapePool: 'empty', labels }),
    query('targets/relabel_steps', { scrapePool: 'pages', labels: '{"__address__":"drop.x"}' }),
    '/api/v1/status/walreplay',
  ]) {
    const [theirs, ours] = await both(path);
    expect(sorted(ours), path).toEqual(sorted(theirs));
  }

  // What needs a database. Ours says a little more about what to do instead.
  for (const path of [
    'query',
    'query_range',
    'series',
    'labels',
    'label/job/values',
    'rules',
    'alerts',
    'status/tsdb',
  ]) {
    const [theirs, ours] = await both(`/api/v1/${path}`);
    expect({ ...ours, error: ours.error!.slice(0, theirs.error!.length) }, path).toEqual(theirs);
  }

  // The same keys, of the same types.
  const shape = ({ code, data }: Answer): unknown => [
    code,
    Object.entries(data)
      .map(([key, value]) => `${key}: ${typeof value}`)
      .toSorted(),
  ];
  const [theirs, ours] = await both('/api/v1/status/runtimeinfo');
  expect(shape(ours)).toEqual(shape(theirs));
  for (const path of [
    '/api/v1/features',
    '/api/v1/status/flags',
    '/api/v1/status/buildinfo',
    '/api/v1/status/config',
  ]) {
    const [their, our] = await both(path);
    expect(our.code).toBe(their.code);
    const own = ['application', 'version', 'source', 'pushedAt'];
    const shared = Object.keys(our.data).filter((key) => !own.includes(key));
    expect(shared, path).not.toEqual([]);
    expect(Object.keys(their.data)).toEqual(expect.arrayContaining(shared));
  }
  for (const [path, method] of [
    ['/-/healthy', 'GET'],
    ['/-/ready', 'HEAD'],
    ['/-/quit', 'POST'],
    ['/-/quit', 'GET'],
    ['/-/reload', 'GET'],
    ['/api/v1/nowhere', 'GET'],
    ['/api/v1/targets', 'POST'],
  ] as const) {
    const [their, our] = await both(path, method);
    expect(our.code, `${method} ${path}`).toBe(their.code);
  }
});
