import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import type { ScrapeConfig } from '../../../src/config/model.ts';
import { targetsOf } from '../../../src/discovery/targets.ts';
import type { Clock, Fetch } from '../../../src/model/doors.ts';
import { scrapeTarget, type ScrapeResult } from '../../../src/scrape/reach/fetch.ts';
import type { Target } from '../../../src/scrape/target.ts';
import { scrapeConfig } from '../page/configs.ts';

const target = (config: Partial<ScrapeConfig> = {}, address = 'a.test:9100'): Target =>
  targetsOf({
    externalLabels: [],
    remoteWrites: [],
    scrapeConfigs: [scrapeConfig({ ...config, staticConfigs: [{ targets: [address], labels: [] }] })],
  })[0]!;

/** A clock that a test moves. */
class HandClock implements Clock {
  ms: number;
  #sleepers: { atMs: number; wake: () => void }[] = [];
  constructor(ms: number) {
    this.ms = ms;
  }
  now(): number {
    return this.ms;
  }
  sleepUntil(atMs: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ atMs, wake }));
  }
  move(ms: number): void {
    this.ms += ms;
    for (const { atMs, wake } of this.#sleepers) if (atMs <= this.ms) wake();
  }
}

const SLOT = 1_700_000_010_000;
const text = (body: BodyInit | null, init: ResponseInit = {}): Response =>
  new Response(body, { headers: { 'content-type': 'text/plain; version=0.0.4' }, ...init });

function scrape(fetch: Fetch, it = target(), clock = new HandClock(SLOT), bodyBytesMax = 1000): Promise<ScrapeResult> {
  return scrapeTarget(it, SLOT, {
    clock,
    fetch,
    network: fetch,
    tokens: new Map(),
    userAgent: 'Narthex/1',
    bodyBytesMax,
  });
}

describe('a scrape', () => {
  test('asks as Prometheus does', async () => {
    let asked: Request | null = null;
    const it = target({
      basicAuth: { username: 'ü', password: 'p' },
      params: [['module', 'x']],
      scrapeTimeoutMs: 2500,
    });
    const got = await scrape(async (request) => ((asked = request), text('a 1\n')), it);
    expect(got).toMatchObject({ slotMs: SLOT, timestampMs: SLOT, error: null, bodyBytes: 4 });
    expect(new TextDecoder().decode(got.body!)).toBe('a 1\n');
    expect(got.body!.byteLength).toBe(got.body!.buffer.byteLength);
    expect(asked!.url).toBe('http://a.test:9100/metrics?module=x');
    expect(asked!.method).toBe('GET');
    expect(Object.fromEntries(asked!.headers)).toEqual({
      accept:
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3',
      'accept-encoding': 'gzip',
      authorization: 'Basic w7w6cA==',
      'user-agent': 'Narthex/1',
      'x-prometheus-scrape-timeout-seconds': '2.5',
    });
  });

  test('sends the configured headers, each value of each', async () => {
    let asked: Request | null = null;
    const it = target({
      httpHeaders: [
        ['X-One', 'a'],
        ['x-one', 'b'],
        ['CF-Access-Client-Secret', 's'],
      ],
    });
    await scrape(async (request) => ((asked = request), text('')), it);
    expect(asked!.headers.get('x-one')).toBe('a, b');
    expect(asked!.headers.get('cf-access-client-secret')).toBe('s');
  });

  test('of a target that is not to be asked fails with the reason, at once', async () => {
    const it = { ...target(), refusal: 'target_limit exceeded (number of targets: 3, limit: 2)' };
    const got = await scrape(() => Promise.reject(new Error('asked')), it);
    expect(got).toEqual({
      slotMs: SLOT,
      timestampMs: SLOT,
      durationMs: 0,
      bodyBytes: 0,
      body: null,
      format: 'text',
      error: 'target_limit exceeded (number of targets: 3, limit: 2)',
    });
  });

  describe('with oauth2', () => {
    const oauth2 = {
      clientId: 'id',
      clientSecret: 'hunter2',
      tokenUrl: 'https://tokens.test/',
      scopes: [],
      endpointParams: [],
    };
    /** A token server that counts, and a target that takes some of the tokens. */
    function world(takes: (token: string) => boolean, tokenStatus = 200): { fetch: Fetch; asked: string[] } {
      const asked: string[] = [];
      const fetch: Fetch = async (request) => {
        const { host } = new URL(request.url);
        const authorization = request.headers.get('authorization') ?? '';
        asked.push(host === 'tokens.test' ? host : `${host} ${authorization}`);
        const n = asked.filter((one) => one === 'tokens.test').length;
        if (host === 'tokens.test')
          return Response.json({ access_token: `t${n}`, expires_in: 3600 }, { status: tokenStatus });
        return takes(authorization) ? text('a 1\n') : new Response('', { status: 401 });
      };
      return { fetch, asked };
    }

    test('asks for a token first, and for another when it was refused', async () => {
      const { fetch, asked } = world((token) => token === 'Bearer t2');
      expect((await scrape(fetch, target({ oauth2 }))).error).toBeNull();
      expect(asked).toEqual(['tokens.test', 'a.test:9100 Bearer t1', 'tokens.test', 'a.test:9100 Bearer t2']);
    });

    test('fails when no token is taken, or none is to be had', async () => {
      const { fetch, asked } = world(() => false);
      expect((await scrape(fetch, target({ oauth2 }))).error).toBe('server returned HTTP status 401');
      expect(asked).toHaveLength(4);
      const { error } = await scrape(world(() => true, 500).fetch, target({ oauth2 }));
      expect(error).toMatch(/^cannot scrape a\.test:9100: the token server answered 500/);
      expect(error).not.toContain('hunter2');
    });

    test('a token server that hangs is the timeout’s', async () => {
      const clock = new HandClock(SLOT);
      const waiting = scrape(() => new Promise(() => undefined), target({ oauth2 }), clock);
      await Promise.resolve();
      clock.move(10_000);
      expect((await waiting).error).toMatch(/^no complete answer within the timeout of 10 s/);
    });
  });

  test('asks for no compression where none is wanted, and sends a token', async () => {
    let asked: Request | null = null;
    const it = target({ enableCompression: false, authorization: { type: 'Bearer', credentials: 't' } });
    await scrape(async (request) => ((asked = request), text('')), it);
    expect(asked!.headers.get('accept-encoding')).toBe('identity');
    expect(asked!.headers.get('authorization')).toBe('Bearer t');
  });

  test.each([
    [0, 0],
    [100, 0],
    [-100, 0],
    [101, 101],
    [-101, -101],
    [9000, 9000],
  ])('that begins %d ms after its slot has the timestamp slot %+d', async (lateMs, offMs) => {
    const got = await scrape(async () => text('a 1\n'), target(), new HandClock(SLOT + lateMs));
    expect(got.timestampMs).toBe(SLOT + offMs);
  });

  test('has a tolerance of one percent of short intervals', async () => {
    const it = target({ scrapeIntervalMs: 1000, scrapeTimeoutMs: 1000 });
    expect((await scrape(async () => text(''), it, new HandClock(SLOT + 10))).timestampMs).toBe(SLOT);
    expect((await scrape(async () => text(''), it, new HandClock(SLOT + 11))).timestampMs).toBe(SLOT + 11);
  });

  test('lasts until the body is there', async () => {
    const clock = new HandClock(SLOT);
    const body = new ReadableStream({
      pull(controller) {
        clock.move(30);
        if (clock.now() < SLOT + 100) controller.enqueue(new TextEncoder().encode('#\n'));
        else controller.close();
      },
    });
    expect(await scrape(async () => text(body), target(), clock)).toMatchObject({
      durationMs: 120,
      bodyBytes: 6,
      error: null,
    });
  });
});

describe('a scrape that fails', () => {
  test.each<[name: string, answer: () => Response, error: RegExp]>([
    [
      'status',
      () => new Response('no', { status: 404, statusText: 'Not Found' }),
      /^server returned HTTP status 404 Not Found$/,
    ],
    ['status without words', () => text('', { status: 503 }), /^server returned HTTP status 503$/],
    ['a 204', () => new Response(null, { status: 204 }), /status 204/],
    [
      'no content type',
      () => new Response(new Uint8Array([97])),
      /^non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target \(set/,
    ],
    [
      'another content type',
      () => new Response('a', { headers: { 'content-type': 'text/html' } }),
      /^received unsupported Content-Type "text\/html" and no fallback_scrape_protocol/,
    ],
    [
      'a large body',
      () => text('x'.repeat(1001)),
      /^body size limit exceeded: 1001 or more bytes, the most that is read here is 1000/,
    ],
    [
      'a body that says it is large',
      () => text('x', { headers: { 'content-type': 'text/plain', 'content-length': '5000' } }),
      /^body size limit exceeded: 5000 bytes/,
    ],
    [
      'a redirect to nowhere',
      () => new Response(null, { status: 302, headers: { location: 'http://[' } }),
      /which is not a URL/,
    ],
    ['a redirect without a place', () => new Response(null, { status: 302 }), /HTTP status 302/],
    [
      'a redirect to a file',
      () => new Response(null, { status: 302, headers: { location: 'file:///etc/passwd' } }),
      /only http and https/,
    ],
    [
      'a redirect to itself',
      () => new Response(null, { status: 307, headers: { location: '/metrics' } }),
      /^more than 10 redirects$/,
    ],
    [
      'a redirect to the deployment',
      () => new Response(null, { status: 302, headers: { location: 'http://self/metrics' } }),
      /no redirect leads to or from "self"/,
    ],
  ])('%s', async (_, answer, error) => {
    const got = await scrape(async () => answer());
    // A body of a format that is not known has come all the same.
    const arrived = got.error!.includes('Content-Type') ? 1 : 0;
    const bodyBytes = got.error!.startsWith('body size limit exceeded') ? -1 : arrived;
    expect(got).toMatchObject({ body: null, bodyBytes, error: expect.stringMatching(error) });
  });

  test('an empty body needs no content type', async () => {
    expect((await scrape(async () => new Response(''))).error).toBeNull();
  });

  test('body_size_limit counts when it is the smaller', async () => {
    const it = target({ bodySizeLimit: 10 });
    expect((await scrape(async () => text('x'.repeat(9)), it)).error).toBeNull();
    expect(await scrape(async () => text('x'.repeat(10)), it)).toMatchObject({
      bodyBytes: -1,
      error:
        'body size limit exceeded: 10 or more bytes, body_size_limit is 10 (raise it, or let the target expose less)',
    });
  });

  test('a network error names host and reason', async () => {
    const cause = new AggregateError([new Error('connect ECONNREFUSED 10.0.0.1:9100')]);
    const got = await scrape(() => Promise.reject(new TypeError('fetch failed', { cause })));
    expect(got.error).toBe('cannot scrape a.test:9100: connect ECONNREFUSED 10.0.0.1:9100');
    expect((await scrape(() => Promise.reject('odd'))).error).toBe('cannot scrape a.test:9100: odd');
    expect((await scrape(async () => text(''), target({}, 'not a host'))).error).toBe(
      '"not a host" is not a valid hostname',
    );
  });

  test('headers that never come', async () => {
    const clock = new HandClock(SLOT);
    let signal: AbortSignal | null = null;
    const waiting = scrape((request) => ((signal = request.signal), new Promise(() => undefined)), target(), clock);
    await Promise.resolve();
    clock.move(10_000);
    expect(await waiting).toMatchObject({
      durationMs: 10_000,
      error: expect.stringMatching(/^no complete answer within the timeout of 10 s/),
    });
    expect(signal!.aborted).toBe(true);
  });

  test('a body that never ends is let go', async () => {
    const clock = new HandClock(SLOT);
    let cancelled = false;
    const body = new ReadableStream({
      pull: () => new Promise(() => queueMicrotask(() => clock.move(20_000))),
      cancel: () => void (cancelled = true),
    });
    const got = await scrape(async () => text(body), target(), clock);
    expect(got).toMatchObject({ body: null, error: expect.stringMatching(/within the timeout of 10 s/) });
    expect(cancelled).toBe(true);
  });

  test('a body that breaks off', async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error('connection lost')) });
    expect((await scrape(async () => text(body))).error).toBe('cannot scrape a.test:9100: connection lost');
  });
});

describe('redirects', () => {
  /** Follows a table of places, and notes who was sent the credentials. */
  async function follow(
    places: Record<string, string>,
    start = target({ authorization: { type: 'Bearer', credentials: 't' }, httpHeaders: [['X-Key', 'k']] }),
  ): Promise<string[]> {
    const asked: string[] = [];
    const got = await scrape(async (request) => {
      expect(request.headers.has('x-key')).toBe(request.headers.has('authorization'));
      asked.push(`${request.url}${request.headers.has('authorization') ? ' with' : ''}`);
      const location = places[request.url];
      return location === undefined ? text('a 1\n') : new Response('gone', { status: 301, headers: { location } });
    }, start);
    return [...asked, got.error ?? 'ok'];
  }

  test('within the origin keep the credentials', async () => {
    expect(await follow({ 'http://a.test:9100/metrics': '/a', 'http://a.test:9100/a': 'b?c' })).toEqual([
      'http://a.test:9100/metrics with',
      'http://a.test:9100/a with',
      'http://a.test:9100/b?c with',
      'ok',
    ]);
  });

  test('to another origin lose them for good', async () => {
    expect(
      await follow({ 'http://a.test:9100/metrics': 'http://b.test/', 'http://b.test/': 'http://a.test:9100/x' }),
    ).toEqual(['http://a.test:9100/metrics with', 'http://b.test/', 'http://a.test:9100/x', 'ok']);
    expect(await follow({ 'http://a.test:9100/metrics': 'https://a.test:9100/metrics' })).toEqual([
      'http://a.test:9100/metrics with',
      'https://a.test:9100/metrics',
      'ok',
    ]);
  });

  test('are failures with follow_redirects: false', async () => {
    expect(await follow({ 'http://a.test:9100/metrics': '/a' }, target({ followRedirects: false }))).toEqual([
      'http://a.test:9100/metrics',
      'server returned HTTP status 301',
    ]);
  });

  test('of the deployment itself stay there', async () => {
    expect(await follow({ 'http://self/metrics': '/x' }, target({}, 'self'))).toEqual([
      'http://self/metrics',
      'http://self/x',
      'ok',
    ]);
    expect((await follow({ 'http://self/metrics': 'http://b.test/' }, target({}, 'self'))).at(-1)).toMatch(
      /no redirect leads/,
    );
  });
});

describe('over a real connection', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  const serve = (listener: RequestListener): Promise<string> =>
    new Promise((resolve) => {
      const server = createServer(listener).listen(0, '127.0.0.1', () => {
        resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
      servers.push(server);
    });
  const clock = new HandClock(SLOT);

  test('gzip, and a bomb of it', async () => {
    const address = await serve((request, response) => {
      const size = request.headers['accept-encoding'] === 'gzip' ? 900 : 5_000_000;
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(size, '#')));
    });
    expect(await scrape(fetch, target({}, address), clock)).toMatchObject({ error: null, bodyBytes: 900 });
    const bomb = await scrape(fetch, target({ enableCompression: false }, address), clock);
    expect(bomb).toMatchObject({ body: null, error: expect.stringMatching(/^body size limit exceeded/) });
  });

  test('nobody there', async () => {
    const address = await serve(() => undefined);
    servers[0]!.close();
    servers.length = 0;
    expect((await scrape(fetch, target({}, address), clock)).error).toMatch(
      new RegExp(`^cannot scrape ${address}: .*ECONNREFUSED`),
    );
  });
});
