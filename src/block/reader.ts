/**
 * The parts of a block as they are read back, each from whatever bytes hold it. Every length is checked against what is there and every checksum
 * against its bytes, before anything is believed or allocated.
 *
 * Format: FORMAT.md. Only version 2 of the index is read; decoding the chunks is left to the caller (xor.ts, histogram-chunk.ts).
 */

import { compareBytes } from '../model/bytes.ts';
import { checkCrc, countOf, Cursor, section, u32At } from './cursor.ts';
import { BlockError } from './error.ts';
import { TOC_BYTES } from './index.ts';

/** Offsets of the index's sections, in bytes from its start. */
export interface Toc {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelOffsetTable: number;
  readonly postings: number;
  readonly postingsOffsetTable: number;
}

/** Where each symbol's bytes are. Symbols are a varint apart. */
export interface Symbols {
  readonly symbolStarts: Uint32Array;
  readonly symbolEnds: Uint32Array;
}

/** A chunk as the index knows it. Both times are inclusive, Unix ms. */
export interface ChunkMeta {
  readonly minTime: number;
  readonly maxTime: number;
  /** Number of the chunk's file, from 1, and where its record begins in it. */
  readonly file: number;
  readonly offset: number;
}

/** A chunk record in the bytes that were given: its data is bytes [start, end), the next record begins at `next`. */
export interface ChunkRecord {
  readonly encoding: number;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/** The table of contents: the last TOC_BYTES of an index, which begin at `start`. */
export function readToc(tail: Uint8Array, start: number): Toc {
  if (tail.length !== TOC_BYTES) throw new BlockError(`table of contents of ${tail.length} bytes`, 0);
  checkCrc(tail, 0, TOC_BYTES - 4, u32At(tail, TOC_BYTES - 4), 'table of contents');
  const cursor = new Cursor(tail);
  const toc: Toc = {
    symbols: cursor.u64('offset of symbols'),
    series: cursor.u64('offset of series'),
    labelIndices: cursor.u64('offset of label indices'),
    labelOffsetTable: cursor.u64('offset of the label offset table'),
    postings: cursor.u64('offset of postings'),
    postingsOffsetTable: cursor.u64('offset of the postings offset table'),
  };
  const { symbols, series, postings, postingsOffsetTable } = toc;
  if (!(5 <= symbols && symbols <= series && series <= postings && postings <= postingsOffsetTable)) {
    throw new BlockError('sections in the table of contents are not in order', start);
  }
  if (postingsOffsetTable > start) throw new BlockError('postings offset table is not inside the index', start);
  return toc;
}

/** The symbols whose section begins at `start` of `bytes`, and ends before `limit`. */
export function readSymbols(bytes: Uint8Array, start: number, limit: number): Symbols {
  const cursor = section(bytes, start, limit, 'symbols');
  const count = countOf(cursor, 1, 'symbols');
  const symbolStarts = new Uint32Array(count);
  const symbolEnds = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    symbolStarts[i] = cursor.skip(cursor.uvarint('symbol length'), 'symbol');
    symbolEnds[i] = cursor.offset;
    if (
      i > 0 &&
      compareBytes(bytes, symbolStarts[i - 1]!, symbolEnds[i - 1]!, bytes, symbolStarts[i]!, symbolEnds[i]!) >= 0
    ) {
      throw new BlockError(`symbol ${i} does not come after the one before`, symbolStarts[i]);
    }
  }
  return { symbolStarts, symbolEnds };
}

/** The chunks of a series: what its entry ends with. */
export function readChunkMetas(cursor: Cursor): ChunkMeta[] {
  const chunks: ChunkMeta[] = [];
  let maxTime = 0;
  let ref = 0;
  for (let i = 0, count = cursor.uvarint('chunk count'); i < count; i++) {
    const minTime = i === 0 ? cursor.varint('chunk start') : maxTime + cursor.uvarint('chunk start');
    if (i > 0 && minTime <= maxTime) throw new BlockError('chunks of a series overlap', cursor.offset);
    maxTime = minTime + cursor.uvarint('chunk end');
    ref = i === 0 ? cursor.uvarint('chunk ref') : ref + cursor.varint('chunk ref');
    if (!(ref >= 0 && Number.isSafeInteger(ref) && Number.isSafeInteger(maxTime))) {
      throw new BlockError('chunk ref or time is out of bounds', cursor.offset);
    }
    chunks.push({ minTime, maxTime, file: Math.floor(ref / 0x1_0000_0000) + 1, offset: ref % 0x1_0000_0000 });
  }
  if (cursor.left > 0) throw new BlockError(`${cursor.left} bytes left over in a series`, cursor.offset);
  return chunks;
}

/** The chunk record at `offset` of `bytes`, its checksum verified. `bytes` may be a whole chunk file or a piece of one. */
export function readChunk(bytes: Uint8Array, offset: number): ChunkRecord {
  const cursor = new Cursor(bytes, offset);
  const length = cursor.uvarint('chunk length');
  const encoding = cursor.u8('chunk encoding');
  const start = cursor.skip(length, 'chunk');
  checkCrc(bytes, start - 1, start + length, cursor.u32('chunk checksum'), 'chunk');
  return { encoding, start, end: start + length, next: cursor.offset };
}
