import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SampleColumns } from '../../src/block/xor.ts';
import { PartCursor, SegmentError, SegmentWriter } from '../../src/digest/segment.ts';
import { snappyCompress } from '../../src/encoding/snappy.ts';
import { labelBytes, sample, textOfBytes, type TestSample } from './messages.ts';

const PART = 256 * 1024;

function columns(samples: readonly TestSample[]): SampleColumns {
  return {
    t: Float64Array.from(samples, ({ t }) => t),
    hi: Uint32Array.from(samples, ({ hi }) => hi),
    lo: Uint32Array.from(samples, ({ lo }) => lo),
  };
}

/** Entries of a part: labels or a reference, and samples; `defined` are the labels that were defined in parts before. */
function read(part: Uint8Array, defined: string[] = []): [labels: string, samples: TestSample[]][] {
  const cursor = new PartCursor(part);
  const entries: [string, TestSample[]][] = [];
  while (cursor.next()) {
    const out = {
      t: new Float64Array(cursor.samples),
      hi: new Uint32Array(cursor.samples),
      lo: new Uint32Array(cursor.samples),
      histograms: null,
    };
    cursor.decode(out, 0);
    const { isDefinition, bytes, labelsStart, labelsEnd } = cursor;
    if (isDefinition) defined.push(textOfBytes(bytes.subarray(labelsStart, labelsEnd)));
    entries.push([
      // References to the same segment are looked up.
      cursor.back === 0 ? (defined[cursor.number] ?? '') : `series ${cursor.number}, ${cursor.back} segments before`,
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
  for (const [labels, samples] of series) writer.define(labels, columns(samples), samples.length);
  const parts = writer.finish();
  expect(writer.bytes).toBe(parts.reduce((sum, part) => sum + part.length, 0));
  for (const part of parts) expect(part.byteLength).toBe(part.buffer.byteLength);
  return parts;
}

const EXAMPLE: [Uint8Array, TestSample[]][] = [
  [labelBytes(['__name__', 'up'], ['job', 'a']), [sample(1000, 1), sample(16000, 2), sample(31000, 3)]],
  [labelBytes(['__name__', 'up'], ['job', 'b']), [{ t: 1000, hi: 0x7ff00000, lo: 2 }]],
];

function fromHex(text: string): Uint8Array {
  const pairs: string[] = text.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs.map((pair) => parseInt(pair, 16)));
}

/** The example of FORMAT.md: its series `a` is defined in another segment, and so is one more. */
function example(): Uint8Array {
  const writer = new SegmentWriter(PART);
  const [[, a], [labels, b]] = EXAMPLE as [(typeof EXAMPLE)[0], (typeof EXAMPLE)[0]];
  writer.refer(2, 5, columns(a), a.length);
  expect(writer.define(labels, columns(b), b.length)).toBe(0);
  writer.refer(2, 7, columns(a.slice(0, 1)), 1);
  return writer.finish()[0]!;
}

test('the example of FORMAT.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../src/digest/FORMAT.md'), 'utf8');
  const [part, entries] = [...page.matchAll(/```hex\n([^]*?)```/g)].map(([, hex]) => {
    return fromHex(hex!.replaceAll(/#.*/g, ''));
  });
  expect(new PartCursor(part!).bytes).toEqual(entries);
  const [[, a], [b, stale]] = EXAMPLE as [(typeof EXAMPLE)[0], (typeof EXAMPLE)[0]];
  expect(read(part!)).toEqual([
    ['series 5, 2 segments before', a],
    [textOfBytes(b), stale],
    ['series 7, 2 segments before', a.slice(0, 1)],
  ]);
  expect(new PartCursor(example()).bytes).toEqual(entries);
});

test('parts of versions 1 and 2, which had labels in every entry; 1 knew XOR chunks only', () => {
  const second = fromHex(
    '0249' +
      '6c12085f5f6e616d655f5f027570036a6f62016102130003d00f3ff000050118' +
      '9875c25fff6c0646280038620' +
      '20c0001d00f7ff0000000000002',
  );
  const whole = EXAMPLE.map(([labels, samples]) => [textOfBytes(labels), samples]);
  expect(read(second)).toEqual(whole);
  // The number of fragments, behind 18 bytes of labels and their length: 2 stands for one without encodings.
  const first = new PartCursor(second).bytes.map((byte, at) => (at === 19 || at === 59 ? byte / 2 : byte));
  expect(read(Uint8Array.from([1, ...snappyCompress(first)]))).toEqual(whole);
});

describe('parts', () => {
  const many = Array.from({ length: 70_000 }, (_, i) => sample(1_700_000_000_000 + i * 15, Math.sin(i)));

  test('a series of more samples than a chunk may hold', () => {
    const [labels] = EXAMPLE[0]!;
    const parts = write([[labels, many], EXAMPLE[1]!]);
    expect(parts.length).toBeGreaterThan(2);
    const defined: string[] = [];
    const entries = parts.flatMap((part) => read(part, defined));
    for (const part of parts) expect(new PartCursor(part).bytes.length).toBeLessThanOrEqual(PART);
    expect(entries.at(-1)).toEqual([textOfBytes(EXAMPLE[1]![0]), EXAMPLE[1]![1]]);
    expect(entries.slice(0, -1).every(([text]) => text === textOfBytes(labels))).toBe(true);
    expect(entries.slice(0, -1).flatMap(([, samples]) => samples)).toEqual(many);
  });

  test('of any size hold the same', () => {
    const series = [0, 1, 2, 3, 4].map((n): [Uint8Array, TestSample[]] => [
      labelBytes(['n', String(n)]),
      many.slice(0, 1 + n * 130),
    ]);
    const whole = write(series).flatMap((part) => read(part));
    expect(whole).toEqual(series.map(([labels, samples]) => [textOfBytes(labels), samples]));
    for (const partBytesMax of [1, 50, 1100, 1200, 3000]) {
      const joined = new Map<string, TestSample[]>();
      const defined: string[] = [];
      for (const part of write(series, partBytesMax)) {
        if (partBytesMax > 1200) expect(new PartCursor(part).bytes.length).toBeLessThanOrEqual(partBytesMax);
        for (const [text, samples] of read(part, defined)) joined.set(text, [...(joined.get(text) ?? []), ...samples]);
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
  const long = Array.from({ length: 250 }, (_, i) => sample(i * 1000, i));
  const [part] = write([...EXAMPLE, [labelBytes(['z', 'x'.repeat(200)]), long]]);
  const references = new PartCursor(example()).bytes;
  const entries = new PartCursor(part!).bytes;
  /** A part of these entries, damaged before they were compressed. */
  const partOf = (bytes: Uint8Array, version = 3): Uint8Array => Uint8Array.from([version, ...snappyCompress(bytes)]);

  /** Reads a part: a SegmentError that names a place within `length`, or how many samples it held. */
  function tryRead(bytes: Uint8Array, length: number): SegmentError | number {
    try {
      return read(bytes).reduce((sum, [, samples]) => sum + samples.length, 0);
    } catch (error) {
      if (!(error instanceof SegmentError) || error.offset > length) throw error;
      if (error.offset >= 0 && !error.message.includes(`at byte ${error.offset} of`)) throw error;
      return error;
    }
  }

  test('every cut of the entries is an error, or ends between two', () => {
    const whole: (SegmentError | number)[] = [];
    for (const all of [entries, references]) {
      for (let length = 0; length < all.length; length++) {
        const found = tryRead(partOf(all.slice(0, length)), length);
        if (typeof found === 'number') whole.push(found);
      }
    }
    // Behind nothing, what stands before the entries, the first and the second entry.
    expect(whole).toEqual([0, 0, 3, 4, 0, 0, 3, 4]);
  });

  test('every cut of the part is an error', () => {
    for (let length = 0; length < part!.length; length++) {
      expect(tryRead(part!.slice(0, length), Infinity)).toBeInstanceOf(SegmentError);
    }
  });

  test('every changed byte is an error or other samples, never more than the bytes can hold', () => {
    for (const mask of [0x01, 0x80, 0xff]) {
      for (const all of [entries, references]) {
        for (let at = 0; at < all.length; at++) {
          const damaged = all.slice();
          damaged[at]! ^= mask;
          const found = tryRead(partOf(damaged), all.length);
          if (typeof found === 'number' && found > all.length * 4) expect.fail(`${found} samples, byte ${at}`);
        }
      }
      for (let at = 0; at < part!.length; at++) {
        const damaged = part!.slice();
        damaged[at]! ^= mask;
        tryRead(damaged, Infinity);
      }
    }
  });

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        tryRead(Uint8Array.from([3, ...bytes]), Infinity);
        for (const version of [2, 3]) tryRead(partOf(bytes, version), bytes.length);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['no bytes at all', [], /^segment part: no bytes$/],
    ['another version', [4], /version 4, this reader knows 1 to 3$/],
    ['no snappy block', [1], /^segment part: not a snappy block/],
    [
      'a snappy block of 4 GiB',
      [1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0],
      /announces 4294967295 B, which its 6 B cannot hold/,
    ],
  ])('%s', (_, bytes, message) => expect(() => read(Uint8Array.from(bytes))).toThrow(message));

  const labels = [4, 1, 97, 1, 98];
  const max = [0xff, 0xff, 0xff, 0xff, 0x0f];
  test.each([
    ['labels of 4 GiB', [...max, 1], /labels of 4294967295 bytes, 1 are left \(at byte 0 of its entries\)/],
    ['labels of none', [0, 1], /labels do not fill their bytes \(at byte 1 /],
    ['no number of fragments', labels, /number of fragments is cut off or not a number \(at byte 5 /],
    ['no fragments', [...labels, 0], /entry without fragments \(at byte 5 /],
    [
      '2 billion fragments',
      [...labels, 0xfe, ...max.slice(1)],
      /length of a fragment is cut off or not a number \(at byte 10 /,
    ],
    ['a fragment of 4 GiB', [...labels, 2, ...max], /fragment of 4294967295 bytes, 0 are left \(at byte 6 /],
    ['a fragment without a count', [...labels, 2, 1, 0], /fragment without samples \(at byte 6 /],
    ['more samples than bytes', [...labels, 2, 3, 0xff, 0xff, 0], /65535 samples in 3 bytes \(at byte 7 /],
    ['no encoding', [...labels, 3], /fragment of encoding 0 \(at byte 6 /],
    ['another encoding', [...labels, 3, 4, 1, 0], /fragment of encoding 4 \(at byte 6 /],
    ['more histograms than bytes', [...labels, 3, 2, 3, 0xff, 0xff, 0], /65535 samples in 3 bytes \(at byte 8 /],
    ['a sample cut off', [...labels, 2, 11, 0, 1, 0xd0, 0x8f, 1, 1, 1, 1, 1, 1, 1], /fragment: .*\(at byte 7 /],
  ])('%s', (_, bytes, message) => expect(() => read(partOf(Uint8Array.from(bytes), 2))).toThrow(message));

  test.each([
    ['no number of definitions', [0x80], /number of definitions before is cut off or not a number \(at byte 0 /],
    ['no kind of entry', [0, 0x80], /kind of the entry is cut off or not a number \(at byte 1 /],
    ['no number of a definition', [0, 5], /number of a definition is cut off or not a number \(at byte 2 /],
    ['a reference to nothing', [0, 5, 7], /number of fragments is cut off or not a number \(at byte 3 /],
  ])('%s', (_, bytes, message) => expect(() => read(partOf(Uint8Array.from(bytes)))).toThrow(message));

  test('times that do not ascend from fragment to fragment', () => {
    const one = new PartCursor(write([[labelBytes(['a', 'b']), [sample(5, 1)]]])[0]!).bytes;
    const twice = Uint8Array.from([...one.subarray(0, 7), 4, ...one.subarray(8), ...one.subarray(8)]);
    expect(() => read(partOf(twice))).toThrow(/fragment begins at 5, not after 5/);
  });
});
