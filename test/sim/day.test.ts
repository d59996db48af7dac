/**
 * A day in which one of three remotes is down and one is slow, on the simulated clock: cron gaps and runs that come twice, evictions between any two
 * calls, storms of 429 and 5xx, answers that are lost after the samples were taken, several requests at once. One seed replays it:
 * `SIM_SEED=… vitest run test/sim`.
 */

import { expect, it } from 'vitest';
import type { RemoteWriteConfig } from '../../src/config/model.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { REMOTES_SPARED, type Sender } from '../../src/forward/deliver.ts';
import type { LogDoor } from '../../src/forward/door.ts';
import { Outbox } from '../../src/forward/outbox.ts';
import { forwardRound } from '../../src/forward/round.ts';
import { Log } from '../../src/log/log.ts';
import { Values } from '../../src/log/table.ts';
import { Connections } from '../../src/scrape/reach/connections.ts';
import { samplesOf } from '../durable/log-reader.ts';
import { Rng } from '../encoding/damage.ts';
import { sqlite } from '../log/sqlite.ts';
import { SimClock } from './clock.ts';

const SEEDS =
  process.env['SIM_SEED'] === undefined
    ? [20_261_122, Math.floor(Math.random() * 2 ** 32)]
    : [Number(process.env['SIM_SEED'])];
const T0 = Date.UTC(2026, 10, 22);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Each in a lane of its own; a flush is two records with half of the lanes each, or now and then one with all. */
const SERIES = 4;
/** When the second remote is down. */
const DOWN = [T0 + HOUR / 2, T0 + 24.5 * HOUR] as const;
const ENDS = T0 + 26 * HOUR;
/** What a request takes; the slow remote cannot keep up with one at a time while a storm's backlog waits. */
const LATENCY_MS = 150;
const SLOW_MS = 20_000;

const remote = (
  name: string,
  protobufMessage: NonNullable<RemoteWriteConfig['protobufMessage']>,
  more: Partial<RemoteWriteConfig> = {},
): RemoteWriteConfig => ({
  name,
  url: `http://${name}/write`,
  protobufMessage,
  remoteTimeoutMs: 10_000,
  headers: [],
  minBackoffMs: 1_000,
  maxBackoffMs: 30_000,
  maxSamplesPerSend: 50,
  minShards: 1,
  maxShards: 50,
  sendExemplars: true,
  sendNativeHistograms: true,
  metadata: null,
  sampleAgeLimitMs: 0,
  followRedirects: true,
  writeRelabelConfigs: [],
  ...more,
});

/** A receiver that remembers what it has, and objects when a series goes back in time or changes what it said. */
class Receiver {
  readonly has = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  requests = 0;

  take(schema: 1 | 2, body: Uint8Array): number {
    this.requests++;
    const samples = samplesOf({ schema, body });
    for (const { labels, t, v } of samples) {
      const name = labels['__name__']!;
      const key = `${name} ${t}`;
      if (this.has.has(key)) {
        expect(this.has.get(key)).toBe(v);
        continue;
      }
      expect(t).toBeGreaterThan(this.#newest.get(name) ?? 0);
      this.#newest.set(name, t);
      this.has.set(key, v as number);
    }
    return samples.length;
  }
}

async function day(seed: number): Promise<void> {
  const rng = new Rng(seed);
  const chance = (): number => rng.next() / 2 ** 32;
  const clock = new SimClock(T0, 1);
  const sql = sqlite();
  const values = new Values(sql);
  const remotes = [
    remote('live', 'io.prometheus.write.v2.Request'),
    remote('down', 'prometheus.WriteRequest'),
    remote('slow', 'io.prometheus.write.v2.Request', { remoteTimeoutMs: 40_000, maxShards: 4 }),
  ];
  let log = new Log(sql);
  let outbox = new Outbox(log, values, () => 0);
  /** An object sleeps between any two calls, now and then: leases are forgotten, what is stored is not. */
  const awake = (): Outbox => {
    if (chance() < 0.05) {
      log = new Log(sql);
      outbox = new Outbox(log, values, () => 0);
    }
    return outbox;
  };
  const door: LogDoor = {
    takeForwardBaton: async (_nowMs, { remotes: names }) => {
      log.setConsumers(names);
      return awake().takeBaton();
    },
    next: (...call) => awake().next(...call),
    renew: (...call) => awake().renew(...call),
    acknowledge: (...call) => awake().acknowledge(...call),
    retried: (...call) => awake().retried(...call),
    countMetadata: (...call) => awake().countMetadata(...call),
    setAside: (...call) => awake().setAside(...call),
  };

  const receivers = new Map(remotes.map(({ name }) => [name, new Receiver()]));
  /** Minutes in which the live remote is out of sorts, and in which no cron comes. */
  const storm = new Set<number>();
  const gap = new Set<number>();
  for (let minute = 60; minute < 25 * 60; minute++) {
    if (chance() < 0.01) for (let i = 0; i < 1 + chance() * 10; i++) storm.add(minute + i);
    if (chance() < 0.01) for (let i = 0; i < 1 + chance() * 6; i++) gap.add(minute + i);
  }
  let slowUnderWay = 0;
  let slowest = 0;
  const fetch = async (request: Request): Promise<Response> => {
    const { hostname } = new URL(request.url);
    const nowMs = clock.now();
    const held = request.clone();
    if (hostname === 'slow') slowest = Math.max(slowest, ++slowUnderWay);
    await clock.sleepUntil(nowMs + (hostname === 'slow' ? SLOW_MS : LATENCY_MS) * (0.5 + chance()));
    if (hostname === 'slow') slowUnderWay--;
    if (hostname === 'down' && nowMs >= DOWN[0] && nowMs < DOWN[1]) {
      if (chance() < 0.1) return await new Promise(() => undefined);
      throw new Error('connection refused');
    }
    const bad = storm.has(Math.floor((nowMs - T0) / MINUTE)) && chance() < 0.9;
    if (bad && chance() < 0.7) {
      const status = [429, 500, 502, 503][Math.floor(chance() * 4)]!;
      return new Response('busy', { status, headers: chance() < 0.3 ? { 'Retry-After': '20' } : {} });
    }
    const schema = request.headers.get('Content-Type')!.includes('v2') ? 2 : 1;
    const samples = receivers.get(hostname)!.take(schema, new Uint8Array(await held.arrayBuffer()));
    if (bad) throw new Error('connection reset after the samples were taken');
    return new Response(null, { status: 204, headers: { 'X-Prometheus-Remote-Write-Samples-Written': `${samples}` } });
  };

  const runs: Promise<unknown>[] = [];
  const cron = (): void => {
    const doors = {
      clock,
      fetch,
      connections: new Connections(clock, REMOTES_SPARED),
      senders: new Set<Sender>(),
      certificate: () => fetch,
      self: fetch,
      random: chance,
      tokens: new Map(),
      userAgent: 'Narthex/sim',
      warn: () => undefined,
    };
    runs.push(forwardRound({ runMs: 2.5 * MINUTE, configVersion: 0, remotes }, door, doors));
  };
  const status = (name: string) => log.status(clock.now()).consumers.find((consumer) => consumer.name === name)!;

  log.setConsumers(remotes.map(({ name }) => name));
  let appended = 0;
  let caughtUpMs = Infinity;
  let requestsWhileDown = 0;
  for (let minute = 0; T0 + minute * MINUTE < ENDS; minute++) {
    const nowMs = T0 + minute * MINUTE;
    await clock.advanceTo(nowMs);
    if (nowMs === DOWN[1]) requestsWhileDown = receivers.get('down')!.requests;
    if (nowMs > DOWN[1] && caughtUpMs === Infinity && status('down').recordsPending <= 1) caughtUpMs = nowMs - DOWN[1];
    if (nowMs < ENDS - 10 * MINUTE) {
      const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
      const whole = chance() < 0.1;
      for (let s = 0; s < SERIES; s++) {
        if (s === SERIES / 2 && !whole) builder.cut();
        builder.lane = 1 << s;
        builder.reserve(100);
        builder.add([builder.symbol('__name__'), builder.symbol(`s${s}`)], 2, nowMs, 0, ++appended);
      }
      const records = builder.finish();
      log.append(
        nowMs,
        records.map(({ message, ...about }) => ({ ...about, schema: 2, body: snappyCompress(message) })),
      );
    }
    if (!gap.has(minute)) cron();
    if (chance() < 0.02) cron();
  }
  await clock.advanceTo(ENDS + 5 * MINUTE);
  await Promise.all(runs);

  for (const { name } of remotes) {
    const { samplesIn, samplesSent, samplesDropped, samplesPending } = status(name);
    const dropped = Object.values(samplesDropped).reduce((sum, n) => sum + n, 0);
    expect(samplesIn).toBe(samplesSent + dropped + samplesPending);
    expect({ name, samplesIn, dropped, samplesPending }).toEqual({
      name,
      samplesIn: appended,
      dropped: 0,
      samplesPending: 0,
    });
    expect(receivers.get(name)!.has.size).toBe(appended);
  }
  expect(slowest).toBeGreaterThan(1);
  // As fast as the remote takes it: what its requests last, and what until the next try and a missing cron may pass.
  const requests = receivers.get('down')!.requests - requestsWhileDown;
  expect(caughtUpMs).toBeLessThanOrEqual(requests * LATENCY_MS * 1.5 + 10 * MINUTE);
  expect(log.status(clock.now()).log.records).toBe(1);
}

it.each(SEEDS)('a day with one remote down loses nothing, SIM_SEED=%i', { timeout: 120_000 }, async (seed) => {
  try {
    await day(seed);
  } catch (error) {
    throw new Error(`SIM_SEED=${seed}: ${String(error)}`, { cause: error });
  }
});
