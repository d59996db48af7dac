/**
 * Writes a block: series come in order, chunks go out as they fill, and the index is made at the end. It holds no samples but those
 * of the chunk being filled, and of a series only ids and chunk places (series.ts). It does not write meta.json (meta.ts): a block
 * is complete when that exists, so it comes last and from elsewhere.
 *
 * The invariant: what has been handed to the sink is never wrong, only unfinished. After an error the writer refuses to go on.
 */

import type { Histogram } from '../model/histogram.ts';
import { RANGE_MS, rangeStart } from '../model/sample.ts';
import { type BlockSink, ChunkFiles } from './chunks.ts';
import { ENCODING_XOR, encodingOf, type MixedColumns } from './columns.ts';
import { BlockError } from './error.ts';
import { HistogramEncoder } from './histogram-chunk.ts';
import { planChunk, valuesFor } from './histogram-plan.ts';
import { writeIndex } from './index.ts';
import { SeriesTable } from './series.ts';
import { type SampleColumns, XorEncoder } from './xor.ts';

/** How many samples a chunk aims at (Prometheus' DefaultSamplesPerChunk). */
const CHUNK_SAMPLES = 120;

/**
 * A chunk that has grown past this ends (Prometheus' head: 1,024 bytes, less the 19 that one more sample may take): readers
 * fetch chunks by an estimate of their size.
 */
const CHUNK_BYTES = 1005;

/** A chunk of histograms ends at so many bytes, but has this many samples where there are as many (Prometheus' head); never more than the last. */
const HISTOGRAM_CHUNK_BYTES = 1024;
const HISTOGRAM_CHUNK_SAMPLES_MIN = 10;
const HISTOGRAM_CHUNK_SAMPLES_MAX = 240;

export interface BlockWriterOptions {
  /** Size of the parts handed to the sink, in bytes. R2 wants 5 MiB at least. */
  readonly partBytes?: number;
  /** Size at which the next chunk file begins, in bytes. */
  readonly segmentBytes?: number;
}

export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples: number;
  /** Absent when there are none. */
  readonly numHistogramSamples?: number;
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
  readonly #histogramEncoder = new HistogramEncoder();
  #samples = 0;
  #histograms = 0;
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
  async add(labels: Uint8Array, columns: SampleColumns & Partial<MixedColumns>, count: number): Promise<void> {
    this.#enter();
    const { t, hi, lo } = columns;
    if (!(count > 0)) throw new BlockError('a series needs at least one sample');
    if (count > Math.min(t.length, hi.length, lo.length))
      throw new BlockError(`columns hold fewer than ${count} samples`);
    this.#series.add(labels);
    const histograms = columns.histograms ?? null;
    for (let i = 0, runEnd = 0; i < count;) {
      if (i === runEnd) {
        runEnd = endOfRange(t, i, count);
        if (histograms !== null) runEnd = endOfKind(histograms, i, runEnd);
      }
      if (i > 0 && !(t[i]! > t[i - 1]!)) throw new BlockError(`timestamp ${t[i]} is not after ${t[i - 1]}`);
      if (histograms?.[i] === undefined) i = this.#addChunk(columns, i, i + chunkSamples(runEnd - i));
      else i = this.#addHistograms(t, histograms, i, Math.min(runEnd, i + HISTOGRAM_CHUNK_SAMPLES_MAX));
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
        numFloatSamples: this.#samples - this.#histograms,
        ...(this.#histograms > 0 ? { numHistogramSamples: this.#histograms } : {}),
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
    this.#series.addChunk(t[start]!, t[i - 1]!, this.#files.add(encoder, ENCODING_XOR));
    this.#chunks++;
    return i;
  }

  /** The same for histograms, which all are of one kind. Fewer also where they cannot be in one chunk. */
  #addHistograms(t: Float64Array, histograms: readonly (Histogram | undefined)[], start: number, end: number): number {
    const first = histograms[start]!;
    const before = start > 0 ? histograms[start - 1] : undefined;
    const plan = planChunk(histograms, start, end, before?.isFloat === first.isFloat ? before : null);
    const encoder = this.#histogramEncoder;
    encoder.begin(plan.layout, first.isFloat, plan.header);
    let i = start;
    while (i < plan.end && (encoder.byteLength < HISTOGRAM_CHUNK_BYTES || i - start < HISTOGRAM_CHUNK_SAMPLES_MIN)) {
      encoder.append(t[i]!, valuesFor(plan.layout, histograms[i]!));
      i++;
    }
    this.#series.addChunk(t[start]!, t[i - 1]!, this.#files.add(encoder, encoder.encoding));
    this.#chunks++;
    this.#histograms += i - start;
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

/** Index of the first sample of [start, end) that needs another encoding than the one at `start`, or `end`. */
function endOfKind(histograms: readonly (Histogram | undefined)[], start: number, end: number): number {
  const encoding = encodingOf(histograms[start]);
  let i = start + 1;
  while (i < end && encodingOf(histograms[i]) === encoding) i++;
  return i;
}

/**
 * Samples of the next chunk when `left` are left in the range. Chunks of a range are of equal size, from 120 to 239 samples
 * (Prometheus plans the same, by time), so that one sample too many does not become a chunk of its own.
 */
function chunkSamples(left: number): number {
  return Math.ceil(left / Math.max(1, Math.floor(left / CHUNK_SAMPLES)));
}
