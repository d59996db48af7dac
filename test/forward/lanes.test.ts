/** Requests at once: over lanes, without one overtaking another in its lane, and over the connections of a run, without one remote starving another. */

import { describe, expect, it } from 'vitest';
import { samplesOf } from '../durable/log-reader.ts';
import { Network } from '../sim/network.ts';
import { remote, T0, world } from './world.ts';

const MINUTE = 60_000;

/** The n of each sample of a request. */
const numbers = async (request: Request): Promise<number[]> =>
  samplesOf({ schema: 2, body: new Uint8Array(await request.arrayBuffer()) }).map(({ t }) => t - T0);

describe('lanes', () => {
  it('let a slow remote catch up with as many requests at once as max_shards says, each lane in its order', async () => {
    for (const [maxShards, atMost] of [
      [1, 1],
      [3, 3],
      [50, 6],
    ] as const) {
      const w = world([remote('slow', { maxShards })]);
      for (let i = 0; i < 240; i++) w.append(1 << (i % 8));
      // What waits is a backlog after ten seconds.
      await w.clock.advanceTo(T0 + 11_000);
      let underWay = 0;
      let most = 0;
      const newest = new Map<number, number>();
      const run = w.run(async (request) => {
        const held = request.clone();
        most = Math.max(most, ++underWay);
        await w.clock.sleepUntil(w.clock.now() + 500);
        underWay--;
        for (const n of await numbers(held.clone())) {
          expect(n).toBeGreaterThan(newest.get((n - 1) % 8) ?? 0);
          newest.set((n - 1) % 8, n);
        }
        return await w.accept(held);
      });
      await w.clock.advanceTo(T0 + 4 * MINUTE);
      await run;
      expect(w.received.get('slow')!.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 240 }, (_, i) => i + 1));
      expect(w.status('slow')).toMatchObject({ samplesSent: 240, samplesPending: 0, samplesDropped: {} });
      expect(most).toBe(atMost);
    }
  });

  it('a run that ends in the middle leaves at most the newest of each lane to come again', async () => {
    const w = world([remote('slow', { minShards: 4 })]);
    for (let i = 0; i < 60; i++) w.append(1 << (i % 6));
    const seen = new Map<number, number>();
    const newest = new Map<number, number>();
    let again = 0;
    let lost = 0;
    const fetch = async (request: Request): Promise<Response> => {
      const held = request.clone();
      await w.clock.sleepUntil(w.clock.now() + 300 + ((seen.size * 7) % 5) * 100);
      const answer = await w.accept(held.clone());
      for (const n of await numbers(held)) {
        const lane = (n - 1) % 6;
        if (seen.has(n)) {
          again++;
          // As a receiver takes it: the newest of its series again is nothing, an older one would be refused.
          expect(newest.get(lane)).toBe(n);
        }
        seen.set(n, (seen.get(n) ?? 0) + 1);
        newest.set(lane, n);
      }
      // Every tenth answer is lost after the samples were taken.
      if (seen.size % 10 === 0 && lost++ < 5) throw new Error('connection reset');
      return answer;
    };
    const runs: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      runs.push(w.run(fetch));
      await w.clock.advanceTo(T0 + (i + 1) * 1_700);
    }
    await w.clock.advanceTo(T0 + 5 * MINUTE);
    await Promise.all(runs);
    expect(seen.size).toBe(60);
    expect(again).toBeGreaterThan(0);
    expect(w.status('slow')).toMatchObject({ samplesSent: 60, samplesPending: 0, samplesDropped: {} });
  });
});

describe('the connections of a run', () => {
  it('are not all held by remotes that hang, however many: a live one waits a moment once', async () => {
    const names = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h8'];
    const w = world([...names.map((name) => remote(name)), remote('live')]);
    const arrived: number[] = [];
    const runs: Promise<unknown>[] = [];
    const networks: Network[] = [];
    for (let minute = 0; minute < 5; minute++) {
      const network = new Network(w.clock, (host) => () => (host === 'live' ? 100 : Infinity));
      networks.push(network);
      runs.push(
        w.run(async (request) => {
          const held = request.clone();
          await network.fetch(request);
          arrived.push(w.clock.now());
          return await w.accept(held);
        }),
      );
      for (let second = 0; second < 60; second += 5) {
        const before = arrived.length;
        w.append();
        await w.clock.advanceTo(T0 + minute * MINUTE + (second + 5) * 1_000);
        if (minute > 0) expect(arrived.length).toBeGreaterThan(before);
      }
    }
    expect(w.status('live').samplesPending).toBe(0);
    expect(networks.every(({ queued }) => queued === 0)).toBe(true);
    await w.clock.advanceTo(T0 + 10 * MINUTE);
    await Promise.all(runs);
    for (const name of names) {
      expect(w.status(name)).toMatchObject({ samplesSent: 0, samplesPending: 60, healthy: false });
      expect(w.status(name).requestsFailed).toBeGreaterThan(0);
    }
  });

  it('are shared fairly by more remotes than there are', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `r${i}`);
    const w = world(names.map((name) => remote(name)));
    for (let i = 0; i < 40; i++) w.append(1 << (i % 16));
    await w.clock.advanceTo(T0 + 11_000);
    const run = w.run(async (request) => {
      const held = request.clone();
      await w.clock.sleepUntil(w.clock.now() + 500);
      return await w.accept(held);
    });
    await w.clock.advanceTo(T0 + 11_000 + 20_000);
    // 6 connections, 2 requests a second each: 240 in 20 s, 20 a remote.
    for (const name of names) {
      expect(w.status(name).samplesSent).toBeGreaterThan(15);
      expect(w.status(name).samplesSent).toBeLessThan(26);
    }
    await w.clock.advanceTo(T0 + 4 * MINUTE);
    await run;
    for (const name of names) expect(w.status(name)).toMatchObject({ samplesSent: 40, samplesPending: 0 });
  });
});
