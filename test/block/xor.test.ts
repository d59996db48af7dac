import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockError } from '../../src/block/error.ts';
import { decodeXor, XorEncoder } from '../../src/block/xor.ts';
import { columns, columnsOf, encode, hex, STALE, type TestSample, textOf } from './help.ts';

function decode(chunk: Uint8Array, room = 65_535): string[] {
  const out = columns(room);
  return textOf(out, decodeXor(chunk, 0, chunk.length, out, 0));
}

function roundTrip(samples: readonly TestSample[]): void {
  expect(decode(encode(samples))).toEqual(textOf(columnsOf(samples), samples.length));
}

/** Bits of a chunk from byte `from`, as text. */
const bitsFrom = (chunk: Uint8Array, from: number): string =>
  [...chunk.subarray(from)].map((byte) => byte.toString(2).padStart(8, '0')).join('');

describe('golden vectors of Prometheus', () => {
  it.each<[string, TestSample[], string]>([
    ['one sample', [[1000, 1]], '0001d00f3ff0000000000000'],
    [
      'two',
      [
        [1000, 1],
        [16000, 2],
      ],
      '0002d00f3ff00000000000009875c25fff',
    ],
    [
      'three',
      [
        [1000, 1],
        [16000, 2],
        [31000, 3],
      ],
      '0003d00f3ff00000000000009875c25fff6c06',
    ],
    [
      'fifty equal ones',
      Array.from({ length: 50 }, (_, i) => [i * 15_000, 42.5]),
      '0032004045400000000000987500000000000000000000000000',
    ],
  ])('%s', (_, samples, golden) => {
    expect(hex(encode(samples))).toBe(golden);
    roundTrip(samples);
  });

  it('has the size that Prometheus has for squares', () => {
    const squares = Array.from({ length: 120 }, (_, i): TestSample => [1.7e12 + 15_000 * i, (i * i) / 2]);
    expect(encode(squares)).toHaveLength(268);
  });
});

describe('deltas of deltas', () => {
  const D = 2 ** 40;
  // The value repeats, so that after the two first samples come prefix, number, and a 0 for the value.
  const dodBits = (dod: number): string => {
    const first = encode([
      [0, 0],
      [D, 0],
    ]);
    return bitsFrom(
      encode([
        [0, 0],
        [D, 0],
        [2 * D + dod, 0],
      ]),
      first.length - 1,
    ).slice(1);
  };

  it.each([
    [0, '0'],
    [1, '10'],
    [-1, '10'],
    [8192, '10'],
    [8193, '110'],
    [-8191, '10'],
    [-8192, '110'],
    [65_536, '110'],
    [65_537, '1110'],
    [-65_535, '110'],
    [-65_536, '1110'],
    [524_288, '1110'],
    [524_289, '1111'],
    [-524_287, '1110'],
    [-524_288, '1111'],
    [2 ** 39, '1111'],
    [-(2 ** 39), '1111'],
  ])('%i is written with the prefix %s', (dod, prefix) => {
    expect(dodBits(dod).slice(0, prefix.length)).toBe(prefix);
    roundTrip([
      [0, 0],
      [D, 0],
      [2 * D + dod, 0],
      [3 * D + dod, 1],
    ]);
  });

  it('writes the highest of each width as the bits of its opposite', () => {
    expect(dodBits(8192).slice(0, 16)).toBe('1010000000000000');
    expect(dodBits(-(2 ** 33)).slice(0, 68)).toBe(`1111${(2n ** 64n - 2n ** 33n).toString(2)}`);
  });

  it('reaches from -2^53 to 2^53', () => {
    const max = Number.MAX_SAFE_INTEGER;
    roundTrip([[-max, 1]]);
    roundTrip([[max, 1]]);
    roundTrip([
      [-max, 1],
      [0, 2],
      [1, 3],
      [max, 4],
    ]);
    roundTrip([
      [-max, 1],
      [-max + 1, 2],
      [1, 3],
      [2, 4],
    ]);
    roundTrip([
      [0, 1],
      [max - 1, 2],
      [max, 3],
    ]);
  });
});

describe('value windows', () => {
  it.each<[string, bigint[]]>([
    ['all 64 bits', [0n, 0x8000000000000001n, 0n, 0xffffffffffffffffn]],
    ['trailing 0', [0n, 1n, 3n, 2n, 1n]],
    ['trailing below 32, narrow', [0n, 0x10000n, 0x70000n, 0x30000n]],
    ['trailing below 32, over both halves', [0n, 0x3ff0_0000_8000n, 0x1_0000_8000n, 0x2000_0001_8000n]],
    ['trailing 31', [0n, 0x8000_0000n, 0x1_8000_0000n, 0x8000_0000n]],
    ['trailing 32', [0n, 0x1_0000_0000n, 0x3_0000_0000n, 0n]],
    ['trailing above 32', [0n, 0x3ff0_0000_0000_0000n, 0x4000_0000_0000_0000n, 0x8000_0000_0000_0000n, 0n]],
    ['more leading zeros than 31', [0n, 0xffn, 0x80n, 0n, 0x7fff_ffffn, 0n]],
    ['exactly 32 bits', [0n, 0xffff_ffffn << 16n, 0x8000_0001n << 16n]],
    ['special values', [STALE, 0x7ff8000000000001n, 0x7ff0000000000000n, 0xfff0000000000000n, 1n << 63n, 0n, STALE]],
    ['signalling NaN with payload', [0x7ff0000000000001n, 0xfff123456789abcdn, 0x7ff7ffffffffffffn]],
  ])('%s', (_, values) => roundTrip(values.map((value, i) => [i * 1000, value])));

  it('reads a window of 64 bits before any was set, as Prometheus writes it after reopening a chunk', () => {
    // t=0, v=0; delta 1; then 1 (changed), 0 (old window), 64 bits.
    const bits = `${'0'.repeat(15)}10${'0'.repeat(7)}${'0'.repeat(64)}00000001` + `10${'0'.repeat(63)}1`;
    const chunk = Uint8Array.from(('0000000000000010' + bits.slice(16)).match(/.{1,8}/g)!, (byte) =>
      Number.parseInt(byte.padEnd(8, '0'), 2),
    );
    expect(decode(chunk)).toEqual(['0=0000000000000000', '1=0000000000000001']);
  });
});

const anySamples = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.constant(15_000), fc.integer({ min: 1, max: 2 ** 44 })),
      fc.oneof(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.constantFrom(0, 1, -0, Infinity, -Infinity, STALE),
        fc.double(),
      ),
    ),
    { maxLength: 300 },
  )
  .chain((steps) =>
    fc.integer({ min: -(2 ** 48), max: 2 ** 48 }).map((start) => {
      let t = start;
      return steps.map(([step, value]): TestSample => [(t += step), value]);
    }),
  );

describe('any samples', () => {
  it('come back bit for bit', () => fc.assert(fc.property(anySamples, roundTrip)));

  it('come back from the middle of other bytes, to the middle of other columns', () => {
    const chunk = encode([
      [1, 1],
      [2, 2],
    ]);
    const around = new Uint8Array(chunk.length + 8).fill(0xff);
    around.set(chunk, 3);
    const out = columns(4);
    expect(decodeXor(around, 3, 3 + chunk.length, out, 1)).toBe(2);
    expect([...out.t]).toEqual([0, 1, 2, 0]);
    // A spare byte at the end, as Prometheus leaves at times.
    expect(decodeXor(around, 3, 4 + chunk.length, out, 2)).toBe(2);
  });

  it('can be encoded one chunk after the other, and copied at any time', () => {
    const encoder = new XorEncoder();
    fc.assert(
      fc.property(anySamples, (samples) => {
        const { t, hi, lo } = columnsOf(samples);
        encoder.reset();
        for (let i = 0; i < samples.length; i++) {
          encoder.append(t[i]!, hi[i]!, lo[i]!);
          if (i % 7 === 0) expect(encoder.bytes()).toHaveLength(encoder.byteLength);
        }
        expect(encoder.count).toBe(samples.length);
        expect(encoder.bytes()).toEqual(encode(samples));
      }),
    );
  });
});

describe('refusals', () => {
  it('takes only ascending whole milliseconds', () => {
    const encoder = new XorEncoder();
    encoder.append(1000, 0, 0);
    for (const t of [1000, 999, -1, 1000.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => encoder.append(t, 0, 0)).toThrow(BlockError);
    }
    encoder.append(1001, 0, 0);
    expect(() => encoder.append(1001, 0, 0)).toThrow('timestamp 1001 is not after 1001');
    encoder.reset();
    encoder.append(-Number.MAX_SAFE_INTEGER, 0, 0);
    expect(() => encoder.append(Number.MAX_SAFE_INTEGER, 0, 0)).toThrow('more than 2^53 ms');
  });

  it('takes 65,535 samples', () => {
    const encoder = new XorEncoder();
    for (let i = 0; i < 65_535; i++) encoder.append(i, i, i);
    expect(() => encoder.append(65_535, 0, 0)).toThrow('at most 65535');
    expect(decode(encoder.bytes())).toHaveLength(65_535);
  });

  it('never writes past the columns', () => {
    const chunk = encode([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(() => decode(chunk, 2)).toThrow('room for 2');
    expect(() => decodeXor(chunk, 0, chunk.length + 1, columns(9), 0)).toThrow(BlockError);
    expect(() => decodeXor(chunk, -1, chunk.length, columns(9), 0)).toThrow(BlockError);
    expect(() => decodeXor(chunk, 4, 5, columns(9), 0)).toThrow(BlockError);
  });

  it.each([
    ['time beyond 2^53', '0001ffffffffffffffffff013ff0000000000000', 'beyond 2^53'],
    ['an endless varint', '0001ffffffffffffffffffffffffffffffffffff', 'beyond 2^53'],
    ['a second delta of 0', '0002d00f3ff00000000000000000', 'does not ascend'],
    ['a huge count', 'ffffd00f3ff00000000000000000', 'does not ascend'],
    ['an empty rest', '0002d00f3ff0000000000000', 'ends in the middle'],
  ])('refuses %s', (_, chunk, message) =>
    expect(() => decode(new Uint8Array(Buffer.from(chunk, 'hex')))).toThrow(message),
  );

  it('answers damage with BlockError or other samples, nothing else', () => {
    const chunk = encode(Array.from({ length: 120 }, (_, i): TestSample => [1.7e12 + 15_000 * i, Math.sin(i)]));
    for (let end = 0; end < chunk.length; end++) {
      expect(() => decodeXor(chunk, 0, end, columns(120), 0)).toThrow(BlockError);
    }
    fc.assert(
      fc.property(fc.nat(chunk.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = chunk.slice();
        damaged[at]! ^= flip;
        try {
          decode(damaged, 200);
        } catch (error) {
          expect(error).toBeInstanceOf(BlockError);
        }
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          decode(bytes, 200);
        } catch (error) {
          expect(error).toBeInstanceOf(BlockError);
        }
      }),
    );
  });
});
