/**
 * Writes protobuf messages into one growing buffer: the counterpart of `protobuf-reader.ts`. Sizes of nested messages are the
 * caller's to know before it writes them, so nothing is moved afterwards.
 */

import { uvarintSize, writeUvarint } from '../model/label-bytes.ts';
import { keepShape } from '../model/shape.ts';

const CAPACITY_MIN = 1024;

export class Writer {
  bytes = new Uint8Array(CAPACITY_MIN);
  /** Bytes written so far. */
  length = 0;

  /** Makes room for that many more bytes. The methods below do so by themselves. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** Starts over in the same buffer. */
  clear(): void {
    this.length = 0;
  }

  /** A tag of one byte, that is, of a field up to 15. */
  tag(tag: number): void {
    this.reserve(1);
    this.bytes[this.length++] = tag;
  }

  /** An unsigned 32-bit number. */
  uint32(value: number): void {
    this.reserve(5);
    this.length = writeUvarint(this.bytes, this.length, value >>> 0);
  }

  /** An int64 within ±2^53. Negative ones take 10 bytes, as protobuf has it. */
  int64(value: number): void {
    this.reserve(10);
    const bytes = this.bytes;
    let at = this.length;
    let high = Math.floor(value / 0x1_0000_0000);
    let low = value - high * 0x1_0000_0000;
    high >>>= 0;
    low >>>= 0;
    while (high !== 0 || low >= 0x80) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at++] = low;
    this.length = at;
  }

  /** Four bytes, little-endian. A double is its low half, then its high half. */
  fixed32(value: number): void {
    this.reserve(4);
    const bytes = this.bytes;
    const at = this.length;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.length = at + 4;
  }

  /** `source[start, end)` as it is. */
  raw(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.reserve(length);
    if (length > 32) {
      this.bytes.set(source.subarray(start, end), this.length);
    } else {
      const bytes = this.bytes;
      for (let i = start, at = this.length; i < end; i++, at++) bytes[at] = source[i]!;
    }
    this.length += length;
  }

  /** A field of bytes: tag, length, `source[start, end)`. */
  field(tag: number, source: Uint8Array, start: number, end: number): void {
    this.tag(tag);
    this.uint32(end - start);
    this.raw(source, start, end);
  }

  /** What was written, in an array that owns its buffer. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

keepShape(new Writer());

/** How many bytes `int64` takes. */
export function int64Size(value: number): number {
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** How many bytes a field of a one-byte tag and that many bytes takes. */
export function fieldSize(length: number): number {
  return 1 + uvarintSize(length) + length;
}
