import { describe, expect, it } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { samplesOf } from '../durable/log-reader.ts';
import { ruleFrom } from '../relabel/rules.ts';
import { remote, T0, world } from './world.ts';

const MINUTE = 60_000;
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('a forwarding run', () => {
  it('sends what is in the log and what comes, in order, and says how much', async () => {
    const w = world([remote('a')]);
    w.append();
    w.append();
    const run = w.run(w.accept);
    await w.clock.advanceTo(T0 + MINUTE);
    w.append();
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    expect(await run).toEqual({ reload: false });
    expect(w.received.get('a')).toEqual(upTo(3));
    expect(w.status('a')).toMatchObject({
      samplesSent: 3,
      samplesPending: 0,
      requests: 3,
      requestsFailed: 0,
      highestSentMs: T0 + 3,
      healthy: true,
    });
  });

  it('goes on with what is pending after any number of failures, in order, nothing twice in effect', async () => {
    const w = world([remote('a')]);
    const answers = [500, 0, 429, 503, 204, 500, 204];
    const fetch = async (request: Request): Promise<Response> => {
      const status = answers.shift() ?? 204;
      if (status === 0) throw new Error('connection reset');
      return status === 204 ? w.accept(request) : new Response('busy', { status });
    };
    for (let i = 0; i < 5; i++) w.append();
    const run = w.run(fetch);
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(w.received.get('a')).toEqual(upTo(5));
    expect(w.status('a')).toMatchObject({
      samplesSent: 5,
      samplesPending: 0,
      samplesDropped: {},
      requestsFailed: 5,
      samplesRetried: 5,
    });
  });

  it('holds back nobody for a remote that is down or that hangs', async () => {
    const w = world([remote('down'), remote('hangs'), remote('live')]);
    const fetch = async (request: Request): Promise<Response> => {
      const { host } = new URL(request.url);
      if (host === 'down') throw new Error('connection refused');
      if (host === 'hangs') return await new Promise(() => undefined);
      return await w.accept(request);
    };
    const runs: Promise<unknown>[] = [];
    for (let minute = 0; minute < 5; minute++) {
      w.append();
      runs.push(w.run(fetch));
      await w.clock.advanceTo(T0 + (minute + 1) * MINUTE);
      expect(w.status('live').samplesPending).toBe(0);
    }
    await w.clock.advanceTo(T0 + 10 * MINUTE);
    await Promise.all(runs);
    expect(w.received.get('live')).toEqual(upTo(5));
    expect(w.status('down')).toMatchObject({ samplesSent: 0, samplesPending: 5, healthy: false });
    expect(w.status('down').lastError?.message).toContain('connection refused');
    expect(w.status('hangs').lastError?.message).toContain('remote_timeout');
    expect(w.log.status(0).log.records).toBe(5);
  });

  it('falls back to 1.0 when the remote does not speak 2.0, also when it says 2xx without understanding', async () => {
    for (const refusal of [new Response('no', { status: 415 }), new Response(null, { status: 204 })]) {
      const w = world([remote('old')]);
      const fetch = async (request: Request): Promise<Response> => {
        if (request.headers.get('Content-Type')?.includes('v2') === true) return refusal.clone();
        expect(request.headers.get('X-Prometheus-Remote-Write-Version')).toBe('0.1.0');
        await w.take(request);
        return new Response(null, { status: 204 });
      };
      w.append();
      w.append();
      const run = w.run(fetch);
      await w.clock.advanceTo(T0 + 3 * MINUTE);
      await run;
      expect(w.received.get('old')).toEqual([1, 2]);
      expect(w.status('old')).toMatchObject({ samplesSent: 2, samplesPending: 0, samplesDropped: {} });
    }
  });

  it('never sends again what was refused for good, counts it and keeps the words', async () => {
    const w = world([remote('strict')]);
    w.append();
    w.append();
    let first = true;
    const run = w.run(async (request) => {
      if (!first) return w.accept(request);
      first = false;
      return new Response('out of bounds', { status: 400 });
    });
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(w.received.get('strict')).toEqual([2]);
    expect(w.status('strict')).toMatchObject({ samplesSent: 1, samplesDropped: { http_400: 1 }, samplesPending: 0 });
    expect(w.status('strict').lastError?.message).toBe('status 400: out of bounds');
  });

  it('sets a damaged record aside and goes on', async () => {
    const w = world([remote('v1', { protobufMessage: 'prometheus.WriteRequest' })]);
    w.append();
    w.log.append(T0, [{ schema: 2, samples: 7, maxT: T0, body: snappyCompress(new Uint8Array([0xff])) }]);
    w.append();
    const run = w.run(w.accept);
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(w.received.get('v1')).toEqual([1, 2]);
    expect(w.status('v1')).toMatchObject({ samplesSent: 2, samplesDropped: { unreadable: 7 }, samplesPending: 0 });
  });

  it('relabels for one remote and not for another, and counts what it drops', async () => {
    const rule = ruleFrom({ source_labels: ['__name__'], regex: 'n', action: 'drop' });
    const w = world([
      remote('all'),
      remote('none', { writeRelabelConfigs: [rule] }),
      remote('renamed', { writeRelabelConfigs: [ruleFrom({ target_label: '__name__', replacement: 'm' })] }),
    ]);
    for (let i = 0; i < 3; i++) w.append();
    w.log.append(T0, [{ schema: 2, samples: 7, maxT: T0, body: snappyCompress(new Uint8Array([0xff])) }]);
    const names: string[] = [];
    const run = w.run(async (request) => {
      if (new URL(request.url).host === 'renamed') {
        const body = new Uint8Array(await request.clone().arrayBuffer());
        names.push(...samplesOf({ schema: 2, body }).map(({ labels }) => labels['__name__']!));
      }
      return request.url.includes('//all/') ? new Response(null, { status: 500 }) : await w.accept(request);
    });
    await w.clock.advanceTo(T0 + MINUTE);
    w.append();
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    // Nothing was sent, and what could not be decoded was not sent either.
    expect(w.received.get('none')).toBeUndefined();
    expect(w.status('none')).toMatchObject({
      samplesIn: 11,
      samplesSent: 0,
      samplesDropped: { dropped_series: 4, unreadable: 7 },
      samplesPending: 0,
      requests: 0,
    });
    expect(names).toEqual(['m', 'm', 'm', 'm']);
    expect(w.status('renamed')).toMatchObject({ samplesIn: 11, samplesSent: 4, samplesDropped: { unreadable: 7 } });
    expect(w.status('all')).toMatchObject({ samplesIn: 11, samplesSent: 0, samplesPending: 11 });
  });

  it('begins again when its remote is moved back meanwhile', async () => {
    const w = world([remote('a'), remote('down')]);
    for (let i = 0; i < 5; i++) w.append();
    let rewound: unknown = null;
    const run = w.run(async (request) => {
      if (request.url.includes('down')) throw new Error('connection refused');
      const answer = await w.accept(request);
      // While the fourth is under way.
      if (w.received.get('a')!.length === 4) rewound = w.log.rewind('a', null);
      return answer;
    });
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(rewound).toEqual({ records: 3, samples: 3 });
    expect(w.received.get('a')).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 5]);
    expect(w.status('a')).toMatchObject({ samplesIn: 8, samplesSent: 8, samplesPending: 0, samplesReplayed: 3 });
  });

  it('keeps the place of a remote with a name when its URL changes, and lets the log go when it is removed', async () => {
    const w = world([remote('a', { url: 'http://old/write' }), remote('gone')]);
    w.append();
    const down = (): Promise<Response> => Promise.reject(new Error('down'));
    const first = w.run(down);
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await first;
    w.append();
    expect(w.log.status(0).log.records).toBe(2);
    const second = w.run(w.accept, 0, [remote('a', { url: 'http://new/write' })]);
    await w.clock.advanceTo(T0 + 6 * MINUTE);
    await second;
    expect(w.received.get('new')).toEqual([1, 2]);
    expect(w.log.status(0)).toMatchObject({ log: { records: 1 }, consumers: [{ name: 'a', samplesSent: 2 }] });
  });

  it('ends when a later run takes over, and when another configuration is wanted', async () => {
    const w = world([remote('a')]);
    const first = w.run(w.accept);
    await w.clock.advanceTo(T0 + 1_000);
    const second = w.run(w.accept);
    await w.clock.advanceTo(T0 + 10_000);
    expect(await first).toEqual({ reload: false });
    w.wanted.version = 1;
    await w.clock.advanceTo(T0 + 20_000);
    expect(await second).toEqual({ reload: true });
  });
});

describe('requests', () => {
  const sizes = async (w: ReturnType<typeof world>, fetch?: (request: Request) => Promise<Response>) => {
    const seen: number[] = [];
    const run = w.run(async (request) => {
      const before = w.received.get('a')?.length ?? 0;
      const answer = await (fetch ?? w.accept)(request);
      seen.push((w.received.get('a')?.length ?? 0) - before);
      return answer;
    });
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    return seen;
  };

  it.each(['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'] as const)(
    'have at most max_samples_per_send samples (%s)',
    async (protobufMessage) => {
      const w = world([remote('a', { maxSamplesPerSend: 400, protobufMessage })]);
      w.wide(1_000);
      expect(await sizes(w)).toEqual([400, 400, 200]);
      expect(w.received.get('a')).toEqual(upTo(1_000));
      expect(w.status('a')).toMatchObject({ samplesSent: 1_000, samplesPending: 0, requests: 3, requestsFailed: 0 });
    },
  );

  it('hold several records in 1.0, and each is acknowledged', async () => {
    const w = world([remote('a', { protobufMessage: 'prometheus.WriteRequest', maxSamplesPerSend: 4 })]);
    for (let i = 0; i < 10; i++) w.append();
    expect(await sizes(w)).toEqual([4, 4, 2]);
    expect(w.received.get('a')).toEqual(upTo(10));
    expect(w.status('a')).toMatchObject({ samplesSent: 10, samplesPending: 0, recordsPending: 0, requests: 3 });
  });

  it.each([400, 409, 422])('that are refused with %d lose only the record that is at fault', async (status) => {
    const w = world([remote('a', { protobufMessage: 'prometheus.WriteRequest', maxSamplesPerSend: 4 })]);
    for (let i = 0; i < 10; i++) w.append();
    const refuse = async (request: Request): Promise<Response> => {
      const body = new Uint8Array(await request.clone().arrayBuffer());
      const isBad = samplesOf({ schema: 1, body }).some(({ t }) => t === T0 + 6);
      return isBad ? new Response('bad', { status }) : w.accept(request);
    };
    // The sixth, in the second request: each of its four goes by itself, and those after them are joined again.
    expect(await sizes(w, refuse)).toEqual([4, 0, 1, 0, 1, 1, 2]);
    expect(w.received.get('a')).toEqual(upTo(10).filter((n) => n !== 6));
    expect(w.status('a')).toMatchObject({
      samplesSent: 9,
      samplesDropped: { [`http_${status}`]: 1 },
      samplesPending: 0,
      requests: 7,
      requestsFailed: 2,
      samplesRetried: 4,
    });
  });

  it('that are refused for who asks are not asked again', async () => {
    const w = world([remote('a', { protobufMessage: 'prometheus.WriteRequest', maxSamplesPerSend: 4 })]);
    for (let i = 0; i < 10; i++) w.append();
    await sizes(w, () => Promise.resolve(new Response('who?', { status: 401 })));
    expect(w.status('a')).toMatchObject({ samplesDropped: { http_401: 10 }, samplesPending: 0, requests: 3 });
  });

  it('become half as large after a 413, also the next, until one is small', async () => {
    const w = world([remote('a')]);
    const tooLarge = async (request: Request): Promise<Response> => {
      const body = new Uint8Array(await request.clone().arrayBuffer());
      return samplesOf({ schema: 2, body }).length > 700
        ? new Response('too large', { status: 413 })
        : w.accept(request);
    };
    w.wide(2_000);
    w.wide(600);
    expect(await sizes(w, tooLarge)).toEqual([0, 0, 500, 500, 500, 500, 500, 100]);
    expect(w.status('a')).toMatchObject({
      samplesSent: 2_600,
      samplesDropped: {},
      samplesPending: 0,
      requestsFailed: 2,
    });
  });

  it.each([1, 2] as const)('are divided further without what the remote took already (schema %d)', async (schema) => {
    const protobufMessage = schema === 1 ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request';
    const w = world([remote('a', { protobufMessage })]);
    let limit = 1_500;
    const tooLarge = async (request: Request): Promise<Response> => {
      const body = new Uint8Array(await request.clone().arrayBuffer());
      if (samplesOf({ schema, body }).length > limit) return new Response('too large', { status: 413 });
      // After the first half is taken, even that is too much.
      limit = 700;
      return w.accept(request);
    };
    w.wide(2_000);
    expect(await sizes(w, tooLarge)).toEqual([0, 1_000, 0, 500, 500]);
    expect(w.received.get('a')).toEqual(upTo(2_000));
    expect(w.status('a')).toMatchObject({ samplesSent: 2_000, samplesDropped: {}, requestsFailed: 2 });
  });

  it('that are refused as too large though they are small are dropped', async () => {
    const w = world([remote('a')]);
    w.wide(1_200);
    await sizes(w, () => Promise.resolve(new Response('no', { status: 413 })));
    expect(w.status('a')).toMatchObject({ samplesSent: 0, samplesDropped: { http_413: 1_200 }, samplesPending: 0 });
  });

  it('are counted in parts when only some are refused', async () => {
    const w = world([remote('a', { maxSamplesPerSend: 400 })]);
    w.wide(1_000);
    let n = 0;
    await sizes(w, async (request) => (n++ === 1 ? new Response('bad', { status: 400 }) : w.accept(request)));
    expect(w.status('a')).toMatchObject({
      samplesSent: 600,
      samplesDropped: { http_400: 400 },
      requests: 3,
      requestsFailed: 1,
    });
  });
});

describe('sample_age_limit', () => {
  it('drops what became too old while it waited, and sends the rest', async () => {
    const w = world([remote('a', { sampleAgeLimitMs: MINUTE })]);
    w.append();
    const run = w.run(async (request) =>
      w.clock.now() < T0 + 2 * MINUTE ? new Response('', { status: 503 }) : w.accept(request),
    );
    await w.clock.advanceTo(T0 + 90_000);
    expect(w.status('a')).toMatchObject({ samplesDropped: { too_old: 1 }, samplesPending: 0 });
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(w.received.get('a')).toBeUndefined();
  });
});

describe('redirects', () => {
  const cases: [location: string, status: number, follow: boolean, followed: boolean][] = [
    ['/other', 307, true, true],
    ['http://a/other', 308, true, true],
    ['/other', 302, true, false],
    ['/other', 307, false, false],
    ['http://b/write', 307, true, false],
    ['http://', 307, true, false],
  ];
  it.each(cases)('to %s with %d, follow_redirects %s', async (location, status, followRedirects, followed) => {
    const w = world([remote('a', { followRedirects })]);
    w.append();
    const run = w.run(async (request) =>
      new URL(request.url).pathname === '/other'
        ? w.accept(request)
        : new Response(null, { status, headers: { Location: location } }),
    );
    await w.clock.advanceTo(T0 + 3 * MINUTE);
    await run;
    expect(w.received.get('a')).toEqual(followed ? [1] : undefined);
    expect(w.status('a').samplesPending).toBe(followed ? 0 : 1);
    if (!followed) expect(w.status('a').lastError?.message).toContain(`a redirect to ${location}`);
  });
});
