/** The commands that talk to a deployment, against a server that answers as it does. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { apiFrom, apiTo, type Api } from '../../src/cli/api.ts';
import { remoteRewind } from '../../src/cli/remote-rewind.ts';
import { blocksLs } from '../../src/cli/blocks-ls.ts';
import { blocksPull } from '../../src/cli/blocks-pull.ts';
import { configPush } from '../../src/cli/config-push.ts';
import type { BlockStatus } from '../../src/http/status.ts';
import type { Clock } from '../../src/model/doors.ts';

const [OLD, NEW] = ['01M81R0W9QBK3WD1G7NA70H4E3', '01M81R0W9QBK3WD1G7NA70H4E4'];
const FILES = ['index', 'chunks/000001', 'meta.json'];

let dir: string;
let api: Api;
/** What the server answers to `METHOD /path?query`: a body and a status, or whatever a function does. */
let routes: Record<string, [status: number, body: unknown] | ((res: ServerResponse) => void)>;
let requests: { line: string; headers: IncomingMessage['headers']; body: string }[];
let printed: string[];

const server = createServer((req, res) => {
  let body = '';
  req.setEncoding('utf8').on('data', (text: string) => (body += text));
  req.on('end', () => {
    const line = `${req.method} ${req.url}`;
    requests.push({ line, headers: req.headers, body });
    const route = routes[line] ?? [404, { status: 'error', error: 'nothing answers here' }];
    if (typeof route === 'function') return route(res);
    res.statusCode = route[0];
    res.end(typeof route[1] === 'string' ? route[1] : JSON.stringify(route[1]));
  });
});

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'narthex-test-'));
  [routes, requests, printed] = [{}, [], []];
  for (const method of ['log', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((text: string) => void printed.push(text));
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = apiTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, 'nx_secret');
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const success = (data: unknown): [number, unknown] => [200, { status: 'success', data }];
const block = (ulid: string, minTime: number, more: Partial<BlockStatus> = {}): Partial<BlockStatus> => {
  return {
    ulid,
    minTime,
    maxTime: minTime + 7_200_000,
    samples: 1234567,
    series: 89,
    bytes: 5 << 20,
    late: false,
    files: FILES,
    ...more,
  };
};

describe('config push', () => {
  const file = (text: string): string => {
    writeFileSync(join(dir, 'p.yml'), text);
    return join(dir, 'p.yml');
  };

  test('sends a file that is good, and says which version it is', async () => {
    routes['PUT /api/v1/admin/config'] = success({ version: 3, source: 'bucket', pushedAt: '2026-11-22T13:00:00Z' });
    await configPush(api, file('scrape_configs: []\n'));
    expect(requests[0]).toMatchObject({ body: 'scrape_configs: []\n', headers: { authorization: 'Bearer nx_secret' } });
    expect(requests[0]!.headers['content-type']).toMatch(/yaml/);
    expect(printed.join()).toContain('version 3 (bucket, 2026-11-22T13:00:00Z)');
  });

  test('sends nothing when the file is bad, or there is none', async () => {
    await expect(configPush(api, file('a: 1\nb: 2\n'))).rejects.toThrow(/p\.yml:1:1: .*\n.*p\.yml:2:1: /);
    await expect(configPush(api, join(dir, 'none.yml'))).rejects.toThrow(
      /none\.yml cannot be read: there is no such file/,
    );
    expect(requests).toEqual([]);
  });

  test('sends the files that it names along, and says what is wrong in which', async () => {
    routes['PUT /api/v1/admin/config'] = success({ version: 3, source: 'bucket', pushedAt: null, warnings: [] });
    mkdirSync(join(dir, 'jobs'));
    writeFileSync(join(dir, 'jobs/b.yml'), 'scrape_configs: [{ job_name: b }]');
    writeFileSync(join(dir, 'jobs/a.yml'), 'scrape_configs: [{ job_name: a }]');
    writeFileSync(join(dir, 'jobs/a.txt'), 'no');
    const main = file(`scrape_config_files: [jobs/*.yml]\n`);
    await configPush(api, main);
    expect(JSON.parse(requests[0]!.body)).toEqual({
      config: 'scrape_config_files: [jobs/*.yml]\n',
      files: {
        'jobs/a.yml': 'scrape_configs: [{ job_name: a }]',
        'jobs/b.yml': 'scrape_configs: [{ job_name: b }]',
      },
    });
    expect(printed.join()).toContain('pushed with jobs/a.yml, jobs/b.yml, in force');
    writeFileSync(join(dir, 'jobs/b.yml'), 'scrape_configs:\n- job_name: a\n- job: c\n');
    await expect(configPush(api, main)).rejects.toThrow(
      new RegExp(`^${dir}/jobs/b.yml:2:13: scrape_configs.0..job_name: .*it is in jobs/a.yml too.*\n.*b.yml:3:3: `),
    );
    expect(requests).toHaveLength(1);
  });

  test('says what the deployment warns of, once', async () => {
    const warning = { path: 'x', line: 1, column: 1, expected: 'a', got: 'b', level: 'warning' };
    routes['PUT /api/v1/admin/config'] = success({ version: 3, source: 'bucket', pushedAt: null, warnings: [warning] });
    await configPush(api, file('scrape_config_files: [none.yml]\n'));
    expect(printed.filter((line) => line.includes('p.yml:1:1: warning: x: expected a, got b'))).toHaveLength(1);
    expect(printed.filter((line) => line.includes('none'))).toHaveLength(1);
  });

  test('reports what the deployment finds as what is found here', async () => {
    const problem = { path: 'x', line: 7, column: 3, expected: 'a b', got: '"c"', level: 'error' };
    routes['PUT /api/v1/admin/config'] = [400, { status: 'error', error: 'bad', data: { problems: [problem] } }];
    await expect(configPush(api, file(''))).rejects.toThrow('p.yml:7:3: x: expected a b, got "c"');
  });
});

describe('an answer that is not what was hoped for', () => {
  const failing = (): Promise<void> => blocksLs(api);
  const route = 'GET /api/v1/status/tsdb/blocks';

  test.each([
    [
      'the envelope of an error',
      [403, { error: 'this needs the role read' }],
      /GET http.*blocks answered 403: this needs the role read$/,
    ],
    ['a page of something else', [502, '<html>bad gateway'], /answered 502: <html>bad gateway$/],
    ['success that is no JSON', [200, '<html>hello'], /is this a narthex\?/],
  ] as const)('%s', async (_, answer, message) => {
    routes[route] = [...answer];
    await expect(failing()).rejects.toThrow(message);
  });

  test('a redirect is told, not followed with the token', async () => {
    routes[route] = (res) => res.writeHead(302, { location: 'https://else.where/' }).end();
    await expect(failing()).rejects.toThrow('it redirects to https://else.where/');
    expect(requests).toHaveLength(1);
  });

  test('no token where one is needed', async () => {
    const { port } = server.address() as AddressInfo;
    vi.stubEnv('NARTHEX_TOKEN', '');
    vi.stubEnv('NARTHEX_URL', `http://127.0.0.1:${port}`);
    routes[route] = [401, { error: 'a token is needed' }];
    await expect(blocksLs(apiFrom({}))).rejects.toThrow(/401: a token is needed \(give a token with --token/);
  });

  test('nobody there', async () => {
    await expect(blocksLs(apiTo('http://127.0.0.1:1', null))).rejects.toThrow(/does not answer.*--url/);
    expect(() => apiTo('localhost:8787', null)).toThrow('is no http:// or https:// address');
  });
});

test('remote rewind says what goes out again', async () => {
  routes['POST /api/v1/admin/remotes/rewind?name=https%3A%2F%2Fa%2Fw&to=beginning'] = success({
    records: 2,
    samples: 30,
  });
  await remoteRewind(api, 'https://a/w', 'beginning');
  expect(printed).toEqual(['https://a/w: 30 samples in 2 records go out again']);
});

test('blocks ls is a table, oldest first', async () => {
  const blocks = [block(NEW, Date.UTC(2026, 10, 22, 14), { late: true }), block(OLD, Date.UTC(2026, 10, 22, 12))];
  routes['GET /api/v1/status/tsdb/blocks'] = success({ blocks });
  await blocksLs(api);
  expect(printed.join('\n'))
    .toBe(`ULID                        from (UTC)           to (UTC)               samples  series     size
${OLD}  2026-11-22 12:00:00  2026-11-22 14:00:00  1,234,567      89  5.0 MiB
${NEW}  2026-11-22 14:00:00  2026-11-22 16:00:00  1,234,567      89  5.0 MiB  late`);
});

describe('blocks pull', () => {
  /** On which each sleep ends at once, later by `stepMs` at least. */
  const clock = (stepMs = 0): Clock => {
    let nowMs = 0;
    const sleepUntil = (atMs: number): Promise<void> => Promise.resolve(void (nowMs = Math.max(atMs, nowMs + stepMs)));
    return { now: () => nowMs, sleepUntil };
  };
  const serve = (path: string, ...ulids: string[]): void => {
    for (const ulid of ulids)
      for (const file of FILES) routes[`GET ${path}/${ulid}/${file}`] = [200, `${ulid} ${file}`];
  };
  const list = (...blocks: Partial<BlockStatus>[]): void => {
    routes['GET /api/v1/status/tsdb/blocks'] = success({ blocks });
    serve('/api/v1/admin/tsdb/blocks', ...blocks.map(({ ulid }) => ulid!));
  };
  const target = (...names: string[]): string => join(dir, 'data', ...names);

  test('downloads what is not there, meta.json last', async () => {
    list(block(OLD, 0), block(NEW, 7_200_000));
    mkdirSync(target(OLD), { recursive: true });
    mkdirSync(target(`${NEW}.tmp-for-creation`, 'chunks'), { recursive: true });
    writeFileSync(target(`${NEW}.tmp-for-creation`, 'chunks', '000002'), 'of a pull that was interrupted');
    await blocksPull(api, target(), { snapshot: false });
    expect(readdirSync(target()).toSorted()).toEqual([OLD, NEW, 'wal']);
    expect(readdirSync(target(NEW)).toSorted()).toEqual(['chunks', 'index', 'meta.json']);
    expect(readdirSync(target(NEW, 'chunks'))).toEqual(['000001']);
    expect(readFileSync(target(NEW, 'chunks', '000001'), 'utf8')).toBe(`${NEW} chunks/000001`);
    expect(requests.at(-1)!.line).toContain('meta.json');
    expect(printed.at(-1)).toBe(`1 block pulled into ${target()}, 1 were there.`);
  });

  test('what breaks off is no block, and is pulled again', async () => {
    list(block(OLD, 0));
    const whole = routes[`GET /api/v1/admin/tsdb/blocks/${OLD}/index`]!;
    routes[`GET /api/v1/admin/tsdb/blocks/${OLD}/index`] = (res) => {
      res.writeHead(200, { 'content-length': '100' }).write('half', () => res.destroy());
    };
    await expect(blocksPull(api, target(), { snapshot: false })).rejects.toThrow(/index broke off.*pull again/);
    expect(existsSync(target(OLD))).toBe(false);
    routes[`GET /api/v1/admin/tsdb/blocks/${OLD}/index`] = whole;
    await blocksPull(api, target(), { snapshot: false });
    expect(readFileSync(target(OLD, 'index'), 'utf8')).toBe(`${OLD} index`);
  });

  test.each([
    ['a path that leads elsewhere', { files: ['../../evil', 'meta.json'] }, 'has a file "../../evil"'],
    ['an absolute path', { files: ['/etc/passwd', 'meta.json'] }, 'has a file "/etc/passwd"'],
    ['no meta.json', { files: ['index'] }, 'has no meta.json'],
    ['a name that is no ULID', { ulid: '../x' }, 'is no ULID'],
  ])('%s is refused', async (_, change, reason) => {
    list(block(OLD, 0, change));
    await expect(blocksPull(api, target(), { snapshot: false })).rejects.toThrow(reason);
    expect(requests).toHaveLength(1);
  });

  test('--snapshot asks, waits, and pulls what the snapshot holds', async () => {
    const post = '/api/v1/admin/tsdb/snapshot';
    routes[`POST ${post}`] = [202, { status: 'success', data: { name: 's 1', progress: '1 of 2' } }];
    let asked = 0;
    routes[`POST ${post}?name=s%201`] = (res) => {
      asked++;
      const data = asked < 2 ? { name: 's 1', progress: '2 of 2' } : { name: 's 1' };
      res.writeHead(asked < 2 ? 202 : 200).end(JSON.stringify({ status: 'success', data }));
    };
    routes[`GET ${post}s/s%201`] = success({ name: 's 1', blocks: [{ ulid: OLD, files: FILES }] });
    serve(`${post}s/s%201`, OLD);
    await blocksPull(api, target(), { snapshot: true }, clock());
    expect(readdirSync(target()).toSorted()).toEqual([OLD, 'wal']);
    expect(printed.slice(0, 2)).toEqual(['snapshot s 1: 1 of 2', 'snapshot s 1: 2 of 2']);
  });

  test('a snapshot without progress is given up', async () => {
    const data = { name: 's', progress: '1 of 2' };
    for (const query of ['', '?name=s'])
      routes[`POST /api/v1/admin/tsdb/snapshot${query}`] = [202, { status: 'success', data }];
    const pull = blocksPull(api, target(), { snapshot: true }, clock(60_000));
    await expect(pull).rejects.toThrow('snapshot s has made no progress for 10 minutes (last: 1 of 2)');
    expect(requests).toHaveLength(12);
  });

  test('a snapshot that fails is told', async () => {
    routes['POST /api/v1/admin/tsdb/snapshot'] = [503, { error: 'the bucket fails' }];
    await expect(blocksPull(api, target(), { snapshot: true })).rejects.toThrow(/answered 503: the bucket fails/);
  });
});
