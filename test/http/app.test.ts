import { describe, expect, it } from 'vitest';
import { STATUS_KEPT_MS } from '../../src/http/memory.ts';
import type { Services } from '../../src/http/services.ts';
import { agent, client, fakeServices, NOW, pool, SNAPSHOT, system, target, ULID } from './fake.ts';

const open = { open: '127.0.0.1' };

function start(over: Partial<Services> = {}, status = system()) {
  const { services, calls } = fakeServices(status, over);
  return { calls, ask: client({ services, ...open }) };
}

const body = async (answer: Response): Promise<any> => await answer.json();

describe('health', () => {
  it('is healthy without asking anything', async () => {
    const { ask, calls } = start();
    const answer = await ask('GET', '/-/healthy');
    expect([answer.status, await answer.text()]).toEqual([200, 'Narthex is Healthy.\n']);
    expect(calls).toEqual([]);
  });
  it('is ready when its configuration can be read, else says why not', async () => {
    expect((await start().ask('GET', '/-/ready')).status).toBe(200);
    const { ask } = start({ config: () => Promise.reject(new Error('the bucket is away')) });
    const answer = await ask('GET', '/-/ready');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('the bucket is away');
  });
});

describe('GET /api/v1/targets', () => {
  const waiting = target({
    job: 'node',
    url: 'https://user:hunter2@a.example:9100/probe?module=http&x=1',
    labels: [
      { name: 'env', value: 'prod' },
      { name: 'instance', value: 'a.example:9100' },
      { name: 'job', value: 'node' },
    ],
    discovered: [
      { name: '__address__', value: 'a.example:9100' },
      { name: '__meta_consul_dc', value: 'dc1' },
      { name: '__scheme__', value: 'https' },
    ],
    health: 'unknown',
    lastScrapeMs: null,
    lastDurationMs: null,
    intervalMs: 90_000,
  });
  const status = system({ agents: [agent({ targets: [target(), waiting] })] });
  const targets = async (query: string) =>
    (await body(await start({}, status).ask('GET', `/api/v1/targets${query}`))).data;

  it('has the shape of Prometheus', async () => {
    const { activeTargets, droppedTargets } = await targets('');
    expect(droppedTargets).toEqual([]);
    expect(activeTargets[0]).toEqual({
      discoveredLabels: {
        __address__: 'self',
        __metrics_path__: '/metrics',
        __scheme__: 'http',
        __scrape_interval__: '15s',
        __scrape_timeout__: '10s',
        job: 'narthex',
      },
      labels: { instance: 'self', job: 'narthex' },
      scrapePool: 'narthex',
      scrapeUrl: 'http://self/metrics',
      globalUrl: 'http://localhost:8787/metrics',
      lastError: '',
      lastScrape: '2026-11-22T13:05:00Z',
      lastScrapeDuration: 0.0125,
      health: 'up',
      scrapeInterval: '15s',
      scrapeTimeout: '10s',
    });
    expect(activeTargets[1]).toMatchObject({
      discoveredLabels: { __address__: 'a.example:9100', __meta_consul_dc: 'dc1', __scheme__: 'https' },
      scrapeInterval: '1m30s',
      lastScrape: '0001-01-01T00:00:00Z',
      lastScrapeDuration: 0,
      health: 'unknown',
    });
    expect(JSON.stringify(activeTargets)).not.toContain('hunter2');
  });
  it('honours state and scrapePool', async () => {
    expect((await targets('?state=dropped')).activeTargets).toEqual([]);
    expect((await targets('?state=Active')).activeTargets).toHaveLength(2);
    expect((await targets('?state=active')).droppedTargetCounts).toBeNull();
    expect(await targets('?state=bogus')).toEqual({ activeTargets: [], droppedTargets: [], droppedTargetCounts: null });
    expect((await targets('?state=any&scrapePool=node')).activeTargets).toHaveLength(1);
  });

  it('has those that are not scraped, with the labels that they had', async () => {
    const droppedTargets = [
      { job: 'node', discovered: [{ name: '__address__', value: 'b:1' }], reason: null },
      { job: 'web', discovered: [{ name: '__address__', value: 'c:1' }], reason: 'scrape interval cannot be 0' },
    ];
    const { ask } = start({}, system({ agents: [agent({ droppedTargets })] }));
    const of = async (query: string) => (await body(await ask('GET', `/api/v1/targets${query}`))).data;
    const dropped = [
      { discoveredLabels: { __address__: 'b:1' }, scrapePool: 'node' },
      { discoveredLabels: { __address__: 'c:1' }, scrapePool: 'web', error: 'scrape interval cannot be 0' },
    ];
    expect(await of('')).toMatchObject({ droppedTargets: dropped, droppedTargetCounts: { node: 1, web: 1 } });
    expect(await of('?state=dropped&scrapePool=node')).toMatchObject({
      activeTargets: [],
      droppedTargets: [dropped[0]],
      droppedTargetCounts: { node: 1, web: 1 },
    });
    expect(await of('?state=active')).toMatchObject({ activeTargets: [{}], droppedTargets: [] });
  });

  it('has as many dropped ones as keep_dropped_targets says, and counts all', async () => {
    const drop = (job: string, address: string, reason: string | null = null) => ({
      job,
      discovered: [{ name: '__address__', value: address }],
      reason,
    });
    const droppedTargets = [drop('node', 'bad', 'no'), drop('node', 'a'), drop('node', 'b'), drop('web', 'c')];
    const { ask } = start(
      {},
      system({
        agents: [agent({ droppedTargets })],
        scrapePools: [pool({ job: 'node', keepDroppedTargets: 1 }), pool({ job: 'web' }), pool({ job: 'none' })],
      }),
    );
    const { data } = await body(await ask('GET', '/api/v1/targets'));
    const addresses = (data['droppedTargets'] as { discoveredLabels: Record<string, string> }[]).map(
      ({ discoveredLabels }) => discoveredLabels['__address__'],
    );
    expect(addresses).toEqual(['bad', 'a', 'c']);
    expect(data['droppedTargetCounts']).toEqual({ node: 3, none: 0, web: 1 });
  });
});

describe('configuration', () => {
  const yaml = 'remote_write:\n  - url: https://a.example/w\n    basic_auth: {username: me, password: hunter2}\n';
  const problem = {
    path: 'scrape_configs[0].x',
    line: 2,
    column: 5,
    expected: 'a known key',
    got: '"x"',
    level: 'error',
  } as const;

  it('is shown without secrets, with source and version', async () => {
    const { ask } = start({ config: () => Promise.resolve({ version: system().config, text: yaml }) });
    const { data } = await body(await ask('GET', '/api/v1/status/config'));
    expect(data).toMatchObject({ source: 'bucket', version: 3, pushedAt: '2026-11-22T11:05:09Z' });
    expect(data.yaml).toContain('<secret>');
    expect(data.yaml).not.toContain('hunter2');
  });
  it('is pushed, and says its version', async () => {
    const { ask, calls } = start();
    const answer = await ask('PUT', '/api/v1/admin/config', { body: 'scrape_configs: []' });
    expect(await body(answer)).toMatchObject({
      status: 'success',
      data: { version: 4, source: 'bucket', warnings: [] },
    });
    expect(calls).toEqual(['pushConfig scrape_configs: [] bucket']);
  });
  it('is pushed with the files that it names', async () => {
    let came: unknown = null;
    const { ask } = start({
      pushConfig: (text, source, files) => {
        came = [text, source, files];
        return Promise.resolve({ ok: true, version: system().config, warnings: [] });
      },
    });
    const push = (value: unknown) =>
      ask('PUT', '/api/v1/admin/config', {
        body: typeof value === 'string' ? value : JSON.stringify(value),
        headers: { 'content-type': 'application/json' },
      });
    expect((await push({ config: 'a', files: { 'jobs/a.yml': 'x' } })).status).toBe(200);
    expect(came).toEqual(['a', 'bucket', [{ name: 'jobs/a.yml', text: 'x' }]]);
    for (const wrong of ['{', 'null', {}, { config: 1 }, { config: 'a', files: [] }, { config: 'a', files: { a: 1 } }])
      expect((await push(wrong)).status).toBe(400);
    for (const name of ['', '/a', '../a', 'a/../b', 'a//b', './a', 'a/'])
      expect((await push({ config: 'a', files: { [name]: 'x' } })).status).toBe(400);
  });
  it('is from start --config only where npm start answers', async () => {
    const headers = { 'x-narthex-config-source': 'start' };
    const { ask, calls } = start();
    await ask('PUT', '/api/v1/admin/config', { body: 'a: 1', headers });
    const { line } = await import('./fake.ts');
    const deployed = fakeServices();
    await client({ services: deployed.services, tokens: [await line('a', 'admin', 'anonymous', 't')] })(
      'PUT',
      '/api/v1/admin/config',
      { body: 'a: 1', headers, token: 't' },
    );
    expect([...calls, ...deployed.calls]).toEqual(['pushConfig a: 1 start --config', 'pushConfig a: 1 bucket']);
  });
  it('that is wrong answers 400 with a report for people and one for programs', async () => {
    const { ask } = start({
      pushConfig: () => Promise.resolve({ ok: false, problems: [problem, { ...problem, line: 7 }] }),
    });
    const answer = await ask('PUT', '/api/v1/admin/config', { body: 'x: 1' });
    expect(answer.status).toBe(400);
    const { status, errorType, error, data } = await body(answer);
    expect({ status, errorType }).toEqual({ status: 'error', errorType: 'bad_data' });
    expect(error.split('\n')).toHaveLength(2);
    expect(error).toContain('prometheus.yml:7:5: scrape_configs[0].x: expected a known key, got "x"');
    expect(data.problems).toHaveLength(2);
  });
  it('that is too long or no text never reaches the checks', async () => {
    const { ask, calls } = start();
    expect((await ask('PUT', '/api/v1/admin/config', { body: '#'.repeat(1_000_001) })).status).toBe(413);
    const { services } = fakeServices();
    const { createApp } = await import('../../src/http/app.ts');
    const request = new Request('http://localhost/api/v1/admin/config', {
      method: 'PUT',
      body: new Uint8Array([0xff, 0xfe]),
    });
    const answer = await createApp().fetch(request, { services, tokens: [], open: '127.0.0.1', version: '0' });
    expect(answer.status).toBe(400);
    expect(calls).toEqual([]);
  });
  it('is reloaded, and a failure is 400 and seen in the metrics', async () => {
    expect((await start().ask('POST', '/-/reload')).status).toBe(200);
    const { ask } = start({ reload: () => Promise.resolve({ ok: false, problems: [problem] }) });
    const answer = await ask('POST', '/-/reload');
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('prometheus.yml:2:5');
    expect(await (await ask('GET', '/metrics')).text()).toContain('prometheus_config_last_reload_successful 0');
  });
});

describe('moving a remote back', () => {
  const path = (to: string): string => `/api/v1/admin/remotes/rewind?name=a&to=${to}`;

  it.each([
    ['beginning', null],
    ['2026-11-22T12:00:00Z', Date.UTC(2026, 10, 22, 12)],
    ['1795348800.5', 1_795_348_800_500],
  ])('to %s', async (to, sinceMs) => {
    const asked: unknown[] = [];
    const { ask } = start({
      rewind: (name, ms) => {
        asked.push([name, ms]);
        return Promise.resolve({ logs: 1, records: 2, samples: 30 });
      },
    });
    const answer = await ask('POST', path(to));
    expect([answer.status, await body(answer)]).toEqual([
      200,
      { status: 'success', data: { records: 2, samples: 30 } },
    ]);
    expect(asked).toEqual([['a', sinceMs]]);
  });

  it('needs a time and a remote that has a place', async () => {
    for (const to of ['', 'yesterday', '-1', '2026']) {
      const { status } = await start().ask('POST', path(to));
      expect([to, status]).toEqual([to, to === '2026' ? 200 : 400]);
    }
    expect((await start({ rewind: () => Promise.resolve(null) }).ask('POST', path('0'))).status).toBe(404);
    const early = start({ rewind: () => Promise.resolve({ logs: 0, records: 0, samples: 0 }) });
    expect((await body(await early.ask('POST', path('0')))).error).toContain(
      'the next run, within a minute, makes one',
    );
  });
});

describe('snapshots and blocks', () => {
  it('answers 200 when it is done, 202 with progress when it takes longer', async () => {
    const done = await start().ask('POST', '/api/v1/admin/tsdb/snapshot');
    expect([done.status, await body(done)]).toEqual([200, { status: 'success', data: { name: SNAPSHOT } }]);
    const { ask } = start({
      snapshot: () => Promise.resolve({ done: false, name: SNAPSHOT, progress: '1 of 3 blocks' }),
    });
    const under = await ask('POST', `/api/v1/admin/tsdb/snapshot?name=${SNAPSHOT}`);
    expect([under.status, (await body(under)).data]).toEqual([202, { name: SNAPSHOT, progress: '1 of 3 blocks' }]);
  });
  it('lists the blocks of a snapshot, or knows none', async () => {
    const { data } = await body(await start().ask('GET', `/api/v1/admin/tsdb/snapshots/${SNAPSHOT}`));
    expect(data).toEqual({ name: SNAPSHOT, blocks: [{ ulid: ULID, files: ['index', 'meta.json'] }] });
    const { ask } = start({ snapshotBlocks: () => Promise.resolve(null) });
    expect((await ask('GET', `/api/v1/admin/tsdb/snapshots/${SNAPSHOT}`)).status).toBe(404);
  });
  it('streams files with their size', async () => {
    const answer = await start().ask('GET', `/api/v1/admin/tsdb/blocks/${ULID}/chunks/000001`);
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '5', 'bytes']);
    const { ask } = start({ file: () => Promise.resolve(null) });
    expect((await ask('GET', `/api/v1/admin/tsdb/blocks/${ULID}/index`)).status).toBe(404);
  });
  const bad = [
    '/api/v1/admin/tsdb/blocks/nope/index',
    `/api/v1/admin/tsdb/blocks/${ULID}/tombstones`,
    `/api/v1/admin/tsdb/blocks/${ULID}/chunks/1`,
    `/api/v1/admin/tsdb/blocks/${ULID}/chunks/000001/x`,
    `/api/v1/admin/tsdb/blocks/${ULID}/%2e%2e%2f%2e%2e%2fconfig%2f00000001.yml`,
    `/api/v1/admin/tsdb/blocks/..%2f${ULID}/index`,
    `/api/v1/admin/tsdb/snapshots/..%2fx/${ULID}/index`,
    `/api/v1/admin/tsdb/snapshots/${SNAPSHOT}/${ULID}/..%2findex`,
  ];
  it.each(bad)('makes no key of %s', async (path) => {
    const { ask, calls } = start();
    expect((await ask('GET', path)).status).toBe(404);
    expect(calls).toEqual([]);
  });
  it.each(['..', 'a/b', '', '20261122T130509Z'])('refuses the snapshot name %j', async (name) => {
    const { ask, calls } = start();
    expect((await ask('POST', `/api/v1/admin/tsdb/snapshot?name=${encodeURIComponent(name)}`)).status).toBe(400);
    expect(calls).toEqual([]);
  });
});

describe('what is not here', () => {
  it('is 404 in the envelope, 405 where another method would do', async () => {
    const { ask } = start();
    const answer = await ask('GET', '/api/v1/nowhere');
    expect([answer.status, await body(answer)]).toEqual([
      404,
      { status: 'error', errorType: 'not_found', error: 'nothing answers at /api/v1/nowhere' },
    ]);
    const wrong = await ask('GET', '/api/v1/admin/config');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'PUT']);
    const file = await ask('DELETE', `/api/v1/admin/tsdb/blocks/${ULID}/chunks/000001`);
    expect([file.status, file.headers.get('allow')]).toEqual([405, 'GET']);
    expect((await ask('GET', '/-/reload')).status).toBe(405);
  });
  it('says that there are no queries, as agent mode does', async () => {
    const answer = await start().ask('GET', '/api/v1/query?query=up');
    expect(answer.status).toBe(422);
    expect(await body(answer)).toMatchObject({
      status: 'error',
      errorType: 'execution',
      error: expect.stringMatching(/^unavailable with Prometheus Agent: /),
    });
  });
  it('hands every method of /api/v1/write on', async () => {
    expect((await start().ask('POST', '/api/v1/write')).status).toBe(204);
    expect((await start().ask('GET', '/api/v1/write')).status).toBe(405);
  });
});

it('answers HEAD', async () => {
  const answer = await start().ask('HEAD', '/-/healthy');
  expect([answer.status, await answer.text()]).toEqual([200, '']);
});

it('turns a service that fails into a 500 with its words', async () => {
  const { ask } = start({ status: () => Promise.reject(new Error('object overloaded')) });
  const answer = await ask('GET', '/api/v1/targets');
  expect([answer.status, await body(answer)]).toEqual([
    500,
    { status: 'error', errorType: 'internal', error: 'object overloaded' },
  ]);
});

it('asks for the status once in a few seconds, and again after a change', async () => {
  const { calls, services } = fakeServices();
  let nowMs = NOW;
  const ask = client({ services: Object.defineProperty({ ...services }, 'nowMs', { get: () => nowMs }), ...open });
  const asked = async (path = '/metrics', method = 'GET') => {
    await ask(method, path);
    return calls.filter((call) => call === 'status').length;
  };
  expect(await asked()).toBe(1);
  nowMs += STATUS_KEPT_MS - 1;
  expect(await asked('/')).toBe(1);
  nowMs += 1;
  expect(await asked()).toBe(2);
  await asked('/-/reload', 'POST');
  expect(await asked()).toBe(3);
});
