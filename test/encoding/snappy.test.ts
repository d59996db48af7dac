import fc from 'fast-check';
import snappyjs from 'snappyjs';
import { describe, expect, it } from 'vitest';
import {
  snappyConcat,
  SnappyError,
  snappyCompress,
  snappyLength,
  snappyUncompress,
} from '../../src/encoding/snappy.ts';
import { bytes, mutate, Rng } from './damage.ts';

const MiB = 1 << 20;

/** Bytes with the repetitions that make every kind of element: literals short and long, copies near and far. */
const compressible = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 60 })).map(([unit, times]) => {
        return Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length]!);
      }),
      fc.integer({ min: 200, max: 3000 }).map((n) => new Rng(n).bytes(n)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat([...parts, ...parts.slice(0, 3)])));

describe('golden blocks', () => {
  // [what, block, uncompressed]: elements written by hand from format_description.txt.
  const cases: [string, string, string][] = [
    ['nothing', '00', ''],
    ['a literal', '03 08 61 62 63', '616263'],
    ['a literal with a 1-byte length', `3d f0 3c ${'61'.repeat(61)}`, '61'.repeat(61)],
    ['a literal with a 2-byte length', `3d f4 3c 00 ${'61'.repeat(61)}`, '61'.repeat(61)],
    ['a literal with a 3-byte length', `3d f8 3c 00 00 ${'61'.repeat(61)}`, '61'.repeat(61)],
    ['a literal with a 4-byte length', `3d fc 3c 00 00 00 ${'61'.repeat(61)}`, '61'.repeat(61)],
    ['a copy with an 11-bit offset', '06 04 61 62 01 02', '616261626162'],
    ['a copy with a 16-bit offset', '06 04 61 62 0e 02 00', '616261626162'],
    ['a copy with a 32-bit offset', '06 04 61 62 0f 02 00 00 00', '616261626162'],
    [
      'an 11-bit offset that uses its three high bits',
      `84 02 f4 ff 00 ${'00'.repeat(255)}07 21 00`,
      `${'00'.repeat(255)}0700000000`,
    ],
  ];
  it.each(cases)('%s', (_, block, plain) => {
    expect(snappyUncompress(bytes(block), MiB)).toEqual(bytes(plain));
  });
});

describe('copies that overlap what they write', () => {
  for (let offset = 1; offset <= 20; offset++) {
    it(`${offset} B back`, () => {
      for (let length = 1; length <= 64; length++) {
        for (const tail of [0, 1, 3, 15, 40]) {
          const head = Uint8Array.from({ length: offset }, (_, i) => 100 + i);
          const end = new Uint8Array(tail).fill(7);
          const block = [offset + length + tail, (offset - 1) << 2, ...head, ((length - 1) << 2) | 2, offset, 0];
          if (tail > 0) block.push((tail - 1) << 2, ...end);
          const want = [...head, ...Array.from({ length }, (_, i) => 100 + (i % offset)), ...end];
          expect(snappyUncompress(Uint8Array.from(block), 1000)).toEqual(Uint8Array.from(want));
        }
      }
    });
  }
});

describe('against snappyjs', () => {
  it('reads what it wrote, and writes what it reads', () => {
    fc.assert(
      fc.property(compressible, (plain) => {
        const block = snappyCompress(plain);
        expect(snappyLength(block)).toBe(plain.length);
        expect(snappyUncompress(block, plain.length)).toEqual(plain);
        expect(snappyjs.uncompress(block)).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });

  it('agrees at every length up to that of a few moves', () => {
    for (let length = 0; length <= 200; length++) {
      for (const period of [1, 2, 3, 4, 5, 7, 16, 33, 90, 1000]) {
        const plain = Uint8Array.from({ length }, (_, i) => 17 + (((i % period) * 37) % 200));
        const block = snappyCompress(plain);
        expect(snappyUncompress(block, length)).toEqual(plain);
        expect(snappyjs.uncompress(block)).toEqual(plain);
      }
    }
  });

  it('what it writes is no larger, and never much larger than what it was given', () => {
    const rng = new Rng(3);
    const lines = Array.from({ length: 5000 }, (_, i) => `name_${i % 37}{worker="${rng.below(90)}"} ${i * 31}\n`);
    const text = new Uint8Array(Buffer.from(lines.join('')));
    expect(snappyCompress(text).length).toBeLessThanOrEqual(snappyjs.compress(text).length);
    for (const length of [0, 1, 100, 70_000, 300_000]) {
      expect(snappyCompress(rng.bytes(length)).length).toBeLessThanOrEqual(32 + length + length / 6);
    }
  });

  it('agrees on bodies larger than its 64 KiB window', () => {
    const rng = new Rng(5);
    const words = Array.from({ length: 300 }, () => rng.bytes(1 + rng.below(40)));
    const plain = new Uint8Array(Buffer.concat(Array.from({ length: 20_000 }, () => words[rng.below(300)]!)));
    const block = snappyCompress(plain);
    expect(Buffer.compare(snappyUncompress(block, plain.length), plain)).toBe(0);
  });

  it('whatever is accepted of a damaged block, snappyjs reads the same', () => {
    const rng = new Rng(11);
    const plain = new Uint8Array(
      Buffer.concat(Array.from({ length: 12 }, (_, i) => Buffer.from(`name_${i % 3}=value ${i * i}`))),
    );
    const block = snappyCompress(plain);
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const damaged = mutate(block, rng);
      let ours: Uint8Array | null = null;
      try {
        ours = snappyUncompress(damaged, 4096);
      } catch (error) {
        expect(error).toBeInstanceOf(SnappyError);
        refused++;
        continue;
      }
      // Only this way round: snappyjs does not notice output that does not fill the announced length.
      expect(snappyjs.uncompress(damaged)).toEqual(ours);
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

describe('refusals', () => {
  const cases: [string, string, RegExp][] = [
    ['no bytes', '', /no valid length/],
    ['an unfinished preamble', '80 80', /no valid length/],
    ['a preamble over 32 bits', 'ff ff ff ff 10', /no valid length/],
    ['a preamble of six bytes', '80 80 80 80 80 01', /no valid length/],
    ['more than it announces', '02 08 61 62 63', /more than the 2 B/],
    ['less than it announces', '04 08 61 62 63', /only 3 B of the 4 B/],
    ['a literal cut short', '08 1c 61 62', /a literal of 8 B where 2 B are left/],
    ['a literal without its length', '08 f4 01', /without its length/],
    ['a literal of 4 GiB', '08 fc ff ff ff ff 61', /a literal of 4294967296 B/],
    ['a copy from nothing', '08 00 61 1d 00', /a copy from 0 B back/],
    ['a copy from before the start', '08 00 61 1d 02', /a copy from 2 B back/],
    ['a copy from 4 GiB back', '08 00 61 1f ff ff ff ff', /a copy from 4294967295 B back/],
    ['a copy past the end', '04 00 61 1d 01', /more than the 4 B/],
    ['copies without offsets', '08 00 61 1d', /without its offset/],
    ['copies without whole offsets', '08 00 61 1e 01', /without its offset/],
    ['copies without whole 32-bit offsets', '08 00 61 1f 01 00 00', /without its offset/],
  ];
  it.each(cases)('%s', (_, block, message) => {
    expect(() => snappyUncompress(bytes(block), MiB)).toThrow(SnappyError);
    expect(() => snappyUncompress(bytes(block), MiB)).toThrow(message);
  });

  it('a preamble above the limit, before taking memory', () => {
    expect(() => snappyUncompress(bytes('ff ff ff ff 0f 00 61'), 32 * MiB)).toThrow(
      /announces 4294967295 B.*at most 33554432 B/,
    );
  });

  it('a preamble that so few bytes cannot reach, before taking memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 200; i++) {
      expect(() => snappyUncompress(bytes('80 80 80 10 00 61'), 0xffffffff)).toThrow(/cannot hold/);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MiB);
  });

  it('takes the densest block that exists', () => {
    const copies = 1000;
    const length = 1 + 64 * copies;
    const block = [0x80 | (length & 0x7f), 0x80 | ((length >> 7) & 0x7f), length >> 14, 0x00, 0x61];
    for (let i = 0; i < copies; i++) block.push(0xfe, 1, 0);
    expect(snappyUncompress(Uint8Array.from(block), length)).toEqual(new Uint8Array(length).fill(0x61));
  });
});

it('gives arrays that own their buffer, whatever they were given', () => {
  const view = Buffer.from('hello hello hello hello').subarray(6);
  const block = snappyCompress(view);
  expect(block.buffer.byteLength).toBe(block.byteLength);
  const inside = new Uint8Array(Buffer.concat([Buffer.alloc(3), block])).subarray(3);
  const plain = snappyUncompress(inside, 100);
  expect(plain.buffer.byteLength).toBe(plain.byteLength);
  expect(Buffer.from(plain).toString()).toBe('hello hello hello');
});

it('joins blocks into one of all their bytes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.uint8Array({ maxLength: 300 }).map((b) => new Uint8Array([...b, ...b])),
        { maxLength: 5 },
      ),
      (all) => {
        const joined = snappyConcat(all.map(snappyCompress));
        expect(snappyUncompress(joined, 10_000)).toEqual(Uint8Array.from(all.flatMap((b) => [...b])));
      },
    ),
  );
});
