import { cp } from 'node:fs/promises';
import { expect } from 'vitest';
import { freePort, test, waitUntil } from './harness.ts';
import { pullSnapshot, startNarthex } from './narthex.ts';
import { Page, oddValue } from './page.ts';
import { type Major, messages, query, queryValue, startPrometheus } from './prometheus.ts';
import { blocks, difference, doubled, dump, lines, promtool, select } from './promtool.ts';

const majors: readonly Major[] = [2, 3];

test('real agents write 1.0 and 2.0, and Prometheus reads the blocks', async ({ lab }) => {
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: 'global: { scrape_interval: 15s }\n',
  });
  // Each agent writes everything to a real receiver too: what that has is what was sent.
  const reference = await startPrometheus(lab, { name: 'reference', major: 3 });
  const page = await Page.serve(lab);
  const senders = [
    { sender: 'prometheus-2-write-1', major: 2, message: undefined },
    { sender: 'prometheus-3-write-1', major: 3, message: messages[1] },
    { sender: 'prometheus-3-write-2', major: 3, message: messages[2] },
  ] as const;
  const agents = await Promise.all(
    senders.map(async ({ sender, major, message }) => {
      const remote = (url: string): string => `
  - url: ${url}/api/v1/write
    queue_config: { batch_send_deadline: 1s }
    ${message === undefined ? '' : `protobuf_message: ${message}`}`;
      return await startPrometheus(lab, {
        name: sender,
        major,
        mode: 'agent',
        config: `
global: { scrape_interval: 1s, scrape_timeout: 1s, external_labels: { sender: '${sender}' } }
scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${page.address}'] }] }]
remote_write: ${remote(narthex.url)} ${remote(reference.url)}
`,
      });
    }),
  );

  await waitUntil('the page was scraped for a while', 60_000, () => page.scrapes >= 20 * senders.length);
  page.temporary = false;
  await waitUntil(
    'the page was scraped without the temporary series',
    60_000,
    () => page.scrapes >= 30 * senders.length,
  );
  await page.close();
  await waitUntil('all agents have told that the page is gone', 60_000, async () => {
    const up = await query(reference, 'up == 0');
    return up.length === senders.length;
  });
  // An agent that is asked to stop first sends what it has.
  await Promise.all(agents.map(async (agent) => await agent.process.stop()));

  const pulled = await lab.dir('pulled');
  await pullSnapshot(narthex, pulled);
  await narthex.process.stop();
  await reference.process.stop();

  const sent = await dump(3, reference.dir);
  expect(sent.length).toBeGreaterThan(2000);
  const metas = await blocks(pulled);
  expect(metas).not.toHaveLength(0);
  expect(metas.reduce((sum, { stats }) => sum + stats.numSamples, 0)).toBe(sent.length);
  for (const major of majors) {
    const samples = await dump(major, pulled);
    expect(difference(lines(samples), lines(sent)), `dumped by promtool ${major}`).toEqual([]);
    expect(doubled(samples)).toEqual([]);
    const list = await promtool(major, 'tsdb', 'list', pulled);
    for (const { ulid, stats } of metas) {
      expect(list).toContain(ulid);
      const analysis = await promtool(major, 'tsdb', 'analyze', '--extended', pulled, ulid);
      expect(analysis).toMatch(new RegExp(`^(Total )?Series: ${stats.numSeries}$`, 'm'));
    }
  }

  for (const major of majors) {
    // A copy, since a server adds to the folder and may compact what is in it.
    const dir = await lab.dir(`served-${major}`);
    await cp(pulled, dir, { recursive: true });
    const server = await startPrometheus(lab, { name: `server-${major}`, major, dir });
    for (const { sender } of senders) {
      const odd = `page_value{sender="${sender}",odd=${JSON.stringify(oddValue)}}`;
      const temporary = `page_temporary{sender="${sender}"}`;
      for (const [expression, labels] of [
        [odd, { __name__: 'page_value', odd: oddValue, sender }],
        [temporary, { __name__: 'page_temporary', sender }],
      ] as const) {
        const history = select(sent, labels);
        const values = history.filter(({ value }) => value !== 'NaN');
        const stored = (await query(server, `${expression}[1h]`, sent.at(-1)!.timestamp + 1000))[0]?.values;
        expect(stored?.map(([seconds, value]) => [Math.round(seconds * 1000), Number(value)])).toEqual(
          values.map(({ timestamp, value }) => [timestamp, Number(value)]),
        );
        // The marker ends the series at once: without it the last value would be seen for five minutes.
        const marker = history.at(-1)!;
        expect(marker.value).toBe('NaN');
        expect(Number(await queryValue(server, expression, marker.timestamp - 1))).toBe(Number(values.at(-1)!.value));
        expect(await queryValue(server, expression, marker.timestamp)).toBeUndefined();
      }
      expect(await queryValue(server, `up{sender="${sender}"}`, sent.at(-1)!.timestamp + 1000)).toBe('0');
    }
    await server.process.stop();
  }
});
