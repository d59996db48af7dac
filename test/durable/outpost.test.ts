import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Env } from '../../durable/env.ts';
import { routesFrom, wayTo } from '../../durable/routes.ts';
import { loadConfig } from '../../src/config/load.ts';
import { targetsOf } from '../../src/discovery/targets.ts';
import { PLACES } from '../../src/config/places.ts';
import { scrapeTarget, type ScrapeResult } from '../../src/scrape/reach/fetch.ts';
import { clock } from '../../durable/doors.ts';

const bindings = env as unknown as Env;
// The first call starts the object, which takes longer than a scrape waits where much else is going on.
beforeAll(async () => {
  network(async () => new Response());
  await routesFrom(bindings, never)({ kind: 'outpost', region: 'weur', index: 0 })(new Request('http://far.test/'));
  vi.restoreAllMocks();
}, 60_000);
afterEach(() => vi.restoreAllMocks());

/** The network, as the outpost reaches it: the objects of a test live in its isolate. */
function network(answer: (request: Request) => Promise<Response>): Request[] {
  const asked: Request[] = [];
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    const request = input as Request;
    asked.push(request);
    return await answer(request);
  });
  return asked;
}

const never = (): Promise<never> => Promise.reject(new Error('not this way'));
const exposition = (body: BodyInit, status = 200): Response =>
  new Response(body, { status, headers: { 'Content-Type': 'text/plain; version=0.0.4' } });

/** Scrapes the one target of a configuration as a run does. */
async function scrape(group: string, more = '', extra: Partial<Env> = {}): Promise<ScrapeResult> {
  const loaded = loadConfig(`
scrape_configs:
  - job_name: far
    scrape_interval: 10s
    ${more}
    static_configs: [${group}]
`);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const [target] = targetsOf(loaded.config);
  return await scrapeTarget(target!, Date.now(), {
    clock,
    fetch: routesFrom({ ...bindings, ...extra }, never)(target!.route),
    network: never,
    tokens: new Map(),
    userAgent: 'test',
    bodyBytesMax: 1e6,
  });
}
const far = "{ targets: ['far.test:9100'], labels: { __region__: weur } }";

describe('a target in a region', () => {
  it('is asked by an outpost as the run would ask it, and its body comes as it is', async () => {
    const body = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff);
    const asked = network(async () => exposition(body));
    const got = await scrape(far, 'http_headers: { CF-Access-Client-Id: { values: [id] } }');
    expect(got).toMatchObject({ error: null, bodyBytes: 5000, format: 'text' });
    expect(got.body).toEqual(body);
    expect(asked[0]!.url).toBe('http://far.test:9100/metrics');
    expect(asked[0]!.redirect).toBe('manual');
    expect(Object.fromEntries(asked[0]!.headers)).toMatchObject({
      'accept-encoding': 'gzip',
      'cf-access-client-id': 'id',
      'user-agent': 'test',
      'x-prometheus-scrape-timeout-seconds': '10',
    });
  });

  it('is followed by the run, hop by hop, and another origin gets no configured header', async () => {
    const asked = network(async ({ url }) =>
      url.includes('far.test')
        ? new Response('', { status: 302, headers: { Location: 'http://other.test/m' } })
        : exposition('a 1\n'),
    );
    const got = await scrape(
      far,
      "basic_auth: { username: u, password: p }\n    http_headers: { X-A: { values: ['1'] } }",
    );
    expect(got.error).toBeNull();
    const secrets = asked.map(({ url, headers }) => [url, headers.has('authorization'), headers.has('x-a')]);
    expect(secrets).toEqual([
      ['http://far.test:9100/metrics', true, true],
      ['http://other.test/m', false, false],
    ]);
  });

  it('that hangs is let go of, by the run and by its outpost', async () => {
    const let_go = new Promise<void>((resolve) => {
      network(
        ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              resolve();
              reject(signal.reason as Error);
            }),
          ),
      );
    });
    const got = await scrape(far, 'scrape_timeout: 1s');
    expect(got.error).toContain('within the timeout of 1 s');
    await let_go;
  });

  it('whose scrape is cut short is let go of by its outpost at once', async () => {
    const asked = Promise.withResolvers<Request>();
    const letGo = Promise.withResolvers<number>();
    network(
      (request) =>
        new Promise((_, reject) => {
          asked.resolve(request);
          request.signal.addEventListener('abort', () => {
            letGo.resolve(Date.now());
            reject(request.signal.reason as Error);
          });
        }),
    );
    const abort = new AbortController();
    const fetch = routesFrom(bindings, never)({ kind: 'outpost', region: 'weur', index: 0 });
    const headers = { 'X-Prometheus-Scrape-Timeout-Seconds': '30' };
    const answer = fetch(new Request('http://far.test:9100/metrics', { headers, signal: abort.signal }));
    answer.catch(() => undefined);
    // What names the question between run and outpost is not the target's.
    expect([...(await asked.promise).headers.keys()].filter((name) => name.startsWith('narthex'))).toEqual([]);
    const cutMs = Date.now();
    abort.abort(new Error('others wait'));
    await expect(answer).rejects.toThrow('others wait');
    expect((await letGo.promise) - cutMs).toBeLessThan(5_000);
  });

  it('that cannot be reached is down in the words of the network', async () => {
    network(() => Promise.reject(new Error('Network connection lost.')));
    expect((await scrape(far)).error).toBe('cannot scrape far.test:9100: Network connection lost.');
  });

  it('answers errors as they are, and bodies over the limit are not read', async () => {
    network(async () => exposition('no', 503));
    expect((await scrape(far)).error).toBe('server returned HTTP status 503 Service Unavailable');
    network(async () => exposition(new Uint8Array(2000)));
    expect(await scrape(far, 'body_size_limit: 1KB')).toMatchObject({ bodyBytes: -1, body: null });
  });

  it('is asked from every place that there is', async () => {
    network(async () => exposition('a 1\n'));
    for (const region of PLACES.keys()) {
      const got = await scrape(far.replace('weur', region), '', { NARTHEX_OPEN: '127.0.0.1' });
      expect({ region, error: got.error }).toEqual({ region, error: null });
    }
  });
});

describe('an IP address', () => {
  const ip = (address: string): string => `{ targets: ['${address}'] }`;
  const NO_IP = 'Cloudflare Workers cannot fetch a bare IP address';

  it.each(['192.0.2.7:9100', '[2001:db8::1]:9100', '3221225991'])(
    '%s is down in a deployment, and says why',
    async (at) => {
      const asked = network(async () => exposition('a 1\n'));
      expect((await scrape(ip(at))).error).toContain(NO_IP);
      expect((await scrape(`{ targets: ['${at}'], labels: { __region__: oc } }`)).error).toContain(NO_IP);
      expect(asked).toEqual([]);
      expect((await scrape(ip(at), '', { NARTHEX_OPEN: '127.0.0.1' })).error).toBeNull();
    },
  );

  it('is not where a redirect leads', async () => {
    network(async () => new Response('', { status: 302, headers: { Location: 'http://192.0.2.7/' } }));
    expect((await scrape(ip('a.test'))).error).toContain(NO_IP);
  });
});

describe('a target in a private network', () => {
  const inside = (address: string, binding = 'TUNNEL'): string =>
    `{ targets: ['${address}'], labels: { __vpc__: ${binding} } }`;
  const vpc = (answer: (request: Request) => Promise<Response>): { extra: Partial<Env>; asked: Request[] } => {
    const asked: Request[] = [];
    const fetch = (request: Request): Promise<Response> => (asked.push(request), answer(request));
    const extra = { NARTHEX_VPC: "{ TUNNEL: ['10.0.0.0/8:9100'], BUCKET: [a.test] }", TUNNEL: { fetch } };
    return { extra: extra as unknown as Partial<Env>, asked };
  };

  it('is asked through its binding, and nowhere else', async () => {
    const outside = network(never);
    const { extra, asked } = vpc(async () => exposition('a 1\n'));
    expect(await scrape(inside('10.1.2.3:9100'), '', extra)).toMatchObject({ error: null, bodyBytes: 4 });
    expect(asked.map(({ url }) => url)).toEqual(['http://10.1.2.3:9100/metrics']);
    expect(outside).toEqual([]);
  });

  it.each([
    ['10.1.2.3:9101', 'TUNNEL', 'not on the list of "TUNNEL" in NARTHEX_VPC'],
    ['a.test', 'TUNNEL', 'not on the list of "TUNNEL" in NARTHEX_VPC'],
    ['a.test', 'OTHER', 'NARTHEX_VPC lists no addresses for a binding "OTHER"'],
    ['a.test', 'DIRECTOR', 'NARTHEX_VPC lists no addresses for a binding "DIRECTOR"'],
    // Listed by mistake: it is no way into a network.
    ['a.test', 'BUCKET', 'the deployment has no binding "BUCKET"'],
  ])('%s through %s is down, and says why', async (address, binding, reason) => {
    const outside = network(never);
    const { extra, asked } = vpc(never);
    const { error } = await scrape(inside(address, binding), '', extra);
    expect(error).toContain(`cannot scrape ${address}: ${reason}`);
    expect([...asked, ...outside]).toEqual([]);
  });

  it('is also where a remote or a source of discovery is that is on the list, and not what it redirects to', async () => {
    const outside = network(async () => new Response('outside'));
    const { extra, asked } = vpc(async () => new Response('inside'));
    const env = { ...bindings, ...extra };
    const ask = async (from: string, url = from): Promise<string> =>
      await (await wayTo(env, from)(new Request(url))).text();
    expect(await ask('http://10.1.2.3:9100/api/v1/write')).toBe('inside');
    expect(await ask('http://prometheus.test/api/v1/write')).toBe('outside');
    await expect(ask('http://10.1.2.3:9100/', 'http://prometheus.test/')).rejects.toThrow('not on the list');
    await expect(ask('http://prometheus.test/', 'http://10.1.2.3:9100/')).rejects.toThrow('a bare IP address');
    expect([asked.length, outside.length]).toEqual([1, 1]);
  });

  it('leads nowhere else by a redirect', async () => {
    const outside = network(never);
    const { extra, asked } = vpc(
      async () => new Response('', { status: 302, headers: { Location: 'http://10.9.9.9:22/' } }),
    );
    const { error } = await scrape(inside('10.1.2.3:9100'), '', extra);
    expect(error).toBe(
      'cannot scrape 10.1.2.3:9100: not on the list of "TUNNEL" in NARTHEX_VPC, so it is not asked through that binding',
    );
    expect([asked.length, outside.length]).toEqual([1, 0]);
  });

  it('has a name of its own in wrangler.toml: without that, no target reaches it', async () => {
    const { error } = await scrape(inside('10.1.2.3:9100'), '', { NARTHEX_VPC: '{ TUNNEL: [10.0.0.0/8] }' });
    expect(error).toContain('the deployment has no binding "TUNNEL"');
  });
});
