import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freePort, type Lab, type Started, test, waitUntil } from './harness.ts';
import { killAndRestart, metric, metrics, type Narthex, pullSnapshot, settled, startNarthex } from './narthex.ts';
import { Page } from './page.ts';
import { messages, startPrometheus } from './prometheus.ts';
import { difference, doubled, dump, lines, select } from './promtool.ts';
import { asVictoria, exported, startVictoria } from './victoria.ts';

/** A flush comes every five seconds: what a live remote waits for is at most the last and the one under way. */
const TWO_BATCHES_S = 10;
const OUTAGE_MS = 60_000;

/** A remote that can be stopped and started where it was. */
interface Remote {
  readonly name: string;
  readonly url: string;
  /** More of its `remote_write`. */
  readonly options?: string;
  start(): Promise<Started>;
  /** A line a sample of all that it has, once it is stopped (`running` is false) or while it still runs. */
  readonly contents: { readonly running: boolean; read(): Promise<string[]> };
  /** What it makes of such lines, when that is something else. */
  readonly as?: (lines: readonly string[]) => string[];
}

test('after an outage of a minute, with kill -9 in the middle and in the catch-up, each of five remotes has every sample, once', async ({
  lab,
}) => {
  const page = await Page.serve(lab, 200);
  const remotes = [
    await victoria(lab),
    await prometheus(lab, 'prometheus-2', 2, ''),
    await prometheus(lab, 'prometheus-3-write-1', 3, `protobuf_message: ${messages[1]}`),
    await prometheus(lab, 'prometheus-3-write-2', 3, `protobuf_message: ${messages[2]}`),
    await another(lab),
  ];
  let processes = await Promise.all(remotes.map((remote) => remote.start()));
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => void mute.close());

  const live = [
    '{ name: self, url: "http://self/api/v1/write" }',
    ...remotes.map(({ name, url, options = '' }) => `{ name: ${name}, url: "${url}/api/v1/write", ${options} }`),
  ];
  const dead = [
    `{ name: dead, url: "http://127.0.0.1:${await freePort()}/api/v1/write" }`,
    `{ name: mute, url: "http://127.0.0.1:${(mute.address() as { port: number }).port}/api/v1/write" }`,
  ];
  const writes = (all: readonly string[]): string => `remote_write:\n${all.map((one) => `  - ${one}\n`).join('')}`;
  const options = {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: `
scrape_configs:
  - { job_name: page, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{ targets: ['${page.address}'] }] }
${writes([...dead, ...live])}`,
  };
  let narthex = await startNarthex(lab, options);
  const names = ['self', ...remotes.map(({ name }) => name)];
  const of = (remote: string, what: string) => metric(narthex, `narthex_consumer_${what}`, `consumer="${remote}"`);
  const all = async (check: (remote: string) => Promise<boolean>): Promise<boolean> =>
    !(await Promise.all(names.map(check))).includes(false);
  await waitUntil('samples arrive', 120_000, () => all(async (name) => (await of(name, 'samples_sent_total')) > 100));

  // A dead neighbour and one that holds on to every request cost a live remote nothing.
  for (let i = 0; i < 10; i++) {
    for (const name of names) expect(await of(name, 'lag_seconds'), name).toBeLessThanOrEqual(TWO_BATCHES_S);
    await sleep(1_000);
  }

  // Asked to stop: killed, some would lose what they acknowledged in their last seconds.
  await Promise.all(processes.map((started) => started.stop()));
  const downMs = Date.now();
  await sleep(OUTAGE_MS / 2);
  const scrapesBefore = page.scrapes;
  narthex = await killAndRestart(lab, narthex, options);
  await waitUntil('it scrapes again', 60_000, () => page.scrapes > scrapesBefore + 5);
  await sleep(Math.max(0, downMs + OUTAGE_MS - Date.now()));
  processes = await Promise.all(remotes.map((remote) => remote.start()));
  const upMs = Date.now();
  // Once more, while they catch up.
  await sleep(2_500);
  narthex = await killAndRestart(lab, narthex, options);
  await waitUntil('nothing waits', 120_000, () =>
    all(async (name) => (await of(name, 'lag_seconds')) <= TWO_BATCHES_S && (await of(name, 'healthy')) === 1),
  );
  for (const name of [...names, 'dead', 'mute']) {
    // One answer of /metrics, so that the numbers belong together.
    const [into, sent, pending, dropped] = await account(narthex, name);
    expect(into, name).toBe(sent + pending + dropped);
    // What was sent again after a crash, a Prometheus that takes nothing out of order refuses when it has newer samples: whether it has these too is seen below.
    if (!name.startsWith('prometheus')) expect(dropped, name).toBe(0);
    const dropping = 'narthex_consumer_samples_dropped_total';
    const refused = (await metrics(narthex, [dropping], `consumer="${name}",reason="http_400"`)).get(dropping);
    expect(refused ?? 0, name).toBeGreaterThanOrEqual(dropped);
  }

  // Without targets nothing is added, so that all that was ever logged can be compared.
  await narthex.process.stop();
  narthex = await startNarthex(lab, { ...options, name: 'quiet', config: writes(live) });
  const appended = await settled(narthex);
  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  const own = await dump(3, pulled);
  expect(own.length).toBe(appended);
  expect(doubled(own)).toEqual([]);

  for (const { name, contents, as } of remotes) {
    const expected = as === undefined ? lines(own) : as(lines(own));
    if (!contents.running) await processes[remotes.findIndex((remote) => remote.name === name)]!.stop();
    const there = await contents.read();
    expect(difference(there, expected), name).toEqual([]);
    expect(there.length, name).toBe(expected.length);
  }

  // Each slot has its sample, those of the outage too; only while Narthex itself was down, and what it had not logged then, there are none.
  const up = select(own, { __name__: 'up', job: 'page' }).sort((a, b) => a.timestamp - b.timestamp);
  const steps = up.slice(1).map(({ timestamp }, i) => timestamp - up[i]!.timestamp);
  expect(steps.filter((step) => step < 500)).toEqual([]);
  expect(steps.filter((step) => step >= 2_000).length).toBeLessThanOrEqual(2);
  expect(up.filter(({ timestamp }) => timestamp > downMs && timestamp < upMs).length).toBeGreaterThan(30);
  const good = up.filter(({ value }) => value === '1').map(({ timestamp }) => timestamp);
  const scrapes = select(own, { __name__: 'page_scrapes_total' }).filter(({ value }) => value !== 'NaN');
  expect(scrapes.map(({ timestamp }) => timestamp)).toEqual(good);
  const numbers = scrapes.map(({ value }) => Number(value));
  expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
}, 480_000);

async function account(
  narthex: Narthex,
  name: string,
): Promise<[into: number, sent: number, pending: number, dropped: number]> {
  const names = ['in_total', 'sent_total', 'pending', 'dropped_total'].map(
    (what) => `narthex_consumer_samples_${what}`,
  );
  const found = await metrics(narthex, names, `consumer="${name}"`);
  const [into = NaN, sent = NaN, pending = NaN, dropped = 0] = names.map((one) => found.get(one));
  return [into, sent, pending, dropped];
}

async function victoria(lab: Lab): Promise<Remote> {
  const name = 'victoria';
  const [port, dir] = [await freePort(), await lab.dir(name)];
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    start: () => startVictoria(lab, { name, port, dir }),
    contents: { running: true, read: () => exported(port) },
    as: asVictoria,
  };
}

async function prometheus(lab: Lab, name: string, major: 2 | 3, options: string): Promise<Remote> {
  const [port, dir] = [await freePort(), await lab.dir(`${name}-data`)];
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    options,
    start: async () => (await startPrometheus(lab, { name, major, dir, port })).process,
    contents: { running: false, read: async () => lines(await dump(3, dir)) },
  };
}

async function another(lab: Lab): Promise<Remote> {
  const name = 'another-narthex';
  const [port, state, config] = [await freePort(), await lab.dir(name), 'global: { scrape_interval: 15s }\n'];
  let started: Narthex;
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    start: async () => (started = await startNarthex(lab, { name, port, state, config })).process,
    contents: {
      running: true,
      read: async () => {
        const pulled = await lab.dir(`${name}-pulled`);
        await pullSnapshot(started, pulled);
        return lines(await dump(3, pulled));
      },
    },
  };
}
