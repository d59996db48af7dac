/** What a large target costs an agent that sleeps before every call: rows, by the counter that the platform bills by, and records. */

import { expect, it } from 'vitest';
import type { Scraped } from '../../src/scrape/round.ts';
import { exposition } from '../bench/exposition.ts';
import { asleep } from './asleep.ts';
import { bindings, T0 } from './simulated.ts';

const SERIES = 10_000;

function scraped(scrape: number, churn: number): Scraped {
  const slotMs = T0 + scrape * 15_000;
  const body = exposition({ series: SERIES, churn }, scrape);
  const limits = { honorLabels: false, honorTimestamps: true, sampleLimit: 0, metricRelabelConfigs: [] };
  const labels = [
    { name: 'instance', value: 'busy.example:9100' },
    { name: 'job', value: 'busy' },
  ];
  return {
    key: 'busy',
    target: { labels, ...limits, metricNameValidationScheme: 'utf8' },
    intervalMs: 15_000,
    result: {
      slotMs,
      timestampMs: slotMs,
      durationMs: 5,
      bodyBytes: body.length,
      body,
      format: 'text',
      error: null,
    },
  };
}

it.each([
  ['the same series in every scrape', 0, 1],
  ['1 % new series in every scrape', 0.01, 2],
])('a page of 10,000 series, %s: one record a flush', async (name, churn, rows) => {
  const stub = bindings.AGENT.getByName(name);
  const call = <T>(work: () => Promise<T>): Promise<T> => asleep(stub, work);
  const plan = { configVersion: 1, targets: ['busy'], remotes: [] };
  const { epoch } = await call(async () => await stub.takeBaton(T0, plan));
  const rowsOf = async (): Promise<number> => (await stub.report(T0)).log.rowsWritten;
  // The first scrape stores the page.
  for (let scrape = 1; scrape <= 4; scrape++) {
    await call(async () => await stub.takeBaton(T0 + scrape, plan));
    const before = await rowsOf();
    const { samplesIn } = (await stub.report(T0)).log;
    await stub.append(T0 + scrape * 15_000, epoch + scrape, [], [scraped(scrape, churn)]);
    const { log } = await stub.report(T0);
    expect(log.recordsIn).toBe(scrape);
    expect(log.samplesIn - samplesIn).toBe(SERIES + 5 + (scrape === 1 ? 0 : SERIES * churn));
    // Without a remote the log keeps its newest row only: another goes.
    if (scrape > 1) expect((await rowsOf()) - before).toBe(rows + 1);
  }
});
