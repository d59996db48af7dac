import { expect } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { double } from '../encoding/remote-write/oracle.ts';
import { message1, message2, series1, series2 } from '../receive/receiver.ts';
import { freePort, test, waitUntil } from './harness.ts';
import { cutBlocks, hastyRoot, killAndRestart, metric, type Narthex, pullSnapshot, startNarthex } from './narthex.ts';
import { blocks, difference, doubled, dump, lineOf, lines, select } from './promtool.ts';

const HOUR_MS = 3_600_000;
const STEP_MS = 15_000;
const SERIES = 20;
/** Of a request: 400 samples. */
const STEPS = 20;
const TYPES = {
  1: 'application/x-protobuf',
  2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
} as const;

test('a backlog of 24 h, delivered when the receiver is back, is whole in its blocks', async ({ lab }) => {
  const root = await hastyRoot(lab);
  const receiver = { name: 'receiver', port: await freePort(), state: await lab.dir('receiver'), config: '{}\n', root };
  const relay = {
    name: 'relay',
    port: await freePort(),
    state: await lab.dir('relay'),
    limits: "'*': { relay: [receiver] }",
    config: `remote_write: [{ name: receiver, url: 'http://127.0.0.1:${receiver.port}/api/v1/write' }]\n`,
  };
  const expected: string[] = [];
  const write = async (to: Narthex, fromMs: number, steps: number, schema: 1 | 2): Promise<void> => {
    const message = messageOf(fromMs, steps, schema, expected);
    const headers = { 'Content-Encoding': 'snappy', 'Content-Type': TYPES[schema] };
    const answer = await fetch(`${to.url}/api/v1/write`, { method: 'POST', headers, body: snappyCompress(message) });
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  };

  // The receiver has cut a block before its outage: what comes for the time behind it is late.
  let second = await startNarthex(lab, receiver);
  const startMs = Math.floor(Date.now() / STEP_MS) * STEP_MS - 24 * HOUR_MS;
  await write(second, startMs, 1, 2);
  await waitUntil('a block is cut', 150_000, async () => (await cutBlocks(second)) > 0, 1000);
  await second.process.stop();

  let first = await startNarthex(lab, relay);
  const pending = () => metric(first, 'narthex_consumer_samples_pending', 'consumer="receiver"');
  const requests = 24 * (HOUR_MS / STEP_MS / STEPS) - 1;
  for (let i = 0; i < requests; i++) {
    if (i === requests >> 1) first = await killAndRestart(lab, first, relay);
    await write(first, startMs + (1 + i * STEPS) * STEP_MS, STEPS, i % 3 === 0 ? 1 : 2);
  }
  expect(await pending()).toBe(requests * STEPS * SERIES);

  second = await startNarthex(lab, { ...receiver, name: 'receiver-back' });
  await waitUntil('nothing waits', 180_000, async () => (await pending()) === 0);
  expect(await metric(first, 'narthex_consumer_samples_sent_total', 'consumer="receiver"')).toBe(
    expected.length - SERIES,
  );
  await first.process.stop();
  // Blocks are cut while the backlog comes in, and what is not cut yet is in the snapshot.
  const before = await cutBlocks(second);
  await waitUntil('late blocks are cut', 150_000, async () => (await cutBlocks(second)) > before || before > 5, 1000);
  const pulled = await lab.dir('pulled');
  await pullSnapshot(second, pulled);
  await second.process.stop();

  const samples = select(await dump(3, pulled), { job: 'backlog' });
  expect(doubled(samples)).toEqual([]);
  expect(difference(lines(samples), expected)).toEqual([]);
  expect(samples.length).toBe(expected.length);
  const metas = await blocks(pulled);
  expect(metas.reduce((sum, { stats }) => sum + stats.numSamples, 0)).toBe(expected.length);
  expect(metas.filter(({ thanos }) => thanos?.labels?.['narthex_late'] !== undefined).length).toBeGreaterThan(0);
  expect(metas.length).toBeGreaterThanOrEqual(12);
}, 480_000);

function messageOf(fromMs: number, steps: number, schema: 1 | 2, expected: string[]): Uint8Array {
  const all = Array.from({ length: SERIES }, (_, n) => {
    const labels = [
      ['__name__', 'backlog_value'],
      ['job', 'backlog'],
      ['n', String(n)],
    ] as const;
    const samples = Array.from({ length: steps }, (_, i) => {
      const timestamp = fromMs + i * STEP_MS;
      const value = n + timestamp / 7;
      const series = `{${labels.map(([name, text]) => `${name}="${text}"`).join(', ')}}`;
      expected.push(lineOf({ series, timestamp, value: String(value) }));
      return { value: double(value), timestamp };
    });
    return { labels, samples };
  });
  if (schema === 2) return message2(...all.map((series) => series2('', series)));
  return message1(
    ...all.map(({ labels, samples }) =>
      series1('', { labels: labels.map(([name, value]) => ({ name, value })), samples }),
    ),
  );
}
