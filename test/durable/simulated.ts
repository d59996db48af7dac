/**
 * A run in simulated time against an agent in the runtime that sleeps before every call: nothing that it does may depend on its memory.
 * What the network answers is the test's.
 */

import { env } from 'cloudflare:workers';
import type { Agent } from '../../durable/agent.ts';
import type { Env } from '../../durable/env.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/model.ts';
import type { Fetch } from '../../src/model/doors.ts';
import type { AgentDoor, RoundDoors } from '../../src/scrape/round.ts';
import type { SimClock } from '../sim/clock.ts';
import { asleep } from './asleep.ts';
import { type PlainSample, samplesOf } from './log-reader.ts';

/** In the future, so that no alarm fires by itself during a test. */
export const T0 = Date.UTC(2036, 10, 22, 12, 0, 0);

export const bindings = env as unknown as Env;

export function configOf(yaml: string): Config {
  const loaded = loadConfig(yaml);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

/** The calls of a run; time stands still during each. */
export function forgetful(stub: DurableObjectStub<Agent>, clock: SimClock): AgentDoor {
  const call = <T>(work: () => Promise<T>): Promise<T> => clock.track(() => asleep(stub, work));
  return {
    takeBaton: (...args) => call(async () => await stub.takeBaton(...args)),
    retarget: (...args) => call(async () => await stub.retarget(...args)),
    append: (...args) => call(async () => await stub.append(...args)),
  };
}

/** The doors of a run, and what it warned of. */
export function doorsOf(clock: SimClock, fetch: Fetch): { readonly doors: RoundDoors; readonly warnings: string[] } {
  const warnings: string[] = [];
  const doors = {
    clock,
    network: fetch,
    route: () => fetch,
    tokens: new Map(),
    userAgent: 'sim',
    bodyBytesMax: 1e6,
    warn: (message: string) => void warnings.push(message),
  };
  return { doors, warnings };
}

/** A page in the text format. */
export const page = (body: string): Response =>
  new Response(body, { headers: { 'Content-Type': 'text/plain; version=0.0.4' } });

/** All that a remote of that agent is still to get, acknowledged. */
export async function drained(stub: DurableObjectStub<Agent>, nowMs: number, remote = 'sink'): Promise<PlainSample[]> {
  const { epoch } = await stub.takeForwardBaton(nowMs, { configVersion: 1, remotes: [remote] });
  const samples: PlainSample[] = [];
  for (;;) {
    const next = await stub.next(nowMs, epoch, remote, 0, null);
    if (next.kind !== 'records') return samples;
    for (const record of next.batch.records) samples.push(...samplesOf(record));
    const sent = next.batch.records.reduce((sum, record) => sum + record.samples, 0);
    await stub.acknowledge(nowMs, epoch, remote, next.cursor, next.batch.upTo, { sent }, false);
  }
}
