import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitReader, BitWriter } from '../../src/block/bits.ts';
import type { MixedColumns } from '../../src/block/columns.ts';
import { BlockError } from '../../src/block/error.ts';
import { decodeHistograms, HistogramEncoder } from '../../src/block/histogram-chunk.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from '../../src/block/varbit.ts';
import type { Histogram, ResetHint } from '../../src/model/histogram.ts';
import { histogram, STALE_SUM, type TestHistogram, textOf } from '../model/histograms.ts';
import { mutate, Rng } from '../encoding/damage.ts';
import { columns, hex } from './help.ts';

function encode(samples: readonly (readonly [t: number, of: TestHistogram])[], header: ResetHint = 0): Uint8Array {
  const encoder = new HistogramEncoder();
  const all = samples.map(([t, of]) => [t, histogram(of)] as const);
  encoder.begin(all[0]![1], all[0]![1].isFloat, header);
  for (const [t, { values }] of all) encoder.append(t, values);
  return encoder.bytes();
}

function decode(chunk: Uint8Array, isFloat: boolean): (readonly [t: number, Histogram])[] {
  const out: MixedColumns = { ...columns(1000), histograms: null };
  const count = decodeHistograms(chunk, 0, chunk.length, isFloat, out, 0);
  return Array.from({ length: count }, (_, i) => [out.t[i]!, out.histograms![i]!] as const);
}

const stale = (isFloat: boolean): TestHistogram => ({ isFloat, sum: STALE_SUM });

/** What Prometheus 3.15's own appenders (tsdb/chunkenc) make of the same samples. */
const golden: readonly (readonly [
  name: string,
  header: ResetHint,
  samples: readonly (readonly [t: number, of: TestHistogram])[],
  bytes: string,
])[] = [
  [
    'integers, both sides, a stale marker',
    0,
    [
      ...(
        [
          [1, 2, 1, 2],
          [2, 3, 3, 2],
          [5, 1005, 105, 300_000],
          [6, 1006, 105, 50_000_000_000],
        ] as const
      ).map(([a, b, c, d], i): [number, TestHistogram] => [
        1_700_000_000_000 + i * 15_000 + (i % 2) * 3,
        {
          schema: 3,
          zeroThreshold: 2 ** -128,
          zeroCount: i,
          sum: 1.5 * (i + 1),
          positive: { [-2]: a, [-1]: b, 3: c },
          negative: { 0: d },
        },
      ]),
      [1_700_000_060_000, stale(false)],
    ],
    '000500749ca568ce317f0000c5e7f2b400587ff000000000000118de5f07537858e12fffc516ebf01260b5ac4d978f9fd8f7f80927bd86fe00000ba43247f14b6f60cf8e0ff800002e90c9310b7462f7fe80000000000020',
  ],
  [
    'custom buckets',
    0,
    [0, 1, 2].map((i): [number, TestHistogram] => [
      i * 60_000,
      {
        schema: -53,
        sum: 10,
        bounds: [-1, 0, 0.005, 0.3, 33_554.43, 33_554.431, 1e9],
        positive: { 1: 1 + i, 2: 1 + i, 4: 1 + i, 5: 1 + i },
      },
    ]),
    '00030000ee5ca5194575ff800000000000046dd2dfdffffff20703126e56041891073735940000000142012000000000000447c75305088000',
  ],
  [
    'floats of a gauge, a stale marker',
    3,
    [
      ...[0, 1, 2].map((i): [number, TestHistogram] => [
        -1000 + i * 1000,
        {
          isFloat: true,
          schema: -4,
          zeroThreshold: 0.001,
          zeroCount: 0.25 * i,
          count: 3.5 + i,
          sum: -1.5e9 * i,
          positive: { 100: 1 / (i + 1), 101: 2 },
          negative: { [-100]: i },
        },
      ]),
      [5000, stale(true)],
    ],
    '0004c0ff3f50624dd2f1a9fcde465c648c7b39ec18400c000000000000000000000000000080000000000000003ff000000000000040000000000000000000000000000000f1f46b13f115fee1860eb2d05fac1b115ffa2803801800001ab6d555555555555584bffff0177184e802effb07f7c2cb417800000040',
  ],
  ['a stale marker alone', 0, [[1000, stale(false)]], '000100001e3e81ffc0000000000008'],
];

describe('histogram chunks', () => {
  it.each(golden)('%s: as Prometheus writes them', (_, header, samples, bytes) => {
    const isFloat = samples[0]![1].isFloat ?? false;
    const read = decode(Uint8Array.from(Buffer.from(bytes, 'hex')), isFloat);
    expect(read.map(([t, h]) => `${t} ${textOf(h)}`)).toEqual(
      samples.map(([t, of]) => `${t} ${textOf(histogram(of))}`),
    );
    expect(read.map(([, h]) => h.resetHint)).toEqual(samples.map((_, i) => (header === 3 || i === 0 ? header : 0)));
    expect(hex(encode(samples, header))).toBe(bytes);
  });

  const count = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 2 ** 51 }));
  const float = fc.oneof(fc.constantFrom(0, -0, NaN, 0.5, Infinity), fc.double({ min: 0 }));
  const sum = fc.oneof(fc.double(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

  it.each([false, true])('hold what was put in, floats: %s', (isFloat) => {
    const value = isFloat ? float : count;
    const layout = fc.record({
      schema: fc.integer({ min: -4, max: 8 }),
      zeroThreshold: fc.constantFrom(0, 2 ** -128, 2 ** -243, 2 ** 10, 2 ** 11, 2 ** -244, 1e-9, 3),
      positive: fc.uniqueArray(fc.integer({ min: -300, max: 300 }), { maxLength: 8 }),
      negative: fc.uniqueArray(fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), { maxLength: 3 }),
    });
    const samples = fc.array(
      fc.record({
        step: fc.oneof(fc.constant(15_000), fc.integer({ min: 1, max: 2 ** 40 })),
        count: value,
        zero: value,
        sum,
        values: fc.array(value, { minLength: 11, maxLength: 11 }),
      }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(layout, samples, fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const), (of, all, hint) => {
        let t = -5;
        const list = all.map(({ step, zero, values, ...one }): [number, TestHistogram] => [
          (t += step),
          {
            isFloat,
            ...of,
            zeroCount: zero,
            count: one.count,
            // Its buckets would be gone.
            sum: one.sum === STALE_SUM ? 0 : one.sum,
            positive: Object.fromEntries(of.positive.map((index, i) => [index, values[i]!])),
            negative: Object.fromEntries(of.negative.map((index, i) => [index, values[8 + i]!])),
          },
        ]);
        const chunk = encode(list, hint);
        expect(decode(chunk, isFloat).map(([t, h]) => `${t} ${textOf(h)}`)).toEqual(
          list.map(([t, one]) => `${t} ${textOf(histogram(one))}`),
        );
        expect(chunk[2]! >>> 6).toBe([0, 2, 1, 3][hint]);
      }),
      { numRuns: 200 },
    );
  });

  it('refuse times that do not ascend, and other buckets', () => {
    const encoder = new HistogramEncoder();
    const { values, ...layout } = histogram({ positive: { 1: 1 } });
    encoder.begin(layout, false, 0);
    encoder.append(5, values);
    expect(() => encoder.append(5, values)).toThrow(/timestamp 5 is not after 5/);
    expect(() => encoder.append(6, histogram().values)).toThrow('0 buckets, the chunk has 1');
  });

  it('damaged: an error or other histograms, and never more memory than the bytes could fill', () => {
    const rng = new Rng(7);
    for (let i = 0; i < 4000; i++) {
      const [, , samples, bytes] = golden[i % golden.length]!;
      const damaged = mutate(Uint8Array.from(Buffer.from(bytes, 'hex')), rng);
      try {
        for (const [, h] of decode(damaged, samples[0]![1].isFloat ?? false)) {
          expect(h.values.length).toBeLessThanOrEqual(8 * damaged.length + 3);
        }
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
      }
    }
  });
});

describe('varbit', () => {
  const edges = [
    3, 4, 7, 8, 31, 32, 63, 255, 256, 511, 2047, 2048, 4095, 131_071, 131_072, 262_143, 16_777_215, 33_554_431,
  ];
  const all = edges.flatMap((edge) => [edge - 1, edge, edge + 1, -edge, -edge - 1]);
  const numbers = [0, 1, -1, ...all, 2 ** 32, -(2 ** 32), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];

  it('gives back what was written', () => {
    const bits = new BitWriter();
    for (const number of numbers) {
      writeVarbitInt(bits, number);
      if (number >= 0) writeVarbitUint(bits, number);
    }
    const bytes = new Uint8Array(bits.byteLength);
    bits.copyTo(bytes, 0);
    const reader = new BitReader(bytes, 0, bytes.length);
    for (const number of numbers) {
      expect(readVarbitInt(reader)).toBe(number);
      if (number >= 0) expect(readVarbitUint(reader)).toBe(number);
    }
  });

  it('reads 64 bits, and refuses what a double does not hold', () => {
    const read = (bytes: number[]): number => readVarbitInt(new BitReader(Uint8Array.from(bytes), 0, bytes.length));
    expect(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])).toBe(-2);
    expect(() => read([0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0])).toThrow('beyond 2^53');
    expect(() => writeVarbitInt(new BitWriter(), 2 ** 53)).toThrow('not a whole number below 2^53');
  });
});
