import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareUtf8, labelsFrom } from '../../src/model/labels.ts';
import { RANGE_MS } from '../../src/model/sample.ts';
import { BlockError } from '../../src/block/error.ts';
import { BlockWriter } from '../../src/block/writer.ts';
import { allSeries, readIndex, readLabelValues, readPostings, readSeries } from './index-reader.ts';
import {
  canonical,
  columns,
  columnsOf,
  expected,
  MemorySink,
  readBlock,
  series,
  STALE,
  type TestSample,
  type TestSeries,
  writeBlock,
} from './help.ts';

const T = 1_700_006_400_000; // A multiple of two hours.
const every = (stepMs: number, count: number, start = T): TestSample[] =>
  Array.from({ length: count }, (_, i) => [start + i * stepMs, i]);

/** Chunks' sizes in samples, for one series. */
async function cut(samples: TestSample[]): Promise<number[]> {
  const block = await writeBlock([series({ a: 'b' }, samples)]);
  const [only] = [...allSeries(readIndex(block.index))];
  return only!.chunks.map((chunk) => samples.filter(([t]) => t >= chunk.minTime && t <= chunk.maxTime).length);
}

describe('round trip', () => {
  it('gives back labels, samples and bits', async () => {
    const all = [
      series({ __name__: 'a' }, [[T, 1]]),
      series({ __name__: 'a', job: 'x' }, [
        [T, STALE],
        [T + 1, Infinity],
        [T + 2, -Infinity],
        [T + 3, -0],
        [T + 4, 0xfff8_0000_dead_beefn],
      ]),
      series({ __name__: 'a', job: 'x', z: 'ü€𝄞\u0000"\\' }, every(15_000, 480)),
      series({ __name__: 'a', job: 'y' }, [
        [-RANGE_MS - 1, 1],
        [-1, 2],
        [0, 3],
        [T, 4],
      ]),
      series({ __name__: 'b'.repeat(300) }, every(1, 5000)),
      series({ 'job.with/any-name': 'x' }, [[T, 5]]),
    ];
    const block = await writeBlock(all);
    expect(readBlock(block.index, block.files)).toEqual(expected(all));
    expect(block.stats).toEqual({
      numSamples: 5491,
      numFloatSamples: 5491,
      numSeries: 6,
      numChunks: 1 + 1 + 4 + 4 + 41 + 1,
    });
    expect([block.minTime, block.maxTime]).toEqual([-RANGE_MS - 1, T + 15_000 * 479 + 1]);
    expect(block.index).toHaveLength(block.index.buffer.byteLength);
  });

  it("works for any label sets, in Go's order", async () => {
    const name = fc.oneof(
      fc.constantFrom('__name__', 'job', 'jo', 'z'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
    );
    const value = fc.oneof(
      fc.constantFrom('a', 'b', 'ab'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 140 }),
    );
    const compareLabels = (a: TestSeries, b: TestSeries): number => {
      for (let i = 0; ; i++) {
        const [x, y] = [a.labels[i], b.labels[i]];
        if (!x || !y) return a.labels.length - b.labels.length;
        const order = compareUtf8(x.name, y.name) || compareUtf8(x.value, y.value);
        if (order !== 0) return order;
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(name, value, { minKeys: 1, maxKeys: 4 }), { minLength: 1, maxLength: 25 }),
        async (sets) => {
          const unique = new Map(sets.map((set) => [JSON.stringify(labelsFrom(Object.entries(set))), set]));
          const all = [...unique.values()].map((set, i) => series(set, [[T + i, i]])).sort(compareLabels);
          const block = await writeBlock(all);
          expect(readBlock(block.index, block.files)).toEqual(expected(all));
          const index = readIndex(block.index);
          for (const { name, value } of all.flatMap((one) => one.labels)) {
            const having = all.filter((one) =>
              one.labels.some((label) => label.name === name && label.value === value),
            );
            const found = [...readPostings(index, name, value)].map((id) => readSeries(index, id).labels);
            expect(found).toEqual(having.map((one) => one.labels));
            expect(readLabelValues(index, name)).toContain(value);
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 30_000);

  it('sorts values beyond the basic plane after those at its end', async () => {
    const all = ['\u{e000}', '\u{ffff}', '\u{10000}', '\u{1f525}'].map((v) => series({ v }, [[1, 1]]));
    const block = await writeBlock(all);
    const index = readIndex(block.index);
    expect(readLabelValues(index, 'v')).toEqual(['\u{e000}', '\u{ffff}', '\u{10000}', '\u{1f525}']);
    expect(readPostings(index, '', '')).toHaveLength(4);
    expect(readPostings(index, 'v', 'none')).toHaveLength(0);
    expect(readPostings(index, 'w', 'none')).toHaveLength(0);
  });
});

it('is empty without series, and a block that no meta.json is made for', async () => {
  const block = await writeBlock([]);
  expect(block.stats).toEqual({ numSamples: 0, numFloatSamples: 0, numSeries: 0, numChunks: 0 });
  expect([block.minTime, block.maxTime, block.sink.parts]).toEqual([0, 0, []]);
  expect(readBlock(block.index, [])).toEqual([]);
});

describe('cutting chunks', () => {
  it.each<[string, TestSample[], number[]]>([
    ['a day at one a minute', every(60_000, 1440), Array(12).fill(120)],
    ['two hours at 15 s', every(15_000, 480), [120, 120, 120, 120]],
    ['a sample more than fits', every(14_900, 481), [121, 120, 120, 120]],
    ['too few for two', every(1000, 239), [239]],
    ['just enough for two', every(1000, 240), [120, 120]],
    ['a range begins', every(60_000, 4, T - 120_000), [2, 2]],
    [
      'ranges with nothing between',
      [
        [T, 1],
        [T + 9 * RANGE_MS, 2],
        [T + 90 * RANGE_MS - 1, 3],
      ],
      [1, 1, 1],
    ],
    [
      'before 1970',
      [
        [-RANGE_MS - 1, 1],
        [-RANGE_MS, 2],
        [-1, 3],
        [0, 4],
      ],
      [1, 2, 1],
    ],
  ])('%s', async (_, samples, sizes) => expect(await cut(samples)).toEqual(sizes));

  it('ends chunks that get too long in bytes', async () => {
    const samples = Array.from({ length: 480 }, (_, i): TestSample => [
      T + i * 15_000 + ((i * 7919) % 4001),
      BigInt.asUintN(64, 0x9e3779b97f4a7c15n * BigInt(i + 1)),
    ]);
    const block = await writeBlock([series({ a: 'b' }, samples)]);
    expect(block.chunkBytesMax).toBeGreaterThan(1005);
    expect(block.chunkBytesMax).toBeLessThanOrEqual(1024 + 2 + 1 + 4);
    expect(block.stats.numChunks).toBe(5);
    expect(readBlock(block.index, block.files)).toEqual(expected([series({ a: 'b' }, samples)]));
  });
});

describe('parts and files', () => {
  const all = Array.from({ length: 60 }, (_, i) => series({ n: String(i).padStart(3, '0') }, every(15_000, 200 + i)));

  it.each([3, 64, 1000, 4096, 1 << 20])('parts of %i bytes', async (partBytes) => {
    const whole = await writeBlock(all);
    const block = await writeBlock(all, { partBytes });
    expect(block.files).toEqual(whole.files);
    expect(block.index).toEqual(whole.index);
    const { parts } = block.sink;
    expect(parts.filter((part) => part.last)).toEqual([parts.at(-1)]);
    for (const part of parts) expect(part.bytes.byteLength).toBe(part.bytes.buffer.byteLength);
    for (const part of parts.slice(0, -1)) expect(part.bytes).toHaveLength(partBytes);
    expect(parts.at(-1)!.bytes.length).toBeGreaterThan(0);
  });

  it('the last part may be full, and is still the last', async () => {
    const length = (await writeBlock(all)).files[0]!.length;
    const { sink } = await writeBlock(all, { partBytes: length });
    expect(sink.parts).toEqual([{ file: 1, bytes: expect.any(Uint8Array), last: true }]);
  });

  it('begins another file when one is full', async () => {
    const block = await writeBlock(all, { partBytes: 512, segmentBytes: 3000 });
    expect(block.files.length).toBeGreaterThan(3);
    for (const file of block.files) expect(file.length).toBeLessThanOrEqual(3000);
    expect(block.sink.parts.filter((part) => part.last)).toHaveLength(block.files.length);
    expect(readBlock(block.index, block.files)).toEqual(expected(all));
    // A file that is shorter than a record holds one.
    expect((await writeBlock(all, { segmentBytes: 1 })).files).toHaveLength(block.stats.numChunks);
  });
});

describe('refusals', () => {
  const one = columnsOf([[T, 1]]);
  const writer = (): BlockWriter => new BlockWriter(new MemorySink());
  const add = async (...sets: [string, string][][]): Promise<void> => {
    const block = writer();
    for (const set of sets) await block.add(canonical(set.map(([name, value]) => ({ name, value }))), one, 1);
  };

  it.each<[string, [string, string][][]]>([
    ['no labels', [[]]],
    ['an empty name', [[['', 'x']]]],
    ['an empty value', [[['x', '']]]],
    [
      'unsorted labels',
      [
        [
          ['b', 'x'],
          ['a', 'x'],
        ],
      ],
    ],
    [
      'a name twice',
      [
        [
          ['a', 'x'],
          ['a', 'y'],
        ],
      ],
    ],
    ['the same series', [[['a', 'x']], [['a', 'x']]]],
    ['a lesser value', [[['a', 'y']], [['a', 'x']]]],
    ['a lesser name', [[['b', 'x']], [['a', 'x']]]],
    [
      'fewer labels',
      [
        [
          ['a', 'x'],
          ['b', 'x'],
        ],
        [['a', 'x']],
      ],
    ],
    [
      'a shorter value, though its bytes sort higher',
      [
        [['a', 'xx']],
        [
          ['a', 'x'],
          ['b', 'x'],
        ],
      ],
    ],
    [
      'unsorted labels after shared ones',
      [
        [
          ['a', 'x'],
          ['b', 'x'],
        ],
        [
          ['a', 'x'],
          ['b', 'y'],
          ['a', 'z'],
        ],
      ],
    ],
  ])('%s', (_, sets) => expect(add(...sets)).rejects.toThrow(BlockError));

  it('accepts an order that canonical bytes would not have', () =>
    expect(add([['a', 'xx']], [['a', 'y']], [['aa', 'x']], [['b', 'x']])).resolves.toBeUndefined());

  it.each([
    ['cut in a length', [0x80]],
    ['cut in a name', [3, 97]],
    ['without a value', [1, 97]],
    ['cut in a value', [1, 97, 2, 97]],
    ['with a huge length', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 97]],
    ['with a length longer than need be', [0x81, 0x00, 97, 1, 98]],
  ])('labels %s', (_, bytes) => expect(writer().add(new Uint8Array(bytes), one, 1)).rejects.toThrow(BlockError));

  it.each<[string, TestSample[], number]>([
    ['none', [], 0],
    ['more than there are', [[T, 1]], 2],
    [
      'the same time twice',
      [
        [T, 1],
        [T, 2],
      ],
      2,
    ],
    [
      'time going back',
      [
        [T, 1],
        [T + 2, 2],
        [T + 1, 2],
      ],
      3,
    ],
    [
      'time going back a range',
      [
        [T, 1],
        [T - RANGE_MS, 2],
      ],
      2,
    ],
    ['time going back behind a full chunk', [...every(1, 120), [T, 1], ...every(1, 119, T + 200)], 240],
    ['no time', [[Number.NaN, 1]], 1],
    ['fractions', [[0.5, 1]], 1],
  ])('samples: %s', (_, samples, count) =>
    expect(writer().add(canonical([{ name: 'a', value: 'b' }]), columnsOf(samples), count)).rejects.toThrow(BlockError),
  );

  it('names both series', () =>
    expect(add([['a', 'y']], [['a', 'x']])).rejects.toThrow('series {a="x"} must come before {a="y"}'));

  it('is of no use after an error, after the end, or twice at once', async () => {
    const failed = writer();
    await expect(failed.add(new Uint8Array(), one, 1)).rejects.toThrow('at least one label');
    await expect(failed.add(new Uint8Array([1, 97, 1, 97]), one, 1)).rejects.toThrow('has failed');
    await expect(failed.finish()).rejects.toThrow('has failed');
    const block = writer();
    const first = block.add(new Uint8Array([1, 97, 1, 97]), one, 1);
    await first;
    await block.finish();
    await expect(block.finish()).rejects.toThrow('finished');
  });

  it('stops when the sink does', async () => {
    const block = new BlockWriter({ chunks: () => Promise.reject(new Error('no space')) }, { partBytes: 16 });
    await expect(block.add(new Uint8Array([1, 97, 1, 97]), one, 1)).rejects.toThrow('no space');
    await expect(block.finish()).rejects.toThrow('has failed');
  });

  it('checks its options', () => {
    expect(() => new BlockWriter(new MemorySink(), { partBytes: 0 })).toThrow(BlockError);
    expect(() => new BlockWriter(new MemorySink(), { segmentBytes: 2 ** 32 })).toThrow(BlockError);
  });
});

it('keeps no objects: 20,000 series take little time', async () => {
  const block = new BlockWriter({ chunks: async () => {} });
  const samples = columns(1);
  for (let i = 0; i < 20_000; i++) {
    const id = String(i).padStart(6, '0');
    await block.add(
      canonical([
        { name: 'id', value: id },
        { name: 'job', value: 'x' },
      ]),
      samples,
      1,
    );
  }
  const { index } = await block.finish();
  expect(readPostings(readIndex(index), 'job', 'x')).toHaveLength(20_000);
});
