import { expect } from 'vitest';
import { type Lab, freePort, get, peer, test, waitUntil } from './harness.ts';
import { pullSnapshot, startNarthex } from './narthex.ts';
import { type Prometheus, messages, query, queryValue, startPrometheus } from './prometheus.ts';
import { type Sample, difference, doubled, dump, lines, select } from './promtool.ts';

test('a real node_exporter is scraped, and its samples arrive in three receivers', async ({ lab }) => {
  const exporterPort = await freePort();
  const target = `127.0.0.1:${exporterPort}`;
  const exporter = lab.start('node_exporter', peer('node_exporter'), [
    `--web.listen-address=${target}`,
    '--log.level=error',
  ]);
  await waitUntil('node_exporter answers', 20_000, async () => await get(`http://${target}/metrics`));

  // Prometheus 3 also scrapes the target itself: a witness of what its page says, by Prometheus' own parser.
  const witness = `scrape_configs:\n${scrapeConfig('witness', target)}`;
  const prometheus2 = await startPrometheus(lab, { name: 'receiver-2', major: 2 });
  const prometheus3 = await startPrometheus(lab, { name: 'receiver-3', major: 3, config: witness });
  const port = await freePort();
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port,
    state: await lab.dir('state'),
    config: `
global:
  external_labels: { replica: narthex }
scrape_configs:
${scrapeConfig('node', target)}
remote_write:
  - { name: three, url: '${prometheus3.url}/api/v1/write', protobuf_message: ${messages[2]} }
  - { name: two, url: '${prometheus2.url}/api/v1/write', protobuf_message: ${messages[1]} }
  - { name: self, url: 'http://self/api/v1/write' }
`,
  });

  const up = 'up{job="node",replica="narthex"}';
  for (const receiver of [prometheus2, prometheus3]) {
    await waitUntil('a receiver has the target up', 120_000, async () => (await queryValue(receiver, up)) === '1');
  }
  await waitUntil('there are a few scrapes', 60_000, async () => (await history(prometheus3, up)).length >= 4);

  await exporter.stop();
  const downSince = await waitUntil('the target is down', 60_000, async () => {
    const down = (await history(prometheus3, up)).find(([, value]) => value === '0');
    return down && Math.round(down[0] * 1000);
  });
  // A log is sent in order: who has a later sample has everything until then.
  for (const receiver of [prometheus2, prometheus3]) {
    await waitUntil('a receiver has everything', 60_000, async () => {
      const last = (await history(receiver, up)).at(-1);
      return last !== undefined && last[0] * 1000 > downSince;
    });
    // The series of the target have ended, and not merely grown old.
    expect(await queryValue(receiver, 'count({job="node",__name__=~"node_.+"})')).toBeUndefined();
  }
  const own = await snapshotAfter(lab, narthex, downSince);
  await Promise.all([prometheus2.process.stop(), prometheus3.process.stop()]);

  const until = (samples: Sample[]): Sample[] =>
    select(samples, { job: 'node', replica: 'narthex' }).filter(({ timestamp }) => timestamp <= downSince);
  const two = await dump(3, prometheus2.dir);
  const three = await dump(3, prometheus3.dir);
  const expected = lines(until(three));
  expect(expected.length).toBeGreaterThan(1000);
  expect(difference(lines(until(two)), expected)).toEqual([]);
  expect(difference(lines(until(own)), expected)).toEqual([]);
  expect(doubled(own)).toEqual([]);

  // Every series of the page ends with a stale marker, in the scrape in which the target was first found down.
  const ends = until(own).filter(({ timestamp }) => timestamp === downSince);
  const pageSeries = new Set(
    until(own)
      .filter(isOfThePage)
      .map(({ series }) => series),
  );
  expect(new Set(ends.filter(({ value }) => value === 'NaN').map(({ series }) => series))).toEqual(pageSeries);
  expect(select(ends, { __name__: 'up' }).map(({ value }) => value)).toEqual(['0']);

  // The same series as Prometheus found on the page, and the same values where they do not change.
  const seen = select(three, { job: 'witness' }).filter(isOfThePage);
  const constants = (samples: Sample[]): string[] => constantSeries(samples).map(withoutSource);
  expect(pageSeries.size).toBeGreaterThan(100);
  expect([...pageSeries].map(withoutSource).sort()).toEqual(
    [...new Set(seen.map(({ series }) => series))].map(withoutSource).sort(),
  );
  const changing = new Set([...changingSeries(seen), ...changingSeries(until(own))].map(withoutSource));
  const comparable = (list: string[]): string[] =>
    list.filter((line) => !changing.has(line.slice(0, line.lastIndexOf(' ')))).sort();
  expect(comparable(constants(seen)).length).toBeGreaterThan(100);
  expect(comparable(constants(until(own).filter(isOfThePage)))).toEqual(comparable(constants(seen)));
});

function scrapeConfig(job: string, target: string): string {
  return `  - job_name: ${job}
    scrape_interval: 5s
    scrape_timeout: 4s
    static_configs: [{ targets: ['${target}'] }]
`;
}

/** The samples of the last ten minutes: seconds and value as text. */
async function history(prometheus: Prometheus, series: string): Promise<readonly (readonly [number, string])[]> {
  return (await query(prometheus, `${series}[10m]`))[0]?.values ?? [];
}

/** A dump of everything received by Narthex itself, once that reaches beyond the timestamp. */
async function snapshotAfter(
  lab: Lab,
  narthex: Awaited<ReturnType<typeof startNarthex>>,
  timestamp: number,
): Promise<Sample[]> {
  let tries = 0;
  return await waitUntil(
    'Narthex has received everything itself',
    90_000,
    async () => {
      const dir = await lab.dir(`pulled-${tries++}`);
      await pullSnapshot(narthex, dir);
      const samples = await dump(3, dir);
      return select(samples, { __name__: 'up', job: 'node' }).some((one) => one.timestamp > timestamp) && samples;
    },
    2000,
  );
}

/** Not what a scraper adds by itself. */
function isOfThePage({ series }: Sample): boolean {
  return !/[{ ]__name__="(up|scrape_\w+)"/.test(series);
}

/** Without the labels that tell who scraped. */
function withoutSource(text: string): string {
  return text.replace(/, job="\w+"/, '').replace(', replica="narthex"', '');
}

function valuesOf(samples: readonly Sample[]): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>();
  for (const { series, value } of samples) {
    if (value === 'NaN') continue;
    values.set(series, (values.get(series) ?? new Set()).add(value));
  }
  return values;
}

/** Lines `series value` of the series that had one value all the time. */
function constantSeries(samples: readonly Sample[]): string[] {
  return [...valuesOf(samples)]
    .filter(([, values]) => values.size === 1)
    .map(([series, values]) => `${series} ${[...values].join()}`);
}

function changingSeries(samples: readonly Sample[]): string[] {
  return [...valuesOf(samples)].filter(([, values]) => values.size > 1).map(([series]) => series);
}
