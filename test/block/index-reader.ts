/** A whole index, in memory, asked as a query engine asks: what tests hold blocks against. It checks as much as `src/block/reader.ts`. */

import { CHUNKS_HEADER_BYTES, CHUNKS_MAGIC, CHUNKS_VERSION } from '../../src/block/chunks.ts';
import { checkCrc, countOf, Cursor, section } from '../../src/block/cursor.ts';
import { BlockError } from '../../src/block/error.ts';
import { INDEX_MAGIC, INDEX_VERSION, SERIES_ALIGN, TOC_BYTES } from '../../src/block/index.ts';
import {
  type ChunkMeta,
  readChunkMetas,
  readSymbols,
  readToc,
  type Symbols,
  type Toc,
} from '../../src/block/reader.ts';
import { compareBytes } from '../../src/model/bytes.ts';
import type { Label, Labels } from '../../src/model/labels.ts';

/** An index, ready to be asked. Postings table: columns, one entry a label, ascending by name and value. */
export interface BlockIndex extends Symbols {
  readonly bytes: Uint8Array;
  readonly toc: Toc;
  /** Range [first, end) of each label name in the columns below. The name '' has one value, '': all series. */
  readonly names: ReadonlyMap<string, readonly [first: number, end: number]>;
  readonly valueStarts: Uint32Array;
  readonly valueEnds: Uint32Array;
  readonly postingsOffsets: Float64Array;
}

export interface BlockSeries {
  readonly labels: Labels;
  readonly chunks: readonly ChunkMeta[];
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
