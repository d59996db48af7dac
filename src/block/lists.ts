/**
 * Growing arrays of numbers and of bytes: what is kept of 100,000 series until the index is written must not be an object each.
 * Numbers in bytes are big-endian and varints are Go's (encoding/binary), as everywhere in a block.
 */

/** Unsigned 32-bit numbers. `items` may be longer than `length` and is replaced when it grows. */
export class U32List {
  items = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.items.length) {
      const items = new Uint32Array(2 * this.length);
      items.set(this.items);
      this.items = items;
    }
    this.items[this.length++] = value;
  }
}

/** Bytes, written at the end. `items` may be longer than `length` and is replaced when it grows. */
export class ByteList {
  items: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity = 1024) {
    this.items = new Uint8Array(capacity);
  }

  u8(value: number): void {
    this.reserve(1);
    this.items[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    putU32(this.items, this.length, value);
    this.length += 4;
  }

  /** A whole number from 0 to 2^53 as 64 bits. */
  u64(value: number): void {
    this.u32(Math.floor(value / 0x1_0000_0000));
    this.u32(value >>> 0);
  }

  /** A whole number from 0 to 2^53. Divides, for `>>>` would cut timestamps and offsets to 32 bits. */
  uvarint(value: number): void {
    this.reserve(8);
    while (value >= 128) {
      this.items[this.length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.items[this.length++] = value;
  }

  /** A safe integer, zigzag. The first byte is split off by itself, for twice the number may not fit a double. */
  varint(value: number): void {
    const sign = value < 0 ? 1 : 0;
    const magnitude = value < 0 ? -(value + 1) : value;
    const rest = Math.floor(magnitude / 64);
    this.u8(((magnitude % 64) << 1) | sign | (rest > 0 ? 128 : 0));
    if (rest > 0) this.uvarint(rest);
  }

  append(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.reserve(end - start);
    // A call into the engine costs more than a few moves.
    if (end - start > 32) this.items.set(bytes.subarray(start, end), this.length);
    else for (let i = start, at = this.length; i < end; i++, at++) this.items[at] = bytes[i]!;
    this.length += end - start;
  }

  /** Zero bytes until `length` is a multiple of `size`. */
  pad(size: number): void {
    const count = (size - (this.length % size)) % size;
    this.reserve(count);
    this.items.fill(0, this.length, this.length + count);
    this.length += count;
  }

  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.items.length) return;
    const items = new Uint8Array(Math.max(need, 2 * this.items.length));
    items.set(this.items.subarray(0, this.length));
    this.items = items;
  }
}

/** Bytes that ByteList.uvarint() takes for a number. */
export function uvarintSize(value: number): number {
  let size = 1;
  for (; value >= 128; value = Math.floor(value / 128)) size++;
  return size;
}

export function putU32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}
