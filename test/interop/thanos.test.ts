/** Blocks of two shards, with late ones that overlap, under Thanos: its store serves each sample once, and its compactor makes few blocks of many. */
import { expect } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { double } from '../encoding/remote-write/oracle.ts';
import { message2, series2, type TestLabels } from '../receive/receiver.ts';
import { freePort, test, waitUntil } from './harness.ts';
import { cutBlocks, hastyRoot, type Narthex, pullSnapshot, startNarthex } from './narthex.ts';
import { messages, query } from './prometheus.ts';
import { blocks, difference, doubled, dump } from './promtool.ts';
import { compact, problems, replicaLabels, startThanos } from './thanos.ts';

const RANGE_MS = 2 * 3_600_000;
const OPEN_MS = RANGE_MS / 4;
const STEP_MS = 30_000;
const SHARDS = 2;
const EXTERNAL = ['tenant_id', ...replicaLabels];

/** Some have labels of their own by the names that Thanos' users give to external ones; the last is a native histogram. */
const series: readonly TestLabels[] = [
  ...Array.from({ length: 8 }, (_, n): TestLabels => [
    ['__name__', 'sent'],
    ['instance', `host${n}`],
    ['job', `job${n % 4}`],
  ]),
  ...['a', 'b'].flatMap((own): TestLabels[] => [
    [
      ['__name__', 'sent'],
      ['job', 'own'],
      ['shard', own],
    ],
    [
      ['__name__', 'sent'],
      ['job', 'own'],
      ['late', own],
      ['replica', own],
    ],
  ]),
  [
    ['__name__', 'sent_histogram'],
    ['job', 'own'],
  ],
];

test('Thanos reads, verifies and compacts the blocks of a tenant, with late ones', async ({ lab }) => {
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: '{}\n',
    root: await hastyRoot(lab),
    limits: `'*': { shards: ${SHARDS} }`,
  });
  const nowMs = Date.now();
  const range = (i: number): number => (Math.floor(nowMs / RANGE_MS) - 13 + i) * RANGE_MS;
  /** The ranges that are cut: all but the current one, and the last in its first half hour. */
  const closed = nowMs - range(13) < OPEN_MS ? 12 : 13;
  const sent = new Set<string>();

  /** A store over the folder has every sample that was sent, once. */
  const expectAll = async (name: string, dir: string): Promise<void> => {
    const { url, processes } = await startThanos(lab, name, dir);
    const found = await stored(url, range(0), nowMs);
    expect(difference(found, [...sent])).toEqual([]);
    expect(found.length).toBe(sent.size);
    await Promise.all(processes.map((process) => process.stop()));
  };

  // Every third step is on time, the others come late: in two rounds, for ranges that overlap.
  await send(narthex, range(0), nowMs, 0, sent);
  const cut = closed * SHARDS;
  await waitUntil('all ranges are cut', 150_000, async () => (await cutBlocks(narthex)) === cut, 500);
  await send(narthex, range(1), range(5), 1, sent);
  const late = cut + 4 * SHARDS;
  await waitUntil('late blocks are cut', 150_000, async () => (await cutBlocks(narthex)) === late, 500);
  await send(narthex, range(2), range(6), 2, sent);
  // What is stored already comes once more.
  await send(narthex, range(3), range(4), 0, sent);
  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();

  expect(await problems(lab, pulled)).toEqual([]);
  await expectAll('pulled', pulled);
  // As it comes, the compactor must not halt on blocks that overlap.
  const before = (await blocks(pulled)).length;
  await compact(lab, pulled);
  expect((await blocks(pulled)).length).toBeLessThan(before);
  await expectAll('compacted', pulled);
  // With the replica labels it makes one of what belongs together. Prometheus reads that too.
  await compact(lab, pulled, ...replicaLabels.map((label) => `--deduplication.replica-label=${label}`));
  const merged = (await blocks(pulled)).filter(({ stats }) => stats.numSeries === series.length);
  expect(merged.length).toBeGreaterThan(0);
  expect(await problems(lab, pulled)).toEqual([]);
  await expectAll('merged', pulled);
  const samples = await dump(3, pulled);
  expect(doubled(samples)).toEqual([]);
  expect(samples.length).toBe(sent.size);
}, 480_000);

/** Sends the steps of all series in [fromMs, toMs) whose number is `third` modulo three. */
async function send(narthex: Narthex, fromMs: number, toMs: number, third: number, sent: Set<string>): Promise<void> {
  for (let startMs = fromMs; startMs < toMs; startMs += RANGE_MS) {
    const times: number[] = [];
    for (let t = startMs; t < Math.min(toMs, startMs + RANGE_MS); t += STEP_MS) {
      if ((t / STEP_MS) % 3 === third) times.push(t);
    }
    const all = series.map((labels, n) => {
      const [, name] = labels[0]!;
      const values = times.map((timestamp) => ({ timestamp, count: 1 + ((timestamp / STEP_MS + n) % 1000) }));
      for (const { timestamp, count } of values) sent.add(line(Object.fromEntries(labels), timestamp, count));
      if (name === 'sent')
        return { labels, samples: values.map(({ timestamp, count }) => ({ timestamp, value: double(count) })) };
      const histograms = values.map(({ timestamp, count }) => ({
        timestamp,
        countInt: count,
        sum: double(count),
        positiveSpans: [{ offset: 0, length: 1 }],
        positiveDeltas: [count],
      }));
      return { labels, samples: [], histograms };
    });
    const response = await fetch(`${narthex.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Encoding': 'snappy', 'Content-Type': `application/x-protobuf;proto=${messages[2]}` },
      body: snappyCompress(message2(...all.map((one) => series2('', one)))),
    });
    expect([response.status, await response.text()]).toEqual([204, '']);
  }
}

const line = (labels: Readonly<Record<string, string>>, timestamp: number, value: number): string =>
  `${JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))} ${timestamp} ${value}`;

/** A line for each sample that Thanos has; those with the tenant's label only. Of a histogram, its count. */
async function stored(url: string, fromMs: number, toMs: number): Promise<string[]> {
  const seconds = Math.ceil((toMs - fromMs) / 1000) + 1;
  const found = await query({ url }, `{__name__=~"sent.*",tenant_id="anonymous"}[${seconds}s]`, toMs);
  return found.flatMap(({ metric, values = [], histograms = [] }) => {
    const labels = Object.fromEntries(Object.entries(metric).filter(([name]) => !EXTERNAL.includes(name)));
    expect([metric['tenant_id'], metric['narthex_shard'], metric['narthex_late']]).toEqual([
      'anonymous',
      undefined,
      undefined,
    ]);
    const counts = histograms.map(([t, { count }]) => [t, count] as const);
    return [...values, ...counts].map(([t, value]) => line(labels, Math.round(t * 1000), Number(value)));
  });
}
