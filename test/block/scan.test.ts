import { describe, expect, it } from 'vitest';
import type { MixedColumns } from '../../src/block/columns.ts';
import { BlockError } from '../../src/block/error.ts';
import { BlockScan } from '../../src/block/scan.ts';
import { type Labels, labelsFrom } from '../../src/model/labels.ts';
import { mutate, Rng } from '../encoding/damage.ts';
import { canonical, columns, expected, readBlock, series, type TestSeries, writeBlock } from './help.ts';
import { readMixed, textsOf, writeMixed } from './mixed.ts';

const T = 1.7e12;
const OPTIONS = { windowBytes: 512, symbolBytesMax: 1e6 };

interface Fetched {
  readonly file: string;
  readonly bytes: number;
}

function filesOf({ index, files }: { index: Uint8Array; files: readonly Uint8Array[] }, log: Fetched[] = []) {
  return {
    read: async (file: string, offset: number, length: number): Promise<Uint8Array | null> => {
      const bytes = file === 'index' ? index : files[Number(file.slice('chunks/'.length)) - 1];
      if (bytes === undefined) return null;
      const piece = offset < 0 ? bytes.slice(offset) : bytes.slice(offset, Math.min(offset + length, bytes.length));
      log.push({ file, bytes: piece.length });
      return piece;
    },
  };
}

const room: MixedColumns = { ...columns(65_535), histograms: null };

async function samplesOf(scan: BlockScan, labels: Labels): Promise<string[]> {
  const samples: string[] = [];
  for (const chunk of await scan.find(canonical(labels)))
    samples.push(...textsOf(room, await scan.decode(chunk, room)));
  return samples;
}

/** Series in the order of a block: names and values that share beginnings, some samples or several chunks of them. */
function someSeries(rng: Rng): TestSeries[] {
  const all = new Map<string, TestSeries>();
  for (let n = 0; n < 150; n++) {
    const labels: Record<string, string> = { __name__: `m${rng.below(8)}`, instance: `i${rng.below(40)}` };
    if (rng.below(3) === 0) labels['zone'] = 'é'.repeat(1 + rng.below(90));
    if (rng.below(3) === 0) labels['a'] = `m${rng.below(3)}`;
    const samples = Array.from({ length: rng.below(4) === 0 ? 500 : 1 + rng.below(9) }, (_, i): [number, number] => [
      T + i * 1000,
      rng.next(),
    ]);
    const one = series(labels, samples);
    all.set(JSON.stringify(one.labels), one);
  }
  return [...all.values()].sort((a, b) => compare(a.labels, b.labels));
}

function compare(a: Labels, b: Labels): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order =
      Buffer.compare(Buffer.from(a[i]!.name), Buffer.from(b[i]!.name)) ||
      Buffer.compare(Buffer.from(a[i]!.value), Buffer.from(b[i]!.value));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

describe('series of a block that lies elsewhere', () => {
  it('are found in order, whichever are asked for, in several files of chunks', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const rng = new Rng(seed);
      const all = someSeries(rng);
      const known = all.filter(() => rng.below(3) > 0);
      const block = await writeBlock(known, { segmentBytes: 8192 });
      expect(block.files.length).toBeGreaterThan(1);
      const scan = await BlockScan.open(filesOf(block), OPTIONS);
      const texts = new Map(expected(known).map(({ labels, samples }) => [labels, samples]));
      for (const { labels } of all.filter(() => rng.below(2) === 0)) {
        expect(await samplesOf(scan!, labels), `seed ${seed}, ${JSON.stringify(labels)}`).toEqual(
          texts.get(labels) ?? [],
        );
      }
    }
  });

  it('with histograms of both kinds', async () => {
    const block = await writeMixed([
      {
        labels: { __name__: 'a' },
        samples: [
          { t: T, histogram: { positive: { 1: 3 } } },
          { t: T + 1, histogram: { positive: { 1: 4, 2: 1 } } },
          { t: T + 2, value: 5 },
          { t: T + 3, histogram: { isFloat: true, positive: { 1: 0.5 } } },
        ],
      },
    ]);
    const scan = await BlockScan.open(filesOf(block), OPTIONS);
    expect(await samplesOf(scan!, labelsFrom([['__name__', 'a']]))).toEqual(readMixed(block)[0]!.samples);
  });

  it('take one fetch a window, and a series with an unknown symbol takes none', async () => {
    const samples = Array.from({ length: 100 }, (_, i): [number, number] => [T + i, Math.sqrt(i)]);
    const all = Array.from({ length: 500 }, (_, i) => series({ __name__: 'm', i: String(1000 + i) }, samples));
    const block = await writeBlock(all);
    const fetched: Fetched[] = [];
    const scan = await BlockScan.open(filesOf(block, fetched), { ...OPTIONS, windowBytes: 20_000 });
    expect(fetched.map(({ file }) => file)).toEqual(['index', 'index']);
    expect(await samplesOf(scan!, labelsFrom([['__name__', 'l']]))).toEqual([]);
    expect(fetched.length).toBe(2);
    for (const { labels } of all) await samplesOf(scan!, labels);
    const chunks = fetched.filter(({ file }) => file !== 'index');
    expect(chunks.length).toBeLessThanOrEqual(Math.ceil(block.files[0]!.length / 20_000) + 2);
    expect(chunks.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(block.files[0]!.length * 1.1);
    // A few series far apart cost a window each, not the file.
    const sparse: Fetched[] = [];
    const another = await BlockScan.open(filesOf(block, sparse), { ...OPTIONS, windowBytes: 2000 });
    for (const i of [3, 250, 490]) expect((await samplesOf(another!, all[i]!.labels)).length).toBe(100);
    expect(sparse.filter(({ file }) => file !== 'index').length).toBe(3);
  });

  it('of a block that is gone, or has more symbols than there is room for', async () => {
    expect(await BlockScan.open({ read: async () => null }, OPTIONS)).toBe(null);
    const block = await writeBlock([series({ __name__: 'a' }, [[T, 1]])]);
    await expect(BlockScan.open(filesOf(block), { ...OPTIONS, symbolBytesMax: 10 })).rejects.toThrow(BlockError);
    const noChunks = await BlockScan.open(filesOf({ index: block.index, files: [] }), OPTIONS);
    await expect(samplesOf(noChunks!, labelsFrom([['__name__', 'a']]))).rejects.toThrow('no chunks/000001');
  });
});

it('damage is a BlockError or changes nothing', async () => {
  const rng = new Rng(7);
  const all = someSeries(rng).slice(0, 12);
  const block = await writeBlock(all, { segmentBytes: 4096 });
  const whole = readBlock(block.index, block.files);
  let refused = 0;
  for (let n = 0; n < 3000; n++) {
    const index: Uint8Array = n % 2 === 0 ? mutate(block.index, rng) : block.index;
    const files = n % 2 === 0 ? block.files : block.files.map((file) => mutate(file, rng));
    try {
      const scan = await BlockScan.open(filesOf({ index, files }), OPTIONS);
      for (const { labels, samples } of whole) {
        const found = await samplesOf(scan!, labels);
        if (found.length > 0) expect(found).toEqual(samples);
      }
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(2000);
});
