/**
 * Reading a block's numbers from bytes that may be damaged: every step is checked against what is left, and says where it failed.
 * Nothing is allocated by a length that was not checked.
 */

import { crc32c } from '../encoding/crc32c.ts';
import { BlockError } from './error.ts';

export class Cursor {
  readonly bytes: Uint8Array;
  offset: number;
  /** Exclusive. */
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    if (!(offset >= 0 && offset <= end && end <= bytes.length)) {
      throw new BlockError(`no bytes ${offset} to ${end} in ${bytes.length}`, offset);
    }
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get left(): number {
    return this.end - this.offset;
  }

  /** Passes over `count` bytes and returns where they began. */
  skip(count: number, what: string): number {
    const start = this.offset;
    if (!(count <= this.end - start)) {
      throw new BlockError(`${what} needs ${count} bytes, ${this.end - start} are left`, start);
    }
    this.offset = start + count;
    return start;
  }

  u8(what: string): number {
    return this.bytes[this.skip(1, what)]!;
  }

  u32(what: string): number {
    return u32At(this.bytes, this.skip(4, what));
  }

  /** 64 bits; more than 2^53 throws. */
  u64(what: string): number {
    const start = this.offset;
    return this.#safe(this.u32(what) * 0x1_0000_0000 + this.u32(what), start, what);
  }

  /** More than 2^53 throws. */
  uvarint(what: string): number {
    const { bytes, end, offset: start } = this;
    let value = 0;
    let scale = 1;
    for (let at = start; at < end && scale < 2 ** 56; at++, scale *= 128) {
      const byte = bytes[at]!;
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.offset = at + 1;
        return this.#safe(value, start, what);
      }
    }
    throw new BlockError(`${what} is a varint cut short or beyond 2^53`, start);
  }

  /** Zigzag; beyond 2^53 throws. */
  varint(what: string): number {
    const start = this.offset;
    const byte = this.u8(what);
    const magnitude = ((byte & 127) >>> 1) + (byte < 128 ? 0 : 64 * this.uvarint(what));
    return this.#safe(byte & 1 ? -magnitude - 1 : magnitude, start, what);
  }

  #safe(value: number, offset: number, what: string): number {
    if (!Number.isSafeInteger(value)) throw new BlockError(`${what} is beyond 2^53`, offset);
    return value;
  }
}

export function u32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** A section with a length in front and a checksum behind: a cursor over what is between, which lies before `limit`. */
export function section(bytes: Uint8Array, offset: number, limit: number, what: string): Cursor {
  const frame = new Cursor(bytes, offset, limit);
  const length = frame.u32(`length of ${what}`);
  const start = frame.skip(length, what);
  checkCrc(bytes, start, start + length, frame.u32(`checksum of ${what}`), what);
  return new Cursor(bytes, start, start + length);
}

/** A count of entries that take at least `bytesMin` each: more than can be there is damage. */
export function countOf(cursor: Cursor, bytesMin: number, what: string): number {
  const count = cursor.u32(`count of ${what}`);
  if (count * bytesMin > cursor.left)
    throw new BlockError(`${count} ${what} in ${cursor.left} bytes`, cursor.offset - 4);
  return count;
}

export function checkCrc(bytes: Uint8Array, start: number, end: number, expected: number, what: string): void {
  const actual = crc32c(bytes, start, end);
  if (actual === expected) return;
  throw new BlockError(`checksum of ${what} is ${actual.toString(16)}, the file says ${expected.toString(16)}`, start);
}
