/**
 * What committed blocks hold already, of the range of a cut that is late, or of a tenant whose number of shards changed. Of a series, it withholds the samples whose timestamp is taken there: the same
 * value again is a duplicate, another one a conflict, as everywhere. So blocks of one range have no timestamp of a series in common, and whoever reads
 * them together sees the value that came first: Prometheus takes any.
 *
 * Memory: two windows and the symbols of each block, and a chunk; what would take more than SYMBOL_BYTES_MAX is not compared, and said.
 */

import type { MixedColumns } from '../block/columns.ts';
import { BlockError } from '../block/error.ts';
import { sameCounts } from '../block/histogram-plan.ts';
import { BlockScan } from '../block/scan.ts';
import { CHUNK_SAMPLES_MAX } from '../block/xor.ts';
import type { MergedSeries } from '../digest/merge.ts';
import { conflictText, type Repeats, sampleText } from '../digest/settle.ts';
import { RANGE_MS } from '../model/sample.ts';
import type { BlockStatus, BucketDoor } from './doors.ts';
import type { Cut } from '../digest/shelf.ts';

/** Symbols of all blocks that are compared with: twice this with their places. */
const SYMBOL_BYTES_MAX = 24 * 2 ** 20;
/** Windows of all blocks together, and of one. */
const WINDOWS_BYTES = 16 * 2 ** 20;
const WINDOW_BYTES_MIN = 64 * 2 ** 10;
const WINDOW_BYTES_MAX = 2 ** 20;

/**
 * Those of a tenant's blocks that may hold samples of a cut, of any shard: what was sent again after the number of shards changed, at `changesMs`, may
 * stand in another one's too. A first cut is compared with none unless that was since its range began, which is seldom.
 */
export function blocksBefore(cut: Cut, blocks: readonly BlockStatus[], changesMs: readonly number[] = []): string[] {
  if (!mayRepeat(cut, changesMs)) return [];
  const endMs = cut.rangeStartMs + RANGE_MS;
  return blocks.filter(({ minTime, maxTime }) => minTime < endMs && maxTime > cut.rangeStartMs).map(({ ulid }) => ulid);
}

export const mayRepeat = ({ late, rangeStartMs }: Cut, changesMs: readonly number[]): boolean =>
  late || changesMs.some((changeMs) => changeMs >= rangeStartMs);

/** Where blocks are, and whom to tell of one that cannot be compared with. */
export interface CommittedDoors {
  readonly bucket: Pick<BucketDoor, 'range'>;
  readonly key: (ulid: string, file: string) => string;
  readonly warn: (text: string) => void;
}

export class Committed implements Repeats {
  duplicates = 0;
  conflicts = 0;
  conflictExample: string | null = null;
  readonly #scans: { readonly ulid: string; readonly scan: BlockScan; isGood: boolean }[] = [];
  readonly #warn: (text: string) => void;
  readonly #chunk: MixedColumns = {
    t: new Float64Array(CHUNK_SAMPLES_MAX),
    hi: new Uint32Array(CHUNK_SAMPLES_MAX),
    lo: new Uint32Array(CHUNK_SAMPLES_MAX),
    histograms: null,
  };
  /** Which samples of the series at hand are withheld. */
  #taken = new Uint8Array(256);

  private constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  /** Blocks that are gone (someone else compacts the bucket) or damaged are left out. */
  static async open(ulids: readonly string[], { bucket, key, warn }: CommittedDoors): Promise<Committed> {
    const committed = new Committed(warn);
    const share = Math.floor(WINDOWS_BYTES / 2 / ulids.length);
    const windowBytes = Math.min(WINDOW_BYTES_MAX, Math.max(WINDOW_BYTES_MIN, share));
    let symbolBytesMax = SYMBOL_BYTES_MAX;
    for (const ulid of ulids) {
      const files = {
        read: (file: string, offset: number, length: number) => bucket.range(key(ulid, file), offset, length),
      };
      try {
        const scan = await BlockScan.open(files, { windowBytes, symbolBytesMax });
        if (scan === null) continue;
        symbolBytesMax -= scan.symbolBytes;
        committed.#scans.push({ ulid, scan, isGood: true });
      } catch (error) {
        committed.#leaveOut(ulid, error);
      }
    }
    return committed;
  }

  /** Removes from the columns what is taken, and returns how many samples are left. Series come in the order of their labels. */
  async withhold(series: MergedSeries): Promise<number> {
    const { labels, t, count } = series;
    if (this.#taken.length < count) this.#taken = new Uint8Array(2 * count);
    this.#taken.fill(0, 0, count);
    let left = count;
    for (const known of this.#scans) {
      if (!known.isGood) continue;
      try {
        for (const chunk of await known.scan.find(labels)) {
          if (chunk.maxTime < t[0]! || chunk.minTime > t[count - 1]!) continue;
          left -= this.#compare(series, await known.scan.decode(chunk, this.#chunk));
        }
      } catch (error) {
        this.#leaveOut(known.ulid, error);
        known.isGood = false;
      }
    }
    if (left < count) this.#remove(series);
    return left;
  }

  /** Marks the samples whose timestamps are among the `known` ones of the chunk, and returns how many were not marked before. */
  #compare(series: MergedSeries, known: number): number {
    const { t, count } = series;
    const chunk = this.#chunk;
    let marked = 0;
    for (let i = lowerBound(t, count, chunk.t[0]!), k = 0; i < count && k < known;) {
      if (t[i]! < chunk.t[k]!) i++;
      else if (t[i]! > chunk.t[k]!) k++;
      else {
        if (this.#taken[i] === 0) {
          this.#taken[i] = 1;
          marked++;
          if (isSame(series, i, chunk, k)) this.duplicates++;
          else {
            this.conflicts++;
            this.conflictExample ??= conflictText(series.labels, t[i]!, sampleText(chunk, k), sampleText(series, i));
          }
        }
        i++;
        k++;
      }
    }
    return marked;
  }

  #remove({ t, hi, lo, histograms, count }: MergedSeries): void {
    for (let i = 0, kept = 0; i < count; i++) {
      if (this.#taken[i] === 1) continue;
      t[kept] = t[i]!;
      hi[kept] = hi[i]!;
      lo[kept] = lo[i]!;
      if (histograms !== null) histograms[kept] = histograms[i];
      kept++;
    }
  }

  #leaveOut(ulid: string, error: unknown): void {
    // A bucket that does not answer is no block that is not there: the cut comes again.
    if (!(error instanceof BlockError)) throw error;
    this.#warn(`samples are not compared with block ${ulid}: ${error.message}`);
  }
}

/** The first of `count` ascending times that is not before `from`. */
function lowerBound(t: Float64Array, count: number, from: number): number {
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (t[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isSame(a: MixedColumns, i: number, b: MixedColumns, k: number): boolean {
  const [x, y] = [a.histograms?.[i], b.histograms?.[k]];
  if (x !== undefined && y !== undefined) return sameCounts(x, y);
  return x === y && a.hi[i] === b.hi[k] && a.lo[i] === b.lo[k];
}
