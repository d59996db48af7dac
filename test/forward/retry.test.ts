import { describe, expect, it } from 'vitest';
import { type Answer, type Attempt, decide } from '../../src/forward/retry.ts';

const answer = (status: number, more: Partial<Answer> = {}): Answer => ({
  status,
  retryAfter: null,
  written: { samples: 0, histograms: 0, exemplars: 0 },
  anyWritten: false,
  text: '',
  ...more,
});
const attempt = (more: Partial<Attempt> = {}): Attempt => ({
  schema: 2,
  fixed: false,
  samples: 100,
  bytes: 10_000,
  divisible: true,
  joined: false,
  attempt: 0,
  minBackoffMs: 30,
  maxBackoffMs: 5_000,
  nowMs: Date.UTC(2026, 0, 1),
  random: 0.5,
  ...more,
});
const written = (n: number): Partial<Answer> => ({
  written: { samples: n, histograms: 0, exemplars: 0 },
  anyWritten: true,
});

describe('the decision table', () => {
  it.each([
    ['2xx with Written headers', answer(204, written(100)), attempt(), { kind: 'sent' }],
    ['2xx to 1.0 needs none', answer(200), attempt({ schema: 1 }), { kind: 'sent' }],
    ['2xx to 2.0 without any: the remote did not understand', answer(200), attempt(), { kind: 'as 1.0' }],
    ['415 to 2.0', answer(415), attempt(), { kind: 'as 1.0' }],
    [
      '415 to 2.0 that protobuf_message fixes',
      answer(415, { text: 'no' }),
      attempt({ fixed: true }),
      {
        kind: 'dropped',
        sent: 0,
        reason: 'http_415',
        error:
          'status 415 to Remote Write 2.0: no; protobuf_message is given, so 1.0 is not tried: leave it out to fall back',
      },
    ],
    [
      'likewise a 2xx without Written headers: nothing was written',
      answer(204),
      attempt({ fixed: true }),
      { kind: 'dropped', sent: 0, reason: 'http_204' },
    ],
    ['415 to 1.0', answer(415), attempt({ schema: 1 }), { kind: 'dropped', sent: 0, reason: 'http_415' }],
    [
      '400 with part written',
      answer(400, { ...written(60), text: 'bad' }),
      attempt(),
      { kind: 'dropped', sent: 60, reason: 'http_400', error: 'status 400: bad' },
    ],
    ['400 without headers: nothing can be assumed written', answer(400), attempt(), { kind: 'dropped', sent: 0 }],
    ['400 claiming more than was sent', answer(400, written(1e9)), attempt(), { kind: 'dropped', sent: 100 }],
    [
      '400 to 1.0: headers mean nothing',
      answer(400, written(60)),
      attempt({ schema: 1 }),
      { kind: 'dropped', sent: 0 },
    ],
    ['400 to joined records', answer(400), attempt({ schema: 1, joined: true }), { kind: 'apart' }],
    ['401 to joined records', answer(401), attempt({ schema: 1, joined: true }), { kind: 'dropped' }],
    ['503 to joined records', answer(503), attempt({ schema: 1, joined: true }), { kind: 'again' }],
    ['401', answer(401), attempt(), { kind: 'dropped', reason: 'http_401' }],
    ['413', answer(413), attempt({ samples: 9_001, bytes: 1e6 }), { kind: 'smaller', samplesMax: 4_501 }],
    ['413, nearly small', answer(413), attempt({ samples: 600, bytes: 1e6 }), { kind: 'smaller', samplesMax: 500 }],
    ['413 to 500 samples', answer(413), attempt({ samples: 500, bytes: 1e6 }), { kind: 'dropped', reason: 'http_413' }],
    ['413 to 64 KiB', answer(413), attempt({ samples: 9_000, bytes: 65_536 }), { kind: 'dropped' }],
    [
      '413 to a single series',
      answer(413),
      attempt({ samples: 9_000, bytes: 1e6, divisible: false }),
      { kind: 'dropped' },
    ],
    ['429', answer(429), attempt(), { kind: 'again' }],
    ['500', answer(500), attempt(), { kind: 'again' }],
    ['503', answer(503), attempt(), { kind: 'again' }],
    ['a redirect', answer(307), attempt(), { kind: 'again' }],
    ['no answer', answer(0, { text: 'connection refused' }), attempt(), { kind: 'again', error: 'connection refused' }],
  ])('%s', (_, theAnswer, theAttempt, expected) => {
    expect(decide(theAnswer, theAttempt)).toMatchObject(expected);
  });
});

describe('backoff', () => {
  const after = (a: Answer, t: Partial<Attempt>): number => {
    const decision = decide(a, attempt(t));
    if (decision.kind !== 'again') throw new Error(decision.kind);
    return decision.afterMs;
  };
  it('doubles from the least to the most, jitter within 10 %', () => {
    expect([0, 1, 2, 3].map((n) => after(answer(500), { attempt: n }))).toEqual([30, 60, 120, 240]);
    expect(after(answer(500), { attempt: 1_000 })).toBe(5_000);
    expect(after(answer(500), { random: 0 })).toBeCloseTo(27);
    expect(after(answer(500), { random: 1 })).toBeCloseTo(33);
  });
  it('waits as long as Retry-After asks, in seconds or as a date, an hour at most', () => {
    expect(after(answer(429, { retryAfter: '7' }), {})).toBe(7_000);
    expect(after(answer(503, { retryAfter: 'Thu, 01 Jan 2026 00:00:30 GMT' }), {})).toBe(30_000);
    expect(after(answer(503, { retryAfter: 'Wed, 31 Dec 2025 00:00:30 GMT' }), {})).toBe(30);
    expect(after(answer(503, { retryAfter: '99999999' }), {})).toBe(3_600_000);
    expect(after(answer(503, { retryAfter: 'soon' }), {})).toBe(30);
  });
});
