/** Remotes that answer anything: a sender never throws, never waits beyond remote_timeout, and its accounts agree. */

import fc from 'fast-check';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { decide } from '../../src/forward/retry.ts';
import { send } from '../../src/forward/send.ts';
import type { Clock } from '../../src/model/doors.ts';
import { remote, T0, world } from './world.ts';

const TIMEOUT_MS = 1_500;
const clock: Clock = {
  now: () => Date.now(),
  sleepUntil: (atMs) => new Promise((resolve) => setTimeout(resolve, atMs - Date.now())),
};

/** What the server at a path writes, byte for byte; it closes the connection after it unless it says otherwise. */
const ODD: Record<string, (socket: Socket) => void> = {
  '/nothing': () => undefined,
  '/closed': (socket) => socket.end(),
  '/reset': (socket) => socket.resetAndDestroy(),
  '/garbage': (socket) => socket.end('\0\x01\x02 this is not HTTP\r\n\r\n'),
  '/half-a-status-line': (socket) => socket.end('HTTP/1.1 20'),
  '/half-the-headers': (socket) => socket.end('HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Sam'),
  '/reset-in-body': (socket) => {
    socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\nthe beginning');
    setTimeout(() => socket.resetAndDestroy(), 50);
  },
  '/hangs-in-body': (socket) => socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\nthe beginning'),
  '/endless-success': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nX-Prometheus-Remote-Write-Samples-Written: 7\r\n\r\n');
    endless(socket);
  },
  '/endless-error': (socket) => {
    socket.write('HTTP/1.1 500 Oh\r\n\r\n');
    endless(socket);
  },
  '/endless-headers': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    endless(socket, `X-More: ${'x'.repeat(1000)}\r\n`);
  },
  '/no-gzip': (socket) =>
    socket.end('HTTP/1.1 500 Oh\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'),
  '/wrong-length': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'),
  '/wrong-written': (socket) =>
    socket.end(
      'HTTP/1.1 400 Bad Request\r\nX-Prometheus-Remote-Write-Samples-Written: many\r\nRetry-After: yesterday\r\nContent-Length: 0\r\n\r\n',
    ),
  '/much-written': (socket) =>
    socket.end('HTTP/1.1 400 No\r\nX-Prometheus-Remote-Write-Samples-Written: 999999\r\nContent-Length: 0\r\n\r\n'),
  '/around': (socket) => socket.end('HTTP/1.1 307 T\r\nLocation: /around\r\nContent-Length: 0\r\n\r\n'),
  '/nowhere': (socket) => socket.end('HTTP/1.1 307 T\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n'),
};

function endless(socket: Socket, piece = 'x'.repeat(10_000)): void {
  const write = (): void => {
    if (!socket.destroyed) socket.write(piece, () => setImmediate(write));
  };
  write();
}

const server = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.once('data', (head) => {
    const path = /^POST (\S+)/.exec(head.toString('latin1'))?.[1] ?? '';
    const status = /^\/status\/(\d+)/.exec(path)?.[1];
    if (status === undefined) ODD[path]?.(socket);
    else socket.end(`HTTP/1.1 ${status} Words\r\nConnection: close\r\n\r\n`);
  });
});
beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());

/** What comes of one request to a path: checked, whatever it is. */
async function outcome(path: string, timeoutMs = TIMEOUT_MS) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const startMs = Date.now();
  const doors = { clock, fetch: (request: Request) => fetch(request), tokens: new Map(), userAgent: 'Narthex/test' };
  const answer = await send(
    remote('a', { url, remoteTimeoutMs: timeoutMs }),
    2,
    snappyCompress(new Uint8Array(100)),
    0,
    doors,
  );
  // The machine may be busy, so that timers come late.
  expect(Date.now() - startMs).toBeLessThan(timeoutMs + 3_000);
  const attempt = {
    schema: 2,
    fixed: false,
    samples: 10,
    bytes: 100,
    divisible: true,
    joined: false,
    attempt: 0,
    nowMs: T0,
    random: 0.5,
  } as const;
  const decision = decide(answer, { ...attempt, minBackoffMs: 30, maxBackoffMs: 5_000 });
  if (decision.kind === 'again') expect(decision.afterMs).toBeLessThan(3_600_001);
  if (decision.kind === 'dropped') expect(decision.sent).toBeLessThanOrEqual(10);
  if (decision.kind !== 'sent') expect(decision.error.length).toBeLessThan(2_000);
  return decision;
}

describe('a server that answers', () => {
  it('any status is understood', { timeout: 60_000 }, async () => {
    const kinds: Record<string, number[]> = {};
    for (let from = 100; from < 600; from += 50) {
      const statuses = Array.from({ length: 50 }, (_, i) => from + i);
      // Each is answered; fifty at once take their time on a busy machine.
      const decisions = await Promise.all(statuses.map((status) => outcome(`/status/${status}`, 30_000)));
      decisions.forEach(({ kind }, i) => (kinds[kind] ??= []).push(statuses[i]!));
    }
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    // Node's fetch keeps 407 and 421 to itself (fetch.spec.whatwg.org, HTTP-network-or-cache fetch): no answer, so again.
    const again = [407, 421, 429];
    expect(kinds).toEqual({
      again: [...range(100, 200), ...range(300, 400), ...again, ...range(500, 600)],
      'as 1.0': [...range(200, 300), 415],
      dropped: range(400, 500).filter((status) => status !== 415 && !again.includes(status)),
    });
  });

  it.each([
    ['/nothing', 'again', /remote_timeout/],
    ['/closed', 'again', /./],
    ['/reset', 'again', /./],
    ['/garbage', 'again', /./],
    ['/half-a-status-line', 'again', /./],
    ['/half-the-headers', 'again', /./],
    ['/reset-in-body', 'dropped', /^status 400/],
    ['/hangs-in-body', 'dropped', /^status 400/],
    ['/endless-success', 'sent', undefined],
    ['/endless-error', 'again', /^status 500: x+$/],
    ['/endless-headers', 'again', /./],
    ['/no-gzip', 'again', /^status 500/],
    ['/wrong-length', 'again', /./],
    ['/wrong-written', 'dropped', /^status 400/],
    ['/much-written', 'dropped', /^status 400/],
    ['/around', 'again', /a redirect to \/around/],
    ['/nowhere', 'again', /a redirect to/],
  ])('%s: %s', async (path, kind, message) => {
    const decision = await outcome(path);
    expect(decision.kind).toBe(kind);
    if (decision.kind !== 'sent') expect(decision.error).toMatch(message!);
  });
});

describe('a server that answers anything, again and again', () => {
  const answers = fc.array(
    fc.record({
      status: fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom(0, 204, 400, 413, 415, 429, 503)),
      written: fc.option(fc.oneof(fc.nat(2_000).map(String), fc.string({ unit: 'binary-ascii', maxLength: 5 }))),
      retryAfter: fc.option(fc.constantFrom('0', '3', '-1', 'x', 'Thu, 01 Jan 1970 00:00:00 GMT')),
    }),
    { minLength: 1, maxLength: 12 },
  );
  it('conserves samples', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(answers, fc.constantFrom(300, 10_000), async (list, maxSamplesPerSend) => {
        const w = world([remote('a', { maxSamplesPerSend })]);
        w.wide(1_200);
        w.append();
        w.wide(10);
        let n = 0;
        const run = w.run(async () => {
          const { status, written, retryAfter } = list[n++ % list.length]!;
          if (status === 0) throw new Error('connection reset');
          const headers = new Headers();
          try {
            if (written !== null) headers.set('X-Prometheus-Remote-Write-Samples-Written', written);
          } catch {
            // No header can hold it.
          }
          if (retryAfter !== null) headers.set('Retry-After', retryAfter);
          return new Response(null, { status, headers });
        });
        await w.clock.advanceTo(T0 + 180_000);
        await run;
        const { samplesIn, samplesSent, samplesDropped, samplesPending } = w.status('a');
        const dropped = Object.values(samplesDropped).reduce((sum, count) => sum + count, 0);
        expect(samplesSent + dropped + samplesPending).toBe(samplesIn);
        expect(samplesPending).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 60 },
    );
  });
});
