/**
 * Writes a block: series come in order, chunks go out as they fill, and the index is made at the end. It holds no samples but those
 * of the chunk being filled, and of a series only ids and chunk places (series.ts). It does not write meta.json (meta.ts): a block
 * is complete when that exists, so it comes last and from elsewhere.
 *
 * The invariant: what has been handed to the sink is never wrong, only unfinished. After an error the writer refuses to go on.
 */

import { RANGE_MS, rangeStart } from '../model/sample.ts';
import { type BlockSink, ChunkFiles } from './chunks.ts';
import { BlockError } from './error.ts';
import { writeIndex } from './index.ts';
import { SeriesTable } from './series.ts';
import { type SampleColumns, XorEncoder } from './xor.ts';

/** How many samples a chunk aims at (Prometheus' DefaultSamplesPerChunk). */
export const CHUNK_SAMPLES = 120;

/**
 * A chunk that has grown past this ends (Prometheus' head: 1,024 bytes, less the 19 that one more sample may take): readers
 * fetch chunks by an estimate of their size.
 */
export const CHUNK_BYTES = 1005;

export interface BlockWriterOptions {
  /** Size of the parts handed to the sink, in bytes. R2 wants 5 MiB at least. */
  readonly partBytes?: number;
  /** Size at which the next chunk file begins, in bytes. */
  readonly segmentBytes?: number;
}

export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples: number;
  readonly numSeries: number;
  readonly numChunks: number;
}

export interface WrittenBlock {
  /** The file `index`. */
  readonly index: Uint8Array<ArrayBuffer>;
  readonly stats: BlockStats;
  /** First timestamp, Unix ms. */
  readonly minTime: number;
  /** Last timestamp + 1, Unix ms: the block is [minTime, maxTime). */
  readonly maxTime: number;
  /** Largest series entry of the index, padding included, and largest chunk record, in bytes (Thanos' index_stats). */
  readonly seriesBytesMax: number;
  readonly chunkBytesMax: number;
}

export class BlockWriter {
  readonly #files: ChunkFiles;
  readonly #series = new SeriesTable();
  readonly #encoder = new XorEncoder();
  #samples = 0;
  #chunks = 0;
  #minTime = 0;
  #maxTime = 0;
  /** False while add() is at work, after it has failed, and after finish(). */
  #isOpen = true;

  constructor(sink: BlockSink, { partBytes = 8 * 2 ** 20, segmentBytes = 512 * 2 ** 20 }: BlockWriterOptions = {}) {
    this.#files = new ChunkFiles(sink, partBytes, segmentBytes);
  }

  /**
   * Adds a series with the first `count` samples of `columns`, all of which are read before the promise resolves and not kept.
   * `labels` is its label set as bytes (model/label-bytes.ts). Throws BlockError when the series does not come after the last one,
   * when a label is empty or out of order, and when there is no sample or time does not strictly ascend.
   */
  async add(labels: Uint8Array, columns: SampleColumns, count: number): Promise<void> {
    this.#enter();
    const { t, hi, lo } = columns;
    if (!(count > 0)) throw new BlockError('a series needs at least one sample');
    if (count > Math.min(t.length, hi.length, lo.length))
      throw new BlockError(`columns hold fewer than ${count} samples`);
    this.#series.add(labels);
    for (let i = 0, rangeEnd = 0; i < count;) {
      if (i === rangeEnd) rangeEnd = endOfRange(t, i, count);
      if (i > 0 && !(t[i]! > t[i - 1]!)) throw new BlockError(`timestamp ${t[i]} is not after ${t[i - 1]}`);
      i = this.#addChunk(columns, i, i + chunkSamples(rangeEnd - i));
      if (this.#files.isFull) await this.#files.flush();
    }
    const isFirst = this.#samples === 0;
    this.#minTime = isFirst ? t[0]! : Math.min(this.#minTime, t[0]!);
    this.#maxTime = isFirst ? t[count - 1]! + 1 : Math.max(this.#maxTime, t[count - 1]! + 1);
    this.#samples += count;
    this.#isOpen = true;
  }

  /**
   * Hands the last parts to the sink and makes the index. Without any series there is no chunk file, both times are 0, and the block
   * should not be kept: metaJson() refuses it.
   */
  async finish(): Promise<WrittenBlock> {
    this.#enter();
    await this.#files.finish();
    const { bytes, seriesBytesMax } = writeIndex(this.#series);
    return {
      index: bytes,
      stats: {
        numSamples: this.#samples,
        numFloatSamples: this.#samples,
        numSeries: this.#series.count,
        numChunks: this.#chunks,
      },
      minTime: this.#minTime,
      maxTime: this.#maxTime,
      seriesBytesMax,
      chunkBytesMax: this.#files.recordBytesMax,
    };
  }

  #enter(): void {
    if (!this.#isOpen)
      throw new BlockError('the block writer is at work, finished, or has failed: begin another block');
    this.#isOpen = false;
  }

  /** Writes samples [start, end) as a chunk, or fewer where they take too many bytes. Returns where the next one starts. */
  #addChunk({ t, hi, lo }: SampleColumns, start: number, end: number): number {
    const encoder = this.#encoder;
    encoder.reset();
    let i = start;
    while (i < end && encoder.byteLength <= CHUNK_BYTES) {
      encoder.append(t[i]!, hi[i]!, lo[i]!);
      i++;
    }
    this.#series.addChunk(t[start]!, t[i - 1]!, this.#files.add(encoder));
    this.#chunks++;
    return i;
  }
}

/** Index of the first sample in another range of two hours: a chunk never crosses into it. */
function endOfRange(t: Float64Array, start: number, count: number): number {
  const endMs = rangeStart(t[start]!) + RANGE_MS;
  let i = start + 1;
  while (i < count && t[i]! < endMs) i++;
  return i;
}

/**
 * Samples of the next chunk when `left` are left in the range. Chunks of a range are of equal size, from 120 to 239 samples
 * (Prometheus plans the same, by time), so that one sample too many does not become a chunk of its own.
 */
function chunkSamples(left: number): number {
  return Math.ceil(left / Math.max(1, Math.floor(left / CHUNK_SAMPLES)));
}
