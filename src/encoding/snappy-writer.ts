/**
 * Writes a snappy block whose writer knows where what it writes stood before: copies are given, not looked for. Who says what cannot be
 * had from before says it as a literal.
 *
 * The one invariant: the block decompresses to exactly what was said, in that order.
 */

import { uvarintSize, writeUvarint } from '../model/label-bytes.ts';
import { Writer } from './protobuf-writer.ts';
import { WINDOW, writeCopy, writeLiteralHead } from './snappy.ts';

/** A shorter copy takes as much as what it copies. */
const COPY_MIN = 4;

export class SnappyWriter {
  /** How many bytes were said: where the next one will stand when the block is decompressed. */
  position = 0;
  readonly #out = new Writer();
  /** What was said last, and is not written yet: a literal, or a copy, which may go on. */
  #literal = new Uint8Array(256);
  #literalLength = 0;
  #offset = 0;
  #copyLength = 0;

  /** Says what was said at `from`, if the copy that was begun can go on so; false if not, and then nothing was said. */
  continued(from: number, length: number): boolean {
    if (this.#copyLength === 0 || this.position - from !== this.#offset) return false;
    this.#copyLength += length;
    this.position += length;
    return true;
  }

  /** Says what was said at `from`, if that is a copy worth its bytes; false if not, and then nothing was said. */
  copied(from: number, length: number): boolean {
    if (this.continued(from, length)) return true;
    const offset = this.position - from;
    if (length < COPY_MIN || offset >= WINDOW) return false;
    this.#flush();
    this.#offset = offset;
    this.#copyLength = length;
    this.position += length;
    return true;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#literal[this.#literalLength++] = value;
    this.position++;
  }

  uint32(value: number): void {
    const size = uvarintSize(value);
    this.#reserve(size);
    writeUvarint(this.#literal, this.#literalLength, value);
    this.#literalLength += size;
    this.position += size;
  }

  /** Four bytes, little-endian. */
  fixed32(value: number): void {
    this.#reserve(4);
    const bytes = this.#literal;
    const at = this.#literalLength;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#literalLength = at + 4;
    this.position += 4;
  }

  raw(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    const bytes = this.#literal;
    let at = this.#literalLength;
    if (length > 64) bytes.set(source.subarray(start, end), at);
    else for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.#literalLength += length;
    this.position += length;
  }

  /** Forgets what was said: another block begins, in the same memory. */
  clear(): void {
    this.position = this.#literalLength = this.#copyLength = 0;
    this.#out.clear();
  }

  /** The block, in an array that owns its buffer. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const head = uvarintSize(this.position);
    const block = new Uint8Array(head + this.#out.length);
    writeUvarint(block, 0, this.position);
    block.set(this.#out.bytes.subarray(0, this.#out.length), head);
    return block;
  }

  /** Room for a literal that goes on: a copy before it ends. */
  #reserve(more: number): void {
    if (this.#copyLength > 0) this.#flush();
    const needed = this.#literalLength + more;
    if (needed <= this.#literal.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#literal.length * 2));
    grown.set(this.#literal.subarray(0, this.#literalLength));
    this.#literal = grown;
  }

  #flush(): void {
    const out = this.#out;
    if (this.#copyLength > 0) {
      out.reserve(3 * (1 + this.#copyLength / 60));
      out.length = writeCopy(out.bytes, out.length, this.#offset, this.#copyLength);
      this.#copyLength = 0;
    } else if (this.#literalLength > 0) {
      out.reserve(5 + this.#literalLength);
      out.length = writeLiteralHead(out.bytes, out.length, this.#literalLength);
      out.raw(this.#literal, 0, this.#literalLength);
      this.#literalLength = 0;
    }
  }
}
