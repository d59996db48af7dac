import { describe, expect, it } from 'vitest';
import { ActiveSeries, freshIn, type Sketch } from '../../src/receive/active-series.ts';
import { Gate } from '../../src/receive/gate.ts';
import { DEFAULT_SHARD_LIMITS, type ShardLimits } from '../../src/receive/limits.ts';
import { refusal, Refusals } from '../../src/receive/refusals.ts';
import { NOW } from './receiver.ts';

const S = 1000;
const EMPTY = { pendingBytes: 0, storageBytes: 0 };
const limits = (over: Partial<ShardLimits>): ShardLimits => ({ ...DEFAULT_SHARD_LIMITS, ...over });

/** Numbers that look random, the same for the same place. */
function hashesOf(from: number, to: number): Uint32Array {
  return Uint32Array.from({ length: to - from }, (_, i) => {
    let x = Math.imul(from + i + 1, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  });
}

/** A shard, and what a Worker remembers of it; `calls` is how often it was asked. */
class World {
  readonly refusals = new Refusals();
  readonly gate = new Gate(() => 0);
  calls = 0;
  limits: ShardLimits;
  room = EMPTY;

  constructor(own: ShardLimits) {
    this.limits = own;
  }

  /** The answer to a request: its status, Retry-After, and message. */
  ask(atS: number, samples: number, hashes: Uint32Array | null = null, shard = 0) {
    const nowMs = NOW + atS * S;
    const known = this.refusals.answer('acme', shard, hashes, this.limits, nowMs, () => 0);
    if (known !== null) return known;
    this.calls++;
    const refused = this.gate.admit(nowMs, samples, hashes, this.limits, this.room);
    if (refused !== null) this.refusals.remember('acme', shard, refused, this.limits);
    return refused;
  }
}

describe('a rate', () => {
  const slow = limits({ samplesPerS: 100, samplesBurst: 500 });

  it('that is used up is not asked for until it is there again, by requests of any size', () => {
    const world = new World(slow);
    expect(world.ask(0, 1500)).toBeNull();
    expect(world.ask(0, 1)).toMatchObject({ status: 429, retryAfterS: 10 });
    expect(world.calls).toBe(2);
    expect(world.ask(4, 1)).toMatchObject({
      status: 429,
      retryAfterS: 6,
      message: expect.stringMatching(/100 samples/),
    });
    expect(world.ask(9.5, 100_000)).toMatchObject({ status: 429, retryAfterS: 1 });
    expect(world.calls).toBe(2);
    expect(world.ask(10.01, 1)).toBeNull();
    expect(world.calls).toBe(3);
  });

  it('that is far overdrawn is asked for once a minute', () => {
    const world = new World(slow);
    world.ask(0, 1_000_000);
    for (let s = 1; s <= 180; s++) expect(world.ask(s, 1)).toMatchObject({ status: 429 });
    expect(world.calls).toBe(4);
  });

  it('that the owner changes counts at once', () => {
    const world = new World(slow);
    world.ask(0, 1500);
    world.ask(0, 1);
    world.limits = limits({ samplesPerS: 100_000, samplesBurst: 500 });
    expect(world.ask(1, 1)).toBeNull();
    world.limits = slow;
    expect(world.ask(1, 1)).toBeNull();
  });

  it('of one shard says nothing of another, or of another tenant', () => {
    const world = new World(slow);
    world.ask(0, 1500);
    world.ask(0, 1);
    expect(world.refusals.answer('acme', 0, null, slow, NOW, () => 0)).not.toBeNull();
    expect(world.refusals.answer('acme', 1, null, slow, NOW, () => 0)).toBeNull();
    expect(world.refusals.answer('wile', 0, null, slow, NOW, () => 0)).toBeNull();
  });

  it('spreads those who are refused by memory', () => {
    const refusals = new Refusals();
    const gate = new Gate(() => 0);
    gate.admit(NOW, 1500, null, slow, EMPTY);
    refusals.remember('acme', 0, gate.admit(NOW, 1, null, slow, EMPTY)!, slow);
    const waits = [0, 0.25, 0.5, 0.75, 0.999].map(
      (random) => refusals.answer('acme', 0, null, slow, NOW + 4 * S, () => random)!.retryAfterS,
    );
    expect(waits).toEqual([6, 8, 10, 12, 13]);
  });
});

it('a digest that is behind is left alone for five seconds', () => {
  const world = new World(limits({ pendingBytesMax: 1000 }));
  world.room = { ...EMPTY, pendingBytes: 1000 };
  expect(world.ask(0, 1)).toMatchObject({ status: 503, retryAfterS: 5 });
  expect(world.ask(4.9, 1)).toMatchObject({ status: 503, retryAfterS: 5 });
  expect(world.calls).toBe(1);
  world.room = EMPTY;
  expect(world.ask(5, 1)).toBeNull();
  expect(world.calls).toBe(2);
});

describe('a number of series', () => {
  const few = limits({ seriesMax: 1000 });

  it('that is reached refuses new series without a call, and known ones go on', () => {
    const world = new World(few);
    expect(world.ask(0, 900, hashesOf(0, 900))).toBeNull();
    const refused = world.ask(1, 300, hashesOf(800, 1200))!;
    expect(refused).toMatchObject({ status: 429, retryAfterS: 60 });
    expect(world.calls).toBe(2);
    // The same again, and others that are as new.
    expect(world.ask(2, 400, hashesOf(800, 1200))?.message).toBe(refused.message);
    expect(world.ask(2, 400, hashesOf(5000, 5200))).toMatchObject({ status: 429 });
    expect(world.calls).toBe(2);
    expect(world.ask(3, 900, hashesOf(0, 900))).toBeNull();
    // There is room for these.
    expect(world.ask(4, 50, hashesOf(800, 950))).toBeNull();
    expect(world.ask(5, 50, hashesOf(900, 950))).toBeNull();
    expect(world.calls).toBe(5);
  });

  it('is asked of again after a minute, and when series are forgotten', () => {
    const world = new World(few);
    world.ask(0, 1000, hashesOf(0, 1000));
    world.ask(1, 100, hashesOf(1000, 1100));
    expect(world.ask(60.9, 100, hashesOf(1000, 1100))).toMatchObject({ status: 429 });
    expect(world.calls).toBe(2);
    expect(world.ask(61, 100, hashesOf(1000, 1100))).toMatchObject({ status: 429 });
    expect(world.calls).toBe(3);
    // 20 minutes after the first came they are forgotten, though the memory of a refusal would last longer.
    expect(world.ask(600, 10, hashesOf(0, 10))).toBeNull();
    expect(world.ask(1190, 1100, hashesOf(0, 1100))).toMatchObject({ status: 429 });
    expect(world.ask(1200, 100, hashesOf(1000, 1100))).toBeNull();
  });

  it('refuses by memory only what the shard would refuse, whatever came in between', () => {
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 16807) % 2147483647) % n;
    let remembered = 0;
    for (let round = 0; round < 200; round++) {
      const refusals = new Refusals();
      const gate = new Gate(() => 0);
      const own = limits({ seriesMax: 50 + random(500) });
      for (let i = 0; i < 40; i++) {
        const from = random(1200);
        const hashes = hashesOf(from, from + 1 + random(120));
        const nowMs = NOW + i * 20 * S;
        const known = refusals.answer('acme', 0, hashes, own, nowMs, () => 0);
        const asked = gate.admit(nowMs, 1, hashes, own, EMPTY);
        if (known !== null) {
          remembered++;
          expect(asked).not.toBeNull();
        }
        // It is asked in vain here: a Worker would not have.
        if (asked !== null && known === null) refusals.remember('acme', 0, asked, own);
      }
    }
    expect(remembered).toBeGreaterThan(1000);
  });

  it('leaves a sketch as it was, and one of many series is folded', () => {
    const series = new ActiveSeries(3_000_000);
    series.add(NOW, hashesOf(0, 500_000));
    const sketch = series.sketch();
    expect(sketch.bits.byteLength).toBe(1024 * 1024);
    const before = sketch.bits.slice();
    expect(freshIn(sketch, hashesOf(0, 500_000))).toBe(0);
    const fresh = freshIn(sketch, hashesOf(500_000, 600_000));
    // Some 6 % of the bits are set; two of the same bit are one.
    expect(fresh).toBeGreaterThan(90_000);
    expect(fresh).toBeLessThan(100_000);
    expect(sketch.bits).toEqual(before);
  });
});

it('is bounded: the oldest go', () => {
  const refusals = new Refusals();
  const many = limits({ seriesMax: 1_000_000 });
  const untilMs = NOW + 60 * S;
  const series: Sketch = { bits: new Uint32Array(1 << 18), room: 0, untilMs, active: 1_000_000, seriesMax: 1_000_000 };
  const refused = refusal(429, 'too many', NOW, { untilMs, leastS: 60, series }, () => 0);
  for (let shard = 0; shard < 10; shard++) refusals.remember('acme', shard, refused, many);
  const knows = (shard: number): boolean => refusals.answer('acme', shard, hashesOf(0, 1), many, NOW, () => 0) !== null;
  // A megabyte each, and eight together.
  expect(Array.from({ length: 10 }, (_, shard) => knows(shard))).toEqual([false, false, ...Array(8).fill(true)]);
  // Without sketches, a thousand.
  const slow = limits({ samplesPerS: 1, samplesBurst: 1 });
  const gate = new Gate(() => 0);
  gate.admit(NOW, 100, null, slow, EMPTY);
  const rate = gate.admit(NOW, 100, null, slow, EMPTY)!;
  for (let i = 0; i < 1500; i++) refusals.remember(`t${i}`, 0, rate, slow);
  const of = (i: number): boolean => refusals.answer(`t${i}`, 0, null, slow, NOW, () => 0) !== null;
  expect([of(0), of(499), of(500), of(1499)]).toEqual([false, false, true, true]);
});
