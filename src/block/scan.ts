/**
 * Finds series in a block that lies elsewhere, when they are asked for in order: its symbols are in memory, the entries of its index and its chunks
 * pass by in windows. A window begins at what is wanted, so that a file takes no more fetches than windows fit into it, and one more.
 *
 * Format: FORMAT.md. As in reader.ts, everything is checked before it is believed.
 */

import { readUvarint, uvarintSize } from '../model/label-bytes.ts';
import { ENCODING_FLOAT_HISTOGRAM, ENCODING_HISTOGRAM, ENCODING_XOR, type MixedColumns } from './columns.ts';
import { checkCrc, Cursor } from './cursor.ts';
import { BlockError } from './error.ts';
import { decodeHistograms } from './histogram-chunk.ts';
import { SERIES_ALIGN, TOC_BYTES } from './index.ts';
import { compareBytes } from '../model/bytes.ts';
import { type ChunkMeta, readChunk, readChunkMetas, readSymbols, readToc } from './reader.ts';
import { decodeXor } from './xor.ts';

/** Length, encoding and checksum of a chunk record, at most; an entry's length takes fewer. */
const FRAME_BYTES_MAX = 16;

/** No entry and no chunk is longer; one that claims to be is damaged. */
const RECORD_BYTES_MAX = 16 * 2 ** 20;

/** The files of a block. */
export interface BlockFiles {
  /** Bytes from `offset` on, fewer at the end of the file; a negative offset counts from there. Null when there is no such file. */
  read(file: string, offset: number, length: number): Promise<Uint8Array | null>;
}

export interface ScanOptions {
  /** Of the index and of the chunks, each. */
  readonly windowBytes: number;
  /** What symbols may take, 12 bytes of memory more for each; a block with more of them is not scanned. */
  readonly symbolBytesMax: number;
}

export class BlockScan {
  /** Bytes of its symbols. */
  readonly symbolBytes: number;
  readonly #symbols: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #index: Window;
  readonly #files: BlockFiles;
  readonly #windowBytes: number;
  #chunks: Window | null = null;
  #chunkFile = 0;
  /** The entry that is next, from the index's beginning; and where entries end. */
  #next: number;
  readonly #end: number;
  /** The ordinals of the labels last asked for. */
  #wanted = new Uint32Array(64);

  private constructor(
    files: BlockFiles,
    windowBytes: number,
    symbols: Uint8Array,
    { series, postings }: { readonly series: number; readonly postings: number },
  ) {
    const { symbolStarts, symbolEnds } = readSymbols(symbols, 0, symbols.length);
    this.symbolBytes = symbols.length;
    this.#symbols = symbols;
    this.#starts = symbolStarts;
    this.#ends = symbolEnds;
    this.#files = files;
    this.#windowBytes = windowBytes;
    this.#index = new Window(files, 'index', windowBytes, postings);
    this.#next = aligned(series);
    this.#end = postings;
  }

  /** Null when the block is gone. Throws BlockError when it is damaged or has too many symbols. */
  static async open(files: BlockFiles, { windowBytes, symbolBytesMax }: ScanOptions): Promise<BlockScan | null> {
    const tail = await files.read('index', -TOC_BYTES, TOC_BYTES);
    if (tail === null) return null;
    const toc = readToc(tail, Infinity);
    const length = toc.series - toc.symbols;
    if (length > symbolBytesMax) {
      throw new BlockError(`symbols of ${length} bytes, ${symbolBytesMax} may be read`, toc.symbols);
    }
    const symbols = await files.read('index', toc.symbols, length);
    return symbols === null ? null : new BlockScan(files, windowBytes, symbols, toc);
  }

  /** The chunks of the series with these label bytes, which come after those of the call before; none when there is no such series. */
  async find(labels: Uint8Array): Promise<readonly ChunkMeta[]> {
    const size = this.#spell(labels);
    // With a symbol that the block does not know, it cannot be there.
    if (size < 0) return [];
    while (this.#next < this.#end) {
      const offset = this.#next;
      const frame = await this.#index.at(offset, Math.min(FRAME_BYTES_MAX, this.#end - offset));
      const from = frame.offset;
      const length = frame.uvarint('series length');
      const lengthBytes = frame.offset - from;
      const entry = await this.#index.at(offset, lengthBytes + length + 4);
      const start = entry.offset + lengthBytes;
      checkCrc(entry.bytes, start, start + length, new Cursor(entry.bytes, start + length).u32('checksum'), 'series');
      const cursor = new Cursor(entry.bytes, start, start + length);
      const order = this.#compare(cursor, size);
      if (order > 0) return [];
      this.#next = aligned(offset + lengthBytes + length + 4);
      if (order === 0) return readChunkMetas(cursor);
    }
    return [];
  }

  /** Decodes a chunk that was found into `out`, which has room for 65,535 samples, and returns how many they are. Chunks come as they lie in their files. */
  async decode(chunk: ChunkMeta, out: MixedColumns): Promise<number> {
    if (this.#chunks === null || chunk.file !== this.#chunkFile) {
      const file = `chunks/${String(chunk.file).padStart(6, '0')}`;
      this.#chunks = new Window(this.#files, file, this.#windowBytes, Infinity);
      this.#chunkFile = chunk.file;
    }
    const frame = await this.#chunks.at(chunk.offset, FRAME_BYTES_MAX);
    const from = frame.offset;
    const length = frame.uvarint('chunk length');
    const lengthBytes = frame.offset - from;
    const { bytes, offset } = await this.#chunks.at(chunk.offset, lengthBytes + 1 + length + 4);
    const { encoding, start, end } = readChunk(bytes, offset);
    out.histograms = null;
    if (encoding === ENCODING_XOR) return decodeXor(bytes, start, end, out, 0);
    if (encoding !== ENCODING_HISTOGRAM && encoding !== ENCODING_FLOAT_HISTOGRAM) {
      throw new BlockError(`chunk of encoding ${encoding}`, chunk.offset);
    }
    return decodeHistograms(bytes, start, end, encoding === ENCODING_FLOAT_HISTOGRAM, out, 0);
  }

  /** Writes the ordinals of labels to `#wanted`: name, value, name, value … Returns how many, or -1 when one is not a symbol of this block. */
  #spell(labels: Uint8Array): number {
    let size = 0;
    for (let at = 0; at < labels.length; size++) {
      const length = readUvarint(labels, at, labels.length);
      if (length < 0) throw new BlockError('malformed label bytes', at);
      const start = at + uvarintSize(length);
      at = start + length;
      if (size === this.#wanted.length) {
        const wanted = new Uint32Array(2 * size);
        wanted.set(this.#wanted);
        this.#wanted = wanted;
      }
      // Neighbours share most of their labels.
      if (this.#order(this.#wanted[size]!, labels, start, at) === 0) continue;
      const ordinal = this.#ordinal(labels, start, at);
      if (ordinal < 0) return -1;
      this.#wanted[size] = ordinal;
    }
    return size;
  }

  /** The place of a text among the symbols, or -1. */
  #ordinal(text: Uint8Array, start: number, end: number): number {
    for (let low = 0, high = this.#starts.length; low < high;) {
      const middle = (low + high) >>> 1;
      const order = this.#order(middle, text, start, end);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  #order(ordinal: number, text: Uint8Array, start: number, end: number): number {
    if (ordinal >= this.#starts.length) return -1;
    return compareBytes(this.#symbols, this.#starts[ordinal]!, this.#ends[ordinal]!, text, start, end);
  }

  /** Orders the series at the cursor and the one that is wanted; its labels are read then if they are equal. Symbols ascend by bytes, so ordinals order as texts do. */
  #compare(cursor: Cursor, size: number): number {
    const count = 2 * cursor.uvarint('label count');
    for (let i = 0; i < Math.min(count, size); i++) {
      const difference = cursor.uvarint('label') - this.#wanted[i]!;
      if (difference !== 0) return difference;
    }
    return count - size;
  }
}

/** A piece of a file that moves forward. */
class Window {
  readonly #files: BlockFiles;
  readonly #file: string;
  readonly #bytes: number;
  readonly #end: number;
  #start = 0;
  #held: Uint8Array = new Uint8Array(0);

  constructor(files: BlockFiles, file: string, bytes: number, end: number) {
    this.#files = files;
    this.#file = file;
    this.#bytes = bytes;
    this.#end = end;
  }

  /** A cursor at `offset` of the file, with `length` bytes behind it unless the file ends before. Throws BlockError when the file is not there. */
  async at(offset: number, length: number): Promise<Cursor> {
    if (length > RECORD_BYTES_MAX) throw new BlockError(`a record of ${length} bytes`, offset);
    if (offset < this.#start || offset + length > this.#start + this.#held.length) {
      const wanted = Math.min(Math.max(this.#bytes, length), this.#end - offset);
      const held = await this.#files.read(this.#file, offset, wanted);
      if (held === null) throw new BlockError(`no ${this.#file}`, offset);
      this.#held = held;
      this.#start = offset;
    }
    return new Cursor(this.#held, offset - this.#start);
  }
}

const aligned = (offset: number): number => Math.ceil(offset / SERIES_ALIGN) * SERIES_ALIGN;
