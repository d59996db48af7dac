import { createExecutionContext, createScheduledController, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { inForce as loadedConfig } from '../../durable/configuration.ts';
import { CRONS } from '../../durable/crons.ts';
import { SCRAPE_CRONS } from '../../src/scrape/lanes.ts';
import { catalogue, director, type Env, ingester } from '../../durable/env.ts';
import worker from '../../src/worker.ts';
import wranglerToml from '../../wrangler.toml?raw';
import { asleep } from './asleep.ts';
import { samplesOfBlock } from './blocks-reader.ts';
import { record } from './records.ts';

const bindings = env as unknown as Env;

/** A request to the whole Worker, as the administrator of `anonymous` by default. */
async function ask(
  method: string,
  path: string,
  init: { body?: BodyInit; headers?: Record<string, string>; token?: string; env?: Env } = {},
): Promise<Response> {
  const request = new Request(`https://narthex.example${path}`, {
    method,
    headers: { Authorization: `Bearer ${init.token ?? 'test-admin-token'}`, ...init.headers },
    ...(init.body === undefined ? {} : { body: init.body }),
  });
  const ctx = createExecutionContext();
  const response = await worker.fetch(
    request as Request<unknown, IncomingRequestCfProperties>,
    init.env ?? bindings,
    ctx,
  );
  await waitOnExecutionContext(ctx);
  return response;
}

const json = async (response: Response): Promise<{ status: string; data: Record<string, unknown>; error?: string }> =>
  await response.json();
const inForce = async (): Promise<Record<string, unknown>> => {
  await asleep(director(bindings), async () => undefined);
  return (await json(await ask('GET', '/api/v1/status/config'))).data;
};

const write = (points: Parameters<typeof record>[0], token?: string): Promise<Response> =>
  ask('POST', '/api/v1/write', {
    body: record(points).body,
    headers: {
      'Content-Encoding': 'snappy',
      'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    },
    ...(token === undefined ? {} : { token }),
  });

describe('configuration', () => {
  const good = (job: string): string =>
    `scrape_configs: [{ job_name: ${job}, static_configs: [{ targets: [self] }] }]\n`;

  it('is the bundled one until another is pushed; versions grow and survive; the bucket holds each', async () => {
    expect(await inForce()).toMatchObject({ source: 'bundled', version: 0 });
    expect((await json(await ask('PUT', '/api/v1/admin/config', { body: good('one') }))).data).toMatchObject({
      version: 1,
      source: 'bucket',
    });
    expect((await json(await ask('PUT', '/api/v1/admin/config', { body: good('two') }))).data).toMatchObject({
      version: 2,
    });
    expect(await inForce()).toMatchObject({ version: 2, yaml: expect.stringContaining('job_name: two') });
    expect(await (await bindings.BUCKET.get('config/00000001.yml'))!.text()).toBe(good('one'));
    expect(await (await bindings.BUCKET.get('config/00000002.yml'))!.text()).toBe(good('two'));
  });

  it('a bad one changes nothing, answers 400 and says all that is wrong at once', async () => {
    const before = await inForce();
    const response = await ask('PUT', '/api/v1/admin/config', {
      body: 'scrape_configs:\n  - job_name: x\n    scrape_intervall: 5s\n    scrape_timeout: never\n',
    });
    expect(response.status).toBe(400);
    const { error, data } = await json(response);
    expect(error).toContain(':3:5: scrape_configs[0].scrape_intervall');
    expect(error).toContain(':4:21: scrape_configs[0].scrape_timeout');
    expect(data['problems']).toHaveLength(2);
    expect(await inForce()).toEqual(before);
  });

  it('a bucket that fails changes nothing and is a clear error', async () => {
    const before = await inForce();
    const stub = {
      push: () => Promise.reject(new Error('put: internal error (10001)')),
      config: (known: number) => director(bindings).config(known),
    };
    const failing = { ...bindings, DIRECTOR: { getByName: () => stub } } as unknown as Env;
    const response = await ask('PUT', '/api/v1/admin/config', { body: good('three'), env: failing });
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect(await response.text()).toContain('10001');
    expect(await inForce()).toEqual(before);
  });

  it('a secret is looked for when it is pushed, and never shown', async () => {
    const naming = (name: string): string =>
      `scrape_configs: [{ job_name: a, basic_auth: { password: "\${${name}}" }, static_configs: [{ targets: [self] }] }]\n`;
    for (const name of ['NOT_BOUND', 'NARTHEX_TOKENS', 'BUCKET']) {
      const response = await ask('PUT', '/api/v1/admin/config', { body: naming(name) });
      expect(response.status).toBe(400);
      const { error } = await json(response);
      expect(error).toContain(name);
      expect(error).not.toContain('sha256');
    }
    const pushed = await ask('PUT', '/api/v1/admin/config', { body: naming('SCRAPE_PASSWORD') });
    expect(pushed.status).toBe(200);
    expect(await pushed.text()).not.toContain('hunter2');
    expect((await loadedConfig(bindings)).config.scrapeConfigs[0]!.basicAuth!.password).toBe('hunter2');
    const { version } = await inForce();
    const key = `config/${String(version).padStart(8, '0')}.yml`;
    expect(await (await bindings.BUCKET.get(key))!.text()).toBe(naming('SCRAPE_PASSWORD'));
    for (const path of ['/api/v1/status/config', '/', '/metrics', '/api/v1/targets'])
      expect(await (await ask('GET', path)).text()).not.toContain('hunter2');
  });

  describe('with scrape_config_files', () => {
    const main = 'scrape_config_files: [jobs/*.yml]\n';
    const pools = async (): Promise<unknown> => {
      await asleep(director(bindings), async () => undefined);
      return (await json(await ask('GET', '/api/v1/scrape_pools'))).data;
    };
    const push = (body: string, headers = {}) => ask('PUT', '/api/v1/admin/config', { body, headers });
    const version = async (): Promise<number> => (await inForce())['version'] as number;

    it('takes the files of the bucket when it is pushed, and others only with a reload', async () => {
      await bindings.BUCKET.put('files/jobs/b.yml', 'scrape_configs: [{ job_name: b }]');
      expect((await push(main)).status).toBe(200);
      expect(await pools()).toEqual({ scrapePools: ['b'] });
      const before = await version();
      await bindings.BUCKET.put('files/jobs/a.yml', 'scrape_configs: [{ job_name: a }]');
      expect(await pools()).toEqual({ scrapePools: ['b'] });
      expect((await ask('POST', '/-/reload')).status).toBe(200);
      expect([await pools(), await version()]).toEqual([{ scrapePools: ['a', 'b'] }, before + 1]);
      expect((await ask('POST', '/-/reload')).status).toBe(200);
      expect(await version()).toBe(before + 1);
      const kept = await bindings.BUCKET.get(`config/${String(before + 1).padStart(8, '0')}/jobs/a.yml`);
      expect(await kept!.text()).toContain('job_name: a');
    });

    it('a file that is wrong changes nothing, and is named', async () => {
      const before = await version();
      await bindings.BUCKET.put('files/jobs/a.yml', 'scrape_configs:\n- job: a\n');
      for (const response of [await ask('POST', '/-/reload'), await push(`${main}# again`)]) {
        expect(response.status).toBe(400);
        expect(await response.text()).toContain('jobs/a.yml:2:3: scrape_configs[0].job');
      }
      expect([await pools(), await version()]).toEqual([{ scrapePools: ['a', 'b'] }, before]);
    });

    it('files that come with it are in force, whatever the bucket has', async () => {
      const body = JSON.stringify({ config: main, files: { 'jobs/c.yml': 'scrape_configs: [{ job_name: c }]' } });
      expect((await push(body, { 'Content-Type': 'application/json' })).status).toBe(200);
      const before = await version();
      expect(await pools()).toEqual({ scrapePools: ['c'] });
      expect((await ask('POST', '/-/reload')).status).toBe(200);
      expect((await push(body, { 'Content-Type': 'application/json' })).status).toBe(200);
      expect([await pools(), await version()]).toEqual([{ scrapePools: ['c'] }, before]);
    });
  });

  it('a reload answers with the version in force', async () => {
    const response = await ask('POST', '/-/reload');
    expect(response.status).toBe(200);
  });
});

describe('crons', () => {
  it('are those of wrangler.toml', () => {
    const crons = /^crons = \[(.*)\]$/m
      .exec(wranglerToml)![1]!
      .split(', ')
      .map((cron) => JSON.parse(cron) as string);
    // Those that are more are lanes, which a deployment may add.
    for (const cron of crons) expect(CRONS[cron]).toBeDefined();
    const more = Object.keys(CRONS).filter((cron) => !crons.includes(cron));
    expect(more.toSorted()).toEqual(SCRAPE_CRONS.slice(1).toSorted());
  });

  it('one that nobody knows is an error, not silence', async () => {
    const controller = createScheduledController({ cron: '1 2 3 4 5' });
    await expect(async () => await worker.scheduled(controller, bindings, createExecutionContext())).rejects.toThrow(
      '1 2 3 4 5',
    );
  });
});

describe('receiving', () => {
  const now = (): number => Date.now();

  it('appends one record a request, whatever its size', async () => {
    const t = now();
    expect((await write([['warm', t, 1]])).status).toBe(204);
    const stub = ingester(bindings, 'anonymous', 0);
    const rows = async (): Promise<number> => (await stub.report(t, 'anonymous', 0)).log.recordsIn;
    const before = await rows();
    const many = Array.from({ length: 5_000 }, (_, i) => [`m${i}`, t, i] as const);
    expect((await write(many)).status).toBe(204);
    expect(await rows()).toBe(before + 1);
  });

  it('a tenant sees only its own', async () => {
    const t = now();
    expect((await write([['secret', t, 42]], 'test-acme-token')).status).toBe(204);
    const page = await (await ask('GET', '/metrics', { token: 'test-acme-token' })).text();
    expect(page).toContain('tenant="acme"');
    expect(page).not.toContain('tenant="anonymous"');
  });

  it('takes a snapshot of everything accepted until now', async () => {
    const t = now();
    await write([
      ['snap', t, 1],
      ['snap', t - 1, 0.5],
    ]);
    const taken = await ask('POST', '/api/v1/admin/tsdb/snapshot');
    expect(taken.status).toBe(200);
    const name = (await json(taken)).data['name'] as string;
    const { blocks } = (await json(await ask('GET', `/api/v1/admin/tsdb/snapshots/${name}`))).data as {
      blocks: { ulid: string; files: string[] }[];
    };
    const samples = (
      await Promise.all(
        blocks.map(({ ulid }) => samplesOfBlock(bindings.BUCKET, `snapshots/anonymous/${name}/${ulid}/`)),
      )
    ).flat();
    expect(samples.filter((s) => s.labels['__name__'] === 'snap').map((s) => [s.t, s.v])).toEqual([
      [t - 1, 0.5],
      [t, 1],
    ]);
    expect((await ask('GET', `/api/v1/admin/tsdb/snapshots/${name}`, { token: 'test-acme-token' })).status).toBe(404);
    expect((await ask('POST', '/api/v1/admin/tsdb/snapshot?name=20260101T000000Z-00000000')).status).toBe(404);
    expect(await catalogue(bindings, 'anonymous').blocks()).toEqual([]);
  });
});
