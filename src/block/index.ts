/**
 * Writes the file `index` (format version 2) from what the writer has gathered. It is not a query structure: reader.ts reads it.
 * Everything is laid out first, so that the file is one array of exactly its size and every offset is known when it is written.
 *
 * Format: FORMAT.md, index. Source: prometheus/prometheus, tsdb/index/index.go (3.7 and later: no label indices).
 */

import { crc32c } from '../encoding/crc32c.ts';
import { BlockError } from './error.ts';
import { ByteList, putU32, uvarintSize } from './lists.ts';
import type { SeriesTable } from './series.ts';
import { sortBy, type Symbols, symbolsOf } from './symbols.ts';

export const INDEX_MAGIC = 0xbaaad700;
export const INDEX_VERSION = 2;
export const TOC_BYTES = 6 * 8 + 4;
/** Magic and version come before. */
const SYMBOLS_START = 5;
/** Series begin at multiples of this, so that a u32 can address 64 GiB. */
export const SERIES_ALIGN = 16;

/** Where everything will be. Offsets are bytes from the file's start. */
interface Layout {
  readonly seriesStart: number;
  readonly seriesEnd: number;
  readonly postingsEnd: number;
  readonly total: number;
  /** Per series: its offset / 16, which is its id in postings. */
  readonly seriesIds: Uint32Array;
  /** Per label id: how many series have it. */
  readonly postingsCounts: Uint32Array;
  /** Per label id: offset of its postings. */
  readonly postingsOffsets: Float64Array;
  /** Largest series entry, padding included. */
  readonly seriesBytesMax: number;
}

/** The index of all series of the table. `seriesBytesMax` is its largest series entry, for Thanos. */
export function writeIndex(table: SeriesTable): { bytes: Uint8Array<ArrayBuffer>; seriesBytesMax: number } {
  const symbols = symbolsOf(table.labels);
  const symbolCount = symbols.order.length;
  const labelOrder = sortBy(symbols.names, symbolCount, sortBy(symbols.values, symbolCount));
  const layout = layOut(table, symbols, labelOrder);
  const out = new ByteList(layout.total);
  out.u32(INDEX_MAGIC);
  out.u8(INDEX_VERSION);
  writeSymbols(out, symbols);
  writeSeries(out, table, symbols);
  writePostings(out, table, layout);
  writePostingsTable(out, table, layout, labelOrder);
  writeToc(out, layout);
  if (out.length !== layout.total) throw new Error(`index has ${out.length} bytes, laid out were ${layout.total}`);
  return { bytes: out.items, seriesBytesMax: layout.seriesBytesMax };
}

function layOut(table: SeriesTable, symbols: Symbols, labelOrder: Uint32Array): Layout {
  const { labels, labelIds, labelEnds } = table;
  const { strings } = symbols;

  let seriesStart = SYMBOLS_START + 4 + 4 + 4;
  for (let id = 0; id < strings.count; id++) {
    const length = strings.end(id) - strings.start(id);
    seriesStart += uvarintSize(length) + length;
  }

  const seriesIds = new Uint32Array(table.count);
  const postingsCounts = new Uint32Array(labels.count);
  let at = seriesStart;
  let seriesBytesMax = 0;
  for (let series = 0, i = 0; series < table.count; series++) {
    at = align(at, SERIES_ALIGN);
    seriesIds[series] = at / SERIES_ALIGN;
    const content = contentSize(table, symbols, series);
    const size = uvarintSize(content) + content + 4;
    at += size;
    seriesBytesMax = Math.max(seriesBytesMax, align(size, SERIES_ALIGN));
    for (const end = labelEnds.items[series]!; i < end; i++) postingsCounts[labelIds.items[i]!]!++;
  }
  const seriesEnd = at;

  // The first list is of all series. A list's length is a multiple of 4, so none but the first needs padding.
  const postingsOffsets = new Float64Array(labels.count);
  const allOffset = align(at, 4);
  at = allOffset + listSize(table.count);
  let tableBytes = 4 + 3 + uvarintSize(allOffset);
  for (const label of labelOrder) {
    postingsOffsets[label] = at;
    tableBytes += 1 + labels.end(label) - labels.start(label) + uvarintSize(at);
    at += listSize(postingsCounts[label]!);
  }
  const postingsEnd = at;
  const total = postingsEnd + 4 + tableBytes + 4 + TOC_BYTES;
  // So no section can outgrow its u32 length either.
  if (total > 0xffff_ffff) throw new BlockError(`index of ${total} bytes: write smaller blocks (at most 4 GiB)`);
  return {
    seriesStart,
    seriesEnd,
    postingsEnd,
    total,
    seriesIds,
    postingsCounts,
    postingsOffsets,
    seriesBytesMax,
  };
}

function writeSymbols(out: ByteList, { strings, order }: Symbols): void {
  const start = out.length;
  out.u32(0);
  out.u32(order.length);
  for (const id of order) {
    out.uvarint(strings.end(id) - strings.start(id));
    out.append(strings.bytes, strings.start(id), strings.end(id));
  }
  seal(out, start);
}

function writeSeries(out: ByteList, table: SeriesTable, symbols: Symbols): void {
  const { labelIds, labelEnds, chunks, chunkEnds, chunkCounts } = table;
  for (let series = 0, i = 0, chunkStart = 0; series < table.count; series++) {
    out.pad(SERIES_ALIGN);
    out.uvarint(contentSize(table, symbols, series));
    const start = out.length;
    const end = labelEnds.items[series]!;
    out.uvarint(end - i);
    for (; i < end; i++) {
      out.uvarint(symbols.names[labelIds.items[i]!]!);
      out.uvarint(symbols.values[labelIds.items[i]!]!);
    }
    out.uvarint(chunkCounts.items[series]!);
    out.append(chunks.items, chunkStart, chunkEnds.items[series]!);
    chunkStart = chunkEnds.items[series]!;
    out.u32(crc32c(out.items, start, out.length));
  }
}

/** Series are visited once, in order, and each puts its id where its labels' lists have got to: so lists ascend by themselves. */
function writePostings(out: ByteList, table: SeriesTable, layout: Layout): void {
  const { labels, labelIds, labelEnds } = table;
  const { seriesIds, postingsCounts, postingsOffsets } = layout;
  out.pad(4);
  const all = out.length;
  out.length = layout.postingsEnd;
  const { items } = out;
  const next = postingsOffsets.map((offset) => offset + 8);
  for (let series = 0, i = 0; series < table.count; series++) {
    const id = seriesIds[series]!;
    putU32(items, all + 8 + 4 * series, id);
    for (const end = labelEnds.items[series]!; i < end; i++) {
      const label = labelIds.items[i]!;
      putU32(items, next[label]!, id);
      next[label]! += 4;
    }
  }
  finishList(items, all, table.count);
  for (let label = 0; label < labels.count; label++) finishList(items, postingsOffsets[label]!, postingsCounts[label]!);
}

function finishList(items: Uint8Array, offset: number, count: number): void {
  const end = offset + 8 + 4 * count;
  putU32(items, offset, 4 + 4 * count);
  putU32(items, offset + 4, count);
  putU32(items, end, crc32c(items, offset + 4, end));
}

function writePostingsTable(out: ByteList, table: SeriesTable, layout: Layout, labelOrder: Uint32Array): void {
  const { labels } = table;
  const start = out.length;
  out.u32(0);
  out.u32(1 + labelOrder.length);
  out.uvarint(2);
  out.uvarint(0);
  out.uvarint(0);
  out.uvarint(align(layout.seriesEnd, 4));
  for (const label of labelOrder) {
    out.uvarint(2);
    // A label's canonical bytes are what an entry holds: both strings, each after its length.
    out.append(labels.bytes, labels.start(label), labels.end(label));
    out.uvarint(layout.postingsOffsets[label]!);
  }
  seal(out, start);
}

function writeToc(out: ByteList, layout: Layout): void {
  const start = out.length;
  out.u64(SYMBOLS_START);
  out.u64(layout.seriesStart);
  out.u64(layout.seriesEnd); // Label indices: none any more.
  out.u64(layout.postingsEnd); // Label offset table: none any more.
  out.u64(layout.seriesEnd);
  out.u64(layout.postingsEnd);
  out.u32(crc32c(out.items, start, out.length));
}

/** Fills in the section's length, for which `start` has a u32 ready, and adds the checksum of what follows it. */
function seal(out: ByteList, start: number): void {
  putU32(out.items, start, out.length - start - 4);
  out.u32(crc32c(out.items, start + 4, out.length));
}

function contentSize(table: SeriesTable, { names, values }: Symbols, series: number): number {
  const { labelIds, labelEnds, chunkEnds, chunkCounts } = table;
  const start = series === 0 ? 0 : labelEnds.items[series - 1]!;
  const end = labelEnds.items[series]!;
  let size = uvarintSize(end - start);
  for (let i = start; i < end; i++) {
    size += uvarintSize(names[labelIds.items[i]!]!) + uvarintSize(values[labelIds.items[i]!]!);
  }
  const chunkStart = series === 0 ? 0 : chunkEnds.items[series - 1]!;
  return size + uvarintSize(chunkCounts.items[series]!) + chunkEnds.items[series]! - chunkStart;
}

/** A postings list: length, count, ids, checksum. */
const listSize = (count: number): number => 12 + 4 * count;

const align = (offset: number, size: number): number => Math.ceil(offset / size) * size;
