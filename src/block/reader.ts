/**
 * Reads a block back: its index, which must be in memory as a whole, and chunk records from whatever bytes hold them. Every length
 * is checked against what is there and every checksum against its bytes, before anything is believed or allocated.
 *
 * Format: FORMAT.md. Only version 2 of the index is read; decoding the chunks is left to the caller (xor.ts, histogram-chunk.ts).
 */

import type { Label, Labels } from '../model/labels.ts';
import { CHUNKS_HEADER_BYTES, CHUNKS_MAGIC, CHUNKS_VERSION } from './chunks.ts';
import { checkCrc, countOf, Cursor, section, u32At } from './cursor.ts';
import { BlockError } from './error.ts';
import { INDEX_MAGIC, INDEX_VERSION, SERIES_ALIGN, TOC_BYTES } from './index.ts';
import { compareBytes } from '../model/bytes.ts';

/** Offsets of the index's sections, in bytes from its start. */
export interface Toc {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelOffsetTable: number;
  readonly postings: number;
  readonly postingsOffsetTable: number;
}

/** An index, ready to be asked. Postings table: columns, one entry a label, ascending by name and value. */
export interface BlockIndex {
  readonly bytes: Uint8Array;
  readonly toc: Toc;
  /** Where each symbol's bytes are: start of each, and behind the last one its end. Symbols are a varint apart. */
  readonly symbolStarts: Uint32Array;
  readonly symbolEnds: Uint32Array;
  /** Range [first, end) of each label name in the columns below. The name '' has one value, '': all series. */
  readonly names: ReadonlyMap<string, readonly [first: number, end: number]>;
  readonly valueStarts: Uint32Array;
  readonly valueEnds: Uint32Array;
  readonly postingsOffsets: Float64Array;
}

/** A chunk as the index knows it. Both times are inclusive, Unix ms. */
export interface ChunkMeta {
  readonly minTime: number;
  readonly maxTime: number;
  /** Number of the chunk's file, from 1, and where its record begins in it. */
  readonly file: number;
  readonly offset: number;
}

export interface BlockSeries {
  readonly labels: Labels;
  readonly chunks: readonly ChunkMeta[];
}

/** A chunk record in the bytes that were given: its data is bytes [start, end), the next record begins at `next`. */
export interface ChunkRecord {
  readonly encoding: number;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads the parts of an index that every question needs. Throws BlockError when it is damaged or of another version. */
export function readIndex(bytes: Uint8Array): BlockIndex {
  const head = new Cursor(bytes);
  if (head.u32('index magic') !== INDEX_MAGIC) throw new BlockError('not an index file: wrong magic', 0);
  const version = head.u8('index version');
  if (version !== INDEX_VERSION) throw new BlockError(`index version ${version}, only ${INDEX_VERSION} is read`, 4);
  const tocStart = bytes.length - TOC_BYTES;
  if (tocStart < 5) throw new BlockError(`index of ${bytes.length} bytes has no room for its table of contents`, 0);
  const toc = readToc(bytes.subarray(tocStart), tocStart);
  return { bytes, toc, ...readSymbols(bytes, toc.symbols, toc.series), ...readPostingsTable(bytes, toc) };
}

/** Ids of the series with this label, ascending; none when no series has it. `('', '')` is all series. */
export function readPostings(index: BlockIndex, name: string, value: string): Uint32Array {
  const entry = findValue(index, name, value);
  if (entry < 0) return new Uint32Array(0);
  const cursor = section(index.bytes, index.postingsOffsets[entry]!, index.toc.postingsOffsetTable, 'postings');
  const count = cursor.u32('postings count');
  if (4 * count !== cursor.left)
    throw new BlockError(`postings of ${count} series in ${cursor.left} bytes`, cursor.offset);
  const ids = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    ids[i] = cursor.u32('series id');
    if (i > 0 && ids[i]! <= ids[i - 1]!) throw new BlockError('postings do not ascend', cursor.offset - 4);
  }
  return ids;
}

/** All values of a label, ascending by bytes. */
export function readLabelValues(index: BlockIndex, name: string): string[] {
  const [first, end] = index.names.get(name) ?? [0, 0];
  const values: string[] = [];
  for (let i = first; i < end; i++) values.push(decode(index.bytes, index.valueStarts[i]!, index.valueEnds[i]!));
  return values;
}

/** The series with an id of the postings. */
export function readSeries(index: BlockIndex, id: number): BlockSeries {
  const { bytes, toc } = index;
  const offset = id * SERIES_ALIGN;
  if (!(offset >= toc.series && offset < toc.postings))
    throw new BlockError(`series ${id} is not in the index`, offset);
  const frame = new Cursor(bytes, offset, toc.postings);
  const length = frame.uvarint('series length');
  const start = frame.skip(length, 'series');
  checkCrc(bytes, start, start + length, frame.u32('series checksum'), 'series');
  const cursor = new Cursor(bytes, start, start + length);

  const labels: Label[] = [];
  for (let left = cursor.uvarint('label count'); left > 0; left--) {
    const name = symbol(index, cursor.uvarint('label name'), cursor.offset);
    labels.push({ name, value: symbol(index, cursor.uvarint('label value'), cursor.offset) });
  }
  return { labels, chunks: readChunkMetas(cursor) };
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

/** All series, in order. */
export function* allSeries(index: BlockIndex): Generator<BlockSeries> {
  for (const id of readPostings(index, '', '')) yield readSeries(index, id);
}

/** Checks the first eight bytes of a chunk file. */
export function checkChunksHeader(bytes: Uint8Array): void {
  const cursor = new Cursor(bytes);
  if (cursor.u32('chunks magic') !== CHUNKS_MAGIC) throw new BlockError('not a chunk file: wrong magic', 0);
  const version = cursor.u8('chunks version');
  if (version !== CHUNKS_VERSION)
    throw new BlockError(`chunk file version ${version}, only ${CHUNKS_VERSION} is read`, 4);
  cursor.skip(CHUNKS_HEADER_BYTES - 5, 'chunks header');
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
export function readSymbols(
  bytes: Uint8Array,
  start: number,
  limit: number,
): Pick<BlockIndex, 'symbolStarts' | 'symbolEnds'> {
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

type PostingsTable = Pick<BlockIndex, 'names' | 'valueStarts' | 'valueEnds' | 'postingsOffsets'>;

function readPostingsTable(bytes: Uint8Array, toc: Toc): PostingsTable {
  const cursor = section(bytes, toc.postingsOffsetTable, bytes.length - TOC_BYTES, 'postings offset table');
  const count = countOf(cursor, 4, 'postings');
  const names = new Map<string, [number, number]>();
  const valueStarts = new Uint32Array(count);
  const valueEnds = new Uint32Array(count);
  const postingsOffsets = new Float64Array(count);
  let range: [number, number] = [0, 0];
  let lastStart = 0;
  let lastEnd = 0;
  for (let i = 0; i < count; i++) {
    if (cursor.uvarint('key count') !== 2) throw new BlockError('postings with other than two keys', cursor.offset);
    const nameStart = cursor.skip(cursor.uvarint('label name length'), 'label name');
    const nameEnd = cursor.offset;
    valueStarts[i] = cursor.skip(cursor.uvarint('label value length'), 'label value');
    valueEnds[i] = cursor.offset;
    postingsOffsets[i] = cursor.uvarint('postings offset');
    const order = i === 0 ? -1 : compareBytes(bytes, lastStart, lastEnd, bytes, nameStart, nameEnd);
    if (order > 0) throw new BlockError('label names in the postings offset table do not ascend', nameStart);
    if (order < 0) {
      range = [i, i];
      names.set(decode(bytes, nameStart, nameEnd), range);
    } else if (
      compareBytes(bytes, valueStarts[i - 1]!, valueEnds[i - 1]!, bytes, valueStarts[i]!, valueEnds[i]!) >= 0
    ) {
      throw new BlockError('label values in the postings offset table do not ascend', valueStarts[i]);
    }
    range[1] = i + 1;
    lastStart = nameStart;
    lastEnd = nameEnd;
  }
  return { names, valueStarts, valueEnds, postingsOffsets };
}

/** Entry of a label in the postings table, or -1. */
function findValue(index: BlockIndex, name: string, value: string): number {
  const { bytes, valueStarts, valueEnds } = index;
  const wanted = new TextEncoder().encode(value);
  let [from, to] = index.names.get(name) ?? [0, 0];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = compareBytes(bytes, valueStarts[middle]!, valueEnds[middle]!, wanted, 0, wanted.length);
    if (order === 0) return middle;
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return -1;
}

function symbol(index: BlockIndex, ordinal: number, offset: number): string {
  const start = index.symbolStarts[ordinal];
  if (start === undefined) throw new BlockError(`symbol ${ordinal} of ${index.symbolStarts.length}`, offset);
  return decode(index.bytes, start, index.symbolEnds[ordinal]!);
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  try {
    return text.decode(bytes.subarray(start, end));
  } catch {
    throw new BlockError('label is not UTF-8', start);
  }
}
