/** Regions and private networks in the workerd that a user starts: outposts answer, let go and pass on as the network itself does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { freePort, get, test, waitUntil } from './harness.ts';
import { startNarthex } from './narthex.ts';

interface Target {
  readonly scrapePool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

test('targets in regions are asked by outposts, and one in a private network that is not there is down', async ({
  lab,
}) => {
  /** By path: how many are open, and the headers of the last. */
  const open = new Map<string, number>();
  const asked = new Map<string, Record<string, unknown>>();
  const server = createServer((request, response) => {
    const path = request.url!;
    asked.set(path, request.headers);
    open.set(path, (open.get(path) ?? 0) + 1);
    response.on('close', () => open.set(path, open.get(path)! - 1));
    if (path === '/hang') return;
    if (path === '/moved') {
      response.writeHead(302, { Location: '/plain' }).end();
      return;
    }
    const type = 'text/plain; version=0.0.4';
    response.writeHead(200, { 'Content-Type': type, 'Content-Encoding': 'gzip' });
    response.end(gzipSync(`a{path="${path}"} 1\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lab.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const job = (name: string, labels: string, at = address, more = ''): string => `  - job_name: ${name}
    metrics_path: /${name}
    ${more}
    static_configs: [{ targets: ['${at}'], labels: { ${labels} } }]
`;
  const narthex = await startNarthex(lab, {
    name: 'narthex',
    port: await freePort(),
    state: await lab.dir('state'),
    config: `
global: { scrape_interval: 5s, scrape_timeout: 2s }
scrape_configs:
${[
  job('plain', ''),
  job('regions', '__region__: "weur,apac-ne,eu"', address, 'http_headers: { CF-Access-Client-Id: { values: [id] } }'),
  job('moved', '__region__: oc'),
  job('hang', '__region__: sam'),
  job('gone', '__region__: weur', '127.0.0.1:1'),
  job('private', '__vpc__: TUNNEL'),
].join('')}
remote_write: [{ url: 'http://self/api/v1/write' }]
`,
  });
  const targets = await waitUntil('all targets have been scraped', 120_000, async () => {
    const { data } = JSON.parse(await get(`${narthex.url}/api/v1/targets`)) as { data: { activeTargets: Target[] } };
    return data.activeTargets.every(({ health }) => health !== 'unknown') && data.activeTargets;
  });
  const told = targets.map(({ scrapePool, labels, health, lastError }) => [
    `${scrapePool} ${labels['region'] ?? '-'} ${health}`,
    lastError,
  ]);
  expect(Object.fromEntries(told)).toEqual({
    'plain - up': '',
    'regions weur up': '',
    'regions apac-ne up': '',
    'regions eu up': '',
    'moved oc up': '',
    'hang sam down': expect.stringContaining('within the timeout of 2 s'),
    'gone weur down': expect.stringContaining('cannot scrape 127.0.0.1:1: '),
    'private - down': expect.stringContaining('NARTHEX_VPC lists no addresses for a binding "TUNNEL"'),
  });
  expect(asked.get('/regions')).toMatchObject({
    'cf-access-client-id': 'id',
    'x-prometheus-scrape-timeout-seconds': '2',
  });
  expect([...asked.keys()].sort()).toEqual(['/hang', '/moved', '/plain', '/regions']);
  // An outpost gives up with its scrape: what hangs is never more than one.
  for (let i = 0; i < 8; i++) {
    expect(open.get('/hang')).toBeLessThanOrEqual(1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
});
