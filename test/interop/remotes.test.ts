import { createServer } from 'node:net';
import { expect } from 'vitest';
import { freePort, get, type Lab, peer, type Started, test, waitUntil } from './harness.ts';
import { metric, startNarthex } from './narthex.ts';
import { Page } from './page.ts';

/** A flush comes every five seconds: what a live remote waits for is at most the last and the one under way. */
const TWO_BATCHES_S = 10;

test('VictoriaMetrics has every scrape after an outage, next to a remote that is dead and one that never answers', async ({
  lab,
}) => {
  const page = await Page.serve(lab);
  const victoriaPort = await freePort();
  const data = await lab.dir('victoria');
  const victoria = await startVictoria(lab, victoriaPort, data);
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => void mute.close());
  const mutePort = (mute.address() as { port: number }).port;

  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: `
scrape_configs:
  - { job_name: page, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{ targets: ['${page.address}'] }] }
remote_write:
  - { name: dead, url: 'http://127.0.0.1:${await freePort()}/api/v1/write' }
  - { name: mute, url: 'http://127.0.0.1:${mutePort}/api/v1/write' }
  - { name: victoria, url: 'http://127.0.0.1:${victoriaPort}/api/v1/write' }
`,
  });
  const of = (name: string) => metric(narthex, `narthex_consumer_${name}`, 'consumer="victoria"');
  await waitUntil('samples arrive', 120_000, async () => (await of('samples_sent_total')) > 100);

  // A dead neighbour and one that holds on to every request cost a live remote nothing.
  for (let i = 0; i < 10; i++) {
    expect(await of('lag_seconds')).toBeLessThanOrEqual(TWO_BATCHES_S);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }

  // Asked to stop: killed, it would lose what it acknowledged in its last seconds.
  await victoria.stop();
  await waitUntil('samples wait', 30_000, async () => (await of('samples_pending')) > 100);
  const back = await startVictoria(lab, victoriaPort, data);
  await waitUntil('nothing waits', 60_000, async () => (await of('lag_seconds')) <= TWO_BATCHES_S);
  await page.close();
  await waitUntil(
    'it is healthy',
    60_000,
    async () => (await of('healthy')) === 1 && (await of('samples_pending')) === 0,
  );

  // The last scrapes are flushed a few seconds after them; the target is down by then.
  await waitUntil('the target is down', 60_000, async () => (await exported(victoriaPort, 'up')).values.at(-1) === 0);
  const up = await exported(victoriaPort, 'up');
  const scrapes = await exported(victoriaPort, 'page_scrapes_total');
  // Each slot has one sample, also those of the outage, and each scrape that succeeded is there with its numbers in order.
  expect(up.timestamps.length).toBeGreaterThan(15);
  const steps = up.timestamps.slice(1).map((t, i) => t - up.timestamps[i]!);
  expect(steps.filter((step) => step < 500 || step >= 2_000)).toEqual([]);
  expect(scrapes.timestamps).toEqual(up.timestamps.filter((_, i) => up.values[i] === 1));
  expect(scrapes.values).toEqual([...new Set(scrapes.values)].sort((one, other) => one - other));
  for (const name of ['dead', 'mute', 'victoria']) {
    const total = (what: string) => metric(narthex, `narthex_consumer_${what}`, `consumer="${name}"`);
    const [into, sent, pending] = await Promise.all([
      total('samples_in_total'),
      total('samples_sent_total'),
      total('samples_pending'),
    ]);
    expect(into).toBe(sent + pending);
  }
  await back.stop();
}, 400_000);

async function startVictoria(lab: Lab, port: number, data: string): Promise<Started> {
  const args = [`-storageDataPath=${data}`, '-retentionPeriod=10y', `-httpListenAddr=127.0.0.1:${port}`];
  const started = lab.start('victoria', peer('victoria-metrics'), args);
  await waitUntil('VictoriaMetrics answers', 30_000, async () => await get(`http://127.0.0.1:${port}/health`));
  return started;
}

/** The samples of a series, in the order of time, without stale markers (they are exported as null). */
async function exported(port: number, name: string): Promise<{ values: number[]; timestamps: number[] }> {
  await get(`http://127.0.0.1:${port}/internal/force_flush`);
  const lines = (await get(`http://127.0.0.1:${port}/api/v1/export?match[]=${name}`)).trim().split('\n');
  expect(lines).toHaveLength(1);
  const { values, timestamps } = JSON.parse(lines[0]!) as { values: (number | null)[]; timestamps: number[] };
  return {
    values: values.filter((value) => value !== null),
    timestamps: timestamps.filter((_, i) => values[i] !== null),
  };
}
