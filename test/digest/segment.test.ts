import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SampleColumns } from '../../src/block/xor.ts';
import { PartCursor, SegmentError, SegmentWriter } from '../../src/digest/segment.ts';
import { labelBytes, sample, textOfBytes, type TestSample } from './messages.ts';

const PART = 256 * 1024;

function columns(samples: readonly TestSample[]): SampleColumns {
  return {
    t: Float64Array.from(samples, ({ t }) => t),
    hi: Uint32Array.from(samples, ({ hi }) => hi),
    lo: Uint32Array.from(samples, ({ lo }) => lo),
  };
}

/** Entries of a part: labels and samples. */
function read(part: Uint8Array): [labels: string, samples: TestSample[]][] {
  const cursor = new PartCursor(part);
  const entries: [string, TestSample[]][] = [];
  while (cursor.next()) {
    const out = {
      t: new Float64Array(cursor.samples),
      hi: new Uint32Array(cursor.samples),
      lo: new Uint32Array(cursor.samples),
    };
    cursor.decode(out, 0);
    entries.push([
      textOfBytes(part.subarray(cursor.labelsStart, cursor.labelsEnd)),
      Array.from(out.t, (t, i) => ({ t, hi: out.hi[i]!, lo: out.lo[i]! })),
    ]);
  }
  return entries;
}

function write(
  series: readonly [labels: Uint8Array, samples: readonly TestSample[]][],
  partBytesMax = PART,
): Uint8Array[] {
  const writer = new SegmentWriter(partBytesMax);
  for (const [labels, samples] of series) writer.add(labels, columns(samples), samples.length);
  const parts = writer.finish();
  expect(writer.bytes).toBe(parts.reduce((sum, part) => sum + part.length, 0));
  for (const part of parts) expect(part.byteLength).toBe(part.buffer.byteLength);
  return parts;
}

const EXAMPLE: [Uint8Array, TestSample[]][] = [
  [labelBytes(['__name__', 'up'], ['job', 'a']), [sample(1000, 1), sample(16000, 2), sample(31000, 3)]],
  [labelBytes(['__name__', 'up'], ['job', 'b']), [{ t: 1000, hi: 0x7ff00000, lo: 2 }]],
];

test('the example of FORMAT.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../src/digest/FORMAT.md'), 'utf8');
  const hex = /```hex\n([^]*?)```/.exec(page)![1]!;
  const digits: string[] = hex.replaceAll(/#.*/g, '').match(/[0-9a-f]{2}/g) ?? [];
  const part = Uint8Array.from(digits.map((pair) => parseInt(pair, 16)));
  expect(read(part)).toEqual(EXAMPLE.map(([labels, samples]) => [textOfBytes(labels), samples]));
  expect(write(EXAMPLE)).toEqual([part]);
});

describe('parts', () => {
  const many = Array.from({ length: 70_000 }, (_, i) => sample(1_700_000_000_000 + i * 15, Math.sin(i)));

  test('a series of more samples than a chunk may hold', () => {
    const [labels] = EXAMPLE[0]!;
    const parts = write([[labels, many], EXAMPLE[1]!]);
    expect(parts.length).toBeGreaterThan(2);
    const entries = parts.flatMap(read);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(PART);
    expect(entries.at(-1)).toEqual([textOfBytes(EXAMPLE[1]![0]), EXAMPLE[1]![1]]);
    expect(entries.slice(0, -1).every(([text]) => text === textOfBytes(labels))).toBe(true);
    expect(entries.slice(0, -1).flatMap(([, samples]) => samples)).toEqual(many);
  });

  test('of any size hold the same', () => {
    const series = [0, 1, 2, 3, 4].map((n): [Uint8Array, TestSample[]] => [
      labelBytes(['n', String(n)]),
      many.slice(0, 1 + n * 130),
    ]);
    const whole = write(series).flatMap(read);
    expect(whole).toEqual(series.map(([labels, samples]) => [textOfBytes(labels), samples]));
    for (const partBytesMax of [1, 50, 1100, 1200, 3000]) {
      const joined = new Map<string, TestSample[]>();
      for (const part of write(series, partBytesMax)) {
        if (partBytesMax > 1200) expect(part.length).toBeLessThanOrEqual(partBytesMax);
        for (const [text, samples] of read(part)) joined.set(text, [...(joined.get(text) ?? []), ...samples]);
      }
      expect([...joined]).toEqual(whole);
    }
  });

  test('labels larger than a part make a larger part', () => {
    const labels = labelBytes(['a', 'x'.repeat(5000)]);
    const parts = write(
      [
        [labelBytes(['a', 'b']), [sample(1, 1)]],
        [labels, [sample(1, 1)]],
        [labelBytes(['b', 'c']), [sample(1, 1)]],
      ],
      1000,
    );
    expect(parts.map((part) => read(part).length)).toEqual([1, 1, 1]);
  });

  test('none without series', () => expect(write([])).toEqual([]));
});

describe('damage', () => {
  const [part] = write([
    ...EXAMPLE,
    [labelBytes(['z', 'x'.repeat(200)]), Array.from({ length: 250 }, (_, i) => sample(i * 1000, i))],
  ]);

  test('every cut is an error, or ends between two entries', () => {
    let whole = 0;
    for (let length = 0; length < part!.length; length++) {
      try {
        read(part!.slice(0, length));
        whole++;
      } catch (error) {
        expect(error).toBeInstanceOf(SegmentError);
        expect((error as SegmentError).offset).toBeLessThanOrEqual(length);
        expect((error as SegmentError).message).toContain(`at byte ${(error as SegmentError).offset}`);
      }
    }
    // Behind the version byte, the first and the second entry.
    expect(whole).toBe(3);
  });

  test('every changed byte is an error or other samples, never more than the bytes can hold', () => {
    for (let at = 0; at < part!.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const damaged = part!.slice();
        damaged[at]! ^= mask;
        try {
          const samples = read(damaged).reduce((sum, [, list]) => sum + list.length, 0);
          expect(samples).toBeLessThan(damaged.length * 4);
        } catch (error) {
          expect(error).toBeInstanceOf(SegmentError);
        }
      }
    }
  });

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          read(Uint8Array.from([1, ...bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(SegmentError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  const labels = [4, 1, 97, 1, 98];
  test.each([
    ['no bytes at all', [], /no bytes \(at byte 0\)/],
    ['another version', [2], /version 2, this reader knows 1 \(at byte 0\)/],
    ['labels of 4 GiB', [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], /labels of 4294967295 bytes, 1 are left \(at byte 1\)/],
    ['labels of none', [1, 0, 1], /labels do not fill their bytes \(at byte 2\)/],
    ['no number of fragments', [1, ...labels], /number of fragments is cut off or not a number \(at byte 6\)/],
    ['no fragments', [1, ...labels, 0], /entry without fragments \(at byte 6\)/],
    [
      '4 billion fragments',
      [1, ...labels, 0xff, 0xff, 0xff, 0xff, 0x0f],
      /length of a fragment is cut off or not a number \(at byte 11\)/,
    ],
    [
      'a fragment of 4 GiB',
      [1, ...labels, 1, 0xff, 0xff, 0xff, 0xff, 0x0f],
      /fragment of 4294967295 bytes, 0 are left \(at byte 7\)/,
    ],
    ['a fragment without a count', [1, ...labels, 1, 1, 0], /fragment without samples \(at byte 7\)/],
    ['more samples than bytes', [1, ...labels, 1, 3, 0xff, 0xff, 0], /65535 samples in 3 bytes \(at byte 8\)/],
    ['a sample cut off', [1, ...labels, 1, 11, 0, 1, 0xd0, 0x8f, 1, 1, 1, 1, 1, 1, 1], /fragment: .*\(at byte 8\)/],
  ])('%s', (_, bytes, message) => expect(() => read(Uint8Array.from(bytes))).toThrow(message));

  test('times that do not ascend from fragment to fragment', () => {
    const one = write([[labelBytes(['a', 'b']), [sample(5, 1)]]])[0]!;
    const twice = Uint8Array.from([...one.subarray(0, 6), 2, ...one.subarray(7), ...one.subarray(7)]);
    expect(() => read(twice)).toThrow(/fragment begins at 5, not after 5/);
  });
});
