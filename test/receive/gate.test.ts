import { describe, expect, it } from 'vitest';
import { decodeWrite } from '../../src/encoding/remote-write/decoded.ts';
import { seriesHashes } from '../../src/encoding/remote-write/hashes.ts';
import { ActiveSeries } from '../../src/receive/active-series.ts';
import { Gate, STORAGE_BYTES_MAX } from '../../src/receive/gate.ts';
import { DEFAULT_SHARD_LIMITS, type ShardLimits } from '../../src/receive/limits.ts';
import { accept } from '../../src/receive/accept.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { DEFAULT_RECEIVE_LIMITS } from '../../src/receive/limits.ts';
import { message1, message2, NOW, series1, series2, type TestLabels } from './receiver.ts';

const MINUTE = 60_000;
const EMPTY = { pendingBytes: 0, storageBytes: 0 };
const limits = (over: Partial<ShardLimits>): ShardLimits => ({ ...DEFAULT_SHARD_LIMITS, ...over });

/** Hashes of series that differ in one label, as the receiver makes them. */
function hashesOf(from: number, to: number): Uint32Array {
  const all: Uint32Array[] = [];
  for (let start = from; start < to; start += 2000) {
    const size = Math.min(2000, to - start);
    const message = message1(
      ...Array.from({ length: size }, (_, i) =>
        series1('http_requests_total', {
          labels: [
            { name: '__name__', value: 'http_requests_total' },
            { name: 'instance', value: `10.0.${(start + i) >> 8}.${(start + i) & 255}:9100` },
            { name: 'job', value: 'node' },
          ],
        }),
      ),
    );
    all.push(seriesHashes(decodeWrite(1, message), new Uint8Array(size).fill(1)));
  }
  return Uint32Array.from(all.flatMap((part) => [...part]));
}

describe('hashes of series', () => {
  const labels: TestLabels = [
    ['__name__', 'up'],
    ['job', 'test'],
    ['zone', 'é'],
  ];
  const of1 = (...sets: TestLabels[]) => {
    const message = message1(
      ...sets.map((set) => series1('', { labels: set.map(([name, value]) => ({ name, value })) })),
    );
    return [...seriesHashes(decodeWrite(1, message), new Uint8Array(sets.length).fill(1))];
  };
  const of2 = (...sets: TestLabels[]) => {
    const message = message2(...sets.map((labels) => series2('', { labels })));
    return [...seriesHashes(decodeWrite(2, message), new Uint8Array(sets.length).fill(1))];
  };

  it('are the same in both schemas, in any order of labels, and without empty ones', () => {
    const [hash] = of1(labels);
    expect(of2(labels)).toEqual([hash]);
    expect(of1(labels.toReversed())).toEqual([hash]);
    expect(of2([...labels, ['empty', '']])).toEqual([hash]);
    expect(of2(labels, labels.toReversed())).toEqual([hash, hash]);
  });

  it('differ where a text moves to another place', () => {
    const sets: TestLabels[] = [
      [['a', 'b']],
      [['b', 'a']],
      [['ab', 'a']],
      [['a', 'ab']],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [
        ['a', 'd'],
        ['c', 'b'],
      ],
    ];
    expect(new Set(of1(...sets)).size).toBe(sets.length);
    expect(of2(...sets)).toEqual(of1(...sets));
  });

  it('are of the kept series only, and come with a request that asks for them', () => {
    const decoded = decodeWrite(1, message1(series1('a'), series1('b'), series1('c')));
    const [a, , c] = seriesHashes(decoded, Uint8Array.of(1, 1, 1));
    expect([...seriesHashes(decoded, Uint8Array.of(1, 0, 1))]).toEqual([a, c]);
    const body = snappyCompress(message1(series1('a'), series1('b', { labels: [] }), series1('c')));
    expect(accept(1, body, DEFAULT_RECEIVE_LIMITS, NOW, { hashSeries: true })).toMatchObject({
      parts: [{ hashes: Uint32Array.of(a!, c!) }],
    });
    expect(accept(1, body, DEFAULT_RECEIVE_LIMITS, NOW)).toMatchObject({ parts: [{ hashes: null }] });
  });
});

describe('active series', () => {
  it.each([1_000, 20_000, 100_000])('are counted within 1 %% up to a limit of %d', (n) => {
    const series = new ActiveSeries(n * 1.1);
    for (let i = 0; i < n; i += n / 10) expect(series.add(NOW, hashesOf(i, i + n / 10))).toBeNull();
    expect(Math.abs(series.estimate() / n - 1)).toBeLessThan(0.01);
    // The same again is nothing new.
    const before = series.estimate();
    expect(series.add(NOW, hashesOf(0, n / 2))).toBeNull();
    expect(series.estimate()).toBe(before);
  });

  it('are not counted when a request is refused, and known ones still pass', () => {
    const series = new ActiveSeries(1000);
    expect(series.add(NOW, hashesOf(0, 900))).toBeNull();
    const fresh = series.add(NOW, hashesOf(800, 1200))!;
    expect(fresh).toBeGreaterThan(280);
    expect(fresh).toBeLessThanOrEqual(300);
    expect(series.add(NOW, hashesOf(0, 900))).toBeNull();
    expect(Math.abs(series.estimate() - 900)).toBeLessThan(9);
    expect(series.add(NOW, hashesOf(900, 950))).toBeNull();
  });

  it('are forgotten 10 to 20 minutes after they were seen', () => {
    const series = new ActiveSeries(1000);
    series.add(NOW, hashesOf(0, 500));
    series.add(NOW + 9 * MINUTE, hashesOf(500, 900));
    series.add(NOW + 11 * MINUTE, hashesOf(500, 900));
    expect(Math.abs(series.estimate() - 900)).toBeLessThan(9);
    series.add(NOW + 22 * MINUTE, hashesOf(500, 510));
    expect(Math.abs(series.estimate() - 400)).toBeLessThan(5);
    series.add(NOW + 60 * MINUTE, hashesOf(0, 1));
    expect(series.estimate()).toBe(1);
  });

  it('are the same after they were stored, with what is counted then', () => {
    const series = new ActiveSeries(1000);
    expect(series.isChanged()).toBe(false);
    series.add(NOW, hashesOf(0, 500));
    series.add(NOW + 11 * MINUTE, hashesOf(400, 900));
    expect(series.isChanged()).toBe(true);
    const again = ActiveSeries.decode(series.encode())!;
    expect([again.seriesMax, again.estimate(), again.isChanged()]).toEqual([1000, series.estimate(), false]);
    const later = NOW + 12 * MINUTE;
    expect(again.add(later, hashesOf(0, 900))).toBeNull();
    expect(again.isChanged()).toBe(true);
    expect(again.add(later, hashesOf(900, 1200))).toBe(series.add(later, hashesOf(900, 1200)));
    // Ten minutes after they came, as without.
    for (const one of [series, again]) one.add(NOW + 23 * MINUTE, hashesOf(0, 1));
    expect(again.estimate()).toBeGreaterThan(series.estimate());
    again.recall(NOW + 23 * MINUTE, hashesOf(2000, 4000));
    expect(again.estimate()).toBeGreaterThan(2000);
  });

  it('begin anew with what cannot be read', () => {
    const bytes = new ActiveSeries(1000).encode();
    expect(ActiveSeries.decode(bytes)).not.toBeNull();
    expect(ActiveSeries.decode(null)).toBeNull();
    expect(ActiveSeries.decode(bytes.subarray(0, 12))).toBeNull();
    expect(ActiveSeries.decode(bytes.subarray(0, -4))).toBeNull();
    for (const [at, value] of [
      [0, 2],
      [4, 0],
      [7, 255],
    ] as const) {
      const damaged = bytes.slice();
      damaged[at] = value;
      if (at === 4) damaged.fill(0, 4, 8);
      expect(ActiveSeries.decode(damaged)).toBeNull();
    }
  });

  it('misses a new series as often as it says: at most one in nine at the limit', () => {
    const n = 16_384;
    const series = new ActiveSeries(n);
    series.add(NOW, hashesOf(0, n - 100));
    const missed = [...hashesOf(100_000, 104_000)].filter((hash) => {
      const before = series.estimate();
      return series.add(NOW, Uint32Array.of(hash)) === null && series.estimate() === before;
    }).length;
    expect(missed / 4000).toBeLessThan(1 / 8);
    expect(missed / 4000).toBeGreaterThan(1 / 12);
  });
});

describe('the gate', () => {
  it('lets everything pass where nothing is limited, and counts no series', () => {
    const gate = new Gate(() => 0);
    expect(gate.admit(NOW, 1e9, null, DEFAULT_SHARD_LIMITS, EMPTY)).toBeNull();
    expect(gate.activeSeries()).toBeNull();
  });

  it('holds a tenant to its rate: 429 until the debt is paid, and no sample is lost by it', () => {
    const gate = new Gate(() => 0);
    const slow = limits({ samplesPerS: 100, samplesBurst: 500 });
    const ask = (atMs: number, samples: number) => gate.admit(NOW + atMs, samples, null, slow, EMPTY);
    expect(ask(0, 400)).toBeNull();
    // 100 are left; the request is larger, and passes on credit.
    expect(ask(0, 1100)).toBeNull();
    expect(ask(0, 1)).toMatchObject({ ok: false, status: 429, retryAfterS: 10 });
    expect(ask(4000, 1)).toMatchObject({ status: 429, retryAfterS: 6 });
    expect(ask(10_001, 1)).toBeNull();
    // A clock that goes back fills nothing.
    expect(ask(3000, 1)).toMatchObject({ status: 429 });
    expect(ask(3_600_000, 500)).toBeNull();
    expect(ask(3_600_000, 1)).toMatchObject({
      message:
        'more than 100 samples a second (samples_per_second in NARTHEX_LIMITS; 500 may come at once, samples_burst); send it again',
    });
  });

  it('gives the rate that it says to senders that come again as they are told', () => {
    let seed = 1;
    const gate = new Gate(() => (seed = (seed * 16807) % 2147483647) / 2147483647);
    const slow = limits({ samplesPerS: 1000, samplesBurst: 2000 });
    const senders = Array.from({ length: 20 }, () => ({ atMs: 0, left: 10 }));
    let nowMs = 0;
    let refusals = 0;
    for (; senders.some(({ left }) => left > 0); nowMs += 100) {
      for (const sender of senders) {
        if (sender.left === 0 || sender.atMs > nowMs) continue;
        const refused = gate.admit(NOW + nowMs, 500, null, slow, EMPTY);
        if (refused === null) sender.left--;
        else {
          refusals++;
          sender.atMs = nowMs + refused.retryAfterS * 1000;
        }
      }
    }
    // 100,000 samples at 1,000 a second.
    expect(nowMs / 1000).toBeGreaterThan(95);
    expect(nowMs / 1000).toBeLessThan(125);
    expect(refusals).toBeLessThan(2000);
  });

  it('goes on with what was left of the rate when it has lost its memory', () => {
    const slow = limits({ samplesPerS: 100, samplesBurst: 500 });
    const before = new Gate(() => 0);
    expect(before.admit(NOW, 1500, null, slow, EMPTY)).toBeNull();
    const gate = new Gate(() => 0);
    gate.restore(before.bucket());
    expect(gate.admit(NOW + 9000, 1, null, slow, EMPTY)).toMatchObject({ status: 429, retryAfterS: 1 });
    expect(gate.admit(NOW + 10_010, 1, null, slow, EMPTY)).toBeNull();
    // Without a rate nothing is left to remember.
    expect(gate.admit(NOW + 10_010, 1, null, limits({}), EMPTY)).toBeNull();
    expect(gate.bucket()).toBeNull();
  });

  it('spreads those who come back', () => {
    const waits = [0, 0.25, 0.5, 0.75, 0.999].map((random) => {
      const gate = new Gate(() => random);
      const refused = gate.admit(NOW, 1, null, DEFAULT_SHARD_LIMITS, { pendingBytes: 1e12, storageBytes: 0 });
      return refused!.retryAfterS;
    });
    expect(waits).toEqual([5, 6, 8, 10, 11]);
  });

  it('takes no new series above the limit, known ones always', () => {
    const gate = new Gate(() => 0);
    const few = limits({ seriesMax: 100 });
    expect(gate.admit(NOW, 100, hashesOf(0, 100), few, EMPTY)).toBeNull();
    expect(gate.activeSeries()).toBe(100);
    expect(gate.admit(NOW, 2, hashesOf(99, 101), few, EMPTY)).toMatchObject({
      ok: false,
      status: 429,
      retryAfterS: 60,
      message:
        'about 100 series are active, at most 100 may be (series_limit in NARTHEX_LIMITS), and 1 of the request are new; nothing of it was kept',
    });
    expect(gate.admit(NOW, 2, hashesOf(0, 100), few, EMPTY)).toBeNull();
    expect(gate.admit(NOW, 2, hashesOf(99, 101), limits({ seriesMax: 200 }), EMPTY)).toBeNull();
  });

  it('takes no tokens for what another limit refuses', () => {
    const gate = new Gate(() => 0);
    const both = limits({ samplesPerS: 1, samplesBurst: 10, seriesMax: 5 });
    expect(gate.admit(NOW, 1000, hashesOf(0, 10), both, EMPTY)?.message).toMatch(/series are active/);
    expect(gate.admit(NOW, 10, hashesOf(0, 5), both, EMPTY)).toBeNull();
  });

  it('takes nothing while storage or the digest has no room', () => {
    const gate = new Gate(() => 0);
    const ask = (room: Partial<typeof EMPTY>) =>
      gate.admit(NOW, 1, null, limits({ pendingBytesMax: 1000 }), { ...EMPTY, ...room });
    expect(ask({ pendingBytes: 999 })).toBeNull();
    expect(ask({ pendingBytes: 1000 })).toMatchObject({ status: 503, message: expect.stringMatching(/pending_size/) });
    expect(ask({ storageBytes: STORAGE_BYTES_MAX })).toMatchObject({
      status: 503,
      message: expect.stringMatching(/blocks were cut/),
    });
  });
});
