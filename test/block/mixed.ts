/** Blocks of series whose samples are of any kind, written and read back as text. */

import type { MixedColumns } from '../../src/block/columns.ts';
import { decodeHistograms } from '../../src/block/histogram-chunk.ts';
import { readChunk } from '../../src/block/reader.ts';
import { allSeries, readIndex } from './index-reader.ts';
import { BlockWriter } from '../../src/block/writer.ts';
import { decodeXor } from '../../src/block/xor.ts';
import { type Labels, labelsFrom } from '../../src/model/labels.ts';
import { isStale } from '../../src/model/histogram.ts';
import { histogram, STALE_SUM, type TestHistogram, textOf as textOfHistogram } from '../model/histograms.ts';
import { canonical, columns, columnsOf, MemorySink, type TestBlock, textOf } from './help.ts';

export type MixedSample = { readonly t: number } & (
  { readonly value: number; readonly histogram?: undefined } | { readonly histogram: TestHistogram }
);

export interface MixedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly MixedSample[];
}

/** The samples as columns, and as the text that they must be read back as. */
export function mixedColumns(samples: readonly MixedSample[]): MixedColumns & { texts: string[] } {
  const plain = columnsOf(samples.map((one) => [one.t, one.histogram === undefined ? one.value : 0]));
  const histograms = samples.map((one) => {
    if (one.histogram === undefined) return undefined;
    const made = histogram(one.histogram);
    return isStale(made) ? histogram({ isFloat: made.isFloat, hint: made.resetHint, sum: STALE_SUM }) : made;
  });
  return { ...plain, histograms, texts: textsOf({ ...plain, histograms }, samples.length) };
}

export function textsOf(columns: MixedColumns, count: number): string[] {
  return textOf(columns, count).map((text, i) => {
    const h = columns.histograms?.[i];
    return h === undefined ? text : `${columns.t[i]}: ${textOfHistogram(h)}`;
  });
}

export async function writeMixed(all: readonly MixedSeries[]): Promise<TestBlock> {
  const sink = new MemorySink();
  const writer = new BlockWriter(sink);
  for (const { labels, samples } of all) {
    await writer.add(canonical(labelsFrom(Object.entries(labels))), mixedColumns(samples), samples.length);
  }
  const written = await writer.finish();
  return { ...written, sink, files: sink.files };
}

interface ReadChunk {
  readonly minTime: number;
  readonly maxTime: number;
  readonly encoding: number;
  readonly flags: number;
  readonly samples: number;
  readonly texts: readonly string[];
}

function chunksOf(block: TestBlock): { labels: Labels; chunks: ReadChunk[] }[] {
  return [...allSeries(readIndex(block.index))].map(({ labels, chunks }) => ({
    labels,
    chunks: chunks.map(({ file, offset, minTime, maxTime }) => {
      const bytes = block.files[file - 1]!;
      const { encoding, start, end } = readChunk(bytes, offset);
      const out: MixedColumns = { ...columns(1000), histograms: null };
      const samples =
        encoding === 1
          ? decodeXor(bytes, start, end, out, 0)
          : decodeHistograms(bytes, start, end, encoding === 3, out, 0);
      if (out.t[0] !== minTime || out.t[samples - 1] !== maxTime) throw new Error('chunk meta and chunk disagree');
      return { minTime, maxTime, encoding, flags: bytes[start + 2]!, samples, texts: textsOf(out, samples) };
    }),
  }));
}

export const readMixed = (block: TestBlock): { labels: Labels; samples: string[] }[] =>
  chunksOf(block).map(({ labels, chunks }) => ({ labels, samples: chunks.flatMap(({ texts }) => texts) }));

/** The chunks of all series. */
export const readMeta = (block: TestBlock): ReadChunk[] => chunksOf(block).flatMap(({ chunks }) => chunks);
