/** What a large target costs an agent that sleeps before every call: rows, by the counter that the platform bills by, and records. */

import { runInDurableObject } from 'cloudflare:test';
import { expect, it } from 'vitest';
import type { Scraped } from '../../src/scrape/round.ts';
import { exposition } from '../bench/exposition.ts';
import { asleep } from './asleep.ts';
import { bindings, T0 } from './simulated.ts';

const SERIES = 10_000;

function scraped(scrape: number, churn: number, key = 'busy', series = SERIES, offsetMs = 0): Scraped {
  const slotMs = T0 + scrape * 15_000 + offsetMs;
  const body = exposition({ series, churn }, scrape);
  const limits = { honorLabels: false, honorTimestamps: true, sampleLimit: 0, metricRelabelConfigs: [] };
  const labels = [
    { name: 'instance', value: `${key}.example:9100` },
    { name: 'job', value: 'busy' },
  ];
  return {
    key,
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

/** Targets of which each is in one of the three flushes of an interval. */
const FLEET = Array.from({ length: 60 }, (_, i) => `pod${i}`);
const FLUSHES = 3;
const inFlush = (flush: number): string[] => FLEET.filter((_, i) => i % FLUSHES === flush);

it('pages that all change in each scrape: one row a flush besides the record, and each series ends once', async () => {
  const stub = bindings.AGENT.getByName('a fleet that changes');
  const call = <T>(work: () => Promise<T>): Promise<T> => asleep(stub, work);
  const plan = { configVersion: 1, targets: FLEET, remotes: [] };
  const { epoch } = await call(async () => await stub.takeBaton(T0, plan));
  for (let scrape = 1; scrape <= 5; scrape++) {
    await call(async () => await stub.takeBaton(T0 + scrape, plan));
    for (let flush = 0; flush < FLUSHES; flush++) {
      const { log } = await call(async () => await stub.report(T0));
      const scrapes = inFlush(flush).map((key) => scraped(scrape, 0.01, key, 200, flush * 5000));
      await stub.append(T0 + scrape * 15_000 + flush * 5000, epoch + scrape, [], scrapes);
      const after = (await stub.report(T0)).log;
      // With the report series, and two markers for the two series that were new in the last scrape.
      expect(after.samplesIn - log.samplesIn).toBe(scrapes.length * (200 + 5 + (scrape === 1 ? 0 : 2)));
      expect(after.recordsIn - log.recordsIn).toBe(1);
      // The record, the record before it that goes, and the changes.
      if (scrape > 1) expect(after.rowsWritten - log.rowsWritten).toBe(3);
    }
  }
  const rows = await runInDurableObject(stub, (_, state) =>
    state.storage.sql.exec('SELECT length(bytes) AS length FROM page_changes').toArray(),
  );
  // Small as they are, they are written together.
  expect(rows).toHaveLength(1);
});

it('what an earlier version stored of each page is read, and goes with the first change', async () => {
  const stub = bindings.AGENT.getByName('an earlier version');
  const call = <T>(work: () => Promise<T>): Promise<T> => asleep(stub, work);
  const keys = FLEET.slice(0, 4);
  const plan = { configVersion: 1, targets: keys, remotes: [] };
  const { epoch } = await call(async () => await stub.takeBaton(T0, plan));
  const flush = async (scrape: number): Promise<number> => {
    const { samplesIn } = (await stub.report(T0)).log;
    const scrapes = keys.map((key) => scraped(scrape, 0.01, key, 200));
    await call(async () => await stub.append(T0 + scrape * 15_000, epoch, [], scrapes));
    return (await stub.report(T0)).log.samplesIn - samplesIn;
  };
  await flush(1);
  await flush(2);
  // As that version has it: a row a page.
  await runInDurableObject(stub, (_, { storage: { sql } }) => {
    const row = sql.exec('SELECT keys, bytes FROM page_changes').one();
    const flat = JSON.parse(row['keys'] as string) as (string | number)[];
    let at = 0;
    for (let i = 0; i < flat.length; i += 2) {
      const end = at + (flat[i + 1] as number);
      sql.exec('INSERT INTO page_change VALUES (?, 0, ?)', flat[i]!, (row['bytes'] as ArrayBuffer).slice(at, end));
      at = end;
    }
    sql.exec('DELETE FROM page_changes');
  });
  expect(await flush(3)).toBe(keys.length * (200 + 5 + 2));
  const left = await runInDurableObject(stub, (_, { storage: { sql } }) => [
    sql.exec('SELECT count(*) AS count FROM page_change').one()['count'],
    sql.exec('SELECT count(*) AS count FROM page_changes').one()['count'],
  ]);
  expect(left).toEqual([0, 1]);
});
