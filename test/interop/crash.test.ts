import { expect } from 'vitest';
import { type ProcessId, alive, freePort, listening, processTree, test, waitUntil } from './harness.ts';
import { type Narthex, appendedName, metric, pullSnapshot, ready, settled, startNarthex } from './narthex.ts';
import { Page } from './page.ts';
import { messages } from './prometheus.ts';
import { type Sample, blocks, doubled, dump, select } from './promtool.ts';
import { Sink } from './sink.ts';

/** Each ends other processes of a running Narthex, and gives back the one that runs when it is over. */
const kills = {
  'of start alone': async ({ narthex, tree, restart }) => {
    process.kill(narthex.process.pid, 'SIGKILL');
    await gone(narthex, tree);
    return await restart();
  },
  'of workerd alone': async ({ narthex, tree }) => {
    const victims = tree.filter(({ command }) => command.startsWith('workerd'));
    expect(victims).not.toHaveLength(0);
    for (const { pid } of victims) process.kill(pid, 'SIGKILL');
    await waitUntil('workerd is gone', 10_000, async () => !(await anyAlive(victims)));
    // The command starts another by itself.
    await ready(narthex);
    return narthex;
  },
  'of the whole group': async ({ narthex, tree, restart }) => {
    process.kill(-narthex.process.pid, 'SIGKILL');
    await gone(narthex, tree);
    return await restart();
  },
} satisfies Record<string, (running: Running) => Promise<Narthex>>;

interface Running {
  readonly narthex: Narthex;
  /** All processes of it, as they were before the kill. */
  readonly tree: readonly ProcessId[];
  /** The same command once more: the same port, the same state. */
  readonly restart: () => Promise<Narthex>;
}

test.for(Object.entries(kills))('SIGKILL %s, in the middle of a scrape and of a forward', async ([, kill], { lab }) => {
  const page = await Page.serve(lab);
  const sink = await Sink.serve(lab);
  const port = await freePort();
  const state = await lab.dir('state');
  const remotes = `
remote_write:
  - { name: self, url: 'http://self/api/v1/write' }
  - { name: sink, url: '${sink.url}', protobuf_message: ${messages[1]}, remote_timeout: 30s }
`;
  const config = `
scrape_configs:
  - job_name: page
    scrape_interval: 2s
    scrape_timeout: 2s
    static_configs: [{ targets: ['${page.address}'] }]
${remotes}`;
  const restart = async (): Promise<Narthex> => await startNarthex(lab, { name: 'restarted', port, state, config });

  const narthex = await startNarthex(lab, { name: 'narthex', port, state, config });
  await waitUntil('scrapes have arrived', 120_000, () => scrapesOf(sink).size >= 5);

  // The middle of a forward: received in full and not answered. Then the middle of a scrape: asked and not answered.
  await sink.holdNext();
  const logged = await metric(narthex, appendedName);
  const sent = new Map(scrapesOf(sink));
  const tree = await processTree(narthex.process.pid);
  await page.holdNext();
  const restarted = await kill({ narthex, tree, restart });
  const killedAt = page.scrapes;

  // What was logged is still counted, and it goes on: new scrapes reach the remote.
  expect(await metric(restarted, appendedName)).toBeGreaterThanOrEqual(logged);
  await waitUntil('scrapes arrive again', 150_000, () => [...scrapesOf(sink).keys()].some((n) => n > killedAt + 3));

  // Without targets nothing is added, so that all counts can be compared once the remotes have everything.
  await restarted.process.stop();
  await waitUntil('the port is free', 20_000, async () => !(await listening(port)));
  const quiet = await startNarthex(lab, { name: 'quiet', port, state, config: remotes });
  const appended = await settled(quiet);

  const pulled = await lab.dir('pulled');
  await pullSnapshot(quiet, pulled);
  const samples = await dump(3, pulled);
  expect(doubled(samples)).toEqual([]);
  // promtool may hide a double that a chunk holds; the count in the block's own summary would not.
  expect((await blocks(pulled)).reduce((sum, { stats }) => sum + stats.numSamples, 0)).toBe(samples.length);
  // All that was ever logged was sent to ourselves, and is there once.
  expect(samples.length).toBe(appended);

  // Every page that was answered is there at most once, under one timestamp.
  const inBlock = scrapesIn(samples);
  expect(inBlock.length).toBe(new Map(inBlock).size);
  // What a remote had before the kill was logged: it is there, with its timestamp. And the same goes for the end.
  for (const [scrape, timestamp] of [...sent, ...scrapesOf(sink)]) {
    expect(new Map(inBlock).get(scrape), `scrape ${scrape}`).toBe(timestamp);
  }
  expect(sink.errors).toEqual([]);
  // The pages themselves are whole: what one series has, all have.
  const perSeries = new Map<string, number>();
  for (const { series } of select(samples, { __name__: 'page_value' })) {
    perSeries.set(series, (perSeries.get(series) ?? 0) + 1);
  }
  expect(perSeries.size).toBe(21);
  expect(new Set(perSeries.values()).size).toBe(1);
});

/** Waits for the old processes to be gone, which is the proof that nothing of them answers any more. */
async function gone(narthex: Narthex, tree: readonly ProcessId[]): Promise<void> {
  await waitUntil('the old processes are gone', 30_000, async () => !(await anyAlive(tree)));
  expect(await listening(narthex.port)).toBe(false);
}

async function anyAlive(ids: readonly ProcessId[]): Promise<boolean> {
  return (await Promise.all(ids.map(alive))).includes(true);
}

/** Number of the page's answer, and timestamp, of all that the sink has received. */
function scrapesOf(sink: Sink): Map<number, number> {
  const scrapes = new Map<number, number>();
  for (const { labels, timestamp, value } of sink.samples) {
    if (labels['__name__'] !== 'page_scrapes_total' || Number.isNaN(value)) continue;
    const earlier = scrapes.get(value) ?? timestamp;
    expect(timestamp, `scrape ${value} was sent under two timestamps`).toBe(earlier);
    scrapes.set(value, timestamp);
  }
  return scrapes;
}

function scrapesIn(samples: readonly Sample[]): [scrape: number, timestamp: number][] {
  return select(samples, { __name__: 'page_scrapes_total' })
    .filter(({ value }) => value !== 'NaN')
    .map(({ value, timestamp }) => [Number(value), timestamp]);
}
