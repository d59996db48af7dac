/** The API of an agent, as Prometheus 3.15 answers it. */

import { describe, expect, it } from 'vitest';
import type { Services } from '../../src/http/services.ts';
import type { FamilyMetadata } from '../../src/model/metadata.ts';
import { agent, client, fakeServices, line, pool, system, target } from './fake.ts';

const open = { open: '127.0.0.1' };
const body = async (answer: Response): Promise<any> => await answer.json();

function start(over: Partial<Services> = {}, status = system()) {
  const { services, calls } = fakeServices(status, over);
  const ask = client({ services, ...open });
  return { calls, ask, data: async (path: string) => (await body(await ask('GET', path))).data };
}

const family = (metric: string, help = 'Help.', type = 'counter', unit = ''): FamilyMetadata => ({
  metric,
  type,
  help,
  unit,
});

describe('metadata', () => {
  const targets = Array.from({ length: 120 }, (_, i) =>
    target({
      key: `k${i}`,
      job: i % 2 === 0 ? 'even' : 'odd',
      labels: [
        { name: 'instance', value: `i${i}` },
        { name: 'job', value: i % 2 === 0 ? 'even' : 'odd' },
      ],
    }),
  );
  const families = [family('a_total'), family('b', 'B.', 'gauge', 'bytes'), family('b', 'Other B.', 'gauge', 'bytes')];
  const services: Partial<Services> = {
    targetMetadata: (keys, metric) =>
      Promise.resolve({
        families,
        of: Object.fromEntries(
          keys
            .filter((key) => key !== 'k1')
            .map((key) => [
              key,
              [0, key === 'k4' ? 2 : 1].filter((i) => metric === null || families[i]!.metric === metric),
            ]),
        ),
      }),
    metadata: (_, metric) =>
      Promise.resolve([...families, ...families].filter((one) => metric === null || one.metric === metric)),
  };
  const status = system({ agents: [agent({ targets })] });

  it('of targets: each family of each, with the target it is of', async () => {
    const { data, calls } = start(services, status);
    const all = await data('/api/v1/targets/metadata');
    expect(all).toHaveLength(238);
    expect(all.slice(0, 2)).toEqual([
      { target: { instance: 'i0', job: 'even' }, metric: 'a_total', type: 'counter', help: 'Help.', unit: '' },
      { target: { instance: 'i0', job: 'even' }, metric: 'b', type: 'gauge', help: 'B.', unit: 'bytes' },
    ]);
    // Few at a time.
    expect(calls).toEqual(['status', 'targetMetadata', 'targetMetadata', 'targetMetadata']);
  });

  it('of one metric, without its name; of the targets that match; up to a limit, whole targets', async () => {
    const { data, calls } = start(services, status);
    const query = (params: Record<string, string>) => `/api/v1/targets/metadata?${String(new URLSearchParams(params))}`;
    expect(await data(query({ metric: 'b', match_target: '{instance=~"i[34]"}' }))).toEqual([
      { target: { instance: 'i3', job: 'odd' }, type: 'gauge', help: 'B.', unit: 'bytes' },
      { target: { instance: 'i4', job: 'even' }, type: 'gauge', help: 'Other B.', unit: 'bytes' },
    ]);
    expect(await data(query({ metric: 'nope' }))).toEqual([]);
    calls.length = 0;
    expect(await data(query({ limit: '3' }))).toHaveLength(4);
    expect(calls.filter((call) => call === 'targetMetadata')).toHaveLength(1);
    expect(await data(query({ limit: '0' }))).toEqual([]);
  });

  it('of metrics: what is said of each, once', async () => {
    const { data } = start(services, status);
    const b = { type: 'gauge', unit: 'bytes', help: 'B.' };
    expect(await data('/api/v1/metadata')).toEqual({
      a_total: [{ type: 'counter', unit: '', help: 'Help.' }],
      b: [b, { ...b, help: 'Other B.' }],
    });
    expect(await data('/api/v1/metadata?limit_per_metric=1&metric=b')).toEqual({ b: [b] });
    expect(Object.keys(await data('/api/v1/metadata?limit=1'))).toEqual(['a_total']);
    expect(await data('/api/v1/metadata?metric=nope')).toEqual({});
  });

  it.each([
    ['targets/metadata?limit=x', 'limit must be a number'],
    ['metadata?limit=1.5', 'limit must be a number'],
    ['metadata?limit_per_metric=x', 'limit_per_metric must be a number'],
    [
      'targets/metadata?match_target=%7Bjob%3D%22self%22',
      'invalid parameter "match_target": 1:12: parse error: unexpected end of input inside braces',
    ],
  ])('%s is wrong', async (path, error) => {
    const answer = await start().ask('GET', `/api/v1/${path}`);
    expect(answer.status).toBe(400);
    expect(await body(answer)).toEqual({ status: 'error', errorType: 'bad_data', error });
  });

  it('shows another tenant no targets', async () => {
    const { services: fake } = fakeServices(status, { ...services, metadata: () => Promise.resolve([]) });
    const tokens = [await line('r', 'read', 'acme', 't')];
    const ask = client({ services: fake, tokens });
    for (const [path, data] of [
      ['targets/metadata', []],
      ['metadata', {}],
      ['scrape_pools', { scrapePools: [] }],
      ['targets', { activeTargets: [], droppedTargets: [], droppedTargetCounts: {} }],
    ] as const)
      expect((await body(await ask('GET', `/api/v1/${path}`, { token: 't' }))).data).toEqual(data);
  });
});

describe('scrape pools', () => {
  const yaml = `scrape_configs:
  - job_name: b
    basic_auth: { username: me, password: hunter2 }
  - job_name: a
`;
  const files = [
    { name: 'more.yml', text: 'scrape_configs: [{ job_name: c, authorization: { credentials: hunter2 } }]' },
  ];
  const config: Partial<Services> = { config: () => Promise.resolve({ version: system().config, text: yaml, files }) };

  it('are listed in order', async () => {
    const { data } = start({}, system({ scrapePools: [pool({ job: 'b' }), pool({ job: 'a' })] }));
    expect(await data('/api/v1/scrape_pools')).toEqual({ scrapePools: ['a', 'b'] });
  });

  it('show their section, without secrets', async () => {
    const { ask, data } = start(config);
    expect(await data('/api/v1/scrape_pools/config?scrapePool=b')).toEqual({
      yaml: 'job_name: b\nbasic_auth:\n  username: me\n  password: <secret>\n',
    });
    expect((await data('/api/v1/scrape_pools/config?scrapePool=c')).yaml).toContain('credentials: <secret>');
    for (const [query, error] of [
      ['', 'no scrapePool parameter provided'],
      ['?scrapePool=x', 'error retrieving scrape config: scrape pool "x" not found'],
    ]) {
      const answer = await ask('GET', `/api/v1/scrape_pools/config${query}`);
      expect([answer.status, await body(answer)]).toEqual([400, { status: 'error', errorType: 'bad_data', error }]);
    }
  });
});

describe('relabel steps', () => {
  const rule = {
    action: 'replace',
    sourceLabels: [] as string[],
    separator: ';',
    regex: '(.*)',
    modulus: 0,
    targetLabel: '',
    replacement: '$1',
    nameValidationScheme: 'utf8',
  } as const;
  const rules = [
    { ...rule, action: 'drop', sourceLabels: ['__address__'], regex: 'drop.*' },
    { ...rule, targetLabel: 'x', replacement: 'y' },
  ] as const;
  const { ask } = start({ relabelConfigs: (job) => Promise.resolve(job === 'self' ? rules : null) });
  const steps = (params: Record<string, string>) =>
    ask('GET', `/api/v1/targets/relabel_steps?${String(new URLSearchParams(params))}`);
  // What Prometheus 3.15 answers for the same rules.
  const [drop, replace] = [
    { source_labels: ['__address__'], separator: ';', regex: 'drop.*', replacement: '$1', action: 'drop' },
    { separator: ';', regex: '(.*)', target_label: 'x', replacement: 'y', action: 'replace' },
  ];

  it('show what each rule makes of the labels', async () => {
    expect((await body(await steps({ scrapePool: 'self', labels: '{"__address__":"a","b":""}' }))).data).toEqual({
      steps: [
        { rule: drop, output: { __address__: 'a' }, keep: true },
        { rule: replace, output: { __address__: 'a', x: 'y' }, keep: true },
      ],
    });
    expect((await body(await steps({ scrapePool: 'self', labels: '{"__address__":"drop.x"}' }))).data).toEqual({
      steps: [
        { rule: drop, output: {}, keep: false },
        { rule: replace, output: {}, keep: false },
      ],
    });
  });

  it.each([
    [{}, /^no scrapePool parameter provided$/],
    [{ scrapePool: 'self' }, /^no labels parameter provided$/],
    [{ scrapePool: 'nope', labels: '{}' }, /^error retrieving scrape config: scrape pool "nope" not found$/],
    [{ scrapePool: 'self', labels: 'x' }, /^error parsing labels: /],
    [{ scrapePool: 'self', labels: '[1]' }, /^error parsing labels: /],
    [{ scrapePool: 'self', labels: '{"a":1}' }, /^error parsing labels: "a" is not a text$/],
  ])('%j is wrong', async (params, error) => {
    const answer = await steps(params);
    expect(answer.status).toBe(400);
    expect(await body(answer)).toMatchObject({ errorType: 'bad_data', error: expect.stringMatching(error) });
  });
});

describe('what a server tells of itself', () => {
  it('has its metrics as JSON', async () => {
    const { data } = start();
    expect(await data('/api/v1/status/self_metrics?metric_name_pattern=prometheus_(build_info|ready)')).toEqual([
      {
        name: 'prometheus_build_info',
        help: expect.any(String),
        type: 'GAUGE',
        metric: [
          {
            label: [
              { name: 'application', value: 'narthex' },
              { name: 'version', value: expect.any(String) },
            ],
            gauge: { value: 1 },
          },
        ],
      },
      { name: 'prometheus_ready', help: expect.any(String), type: 'GAUGE', metric: [{ gauge: { value: 1 } }] },
    ]);
    expect(await data('/api/v1/status/self_metrics?metric_name_pattern=prometheus')).toEqual([]);
    expect((await data('/api/v1/status/self_metrics')).length).toBeGreaterThan(10);
  });

  it('takes no pattern that is none', async () => {
    const { ask } = start();
    const answer = await ask('GET', '/api/v1/status/self_metrics?metric_name_pattern=%5Ba');
    expect(answer.status).toBe(400);
    expect(await body(answer)).toMatchObject({
      errorType: 'bad_data',
      error: expect.stringMatching(/^invalid metric_name_pattern: /),
    });
  });

  it('names the features that are enabled', async () => {
    const none = start();
    expect(await none.data('/api/v1/features')).toMatchObject({
      scrape: { start_timestamp_zero_ingestion: false },
      tsdb: { st_storage: false },
    });
    expect(await none.data('/api/v1/status/flags')).toMatchObject({ 'enable-feature': '' });
    const both = start({ features: ['created-timestamp-zero-ingestion', 'st-storage'] });
    expect(await both.data('/api/v1/features')).toMatchObject({
      scrape: { start_timestamp_zero_ingestion: true },
      tsdb: { st_storage: true },
    });
    expect(await both.data('/api/v1/status/flags')).toMatchObject({
      'enable-feature': 'created-timestamp-zero-ingestion,st-storage',
    });
  });

  it('has the keys of Prometheus, and makes nothing up', async () => {
    const { data } = start();
    expect(await data('/api/v1/features')).toMatchObject({
      prometheus: { agent_mode: true, server_mode: false },
      api: { remote_write_receiver: true, query_stats: false },
      service_discovery_providers: { consul: true, dns: true, file: true, http: true, kubernetes: true, static: true },
    });
    const flags = await data('/api/v1/status/flags');
    expect(flags).toMatchObject({ agent: 'true', 'storage.agent.retention.max-time': '1w' });
    expect(Object.values(flags).every((value) => typeof value === 'string')).toBe(true);
    expect(await data('/api/v1/status/runtimeinfo')).toEqual({
      startTime: '2026-11-22T13:05:09Z',
      CWD: '',
      hostname: '',
      serverTime: '2026-11-22T13:05:09Z',
      reloadConfigSuccess: true,
      lastConfigTime: '2026-11-22T11:05:09Z',
      corruptionCount: 0,
      goroutineCount: 0,
      GOMAXPROCS: 0,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention: '1w or 8GB',
    });
    expect(await data('/api/v1/status/walreplay')).toEqual({ min: 0, max: 0, current: 0 });
  });

  it('reloads with PUT too, and does not quit', async () => {
    const { ask, calls } = start();
    expect((await ask('PUT', '/-/reload')).status).toBe(200);
    expect(calls).toEqual(['reload']);
    const answer = await ask('POST', '/-/quit');
    expect([answer.status, await answer.text()]).toEqual([
      403,
      'Lifecycle API is not enabled: a deployment has no process to end.\n',
    ]);
    expect((await ask('GET', '/-/quit')).status).toBe(405);
    expect((await ask('HEAD', '/-/ready')).status).toBe(200);
  });
});

describe('exemplars', () => {
  const T = 1_700_000_000_123;
  const labels = (value: string) => [
    { name: '__name__', value: 'jobs_total' },
    { name: 'job', value },
  ];
  const exemplar = (t: number, value: number) => ({ labels: [{ name: 'trace_id', value: `t${t}` }], t, value });
  const asked: unknown[] = [];
  const services: Partial<Services> = {
    exemplars: async function* (tenant, startMs, endMs, matches) {
      asked.push([tenant, startMs, endMs]);
      const shards = [
        [
          { labels: labels('b'), exemplars: [exemplar(T + 2, 1.5), exemplar(T + 4, Infinity)] },
          { labels: labels('a'), exemplars: [exemplar(T, -0)] },
        ],
        [{ labels: labels('b'), exemplars: [exemplar(T + 3, NaN)] }],
      ];
      for (const shard of shards) yield shard.filter((series) => matches(series.labels));
    },
  };
  const said = (t: number, value: string) => ({ labels: { trace_id: `t${t}` }, value, timestamp: t / 1000 });

  it('of a selector, from all shards, as Prometheus says them', async () => {
    const { ask, data } = start(services);
    const b = {
      seriesLabels: { __name__: 'jobs_total', job: 'b' },
      exemplars: [said(T + 2, '1.5'), said(T + 3, 'NaN'), said(T + 4, '+Inf')],
    };
    expect(await data('/api/v1/query_exemplars?query=jobs_total')).toEqual([
      { seriesLabels: { __name__: 'jobs_total', job: 'a' }, exemplars: [said(T, '-0')] },
      b,
    ]);
    asked.length = 0;
    const params = new URLSearchParams({ query: '{job=~"b|c"}', start: '1700000000.123', end: '2023-11-14T22:13:21Z' });
    expect(await data(`/api/v1/query_exemplars?${params}`)).toEqual([b]);
    const posted = await ask('POST', '/api/v1/query_exemplars?query=none', {
      body: String(params),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect((await body(posted)).data).toEqual([b]);
    expect(asked).toEqual([
      ['anonymous', T, 1_700_000_001_000],
      ['anonymous', T, 1_700_000_001_000],
    ]);
  });

  it('of what is no selector, or no time, is an error that says so', async () => {
    const { ask } = start(services);
    const error = async (params: Record<string, string>): Promise<unknown> => {
      const answer = await ask('GET', `/api/v1/query_exemplars?${String(new URLSearchParams(params))}`);
      return [answer.status, (await body(answer)).error];
    };
    expect(await error({ query: 'rate(jobs_total[5m])' })).toEqual([
      400,
      expect.stringMatching(/^invalid parameter "query": 1:5: parse error: .*must be one selector/),
    ]);
    expect(await error({ query: 'a', start: 'x' })).toEqual([
      400,
      'invalid parameter "start": cannot parse "x" to a valid timestamp',
    ]);
    expect(await error({ query: 'a', start: '2', end: '1' })).toEqual([
      400,
      'end timestamp must not be before start timestamp',
    ]);
    const many = Array.from({ length: 50_001 }, (_, i) => exemplar(i, 1));
    const full = start({
      exemplars: async function* () {
        yield [{ labels: labels('a'), exemplars: many }];
        yield [{ labels: labels('b'), exemplars: many }];
      },
    });
    const answer = await full.ask('GET', '/api/v1/query_exemplars?query=a');
    expect([answer.status, (await body(answer)).error]).toEqual([400, expect.stringMatching(/^more than 100000/)]);
  });
});
