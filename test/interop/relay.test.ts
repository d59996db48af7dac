import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { freePort, type Lab, test, waitUntil } from './harness.ts';
import { killAndRestart, metric, pullSnapshot, startNarthex } from './narthex.ts';
import { Page } from './page.ts';
import { messages, startPrometheus } from './prometheus.ts';
import { difference, doubled, dump, lines, type Sample, select } from './promtool.ts';
import { Recorder } from './recorder.ts';
import { asVictoria, exported, startVictoria } from './victoria.ts';

/** What is told in decision and README: after 30 s of silence, and within 35. A sender's own batches and a busy machine come on top. */
const FAIL_OVER_MS = 45_000;

test('an HA pair of Prometheus writes to Narthex, which relays to Prometheus and VictoriaMetrics, is killed, and loses its leader', async ({
  lab,
}) => {
  const [victoriaPort, victoriaDir] = [await freePort(), await lab.dir('victoria')];
  await startVictoria(lab, { name: 'victoria', port: victoriaPort, dir: victoriaDir });
  const receiver = await startPrometheus(lab, { name: 'receiver', major: 3 });
  const options = {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    limits: "'*': { ha: true, relay: [prometheus, victoria] }",
    config: `
remote_write:
  - { name: prometheus, url: '${receiver.url}/api/v1/write' }
  - { name: victoria, url: 'http://127.0.0.1:${victoriaPort}/api/v1/write' }
`,
  };
  let narthex = await startNarthex(lab, options);
  const page = await Page.serve(lab);
  const pair = [await replica(lab, page, 'a', 2, narthex.url), await replica(lab, page, 'b', 3, narthex.url)];
  const leader = (): (typeof pair)[number] | undefined => pair.find(({ recorder }) => recorder.status === 204);
  await waitUntil('one replica is taken and the other is not', 60_000, () => {
    const statuses = pair.map(({ recorder }) => recorder.status);
    return statuses.includes(202) && statuses.includes(204);
  });
  const pending = (name: string) => metric(narthex, 'narthex_consumer_samples_pending', `consumer="${name}"`);
  const sent = (name: string) => metric(narthex, 'narthex_consumer_samples_sent_total', `consumer="${name}"`);
  for (const name of ['prometheus', 'victoria']) {
    await waitUntil(`samples go out to ${name}`, 120_000, async () => (await sent(name)) > 100);
  }
  const fromMs = Date.now();

  await sleep(10_000);
  narthex = await killAndRestart(lab, narthex, options, 5_000);
  await waitUntil('samples come in again', 60_000, () => leader() !== undefined);
  await sleep(10_000);

  const killed = leader()!;
  const other = pair.find((one) => one !== killed)!;
  killed.process.kill('SIGKILL');
  const killedMs = Date.now();
  killed.recorder.status = 0;
  await waitUntil('the other replica is taken', FAIL_OVER_MS, () => other.recorder.status === 204, 100);
  expect(Date.now() - killedMs).toBeGreaterThan(25_000);
  await sleep(10_000);
  await other.process.stop();
  for (const name of ['prometheus', 'victoria']) {
    await waitUntil(`${name} has everything`, 90_000, async () => (await pending(name)) === 0);
  }

  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await Promise.all([narthex.process.stop(), receiver.process.stop()]);
  const own = await dump(3, pulled);
  expect(doubled(own)).toEqual([]);
  expect(own.filter(({ series }) => series.includes('__replica__'))).toEqual([]);
  const stored = new Set(lines(own));
  for (const { recorder } of pair) {
    expect(recorder.refusals.filter((refusal) => !refusal.startsWith('5'))).toEqual([]);
    expect(
      [...recorder.acknowledged]
        .map(withoutReplica)
        .filter((line) => !stored.has(line))
        .slice(0, 20),
    ).toEqual([]);
  }
  const all = pair.flatMap(({ recorder }) => [...recorder.sent].map(withoutReplica));
  expect(difference([...stored], all).filter((line) => line.startsWith('unexpected'))).toEqual([]);

  // One replica at a time: no two samples of a second, and one gap, which ends with the other's first sample.
  const up = select(own, { __name__: 'up' }).map(({ timestamp }) => timestamp);
  const steps = up
    .sort((a, b) => a - b)
    .slice(1)
    .map((timestamp, i) => timestamp - up[i]!);
  expect(steps.filter((step) => step < 500)).toEqual([]);
  const gap = Math.max(...steps);
  expect(gap).toBeGreaterThan(25_000);
  expect(gap).toBeLessThan(FAIL_OVER_MS);

  // What came after the relays had begun has gone out whole, to both.
  const later = (samples: readonly Sample[]): Sample[] => samples.filter(({ timestamp }) => timestamp >= fromMs);
  const expected = lines(later(own));
  expect(expected.length).toBeGreaterThan(500);
  const relayed = await dump(3, receiver.dir);
  expect(doubled(relayed)).toEqual([]);
  expect(difference(lines(later(relayed)), expected), 'Prometheus').toEqual([]);
  const isLater = (line: string): boolean => Number(/ (\d+) \S+$/.exec(line)![1]) >= fromMs;
  const there = (await exported(victoriaPort)).filter(isLater);
  expect(difference(there, asVictoria(expected)), 'VictoriaMetrics').toEqual([]);
}, 480_000);

const withoutReplica = (line: string): string => line.replace(/__replica__="[^"]*", /, '');

async function replica(lab: Lab, page: Page, name: string, major: 2 | 3, url: string) {
  const recorder = await Recorder.serve(lab, url);
  const { process } = await startPrometheus(lab, {
    name: `replica-${name}`,
    major,
    mode: 'agent',
    config: `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { cluster: pair, __replica__: ${name} } }
scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${page.address}'] }] }]
remote_write:
  - url: ${recorder.url}/api/v1/write
    queue_config: { batch_send_deadline: 1s }
    ${major === 3 ? `protobuf_message: ${messages[2]}` : ''}
`,
  });
  return { name, process, recorder };
}
