import { createExecutionContext, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { clock, tokens } from '../../durable/doors.ts';
import { relayProblems, relayRemotes } from '../../durable/configuration.ts';
import { services } from '../../durable/deployment.ts';
import { type Env, ingester } from '../../durable/env.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { RemoteWriteConfig } from '../../src/config/model.ts';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { snappyUncompress } from '../../src/encoding/snappy.ts';
import { forwardRound } from '../../src/forward/round.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { accept, type Accepted } from '../../src/receive/accept.ts';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS } from '../../src/receive/limits.ts';
import { parseLimits } from '../../src/receive/settings.ts';
import { placeSeries } from '../../src/receive/shards.ts';
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
  // When series are limited for the first time, that is written down.
  await write('rows', series(0, 1), limited);
  expect(await rowsWritten('rows', () => write('rows', series(0, 100), limited))).toBe(1);
  expect(await rowsWritten('rows', () => write('rows', series(0, 100), { ...limited, method: 'GET' }))).toBe(0);
});

afterEach(() => void vi.useRealTimers());

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

  it('refuse a rate with 429, keep nothing, and remember it when the object sleeps', async () => {
    const limits = 'fast: { samples_per_second: 1, samples_burst: 10 }';
    expect((await write('fast', series(0, 100), { limits })).status).toBe(204);
    const refused = await write('fast', series(0, 100), { limits });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(60);
    expect(refused.headers.get('X-Prometheus-Remote-Write-Samples-Written')).toBe('0');
    expect(await samplesIn('fast')).toBe(100);
    // The same limits, as another isolate reads them: it remembers nothing.
    const elsewhere = { limits: `${limits} # elsewhere` };
    const after = await asleep(ingester(bindings, 'fast', 0), () => write('fast', series(0, 100), elsewhere));
    expect(after.status).toBe(429);
    // What is raised counts at once: the debt is paid by the new rate.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1000 });
    const raised = { limits: 'fast: { samples_per_second: 1000 }' };
    expect((await write('fast', series(0, 100), raised)).status).toBe(204);
  });

  it('hold exemplars and metadata to the rate too', async () => {
    const limits = 'talkative: { samples_per_second: 1, samples_burst: 10 }';
    const stub = ingester(bindings, 'talkative', 0);
    const { shard } = parseLimits(limits).of('talkative');
    const t0 = Date.now();
    const families = Array.from({ length: 8 }, (_, i) => ({ metric: `m${i}`, type: 'gauge', help: 'Help.', unit: '' }));
    const describe = () => asleep(stub, async () => await stub.describe(t0, families, shard));
    const append = (exemplars: number) =>
      asleep(stub, async () => {
        const only = { ...record(series(0, 1, t0)), exemplars };
        return await stub.append(t0, [only], { limits: shard, hashes: null, replica: null, relay: [] });
      });
    expect(await append(1)).toEqual({ ok: true });
    expect(await describe()).toEqual({ ok: true });
    expect(await describe()).toMatchObject({ ok: false, status: 429 });
    expect(await append(1)).toMatchObject({ ok: false, status: 429 });
    expect((await stub.metadata(null)).length).toBe(8);
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

  it('refuse new series also to a tenant who pauses, as an object remembers what is active when it slept', async () => {
    const stub = ingester(bindings, 'bursts', 0);
    const { shard } = parseLimits('bursts: { series_limit: 100 }').of('bursts');
    const T = Date.UTC(2036, 0, 1);
    const append = (atMs: number, from: number, to: number, limits = shard) =>
      asleep(stub, async () => {
        const { body } = record(series(from, to, atMs));
        const accepted = accept(2, body, DEFAULT_RECEIVE_LIMITS, atMs, { hashSeries: true }) as Accepted;
        const { records, hashes } = accepted.parts[0]!;
        const result = await stub.append(atMs, records, { limits, hashes, replica: null, relay: [] });
        return result.ok ? 204 : result.status;
      });
    const digest = () => asleep(stub, async () => await stub.digest(T));
    expect(await append(T, 0, 60)).toBe(204);
    expect(await append(T + 15_000, 60, 120)).toBe(429);
    expect(await append(T + 15_000, 60, 90)).toBe(204);
    // What it knows it knows from the log; then it is digested by an object without a memory.
    await digest();
    expect(await append(T + 30_000, 120, 150)).toBe(429);
    expect(await append(T + 30_000, 0, 100)).toBe(204);
    await digest();
    expect(await append(T + 60_000, 100, 120)).toBe(429);
    expect(await append(T + 60_000, 0, 100)).toBe(204);
    // Series that nothing comes of are forgotten all the same.
    expect(await append(T + 31 * 60_000, 200, 300)).toBe(204);
    // A limit that is gone, and is back, begins anew.
    expect(await append(T + 31 * 60_000, 0, 100, { ...shard, seriesMax: null })).toBe(204);
    expect(await append(T + 31 * 60_000, 0, 100)).toBe(204);
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

/** The bindings, and how often something was asked of an object through them. */
function counted(): { env: Env; calls: () => number } {
  let calls = 0;
  const counting = <T extends object>(namespace: T): T =>
    new Proxy(namespace, {
      get: (target, key) => {
        calls++;
        const value = Reflect.get(target, key) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  const { DIRECTOR, AGENT, INGESTER, CATALOGUE } = bindings;
  const env: Env = {
    ...bindings,
    DIRECTOR: counting(DIRECTOR),
    AGENT: counting(AGENT),
    INGESTER: counting(INGESTER),
    CATALOGUE: counting(CATALOGUE),
  };
  return { env, calls: () => calls };
}

describe('a refusal that lasts is remembered, and costs no object call', () => {
  /** Sends as the tenant, and tells status and calls of objects; the objects forget before each request. */
  const sender = (tenant: string, limits: string) => {
    const { env, calls } = counted();
    return async (points: readonly Point[]): Promise<[status: number, calls: number]> => {
      const before = calls();
      const { status } = await asleep(ingester(bindings, tenant, 0), () => write(tenant, points, { limits, env }));
      return [status, calls() - before];
    };
  };
  const T = Date.now();
  const at = (s: number) => vi.useFakeTimers({ toFake: ['Date'], now: T + s * 1000 });

  it('of a rate, until there is some again', async () => {
    const send = sender('paced', 'paced: { samples_per_second: 10, samples_burst: 10 }');
    at(0);
    expect((await send(series(0, 60)))[0]).toBe(204);
    const [status, calls] = await send(series(0, 60));
    expect(status).toBe(429);
    expect(calls).toBeGreaterThan(0);
    at(4.9);
    expect(await send(series(0, 60))).toEqual([429, 0]);
    expect(await send(series(0, 1))).toEqual([429, 0]);
    at(5.1);
    expect((await send(series(0, 60)))[0]).toBe(204);
    expect(await samplesIn('paced')).toBe(120);
    // Told and counted as those that the shard refused.
    const { counts, refusal } = services(bindings, T).told().get('paced')!;
    expect(counts).toEqual({
      'requests:204': 2,
      'requests:429': 3,
      samples_in: 120,
      'unwritten_samples:429': 121,
    });
    expect(refusal).toMatchObject({ status: 429, message: expect.stringMatching(/^more than 10 samples a second/) });
  });

  it('of a digest that is behind, for five seconds', async () => {
    const send = sender('behind', 'behind: { pending_size_limit: 1KB }');
    at(0);
    expect((await send(series(0, 500)))[0]).toBe(204);
    expect((await send(series(0, 500)))[0]).toBe(503);
    expect(await send(series(0, 500))).toEqual([503, 0]);
    while ((await ingester(bindings, 'behind', 0).digest(T)).more) continue;
    at(5);
    expect((await send(series(0, 500)))[0]).toBe(204);
  });

  it('of new series, for a minute; known ones go on', async () => {
    const limits = 'broad: { series_limit: 100 }';
    const { env, calls } = counted();
    const send = async (points: readonly Point[]): Promise<[number, boolean]> => {
      const before = calls();
      return [(await write('broad', points, { limits, env })).status, calls() > before];
    };
    at(0);
    expect(await send(series(0, 95))).toEqual([204, true]);
    expect(await send(series(90, 120))).toEqual([429, true]);
    expect(await send(series(90, 120))).toEqual([429, false]);
    expect(await send(series(500, 530))).toEqual([429, false]);
    expect(await send(series(0, 95))).toEqual([204, true]);
    at(60);
    expect(await send(series(500, 530))).toEqual([429, true]);
  });

  it('of one shard alone: what goes to others is kept', async () => {
    const limits = 'split: { shards: 2, series_limit: 30 }';
    const { env, calls } = counted();
    const of = (job: string, from: number, to: number): Point[] =>
      Array.from({ length: to - from }, (_, i) => [`m${from + i}`, T, 1, [['job', job]]]);
    // Jobs of either shard.
    at(0);
    const places = new Map<number, string>();
    for (let i = 0; places.size < 2; i++) {
      const decoded = decodeWrite(2, snappyUncompress(record(of(`j${i}`, 0, 1)).body, 1 << 20));
      places.set(placeSeries(decoded, Uint8Array.of(1), 2)[0]!, `j${i}`);
    }
    const send = async (points: readonly Point[]) => {
      const before = calls();
      const response = await write('split', points, { limits, env });
      return [response.status, response.headers.get('X-Prometheus-Remote-Write-Samples-Written'), calls() - before];
    };
    const [one, other] = [places.get(0)!, places.get(1)!];
    expect((await send([...of(one, 0, 30), ...of(other, 0, 10)]))[0]).toBe(204);
    const both = [...of(one, 0, 40), ...of(other, 0, 10)];
    const [status, written, asked] = await send(both);
    expect([status, written]).toEqual([429, '10']);
    const [again, writtenAgain, askedAgain] = await send(both);
    expect([again, writtenAgain]).toEqual([429, '10']);
    expect(askedAgain).toBeLessThan(asked as number);
    expect(askedAgain).toBeGreaterThan(0);
    expect(await send(of(one, 30, 40))).toEqual([429, '0', 0]);
  });

  it('never of a replica that may have lost its lead, nor does a leader lose it by being refused', async () => {
    const limits = 'twins: { ha: true, samples_per_second: 1, samples_burst: 10 }';
    const send = async (replica: string, s: number): Promise<number> => {
      at(s);
      const labels = [
        ['__replica__', replica],
        ['cluster', 'c'],
      ] as const;
      const points = Array.from({ length: 200 }, (_, i): Point => [`m${i}`, T + s * 1000, 1, labels]);
      return (await asleep(ingester(bindings, 'twins', 0), () => write('twins', points, { limits }))).status;
    };
    expect(await send('a', 0)).toBe(204);
    const answers: number[] = [];
    for (let s = 2; s <= 120; s += 2) answers.push(await send('a', s), await send('b', s + 1));
    expect(new Set(answers.filter((_, i) => i % 2 === 0))).toEqual(new Set([429]));
    expect(new Set(answers.filter((_, i) => i % 2 === 1))).toEqual(new Set([202]));
  });
});

it('calls no object for a request that is refused for who sends it, how, or its size', async () => {
  const { env: counting, calls } = counted();
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
  expect(calls()).toBe(0);
  expect(await send(series(0, 1))).toBe(204);
  expect(calls()).toBeGreaterThan(0);
});

it('an object that cannot digest as fast as it is sent to refuses with 503, and retries bring everything in once', async () => {
  const limits = 'slow: { pending_size_limit: 20KB }';
  const stub = ingester(bindings, 'slow', 0);
  const t0 = Date.now() - 3_600_000;
  let nowMs = Date.now();
  const answers: number[] = [];
  for (let i = 0; i < 12; i++) {
    for (;;) {
      const response = await write('slow', series(0, 500, t0 + i * 15_000), { limits });
      answers.push(response.status);
      if (response.status === 204) break;
      const retryAfterS = Number(response.headers.get('Retry-After'));
      expect(retryAfterS).toBeGreaterThanOrEqual(5);
      vi.useFakeTimers({ toFake: ['Date'], now: (nowMs += retryAfterS * 1000) });
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
