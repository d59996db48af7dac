import { createExecutionContext, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { clock, tokens } from '../../durable/doors.ts';
import { relayProblems, relayRemotes } from '../../durable/configuration.ts';
import { type Env, ingester } from '../../durable/env.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { RemoteWriteConfig } from '../../src/config/model.ts';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyUncompress } from '../../src/encoding/snappy.ts';
import { forwardRound } from '../../src/forward/round.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { DEFAULT_SHARD_LIMITS } from '../../src/receive/limits.ts';
import { parseLimits } from '../../src/receive/settings.ts';
import worker from '../../src/worker.ts';
import { asleep } from './asleep.ts';
import { record, type Point } from './records.ts';

const bindings = env as unknown as Env;
const HEADERS = {
  'Content-Encoding': 'snappy',
  'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
};

interface Init {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly token?: string;
  /** What `NARTHEX_LIMITS` holds. */
  readonly limits?: string;
  readonly env?: Env;
}

/** Sends points to the whole Worker as the tenant. */
async function write(tenant: string, points: readonly Point[], init: Init = {}): Promise<Response> {
  const method = init.method ?? 'POST';
  const request = new Request('https://narthex.example/api/v1/write', {
    method,
    headers: {
      ...HEADERS,
      Authorization: `Bearer ${init.token ?? 'test-any-token'}`,
      'X-Scope-OrgID': tenant,
      ...init.headers,
    },
    ...(method === 'POST' ? { body: record(points).body } : {}),
  });
  const environment = {
    ...(init.env ?? bindings),
    ...(init.limits === undefined ? {} : { NARTHEX_LIMITS: init.limits }),
  };
  return await worker.fetch(
    request as Request<unknown, IncomingRequestCfProperties>,
    environment,
    createExecutionContext(),
  );
}

const series = (from: number, to: number, t = Date.now()): Point[] =>
  Array.from({ length: to - from }, (_, i) => [`m${from + i}`, t, i]);

const samplesIn = async (tenant: string): Promise<number> =>
  (await ingester(bindings, tenant, 0).report(Date.now(), tenant, 0)).log.samplesIn;

function loadedRemote(url: string, name: string): RemoteWriteConfig {
  const loaded = loadConfig(`remote_write: [{ name: ${name}, url: '${url}' }]`);
  if (!loaded.ok) throw new Error('not a configuration');
  return loaded.config.remoteWrites[0]!;
}

/** Metric names of a 2.0 request. */
function namesOf(body: Uint8Array): string[] {
  const decoded = decodeWrite(2, snappyUncompress(body, 1 << 20));
  const text = new TextDecoder();
  return Array.from({ length: decoded.labelCount }, (_, i) => i)
    .filter((i) => text.decode(decoded.message.subarray(decoded.nameStart[i], decoded.nameEnd[i])) === '__name__')
    .map((i) => text.decode(decoded.message.subarray(decoded.valueStart[i], decoded.valueEnd[i])));
}

/** Rows written to the tenant's object while `work` goes on, by the platform's own counter. */
async function rowsWritten(tenant: string, work: () => Promise<unknown>): Promise<number> {
  const stub = ingester(bindings, tenant, 0);
  let rows = 0;
  let undo = (): void => {};
  await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    const exec = sql.exec.bind(sql);
    const counting = (...args: Parameters<typeof exec>) => {
      const cursor = exec(...args);
      const all = cursor.toArray();
      rows += cursor.rowsWritten;
      return { toArray: () => all };
    };
    Object.defineProperty(sql, 'exec', { value: counting, configurable: true });
    undo = () => delete (sql as { exec?: unknown }).exec;
  });
  await work();
  await runInDurableObject(stub, () => undo());
  return rows;
}

it('writes one row a request and shard, however many samples are in it', async () => {
  await write('rows', series(0, 1));
  for (const size of [1, 10, 5000]) {
    expect(
      await rowsWritten('rows', async () => {
        expect((await write('rows', series(0, size))).status).toBe(204);
      }),
    ).toBe(1);
  }
  const limited = { limits: 'rows: { samples_per_second: 100000, series_limit: 10000, ha: true }' };
  expect(await rowsWritten('rows', () => write('rows', series(0, 100), limited))).toBe(1);
  expect(await rowsWritten('rows', () => write('rows', series(0, 100), { ...limited, method: 'GET' }))).toBe(0);
});

describe('limits of a tenant', () => {
  it('hold for that tenant alone', async () => {
    const limits = 'small: { sample_limit: 5 }';
    const refused = await write('small', series(0, 6), { limits });
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain('sample_limit in NARTHEX_LIMITS');
    expect((await write('large', series(0, 6), { limits })).status).toBe(204);
    expect((await write('small', series(0, 5), { limits })).status).toBe(204);
    expect(await samplesIn('small')).toBe(5);
  });

  it('refuse a rate with 429, keep nothing, and forget it when the object sleeps', async () => {
    const limits = 'fast: { samples_per_second: 1, samples_burst: 10 }';
    expect((await write('fast', series(0, 100), { limits })).status).toBe(204);
    const refused = await write('fast', series(0, 100), { limits });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(60);
    expect(refused.headers.get('X-Prometheus-Remote-Write-Samples-Written')).toBe('0');
    expect(await samplesIn('fast')).toBe(100);
    const after = await asleep(ingester(bindings, 'fast', 0), () => write('fast', series(0, 100), { limits }));
    expect(after.status).toBe(204);
  });

  it('refuse new series with 429 while known ones go on, and tell how many are active', async () => {
    const limits = 'wide: { series_limit: 100 }';
    expect((await write('wide', series(0, 90), { limits })).status).toBe(204);
    const refused = await write('wide', series(80, 120), { limits });
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain('series_limit in NARTHEX_LIMITS');
    expect((await write('wide', series(0, 90), { limits })).status).toBe(204);
    const { activeSeries } = await ingester(bindings, 'wide', 0).report(Date.now(), 'wide', 0);
    expect(activeSeries).toBe(90);
  });

  it('with a mistake are told by /-/ready, and the defaults hold', async () => {
    const request = new Request('https://narthex.example/-/ready');
    const ready = await worker.fetch(
      request as Request<unknown, IncomingRequestCfProperties>,
      { ...bindings, NARTHEX_LIMITS: 'acme: { sample_limt: 1 }' },
      createExecutionContext(),
    );
    expect(ready.status).toBe(200);
    expect(await ready.text()).toContain('NARTHEX_LIMITS:1:9: acme.sample_limt: expected a known limit');
  });
});

describe('an HA pair', () => {
  const shard = (tenant: string) => ingester(bindings, tenant, 0);
  const T = Date.UTC(2036, 0, 1);
  const terms = (replica: string) => ({
    limits: DEFAULT_SHARD_LIMITS,
    hashes: null,
    replica: { cluster: 'c', replica },
    relay: [],
  });
  const append = async (tenant: string, atMs: number, replica: string) =>
    await asleep(
      shard(tenant),
      async () => await shard(tenant).append(atMs, [record(series(0, 1, atMs))], terms(replica)),
    );

  it('has one leader, whom the object remembers asleep; another takes its place after 30 s of silence', async () => {
    expect(await append('pair', T, 'a')).toEqual({ ok: true, leader: 'a' });
    expect(await append('pair', T + 15_000, 'a')).toEqual({ ok: true, leader: 'a' });
    expect(await append('pair', T + 44_999, 'b')).toEqual({ ok: true, leader: 'a' });
    expect(await append('pair', T + 45_000, 'b')).toEqual({ ok: true, leader: 'b' });
    expect(await append('pair', T + 46_000, 'a')).toEqual({ ok: true, leader: 'b' });
    expect(await samplesIn('pair')).toBe(3);
    // What is no replica's is taken, and forgets nothing.
    expect(await shard('pair').append(T + 47_000, [record(series(0, 1))])).toEqual({ ok: true });
    expect(await append('pair', T + 48_000, 'a')).toEqual({ ok: true, leader: 'b' });
  });
});

describe('a relay', () => {
  const remote: RemoteWriteConfig = loadedRemote('https://far.example/api/v1/write', 'far');

  it('gets everything that is received, in order; the digest gets it too', async () => {
    const shard = ingester(bindings, 'relayed', 0);
    const t0 = Date.now();
    const settings = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: null, relay: ['far'] };
    const append = (i: number) => shard.append(t0, [record([[`m${i}`, t0 + i, i]])], settings);
    await append(0);
    const got: string[] = [];
    let down = true;
    const run = async (names: readonly RemoteWriteConfig[], untilPending: number) => {
      // Asleep, so that the run before, whose time ended, holds nothing any more.
      await asleep(shard, async () => undefined);
      await forwardRound({ configVersion: 0, remotes: names, runMs: 1_000 }, shard, {
        clock,
        connections: new Connections(clock),
        senders: new Set(),
        certificate: () => fetch,
        random: () => 0.5,
        tokens,
        userAgent: 'test',
        warn: () => {},
        self: () => Promise.reject(new Error('never')),
        fetch: async (request) => {
          if (down) return new Response('no', { status: 503 });
          const body = new Uint8Array(await request.arrayBuffer());
          got.push(...namesOf(body));
          return new Response(null, { status: 204, headers: { 'X-Prometheus-Remote-Write-Samples-Written': '1' } });
        },
      });
      const { relays, digest, log } = await shard.report(t0, 'relayed', 0);
      expect(relays.map(({ samplesPending }) => samplesPending)).toEqual(names.map(() => untilPending));
      return { relays, digest, log };
    };
    await run([remote], 1);
    for (let i = 1; i <= 5; i++) await append(i);
    await run([remote], 6);
    while ((await shard.digest(t0)).more) continue;
    down = false;
    const { relays, digest } = await run([remote], 0);
    expect(got).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
    expect(relays[0]).toMatchObject({ name: 'far', samplesIn: 6, samplesSent: 6, samplesDropped: {} });
    expect(digest).toMatchObject({ samplesIn: 6, samplesSent: 6, samplesPending: 0 });
    // One that the limits name no more holds nothing, from the next append on.
    await shard.append(t0, [record([['last', t0, 1]])]);
    expect((await shard.report(t0, 'relayed', 0)).relays).toEqual([]);
  });

  it('is never the deployment itself, and what names none is told', () => {
    const loaded = loadConfig(`
remote_write: [{ name: me, url: 'http://self/api/v1/write' }, { name: far, url: 'https://far.example/' }]`);
    if (!loaded.ok) throw new Error('not a configuration');
    const limits = parseLimits('acme: { relay: [me, far, near] }');
    expect(relayRemotes(limits.of('acme').relay, loaded.config).map(({ name }) => name)).toEqual(['far']);
    expect(relayProblems(limits, loaded.config)).toEqual([
      'NARTHEX_LIMITS: relay: "me" is this deployment itself: what is received is not sent to it',
      'NARTHEX_LIMITS: relay: "near" is the name of no remote_write: nothing is kept for it',
    ]);
  });
});

it('calls no object for a request that is refused for who sends it, how, or its size', async () => {
  let calls = 0;
  const counted = <T extends object>(namespace: T): T =>
    new Proxy(namespace, {
      get: (target, key) => {
        calls++;
        const value = Reflect.get(target, key) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  const counting: Env = {
    ...bindings,
    DIRECTOR: counted(bindings.DIRECTOR),
    AGENT: counted(bindings.AGENT),
    INGESTER: counted(bindings.INGESTER),
    CATALOGUE: counted(bindings.CATALOGUE),
  };
  const limits = 'free: { body_size_limit: 1KB, uncompressed_size_limit: 2KB, sample_limit: 20 }';
  const send = async (points: readonly Point[], init: Init = {}, tenant = 'free') =>
    (await write(tenant, points, { limits, env: counting, ...init })).status;
  expect([
    await send(series(0, 1), { token: 'unknown' }),
    await send(series(0, 1), { token: 'test-acme-token' }),
    await send(series(0, 1), {}, 'no/tenant'),
    await send(series(0, 1), { method: 'GET' }),
    await send(series(0, 1), { headers: { 'Content-Type': 'application/json' } }),
    await send(series(0, 1000)),
    await send(Array.from({ length: 40 }, () => ['m', Date.now(), 1] as const)),
    await send([['m', 1, 1]]),
  ]).toEqual([401, 403, 400, 405, 415, 413, 413, 400]);
  expect(calls).toBe(0);
  expect(await send(series(0, 1))).toBe(204);
  expect(calls).toBeGreaterThan(0);
});

it('an object that cannot digest as fast as it is sent to refuses with 503, and retries bring everything in once', async () => {
  const limits = 'slow: { pending_size_limit: 20KB }';
  const stub = ingester(bindings, 'slow', 0);
  const t0 = Date.now() - 3_600_000;
  const answers: number[] = [];
  for (let i = 0; i < 12; i++) {
    for (;;) {
      const response = await write('slow', series(0, 500, t0 + i * 15_000), { limits });
      answers.push(response.status);
      if (response.status === 204) break;
      expect(Number(response.headers.get('Retry-After'))).toBeGreaterThanOrEqual(5);
      // The sender waits; meanwhile the alarm, which the refusal has brought forward, digests.
      await runDurableObjectAlarm(stub);
    }
  }
  expect(answers).toContain(503);
  while ((await stub.digest(Date.now())).more) continue;
  const { log, digest, ranges, samplesDuplicate } = await stub.report(Date.now(), 'slow', 0);
  expect(log.samplesIn).toBe(6000);
  expect(digest.samplesDropped).toEqual({});
  expect(samplesDuplicate).toBe(0);
  expect(ranges.reduce((sum, { samples }) => sum + samples, 0)).toBe(6000);
});
