import { concat } from '../../src/model/bytes.ts';
import { type Labels, labelsFrom } from '../../src/model/labels.ts';
import type { BlockSink } from '../../src/block/chunks.ts';
import { readChunk } from '../../src/block/reader.ts';
import { checkChunksHeader, readIndex, allSeries } from './index-reader.ts';
import { BlockWriter, type BlockWriterOptions, type WrittenBlock } from '../../src/block/writer.ts';
import { decodeXor, type SampleColumns, XorEncoder } from '../../src/block/xor.ts';

/** A sample as tests write it: Unix ms, and the value or its 64 bits. */
export type TestSample = readonly [t: number, value: number | bigint];

export interface TestSeries {
  readonly labels: Labels;
  readonly samples: readonly TestSample[];
}

export const STALE = 0x7ff0000000000002n;

export const series = (labels: Record<string, string>, samples: readonly TestSample[]): TestSeries => ({
  labels: labelsFrom(Object.entries(labels)),
  samples,
});

/** The bits of a value, as 16 hex digits. */
export function hexOf(value: number | bigint): string {
  const view = new DataView(new ArrayBuffer(8));
  if (typeof value === 'bigint') view.setBigUint64(0, value);
  else view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

export function columns(length: number): SampleColumns {
  return { t: new Float64Array(length), hi: new Uint32Array(length), lo: new Uint32Array(length) };
}

export function columnsOf(samples: readonly TestSample[]): SampleColumns {
  const out = columns(samples.length);
  samples.forEach(([t, value], i) => {
    const hex = hexOf(value);
    out.t[i] = t;
    out.hi[i] = Number.parseInt(hex.slice(0, 8), 16);
    out.lo[i] = Number.parseInt(hex.slice(8), 16);
  });
  return out;
}

/** `1000=3ff0000000000000`: equality of these is equality of bits. */
export function textOf({ t, hi, lo }: SampleColumns, count: number): string[] {
  const hex = (half: number): string => half.toString(16).padStart(8, '0');
  return Array.from({ length: count }, (_, i) => `${t[i]}=${hex(hi[i]!)}${hex(lo[i]!)}`);
}

export function encode(samples: readonly TestSample[]): Uint8Array {
  const { t, hi, lo } = columnsOf(samples);
  const encoder = new XorEncoder();
  for (let i = 0; i < samples.length; i++) encoder.append(t[i]!, hi[i]!, lo[i]!);
  return encoder.bytes();
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function canonical(labels: Labels): Uint8Array {
  const parts = labels
    .flatMap(({ name, value }) => [name, value])
    .flatMap((string) => {
      const bytes = new TextEncoder().encode(string);
      const length = [];
      let rest = bytes.length;
      for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
      return [new Uint8Array([...length, rest]), bytes];
    });
  return concat(parts);
}

export class MemorySink implements BlockSink {
  readonly parts: { file: number; bytes: Uint8Array; last: boolean }[] = [];

  async chunks(file: number, part: Uint8Array, last: boolean): Promise<void> {
    this.parts.push({ file, bytes: part, last });
  }

  get files(): Uint8Array[] {
    const numbers = [...new Set(this.parts.map((part) => part.file))];
    return numbers.map((file) => concat(this.parts.filter((part) => part.file === file).map((part) => part.bytes)));
  }
}

export interface TestBlock extends WrittenBlock {
  readonly sink: MemorySink;
  readonly files: readonly Uint8Array[];
}

export async function writeBlock(all: Iterable<TestSeries>, options?: BlockWriterOptions): Promise<TestBlock> {
  const sink = new MemorySink();
  const writer = new BlockWriter(sink, options);
  for (const { labels, samples } of all) await writer.add(canonical(labels), columnsOf(samples), samples.length);
  const written = await writer.finish();
  return { ...written, sink, files: sink.files };
}

const room = columns(65_535);

/** Everything in a block: labels, and samples with their bits. Checks the chunk metas against the chunks on the way. */
export function readBlock(index: Uint8Array, files: readonly Uint8Array[]): { labels: Labels; samples: string[] }[] {
  files.forEach(checkChunksHeader);
  return [...allSeries(readIndex(index))].map(({ labels, chunks }) => {
    const samples = chunks.flatMap(({ file, offset, minTime, maxTime }) => {
      const record = readChunk(files[file - 1]!, offset);
      if (record.encoding !== 1) throw new Error(`encoding ${record.encoding}`);
      const count = decodeXor(files[file - 1]!, record.start, record.end, room, 0);
      if (room.t[0] !== minTime || room.t[count - 1] !== maxTime) throw new Error('chunk meta and chunk disagree');
      return textOf(room, count);
    });
    return { labels, samples };
  });
}

/** What readBlock() gives for series that were written faithfully. */
export const expected = (all: Iterable<TestSeries>): { labels: Labels; samples: string[] }[] =>
  [...all].map(({ labels, samples }) => ({ labels, samples: textOf(columnsOf(samples), samples.length) }));
