/**
 * A cursor over the bytes of a protobuf message (protobuf.dev, Encoding): tags, varints, lengths, skipping. It knows no
 * message; those are read by loops in `remote-write/`. It is not a general protobuf library: groups, long gone from
 * proto3, are refused.
 *
 * Invariant: every read ends at or before the `end` that it was given, or throws DecodeError with the offset. So a nested
 * message never reads its neighbour, and no claimed length is believed.
 *
 * Hand-written because it is the receiver's hot path: 64-bit integers as doubles without BigInt or Long objects, values as
 * two 32-bit halves, no slice and no object per field.
 */

import { keepShape } from '../model/shape.ts';

/** The message is malformed as a whole: nothing of it can be taken. */
export class DecodeError extends Error {
  override readonly name: string = 'DecodeError';
}

/** Wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** The tag of a field, as it stands on the wire. */
export const tagOf = (field: number, wireType: number): number => field * 8 + wireType;

export class Cursor {
  readonly bytes: Uint8Array;
  /** Where the next read begins. */
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** A tag: field × 8 + wire type. Field numbers are 1 to 2^29 − 1. */
  tag(end: number): number {
    const at = this.offset;
    if (at >= end) throw cut('a tag', at);
    const first = this.bytes[at]!;
    // Fields 1 to 15 take one byte; all of remote write's do.
    if (first < 0x80 && first >= 8) {
      this.offset = at + 1;
      return first;
    }
    return this.#longTag(end);
  }

  #longTag(end: number): number {
    const at = this.offset;
    const tag = this.uint32(end);
    if (tag < 8) throw new DecodeError(`field number 0 at byte ${at}`);
    if (this.offset - at > 5) throw new DecodeError(`field number out of range at byte ${at}`);
    return tag;
  }

  /** A varint cut to its low 32 bits, as protobuf reads uint32 and bool. At most 10 bytes long. */
  uint32(end: number): number {
    const bytes = this.bytes;
    let at = this.offset;
    if (at >= end) throw cut('a varint', at);
    let byte = bytes[at++]!;
    if (byte < 0x80) {
      this.offset = at;
      return byte;
    }
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      if (at >= end) throw cut('a varint', this.offset);
      byte = bytes[at++]!;
      // A shift of 32 or more would wrap around: those bits are cut away.
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.offset = at;
        return value >>> 0;
      }
    }
    throw new DecodeError(`a varint longer than 10 bytes at byte ${this.offset}`);
  }

  /**
   * An int64 as a double: exact within ±2^53, rounded to the nearest double beyond. Negative numbers take 10 bytes.
   * Gathered in groups of 28 bits, since 32-bit operators cannot hold more.
   */
  int64(end: number): number {
    const bytes = this.bytes;
    let at = this.offset;
    let low = 0;
    let middle = 0;
    let high = 0;
    let byte = 0x80;
    for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
      if (at >= end) throw cut('a varint', this.offset);
      byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
    }
    for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
      if (at >= end) throw cut('a varint', this.offset);
      byte = bytes[at++]!;
      middle |= (byte & 0x7f) << shift;
    }
    for (let shift = 0; shift < 14 && byte >= 0x80; shift += 7) {
      if (at >= end) throw cut('a varint', this.offset);
      byte = bytes[at++]!;
      high |= (byte & 0x7f) << shift;
    }
    if (byte >= 0x80) throw new DecodeError(`a varint longer than 10 bytes at byte ${this.offset}`);
    this.offset = at;
    // high holds bits 56 and up; the 64th is the sign, and what lies beyond is cut away.
    return ((middle >>> 4) | (high << 24)) * 0x1_0000_0000 + ((low | (middle << 28)) >>> 0);
  }

  /** The four bytes of a fixed32, or of one half of a fixed64, little-endian. */
  fixed32(end: number): number {
    const at = this.offset;
    if (end - at < 4) throw cut('a fixed-size number', at);
    const bytes = this.bytes;
    this.offset = at + 4;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** Reads a length and returns where what it announces ends; `offset` stands at its start then. */
  length(end: number): number {
    const at = this.offset;
    const length = this.uint32(end);
    if (length > end - this.offset) {
      throw new DecodeError(`a length of ${length} B at byte ${at}, where ${end - this.offset} B are left`);
    }
    return this.offset + length;
  }

  /** Passes over the value of a field that is not known. */
  skip(tag: number, end: number): void {
    const at = this.offset;
    switch (tag & 7) {
      case VARINT:
        this.uint32(end);
        return;
      case FIXED64:
        if (end - at < 8) throw cut('a fixed-size number', at);
        this.offset = at + 8;
        return;
      case BYTES:
        this.offset = this.length(end);
        return;
      case FIXED32:
        if (end - at < 4) throw cut('a fixed-size number', at);
        this.offset = at + 4;
        return;
      default:
        throw new DecodeError(`wire type ${tag & 7} of field ${tag >>> 3} before byte ${at}`);
    }
  }

  /** As `skip`, for a field of which the message knows another wire type: that is an error, as in Go. */
  skipOther(tag: number, end: number, message: string, known: number): void {
    if (tag >>> 3 <= known) {
      throw new DecodeError(`wire type ${tag & 7} of field ${tag >>> 3} of ${message} before byte ${this.offset}`);
    }
    this.skip(tag, end);
  }
}

keepShape(new Cursor(new Uint8Array(0)));

function cut(what: string, at: number): DecodeError {
  return new DecodeError(`the message ends within ${what} at byte ${at}`);
}
