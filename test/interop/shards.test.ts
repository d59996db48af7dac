/** The number of shards is changed while samples come: Prometheus reads the blocks of all as one, without a gap, and nothing twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import snappy from 'snappyjs';
import { expect } from 'vitest';
import { PLACEMENT_DELAY_MS } from '../../src/receive/shards.ts';
import { double, v2 } from '../encoding/remote-write/oracle.ts';
import { freePort, test, waitUntil } from './harness.ts';
import { killAndRestart, metric, pullSnapshot, startNarthex } from './narthex.ts';
import { messages, query, startPrometheus } from './prometheus.ts';
import { blocks, doubled, dump } from './promtool.ts';

const TARGETS = 30;
const EVERY_MS = 2_000;

/** A sample of a counter of every target. */
function request(t: number, value: number): Uint8Array<ArrayBuffer> {
  const symbols = ['', '__name__', 'requests_total', 'instance', 'job', 'web'];
  const timeseries = Array.from({ length: TARGETS }, (_, i) => {
    const instance = symbols.push(`host${i}`) - 1;
    return { labelsRefs: [1, 2, 3, instance, 4, 5], samples: [{ value: double(value), timestamp: t }] };
  });
  return new Uint8Array(snappy.compress(v2.encode({ symbols, timeseries })));
}

test('one shard becomes three and two again while samples come', async ({ lab }) => {
  const options = (shards: number) => ({
    name: 'narthex',
    port,
    state,
    config: 'global: { scrape_interval: 15s }\n',
    limits: `'*': { shards: ${shards} }`,
  });
  const port = await freePort();
  const state = await lab.dir('state');
  let narthex = await startNarthex(lab, options(1));
  const firstMs = Date.now();
  const taken: { t: number; body: Uint8Array<ArrayBuffer> }[] = [];
  const post = async (body: Uint8Array<ArrayBuffer>): Promise<boolean> => {
    try {
      const response = await fetch(`${narthex.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'Content-Type': `application/x-protobuf;proto=${messages[2]}`, 'Content-Encoding': 'snappy' },
        body,
      });
      return response.status === 204;
    } catch {
      return false;
    }
  };
  // A sender: in order, again until it is taken, and once in a while again although it was.
  let sending = true;
  const sender = (async () => {
    for (let i = 0; sending; i++) {
      const t = firstMs + i * EVERY_MS;
      await sleep(Math.max(0, t - Date.now()));
      const body = request(t, i * 2);
      while (!(await post(body))) await sleep(100);
      taken.push({ t, body });
      if (i % 10 === 9) await post(taken.at(-5)!.body);
    }
  })();
  const inShard = (shard: number): Promise<number> =>
    metric(narthex, 'narthex_log_samples_appended_total', `log="ingester/anonymous/${shard}"`);
  for (const [shards, last] of [
    [3, 2],
    [2, 1],
  ] as const) {
    await sleep(10_000);
    narthex = await killAndRestart(lab, narthex, options(shards), 500);
    await waitUntil(`shard ${last} is written to`, PLACEMENT_DELAY_MS + 60_000, async () => (await inShard(last)) > 0);
    await sleep(10_000);
  }
  // It holds since half a minute or more: what the third shard got until now is all that it gets.
  await sleep(PLACEMENT_DELAY_MS + 15_000);
  const third = await inShard(2);
  await sleep(10_000);
  expect(await inShard(2)).toBe(third);
  sending = false;
  await sender;
  // After the changes too.
  for (const { body } of taken.slice(0, 5)) expect(await post(body)).toBe(true);

  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  expect((await blocks(pulled)).length).toBeGreaterThanOrEqual(3);
  for (const major of [2, 3] as const) {
    const stored = await dump(major, pulled);
    expect(doubled(stored)).toEqual([]);
    expect(stored.length).toBe(TARGETS * taken.length);
  }
  const prometheus = await startPrometheus(lab, { name: 'reader', major: 3, dir: pulled });
  // At every sample from the second on: a gap would show as a rate that is not there, a repeat or a sample out of order as another rate.
  for (const { t } of taken.slice(4)) {
    const rates = await query(prometheus, 'rate(requests_total[8s])', t);
    expect(rates.length).toBe(TARGETS);
    for (const { value } of rates) expect(Number(value![1])).toBeCloseTo(1, 6);
  }
  await prometheus.process.stop();
});
