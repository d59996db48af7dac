import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { MixedColumns } from '../../src/block/columns.ts';
import { decodeHistograms, HistogramEncoder } from '../../src/block/histogram-chunk.ts';
import { readIndex, readPostings, readSeries } from './index-reader.ts';
import { histogram, STALE_SUM, type TestHistogram } from '../model/histograms.ts';
import { mixedColumns, textsOf } from './mixed.ts';
import { columns, expected, hex, readBlock, series, STALE, writeBlock } from './help.ts';

/** The bytes of the blocks that are marked `hex`; what follows # is comment. */
async function examples(): Promise<Uint8Array[]> {
  const page = await readFile(fileURLToPath(import.meta.resolve('../../src/block/FORMAT.md')), 'utf8');
  return [...page.matchAll(/^```hex\n(.*?)^```/gms)].map(
    (match) => new Uint8Array(Buffer.from(match[1]!.replaceAll(/#.*|\s/g, ''), 'hex')),
  );
}

const example = series({ __name__: 'up', job: 'a' }, [
  [1000, 1],
  [16_000, 2],
  [31_000, 3],
  [7_200_000, STALE],
]);

it('the worked example of FORMAT.md is what it says', async () => {
  const [chunks, index] = await examples();
  expect(readBlock(index!, [chunks!])).toEqual(expected([example]));
  const opened = readIndex(index!);
  expect(readPostings(opened, 'job', 'a')).toEqual(new Uint32Array([3]));
  expect(readSeries(opened, 3).chunks).toEqual([
    { minTime: 1000, maxTime: 31_000, file: 1, offset: 8 },
    { minTime: 7_200_000, maxTime: 7_200_000, file: 1, offset: 33 },
  ]);
});

it('and what the writer writes', async () => {
  const block = await writeBlock([example]);
  expect([...block.files, block.index].map(hex)).toEqual((await examples()).slice(0, 2).map(hex));
});

it('so are those of histograms', async () => {
  const [, , integer, float] = await examples();
  for (const [bytes, samples] of [
    [
      integer!,
      [
        [1000, { positive: { 1: 3, 2: 1 }, sum: 7.5 }],
        [16_000, { positive: { 1: 4, 2: 1 }, sum: 9 }],
      ],
    ],
    [
      float!,
      [
        [1000, { isFloat: true, hint: 3, schema: -53, bounds: [0.5, 2], positive: { 0: 1.5, 2: 2 }, sum: 10 }],
        [2000, { isFloat: true, hint: 3, sum: STALE_SUM }],
      ],
    ],
  ] as [Uint8Array, [number, TestHistogram][]][]) {
    const all = samples.map(([t, of]) => ({ t, of, histogram: histogram(of) }));
    const { isFloat, resetHint } = all[0]!.histogram;
    const out: MixedColumns = { ...columns(2), histograms: null };
    expect(decodeHistograms(bytes, 0, bytes.length, isFloat, out, 0)).toBe(2);
    expect(textsOf(out, 2)).toEqual(mixedColumns(all.map(({ t, of }) => ({ t, histogram: of }))).texts);
    const encoder = new HistogramEncoder();
    encoder.begin(all[0]!.histogram, isFloat, resetHint);
    for (const { t, histogram } of all) encoder.append(t, histogram.values);
    expect(hex(encoder.bytes())).toBe(hex(bytes));
  }
});
