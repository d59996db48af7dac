/** Zeros where series began, of an agent that sleeps before every call: what decides on them must have been stored. */

import { expect, it } from 'vitest';
import type { Scraped } from '../../src/scrape/round.ts';
import { asleep } from './asleep.ts';
import { samplesOf } from './log-reader.ts';
import { bindings, T0 } from './simulated.ts';

/** A counter that began at `startMs`, ms after T0. */
function scraped(atMs: number, value: number, startMs: number): Scraped {
  const timestampMs = T0 + atMs;
  const text = `# TYPE a counter\na_total ${value}\na_created ${(T0 + startMs) / 1000}\n# EOF\n`;
  const body = Uint8Array.from(new TextEncoder().encode(text));
  return {
    key: 'a',
    target: {
      labels: [{ name: 'job', value: 'j' }],
      honorLabels: false,
      honorTimestamps: true,
      sampleLimit: 0,
      metricRelabelConfigs: [],
      metricNameValidationScheme: 'utf8',
      startTimestamps: { store: true, zero: true },
    },
    intervalMs: 15_000,
    result: {
      slotMs: timestampMs,
      timestampMs,
      durationMs: 5,
      bodyBytes: body.length,
      body,
      format: 'openmetrics',
      error: null,
    },
  };
}

it('an agent that sleeps knows which starts are new', async () => {
  const stub = bindings.AGENT.getByName('start timestamps');
  const call = <T>(work: () => Promise<T>): Promise<T> => asleep(stub, work);
  const { epoch } = await call(
    async () => await stub.takeBaton(T0, { configVersion: 1, targets: ['a'], remotes: ['r'] }),
  );
  const flushes = [
    scraped(15_000, 5, -1_000),
    scraped(30_000, 6, -1_000),
    scraped(45_000, 7, -1_000),
    // It began again just before the last scrape, which still saw it from before: that is not told as a zero, which would be older.
    scraped(60_000, 8, 44_000),
    scraped(75_000, 1, 61_000),
    scraped(90_000, 2, 61_000),
  ];
  for (const flush of flushes) {
    await call(async () => await stub.append(flush.result.timestampMs, epoch, [], [flush]));
  }
  const { epoch: reading } = await stub.takeForwardBaton(T0, { configVersion: 1, remotes: ['r'] });
  const answer = await call(async () => await stub.next(T0 + 100_000, reading, 'r', 100, null));
  if (answer.kind !== 'records') throw new Error(answer.kind);
  const samples = answer.batch.records.flatMap((record) => samplesOf(record));
  const of = samples.filter(({ labels }) => labels['__name__'] === 'a_total');
  expect(of.map(({ t, v }) => `${v} @${t - T0}`)).toEqual([
    '0 @-1000',
    '5 @15000',
    '6 @30000',
    '7 @45000',
    '8 @60000',
    '0 @61000',
    '1 @75000',
    '2 @90000',
  ]);
});
