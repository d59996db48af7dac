import { createExecutionContext, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it, vi } from 'vitest';
import { bucketOf } from '../../durable/bucket.ts';
import { clock, tokens } from '../../durable/doors.ts';
import { catalogue, director, type Env, ingester, tenants } from '../../durable/env.ts';
import { cutShard } from '../../src/compact/cut.ts';
import { makeItem, planSnapshot } from '../../src/compact/snapshot.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { loadConfig } from '../../src/config/load.ts';
import { inOrderOfChanges } from '../../src/forward/changes.ts';
import type { Sender } from '../../src/forward/deliver.ts';
import { forwardRound } from '../../src/forward/round.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import type { Schema } from '../../src/encoding/remote-write/decoded.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { accept, type Accepted } from '../../src/receive/accept.ts';
import { FAILOVER_MS } from '../../src/receive/ha.ts';
import { DEFAULT_RECEIVE_LIMITS, DEFAULT_SHARD_LIMITS } from '../../src/receive/limits.ts';
import { changesOf, PLACEMENT_DELAY_MS, shardsAt } from '../../src/receive/shards.ts';
import { handleWrite, type WriteDeps } from '../../src/receive/write.ts';
import worker from '../../src/worker.ts';
import { encode, sample, type TestSeries } from '../digest/messages.ts';
import { Rng } from '../encoding/damage.ts';
import { Receiver } from '../receive/receiver.ts';
import { asleep } from './asleep.ts';
import { samplesOfBlock } from './blocks-reader.ts';
import { samplesOf } from './log-reader.ts';

const bindings = env as unknown as Env;
const bucket = bucketOf(bindings.BUCKET);
/** In the future, so that no alarm fires by itself during the test. */
const R0 = Math.floor(Date.UTC(2036, 10, 22, 12) / RANGE_MS) * RANGE_MS;
const MINUTE = 60_000;
const TARGETS = 40;

/** A request with a sample of every target. */
function request(t: number, value: number, replica?: string): Uint8Array<ArrayBuffer> {
  const builder = new RequestBuilder({ samplesMax: 100_000, bytesMax: 10_000_000 });
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  for (let i = 0; i < TARGETS; i++) {
    const labels: [string, string][] = [
      ['__name__', 'requests_total'],
      ...(replica === undefined ? [] : ([['__replica__', replica]] as [string, string][])),
      ['cluster', 'c'],
      ['instance', `host${i}`],
      ['job', 'web'],
    ];
    const refs = labels.flat().map((text) => builder.symbol(text));
    builder.add(refs, refs.length, t, bits.getUint32(0), bits.getUint32(4));
  }
  return snappyCompress(builder.finish()[0]!.message);
}

/** Sends as a Worker would that was told of the tenant's shards just now. */
async function send(tenant: string, nowMs: number, body: Uint8Array, wanted: number): Promise<number[]> {
  const asked = await asleep(director(bindings), async () => await director(bindings).enlist(nowMs, tenant, wanted));
  return await sendTo(tenant, nowMs, body, shardsAt(asked, nowMs));
}

async function sendTo(tenant: string, nowMs: number, body: Uint8Array, shards: number): Promise<number[]> {
  const { parts } = accept(2, body, DEFAULT_RECEIVE_LIMITS, nowMs, { shards }) as Accepted;
  for (const { shard, records } of parts) {
    const stub = ingester(bindings, tenant, shard);
    const terms = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: null, relay: [] };
    const result = await asleep(stub, async () => await stub.append(nowMs, records, terms));
    expect(result).toEqual({ ok: true });
  }
  return parts.map(({ shard }) => shard);
}

const warn = (text: string): void => {
  throw new Error(text);
};

async function cutAll(tenant: string, nowMs: number): Promise<void> {
  const { shards, record } = (await tenants(bindings)).get(tenant)!;
  for (const [shard, stub] of shards.entries()) {
    await cutShard(tenant, shard, stub, nowMs, {
      catalogue: catalogue(bindings, tenant),
      bucket,
      random: Math.random,
      warn,
      changesMs: changesOf(record),
    });
  }
}

/** What blocks say together, as `instance t` → values, one for each block that has the sample. */
async function merged(prefixes: readonly string[]): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>();
  for (const prefix of prefixes) {
    for (const { labels, t, v } of await samplesOfBlock(bindings.BUCKET, prefix)) {
      const key = `${labels['instance']} ${t}`;
      all.set(key, [...(all.get(key) ?? []), v as number]);
    }
  }
  return all;
}

describe('while samples come', () => {
  it('the number is raised and lowered, and nothing is lost, doubled or misordered', async () => {
    const tenant = 'growing';
    const sent = new Map<string, number>();
    const used = new Set<string>();
    let value = 0;
    for (let minute = 0; minute < 60; minute++) {
      const nowMs = R0 + minute * MINUTE;
      const wanted = minute < 20 ? 1 : minute < 40 ? 3 : minute < 50 ? 2 : 1;
      const body = request(nowMs, ++value);
      for (let i = 0; i < TARGETS; i++) sent.set(`host${i} ${nowMs}`, value);
      used.add(`${wanted}: ${(await send(tenant, nowMs, body, wanted)).join()}`);
      // A sender that did not see the answer sends again, at once or after the change.
      if (minute % 5 === 4) await send(tenant, nowMs + 1, body, wanted);
      if (minute === 21) await send(tenant, nowMs + PLACEMENT_DELAY_MS + 1, body, wanted);
      // A Worker that was not told.
      if (minute === 30) await sendTo(tenant, nowMs, body, 1);
    }
    expect([...used].sort()).toEqual(['1: 0', '1: 0,1', '2: 0,1', '2: 0,1,2', '3: 0', '3: 0,1,2']);
    const { record, shards } = (await tenants(bindings)).get(tenant)!;
    expect([shardsAt(record, R0 + 60 * MINUTE), record.highest]).toEqual([1, 3]);

    // A snapshot holds all of them, and so do the blocks that are cut, of shards that nothing comes to any more too.
    let plan = await planSnapshot(shards, catalogue(bindings, tenant), R0 + 60 * MINUTE, Math.random);
    while (plan.done < plan.items.length) plan = await makeItem(tenant, plan, shards, bucket, R0 + 60 * MINUTE, warn);
    await cutAll(tenant, R0 + RANGE_MS + 31 * MINUTE);
    const blocks = await catalogue(bindings, tenant).blocks();
    expect(blocks.map(({ shard }) => shard).sort()).toEqual([0, 1, 2]);
    // Blocks have each sample once. Of a snapshot two have what was sent again after a change, with the same value: readers merge it.
    const inBlocks = await merged(blocks.map(({ ulid }) => `blocks/${tenant}/${ulid}/`));
    expect(inBlocks).toEqual(new Map([...sent].map(([key, value]) => [key, [value]])));
    const inSnapshot = await merged(plan.made.map(({ ulid }) => `snapshots/${tenant}/${plan.name}/${ulid}/`));
    expect(inSnapshot.size).toBe(sent.size);
    for (const [key, values] of inSnapshot) expect(new Set(values)).toEqual(new Set([sent.get(key)]));
    const twice = [...inSnapshot.values()].filter(({ length }) => length > 1).length;
    expect(twice).toBeGreaterThan(0);
    expect(twice).toBeLessThan(4 * TARGETS);
    let came = 0;
    let repeated = 0;
    for (const [shard, stub] of shards.entries()) {
      const { log, digest, ranges, samplesDuplicate, samplesConflicting } = await stub.report(R0, tenant, shard);
      expect(digest).toMatchObject({ samplesPending: 0, samplesSent: log.samplesIn, samplesDropped: {} });
      expect(ranges).toEqual([]);
      expect(samplesConflicting).toBe(0);
      came += log.samplesIn;
      repeated += samplesDuplicate;
    }
    expect(came).toBe(inBlocks.size + repeated);
  });
});

it('a relay sends what came before a change first, though its shard is behind, and what a new shard got from its first record', async () => {
  const tenant = 'relayed';
  const changeMs = Date.now() - 2 * MINUTE;
  const terms = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: null, relay: ['far'] };
  const append = async (nowMs: number, shards: number): Promise<void> => {
    const { parts } = accept(2, request(nowMs, 1), DEFAULT_RECEIVE_LIMITS, nowMs, { shards }) as Accepted;
    for (const { shard, records } of parts) await ingester(bindings, tenant, shard).append(nowMs, records, terms);
  };
  for (let i = 10; i > 0; i--) await append(changeMs - i * 1000, 1);
  for (let i = 0; i < 10; i++) await append(changeMs + i * 1000, 3);

  const loaded = loadConfig('remote_write: [{ name: far, url: https://far.example/ }]');
  if (!loaded.ok) throw new Error('not a configuration');
  const remotes = loaded.config.remoteWrites;
  const shards = [0, 1, 2].map((shard) => ingester(bindings, tenant, shard));
  const got = new Map<string, number[]>();
  let posts = 0;
  const doors = {
    clock,
    connections: new Connections(clock),
    senders: new Set<Sender>(),
    certificate: () => fetch,
    random: () => 0.5,
    tokens,
    userAgent: 'test',
    warn: () => {},
    self: () => Promise.reject(new Error('never')),
    fetch: async (request: Request) => {
      // The old shard's first requests fail: it stays behind for a while.
      if (posts++ < 2) return new Response('no', { status: 503, headers: { 'Retry-After': '1' } });
      const samples = samplesOf({ schema: 2, body: new Uint8Array(await request.arrayBuffer()) });
      for (const { labels, t } of samples) got.set(labels['instance']!, [...(got.get(labels['instance']!) ?? []), t]);
      return new Response(null, {
        status: 204,
        headers: { 'X-Prometheus-Remote-Write-Samples-Written': String(samples.length) },
      });
    },
  };
  const heeding = inOrderOfChanges(shards, [changeMs], clock);
  await Promise.all(heeding.map((log) => forwardRound({ configVersion: 0, remotes, runMs: 8_000 }, log, doors)));
  expect(got.size).toBe(TARGETS);
  for (const times of got.values()) {
    expect(times).toHaveLength(20);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }
});

describe('of an HA pair', () => {
  it('the first shard tells who leads, asleep too, and writes a row every few seconds', async () => {
    const stub = ingester(bindings, 'pairs', 0);
    const elect = (atMs: number, replica: string) =>
      asleep(stub, async () => await stub.elect(atMs, { cluster: 'c', replica }));
    expect(await elect(R0, 'a')).toBe('a');
    expect(await elect(R0 + 1000, 'b')).toBe('a');
    expect(await elect(R0 + 20_000, 'a')).toBe('a');
    expect(await elect(R0 + 20_000 + FAILOVER_MS - 1, 'b')).toBe('a');
    expect(await elect(R0 + 20_000 + FAILOVER_MS, 'b')).toBe('b');
    expect(await elect(R0 + 20_001 + FAILOVER_MS, 'a')).toBe('b');
    // Who led while there was one shard leads on: that rides in the log.
    const one = ingester(bindings, 'pairs-one', 0);
    const terms = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: { cluster: 'c', replica: 'x' }, relay: [] };
    const { parts } = accept(2, request(R0, 1), DEFAULT_RECEIVE_LIMITS, R0) as Accepted;
    await one.append(R0, parts[0]!.records, terms);
    expect(await asleep(one, async () => await one.elect(R0 + 1, { cluster: 'c', replica: 'y' }))).toBe('x');
    // And the other way round.
    const later = await asleep(
      stub,
      async () =>
        await stub.append(R0 + 51_000, parts[0]!.records, { ...terms, replica: { cluster: 'c', replica: 'a' } }),
    );
    expect(later).toEqual({ ok: true, leader: 'b' });
  });
});

/** Sends to the whole Worker. */
async function write(tenant: string, limits: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return await worker.fetch(
    new Request('https://narthex.example/api/v1/write', {
      method: 'POST',
      headers: {
        'Content-Encoding': 'snappy',
        'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
        Authorization: 'Bearer test-any-token',
        'X-Scope-OrgID': tenant,
      },
      body,
    }) as Request<unknown, IncomingRequestCfProperties>,
    { ...bindings, NARTHEX_LIMITS: limits },
    createExecutionContext(),
  );
}

it('writes a row a request and shard', async () => {
  const limits = 'wide: { shards: 3 }';
  const now = Date.now();
  expect((await write('wide', limits, request(now - 1000, 1))).status).toBe(204);
  const rows = async (): Promise<number[]> =>
    await Promise.all(
      [0, 1, 2].map((shard) =>
        runInDurableObject(ingester(bindings, 'wide', shard), async (object) => {
          const { log } = await object.report(now, 'wide', shard);
          return log.rowsWritten;
        }),
      ),
    );
  const before = await rows();
  for (let i = 0; i < 5; i++) expect((await write('wide', limits, request(now + i, i))).status).toBe(204);
  expect((await rows()).map((n, shard) => n - before[shard]!)).toEqual([5, 5, 5]);
});

it('takes one replica of a pair over all shards', async () => {
  const limits = 'pair-wide: { shards: 3, ha: true }';
  const now = Date.now();
  const one = await write('pair-wide', limits, request(now, 1, 'a'));
  const other = await write('pair-wide', limits, request(now, 2, 'b'));
  expect([one.status, other.status]).toEqual([204, 202]);
  const { shards } = (await tenants(bindings)).get('pair-wide')!;
  const reports = await Promise.all(shards.map((stub, shard) => stub.report(now, 'pair-wide', shard)));
  expect(reports).toHaveLength(3);
  expect(reports.reduce((sum, { log }) => sum + log.samplesIn, 0)).toBe(TARGETS);
});

it('a shard that takes nothing makes the request come again; then it is stored whole, once', async () => {
  const limits = 'partly: { shards: 3, samples_per_second: 1, samples_burst: 1000 }';
  const now = Date.now();
  const busy = ingester(bindings, 'partly', 1);
  const { parts } = accept(2, request(now - 1, 0), DEFAULT_RECEIVE_LIMITS, now, { shards: 3 }) as Accepted;
  const held = { ...DEFAULT_SHARD_LIMITS, samplesPerS: 1, samplesBurst: 1 };
  await busy.append(now, parts[1]!.records, { limits: held, hashes: null, replica: null, relay: [] });

  const refused = await write('partly', limits, request(now, 1));
  expect(refused.status).toBe(429);
  expect(await refused.text()).toContain('1 of the 3 shards that the request goes to did not take their part of it');
  const written = Number(refused.headers.get('X-Prometheus-Remote-Write-Samples-Written'));
  expect(written).toBe(TARGETS - parts[1]!.samples);
  expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
  // What it took on credit is paid for, and it remembers that asleep.
  vi.useFakeTimers({ toFake: ['Date'], now: now + MINUTE });
  const again = await asleep(busy, () => write('partly', limits, request(now, 1)));
  vi.useRealTimers();
  expect(again.status).toBe(204);
  let samples = 0;
  for (let i = 0; i < 3; i++) {
    const stub = ingester(bindings, 'partly', i);
    while ((await stub.digest(now)).more) continue;
    const { ranges } = await stub.report(now, 'partly', i);
    samples += ranges.reduce((sum, range) => sum + range.samples, 0);
  }
  expect(samples).toBe(TARGETS + parts[1]!.samples);
});

describe('a sender that goes on until it is taken', () => {
  /** What becomes of a part of a request that is appended to a shard. */
  type Fate = 'taken' | 'refused with 429' | 'refused with 503' | 'lost before' | 'kept, and then lost';
  const FATES: readonly Fate[] = ['refused with 429', 'refused with 503', 'lost before', 'kept, and then lost'];
  const SAMPLES_MAX = 3;

  /** A request of some targets, perhaps with a series in it that no shard may have. */
  function message(schema: Schema, t: number, targets: readonly number[], bad: boolean): Uint8Array {
    const samples = Array.from({ length: SAMPLES_MAX }, (_, i) => sample(t + i, i));
    const series = targets.map((i): TestSeries => {
      const labels = [['__name__', 'up'] as const, ['instance', `host${i}`] as const, ['job', 'web'] as const];
      return { labels, samples };
    });
    return encode({ schema, series: bad ? [...series, { labels: [['no', 'name']], samples }] : series });
  }

  it.each([1, 2] as const)(
    'has everything stored once, whichever shards refuse or die on the way: %i.0, and is told what is kept',
    async (schema) => {
      const tenant = `stubborn-${schema}`;
      const rng = new Rng(schema);
      await director(bindings).enlist(R0 - PLACEMENT_DELAY_MS, tenant, 3);
      const receiver = new Receiver();
      let fates: Fate[] = [];
      let kept = 0;
      const deps: WriteDeps = {
        ...receiver.deps(),
        nowMs: R0,
        shards: () => 3,
        append: async (to, records, { shard }) => {
          const fate = fates[shard]!;
          const samples = records.reduce((sum, record) => sum + record.samples, 0);
          if (fate === 'refused with 429')
            return { ok: false, status: 429, retryAfterS: 2 + shard, message: 'too fast' };
          if (fate === 'refused with 503') return { ok: false, status: 503, retryAfterS: 2 + shard, message: 'full' };
          if (fate === 'lost before') throw new Error('Durable Object reset');
          const stub = ingester(bindings, to, shard);
          const terms = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: null, relay: [] };
          const result = await asleep(stub, async () => await stub.append(R0, records, terms));
          if (fate === 'kept, and then lost') throw new Error('Network connection lost');
          kept += samples;
          return result;
        },
      };
      const sent = new Map<string, number>();
      let asked = 0;
      const seen = new Set<string>();
      for (let n = 0; n < 25; n++) {
        const targets = Array.from({ length: TARGETS }, (_, i) => i).filter(() => rng.below(8) === 0);
        const bad = n % 5 === 4;
        const t = R0 + n * 1000;
        const body = snappyCompress(message(schema, t, targets, bad));
        for (const i of targets) {
          for (let k = 0; k < SAMPLES_MAX; k++) sent.set(`host${i} ${t + k}`, k);
        }
        for (let attempt = 0; ; attempt++) {
          fates = [0, 1, 2].map(() => (attempt < 4 && rng.below(3) === 0 ? FATES[rng.below(4)]! : 'taken'));
          kept = 0;
          const type = schema === 1 ? '' : ';proto=io.prometheus.write.v2.Request';
          const headers = { 'Content-Encoding': 'snappy', 'Content-Type': `application/x-protobuf${type}` };
          const answer = await handleWrite(
            new Request('http://narthex/api/v1/write', { method: 'POST', headers, body }),
            tenant,
            deps,
          );
          asked++;
          const text = await answer.text();
          const written = answer.headers.get('X-Prometheus-Remote-Write-Samples-Written');
          // Exact: of what was lost on the way nobody knows, and nothing is claimed.
          expect(written).toBe(schema === 1 ? null : String(kept));
          seen.add(String(answer.status));
          if (answer.status === 429 || answer.status === 503) {
            expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThanOrEqual(2);
            if (kept > 0) expect(text).toMatch(/of the \d shards .* did not take their part/);
            continue;
          }
          expect(answer.status, text).toBe(bad ? 400 : 204);
          expect(kept).toBe(targets.length * SAMPLES_MAX);
          break;
        }
      }
      expect(asked).toBeGreaterThan(40);
      expect([...seen].sort()).toEqual(['204', '400', '429', '503']);
      // Refused series are counted once, however often the request came.
      expect(receiver.counts['refused_series:no_metric_name']).toBe(5);
      const { shards } = (await tenants(bindings)).get(tenant)!;
      for (const stub of shards) {
        while ((await asleep(stub, async () => await stub.digest(R0, Infinity))).more) continue;
      }
      await cutAll(tenant, R0 + RANGE_MS + 31 * MINUTE);
      const blocks = await catalogue(bindings, tenant).blocks();
      const stored = await merged(blocks.map(({ ulid }) => `blocks/${tenant}/${ulid}/`));
      expect(new Map([...stored].map(([key, values]) => [key, values.join()]))).toEqual(
        new Map([...sent].map(([key, value]) => [key, String(value)])),
      );
      // in = stored + what came again.
      const reports = await Promise.all(shards.map((stub, shard) => stub.report(R0, tenant, shard)));
      const sum = (of: (report: (typeof reports)[number]) => number): number =>
        reports.reduce((total, report) => total + of(report), 0);
      expect(sum(({ log }) => log.samplesIn)).toBe(stored.size + sum(({ samplesDuplicate }) => samplesDuplicate));
      expect(sum(({ samplesConflicting }) => samplesConflicting)).toBe(0);
    },
  );
});
