/**
 * Writes the files `chunks/000001`, `000002` …: chunk records one after another, handed over in parts of equal size, as a
 * multipart upload wants them. Only the part being filled is in memory. It decides nothing about where a chunk ends (writer.ts).
 *
 * Format: FORMAT.md, chunks. Source: prometheus/prometheus, tsdb/chunks/chunks.go and tsdb/docs/format/chunks.md.
 */

import { crc32c } from '../encoding/crc32c.ts';
import { BlockError } from './error.ts';
import { ByteList, putU32 } from './lists.ts';

export const CHUNKS_MAGIC = 0x85bd40dd;
export const CHUNKS_VERSION = 1;
export const CHUNKS_HEADER_BYTES = 8;

/** A chunk that is complete: an encoder that has made one. */
export interface FinishedChunk {
  readonly byteLength: number;
  /** Copies the chunk's `byteLength` bytes to `out` at `at`. */
  copyTo(out: Uint8Array, at: number): void;
}

export interface BlockSink {
  /**
   * Takes the next bytes of `chunks/<file>`, `file` counting from 1 (six digits in its name). Parts come in order, one at a time,
   * each of exactly `partBytes` except a file's last, which is shorter or as long but never empty. The array owns its buffer and
   * is the sink's to keep; the writer goes on when the promise resolves, and stops for good when it rejects.
   */
  chunks(file: number, part: Uint8Array, last: boolean): Promise<void>;
}

/** What a part begins with. */
const FIRST_PART_BYTES = 16 * 1024;

interface Part {
  readonly file: number;
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export class ChunkFiles {
  readonly #sink: BlockSink;
  readonly #partBytes: number;
  readonly #segmentBytes: number;
  #file = 0;
  #fileBytes = 0;
  /** The part being filled. It grows to `partBytes`, for most blocks are small. */
  #part: Uint8Array<ArrayBuffer> | null = null;
  #partLength = 0;
  #record = new ByteList(2048);
  /** Parts that are complete and not handed over. */
  #full: Part[] = [];
  /** The largest record so far. */
  recordBytesMax = 0;

  /** `segmentBytes`: no file gets longer, unless a single record does. */
  constructor(sink: BlockSink, partBytes: number, segmentBytes: number) {
    if (!(Number.isSafeInteger(partBytes) && partBytes > 0))
      throw new BlockError(`partBytes must be above 0: ${partBytes}`);
    if (!(segmentBytes > 0 && segmentBytes <= 0xffff_ffff)) {
      throw new BlockError(`segmentBytes must be above 0 and fit 32 bits: ${segmentBytes}`);
    }
    this.#sink = sink;
    this.#partBytes = partBytes;
    this.#segmentBytes = segmentBytes;
  }

  /** Adds a chunk and returns its ref: index of its file times 2^32, and offset of its record. Then call flush() if isFull. */
  add(chunk: FinishedChunk, encoding: number): number {
    const record = this.#recordOf(chunk, encoding);
    if (this.#file === 0 || this.#fileBytes + record.length > this.#segmentBytes) this.#nextFile();
    const ref = (this.#file - 1) * 0x1_0000_0000 + this.#fileBytes;
    this.#write(record);
    this.recordBytesMax = Math.max(this.recordBytesMax, record.length);
    return ref;
  }

  /** Whether parts wait for flush(). */
  get isFull(): boolean {
    return this.#full.length > 0;
  }

  /** Hands over the complete parts. */
  async flush(): Promise<void> {
    for (const { file, bytes, last } of this.#full) await this.#sink.chunks(file, bytes, last);
    this.#full = [];
  }

  /** Hands over everything. Nothing may be added afterwards. */
  async finish(): Promise<void> {
    this.#endFile();
    await this.flush();
  }

  #recordOf(chunk: FinishedChunk, encoding: number): ByteList {
    const record = this.#record;
    const length = chunk.byteLength;
    record.length = 0;
    record.uvarint(length);
    const start = record.length;
    record.u8(encoding);
    record.reserve(length);
    chunk.copyTo(record.items, record.length);
    record.length += length;
    record.u32(crc32c(record.items, start, record.length));
    return record;
  }

  #nextFile(): void {
    this.#endFile();
    this.#file++;
    this.#fileBytes = 0;
    const header = new ByteList(CHUNKS_HEADER_BYTES);
    header.length = CHUNKS_HEADER_BYTES;
    putU32(header.items, 0, CHUNKS_MAGIC);
    header.items[4] = CHUNKS_VERSION;
    this.#write(header);
  }

  #write({ items, length }: ByteList): void {
    for (let at = 0; at < length;) {
      // A full part waits here for the byte that comes after it: only then is it known not to be the file's last.
      if (this.#partLength === this.#partBytes) this.#endPart(false);
      const count = Math.min(length - at, this.#partBytes - this.#partLength);
      this.#roomFor(this.#partLength + count).set(items.subarray(at, at + count), this.#partLength);
      this.#partLength += count;
      at += count;
    }
    this.#fileBytes += length;
  }

  #roomFor(length: number): Uint8Array {
    const old = this.#part;
    if (old !== null && old.length >= length) return old;
    const part = new Uint8Array(Math.min(this.#partBytes, Math.max(FIRST_PART_BYTES, 2 * length)));
    if (old !== null) part.set(old);
    this.#part = part;
    return part;
  }

  #endFile(): void {
    if (this.#part !== null) this.#endPart(true);
  }

  #endPart(last: boolean): void {
    const part = this.#part!;
    const bytes = this.#partLength === part.length ? part : part.slice(0, this.#partLength);
    this.#full.push({ file: this.#file, bytes, last });
    this.#part = null;
    this.#partLength = 0;
  }
}
