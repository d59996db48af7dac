/**
 * A remote without an out-of-order window, as Prometheus is by default, and a Narthex that is killed between the remote's taking a request and the log's hearing
 * of it: what is sent again is refused where the remote has something newer, and so is what stands beside it in a request of 1.0.
 *
 * Asserted of each: in the end the remote has everything, and all is accounted for.
 */

import { describe, expect, it } from 'vitest';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import type { LogDoor } from '../../src/forward/door.ts';
import { samplesOf } from '../durable/log-reader.ts';
import { Rng } from '../encoding/damage.ts';
import { remote, T0, world } from './world.ts';

const SEEDS =
  process.env['SIM_SEED'] === undefined
    ? [1, 2, 3, 4, Math.floor(Math.random() * 2 ** 32)]
    : [Number(process.env['SIM_SEED'])];

/**
 * Refuses what is older than its series' newest, as Prometheus' write handler does (storage/remote/write_handler.go): in 1.0 all that stands beside it in the
 * request too, in 2.0 the rest is kept.
 */
class StrictRemote {
  readonly has = new Set<string>();
  readonly #newest = new Map<string, { readonly t: number; readonly v: number | 'stale' }>();
  /** Requests of which something was refused, and samples that were refused with others though they were new. */
  refused = 0;
  refusedBesides = 0;

  take(schema: 1 | 2, body: Uint8Array): Response {
    const samples = samplesOf({ schema, body }).map(({ labels, t, v }) => ({ series: JSON.stringify(labels), t, v }));
    const good = samples.filter(({ series, t, v }) => {
      const newest = this.#newest.get(series);
      return newest === undefined || t > newest.t || (t === newest.t && v === newest.v);
    });
    const isRefused = good.length < samples.length;
    if (isRefused) {
      this.refused++;
      if (schema === 1) {
        this.refusedBesides += good.filter(({ series, t }) => !this.has.has(`${series} ${t}`)).length;
        return new Response('out of order sample', { status: 400 });
      }
    }
    for (const { series, t, v } of good) {
      this.has.add(`${series} ${t}`);
      if (t >= (this.#newest.get(series)?.t ?? 0)) this.#newest.set(series, { t, v });
    }
    const headers = { 'X-Prometheus-Remote-Write-Samples-Written': String(good.length) };
    return new Response(isRefused ? 'out of order sample' : null, { status: isRefused ? 400 : 204, headers });
  }
}

const FLUSH_MS = 5_000;
/** Enough for several requests, which in 2.0 have a record each. */
const BACKLOG_MS = { 1: 90_000, 2: 30_000 } as const;
/** A life that is not killed so soon has sent the backlog, s. */
const LIFE_S = 10;

interface Case {
  readonly seed: number;
  readonly schema: 1 | 2;
  /** As scraped, each target in a lane; else as received, in all. */
  readonly lanes: boolean;
  /** After how many steps each life ends; then one is left alone. A step is a call to the log, or a request, at its beginning or at its end. */
  readonly kills: readonly number[];
}

interface Told {
  /** Whether every life was killed that was to be. */
  readonly killed: boolean;
  readonly refused: number;
  readonly refusedBesides: number;
}

const never = new Promise<never>(() => undefined);

async function lives({ seed, schema, lanes, kills }: Case): Promise<Told> {
  const rng = new Rng(seed);
  const chance = (): number => rng.next() / 2 ** 32;
  const protobufMessage = schema === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
  const w = world([remote('strict')]);
  const strict = new StrictRemote();

  // Targets of different intervals and sizes; a flush every five seconds has those that were scraped in it, in one record or more.
  const targets = Array.from({ length: 6 }, (_, i) => ({
    lane: 1 << (i % 4),
    everyMs: [5_000, 10_000, 15_000, 30_000][Math.floor(chance() * 4)]!,
    series: 1 + Math.floor(chance() * 3),
  }));
  const appended = new Set<string>();
  let records = 0;
  let flushMs = T0;
  let lastMs = Infinity;
  const flush = (): void => {
    const atMs = flushMs;
    flushMs += FLUSH_MS;
    const builder = new RequestBuilder({ samplesMax: 10_000, bytesMax: 512 * 1024 });
    targets.forEach(({ lane, everyMs, series }, target) => {
      if ((atMs - T0) % everyMs !== 0) return;
      builder.lane = lane;
      // Two of a target are in one flush when it was late.
      for (const t of chance() < 0.2 ? [atMs - 2_000, atMs] : [atMs]) {
        for (let i = 0; i < series; i++) {
          builder.reserve(100);
          const refs = ['__name__', `s${i}`, 'target', String(target)].map((text) => builder.symbol(text));
          builder.add(refs, 4, t, 0, appended.size + 1);
          appended.add(`${JSON.stringify({ __name__: `s${i}`, target: String(target) })} ${t}`);
        }
      }
      if (chance() < 0.4) builder.cut();
    });
    const built = builder.finish();
    records += built.length;
    w.log.append(
      w.clock.now(),
      built.map(({ message, samples, maxT, lanes: own }) => {
        return { schema: 2 as const, samples, maxT, body: snappyCompress(message), ...(lanes ? { lanes: own } : {}) };
      }),
    );
  };
  const advance = async (ms: number): Promise<void> => {
    const untilMs = w.clock.now() + ms;
    for (; flushMs <= Math.min(untilMs, lastMs); flush()) await w.clock.advanceTo(flushMs);
    await w.clock.advanceTo(untilMs);
  };
  await advance(BACKLOG_MS[schema]);

  /** A run whose process is gone after so many steps: nothing that it calls answers any more; a request on its way arrives all the same. Whether it is gone. */
  const life = (steps: number): (() => boolean) => {
    let left = steps;
    const alive = async (): Promise<void> => {
      if (left <= 0) await never;
      left--;
    };
    const step = async <T>(call: () => Promise<T>): Promise<T> => {
      await alive();
      const answer = await call();
      await alive();
      return answer;
    };
    const through = (log: LogDoor): LogDoor => ({
      takeForwardBaton: (...call) => step(() => log.takeForwardBaton(...call)),
      next: (...call) => step(() => log.next(...call)),
      renew: (...call) => step(() => log.renew(...call)),
      acknowledge: (...call) => step(() => log.acknowledge(...call)),
      retried: (...call) => step(() => log.retried(...call)),
      countMetadata: (...call) => step(() => log.countMetadata(...call)),
      setAside: (...call) => step(() => log.setAside(...call)),
    });
    const fetch = (request: Request): Promise<Response> =>
      step(async () => {
        const body = new Uint8Array(await request.arrayBuffer());
        const [thereMs, backMs] = [10 + chance() * 200, chance() * 400];
        await w.clock.sleepUntil(w.clock.now() + thereMs);
        const answer = strict.take(schema, body);
        await w.clock.sleepUntil(w.clock.now() + backMs);
        return answer;
      });
    // More than a record has, and of each life another: so records are joined to others than before.
    const maxSamplesPerSend = 40 + Math.floor(chance() * 80);
    void w.run(fetch, 0, [remote('strict', { protobufMessage, maxSamplesPerSend, minShards: 4 })], through);
    return () => left <= 0;
  };

  let killed = true;
  for (const steps of kills) {
    const dead = life(steps);
    for (let i = 0; i < LIFE_S && !dead(); i++) await advance(1_000);
    killed &&= dead();
    // The next begins at once, or when what was on its way has arrived.
    if (chance() < 0.5) await advance(FLUSH_MS);
  }
  life(Infinity);
  lastMs = w.clock.now() + 10_000;
  await advance(15_000);
  while (w.status('strict').recordsPending > 0) await advance(1_000);

  const { samplesIn, samplesSent, samplesDropped, samplesPending, recordsPending } = w.status('strict');
  const { http_400: refusedSamples = 0, ...others } = samplesDropped;
  expect([...appended].filter((sample) => !strict.has.has(sample))).toEqual([]);
  expect(strict.has.size).toBe(appended.size);
  expect({ samplesIn, samplesPending, recordsPending, others }).toEqual({
    samplesIn: appended.size,
    samplesPending: 0,
    recordsPending: 0,
    others: {},
  });
  expect(samplesSent + refusedSamples).toBe(appended.size);
  if (strict.refused === 0) expect(refusedSamples).toBe(0);
  return { killed, refused: strict.refused, refusedBesides: strict.refusedBesides };
}

const SHAPES = [
  { schema: 1, lanes: true },
  { schema: 1, lanes: false },
  { schema: 2, lanes: true },
  { schema: 2, lanes: false },
] as const;

describe.each(SHAPES)('a strict remote of schema $schema, lanes: $lanes', ({ schema, lanes }) => {
  it('has everything, whenever Narthex is killed', async () => {
    let refused = 0;
    let refusedBesides = 0;
    for (let kill = 1; ; kill++) {
      const told = await lives({ seed: 1, schema, lanes, kills: [kill] }).catch((error: unknown) => {
        throw new Error(`killed at step ${kill}: ${String(error)}`, { cause: error });
      });
      refused += told.refused;
      refusedBesides += told.refusedBesides;
      if (!told.killed) break;
    }
    expect(refused).toBeGreaterThan(0);
    // What is new does stand beside what is old, in 1.0, or there would be nothing to lose.
    if (schema === 1) expect(refusedBesides).toBeGreaterThan(0);
    else expect(refusedBesides).toBe(0);
  });

  it.each(SEEDS)('has everything, however often Narthex is killed, SIM_SEED=%i', async (seed) => {
    const rng = new Rng(seed);
    for (let i = 0; i < 12; i++) {
      const kills = Array.from({ length: 1 + (rng.next() % 6) }, () => 1 + (rng.next() % 30));
      await lives({ seed: rng.next(), schema, lanes, kills });
    }
  });
});
