/**
 * What stations do with each scrape and record, again and again, with full garbage collections in between: `shape.test.ts` lets V8 tell what code it throws away.
 * From one to the next nothing lives but what the objects remember.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Digest } from '../../src/digest/digest.ts';
import { Known } from '../../src/digest/known.ts';
import { RequestBuilder } from '../../src/encoding/remote-write/builder.ts';
import { snappyCompress, snappyUncompress } from '../../src/encoding/snappy.ts';
import { MetadataOfRun } from '../../src/forward/metadata.ts';
import { WriteRelabeler } from '../../src/forward/relabel.ts';
import { nextRequests } from '../../src/forward/requests.ts';
import type { LogRecord } from '../../src/log/record.ts';
import { labelsFrom } from '../../src/model/labels.ts';
import { REQUEST_LIMITS } from '../../src/model/request.ts';
import { accept } from '../../src/receive/accept.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { Page } from '../../src/scrape/page/page.ts';
import { exposition } from '../bench/exposition.ts';
import { scrapeConfig } from '../scrape/page/configs.ts';

const SERIES = 1500;
const START_MS = 1_763_800_000_000;
const TURNS = 12;
const COLLECTIONS = 3;
const relabeler = new WriteRelabeler([]);
const labels = labelsFrom([
  ['instance', '10.0.0.1:9100'],
  ['job', 'work'],
]);
const target = { ...scrapeConfig(), labels };

/** Targets' pages: one that is in memory, and one that is read from where it was stored each time. */
const pages = (['text', 'openmetrics'] as const).map((format) => ({
  format,
  warm: Page.decode(null),
  whole: null as Uint8Array<ArrayBuffer> | null,
  change: null as Uint8Array<ArrayBuffer> | null,
}));
const known = new Known();

function scrape(number: number): LogRecord[] {
  const timestampMs = START_MS + number * 1000;
  const out = new RequestBuilder(REQUEST_LIMITS);
  const text = exposition({ series: SERIES, churn: 0.01 }, number);
  for (const page of pages) {
    const { format } = page;
    const body = format === 'text' ? text : Uint8Array.from([...text, ...new TextEncoder().encode('# EOF\n')]);
    const result = {
      slotMs: timestampMs,
      timestampMs,
      durationMs: 5,
      bodyBytes: body.length,
      body,
      format,
      error: null,
    };
    const cold = Page.decode(page.whole, page.change);
    for (const one of [page.warm, cold]) {
      const { error } = one.scrape(target, [], result, out);
      if (error !== null) throw new Error(error);
    }
    const stored = cold.store();
    page.whole = stored.whole ?? page.whole;
    page.change = stored.change;
  }
  return out
    .finish()
    .map((built, i) => ({ ...built, seq: i + 1, atMs: timestampMs, schema: 2, body: snappyCompress(built.message) }));
}

function turn(number: number): void {
  const records = scrape(number);
  for (const schema of [1, 2] as const) {
    const metadata = new MetadataOfRun();
    for (const { body } of nextRequests(records, schema, 2000, { relabeler, metadata }).requests) {
      if (accept(schema, body.slice(), DEFAULT_RECEIVE_LIMITS, START_MS).ok !== true) throw new Error('not taken');
    }
  }
  const digest = new Digest({ samplesMax: 100_000, partBytesMax: 64 * 1024 }, known, number + 1);
  for (const { body } of records) digest.add(2, snappyUncompress(body, 64 * 1024 * 1024));
  digest.finish();
  sumOfForgotten();
}

/** Of this class nothing is kept: its code must be thrown away, or the test sees nothing. */
class Forgotten {
  #sum = 0;

  addToForgotten(value: number): number {
    return (this.#sum += value);
  }
}

function sumOfForgotten(): void {
  const one = new Forgotten();
  for (let i = 0; i < 100_000; i++) one.addToForgotten(i & 7);
}

for (let i = 0, number = 0; i < COLLECTIONS; i++) {
  for (const end = number + TURNS; number < end; number++) turn(number);
  // What is compiled in the background arrives, and is used.
  await sleep(50);
  turn(number++);
  console.log(`collection ${i}`);
  globalThis.gc!();
}
