/**
 * Labels, name and value together, each kept once and known by a number: 0, 1, 2 … in the order they came. A series is a tuple of them.
 *
 * Their text is kept as a 1.0 message spells a label, `0x0a nameLength name 0x12 valueLength value`, for there it is looked for most often, and
 * comparing it as words takes a third of the time. Invariant: one name and value has one spelling here, so equal labels have one number.
 */

import { Interner } from '../block/intern.ts';
import { compareBytes } from '../model/bytes.ts';
import { readUvarint, uvarintSize, writeUvarint } from '../model/label-bytes.ts';
import { METRIC_NAME } from '../model/labels.ts';

/** Tags of the two fields of a 1.0 label. */
const NAME = 0x0a;
const VALUE = 0x12;

/** A label with the name `__name__`, up to its value's length. */
const METRIC = Uint8Array.from(`\n${String.fromCharCode(METRIC_NAME.length)}${METRIC_NAME}\u0012`, (char) =>
  char.charCodeAt(0),
);
const TEXT = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

export class LabelTable {
  readonly #texts = new Interner();
  #view: DataView = new DataView(new ArrayBuffer(0));
  #scratch = new Uint8Array(256);

  get count(): number {
    return this.#texts.count;
  }

  /** Memory that it takes, and its order, about. */
  get bytes(): number {
    return this.#texts.memory + 8 * this.count;
  }

  /** The number of a label whose name and value are ranges (ends exclusive) of a message. */
  intern(message: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): number {
    const before = this.#texts.count;
    const start = spelledFrom(message, nameStart, nameEnd, valueStart, valueEnd);
    const id =
      start >= 0
        ? this.#texts.intern(message, start, valueEnd)
        : this.#internSpelled(message, nameStart, nameEnd, valueStart, valueEnd);
    if (id === before) this.#view = new DataView(this.#texts.bytes.buffer);
    return id;
  }

  #internSpelled(
    message: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): number {
    const size = nameEnd - nameStart + valueEnd - valueStart + 12;
    if (size > this.#scratch.length) this.#scratch = new Uint8Array(2 * size);
    const text = this.#scratch;
    text[0] = NAME;
    let at = writeField(text, 1, message, nameStart, nameEnd);
    text[at++] = VALUE;
    at = writeField(text, at, message, valueStart, valueEnd);
    return this.#texts.intern(text, 0, at);
  }

  /**
   * Where the last of labels `ids[from]` to `ids[to]` (exclusive) ends, when they stand as fields of a TimeSeries from `start` on; else -1. Also -1
   * when one stands there spelled otherwise.
   */
  endOf(ids: Uint32Array, from: number, to: number, message: DataView, start: number, end: number): number {
    const { ends } = this.#texts;
    const view = this.#view;
    let at = start;
    for (let i = from; i < to; i++) {
      const id = ids[i]!;
      let text = id === 0 ? 0 : ends[id - 1]!;
      const size = ends[id]! - text;
      if (size < 0x80) {
        if (at + 2 + size > end || message.getUint16(at) !== ((NAME << 8) | size)) return -1;
        at += 2;
      } else {
        if (size >= 0x4000 || at + 3 + size > end || message.getUint8(at) !== NAME) return -1;
        if (message.getUint16(at + 1) !== ((((size & 0x7f) | 0x80) << 8) | (size >>> 7))) return -1;
        at += 3;
      }
      // A label takes four bytes at least; the last word may overlap the one before.
      const last = at + size - 4;
      for (; at < last; at += 4, text += 4) if (message.getInt32(at, true) !== view.getInt32(text, true)) return -1;
      if (message.getInt32(last, true) !== view.getInt32(text + last - at, true)) return -1;
      at = last + 4;
    }
    return at;
  }

  /** Whether label `id` has this name and value. */
  is(
    id: number,
    message: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const { bytes } = this.#texts;
    const name = this.#nameStart(id);
    const value = this.#valueStart(id);
    const end = this.#texts.end(id);
    if (end - value !== valueEnd - valueStart || this.nameLength(id) !== nameEnd - nameStart) return false;
    for (let i = name, j = nameStart; j < nameEnd; i++, j++) if (bytes[i] !== message[j]) return false;
    for (let i = value, j = valueStart; j < valueEnd; i++, j++) if (bytes[i] !== message[j]) return false;
    return true;
  }

  /** By name, then by value, as bytes. */
  compare(a: number, b: number): number {
    const byName = this.compareNames(a, b);
    if (byName !== 0) return byName;
    const { bytes } = this.#texts;
    return compareBytes(bytes, this.#valueStart(a), this.#texts.end(a), bytes, this.#valueStart(b), this.#texts.end(b));
  }

  compareNames(a: number, b: number): number {
    const { bytes } = this.#texts;
    const aStart = this.#nameStart(a);
    const bStart = this.#nameStart(b);
    return compareBytes(bytes, aStart, aStart + this.nameLength(a), bytes, bStart, bStart + this.nameLength(b));
  }

  nameLength(id: number): number {
    return readUvarint(this.#texts.bytes, this.#texts.start(id) + 1, this.#texts.end(id));
  }

  hasValue(id: number): boolean {
    return this.#valueStart(id) < this.#texts.end(id);
  }

  isMetricName(id: number): boolean {
    const { bytes } = this.#texts;
    const start = this.#texts.start(id);
    if (this.#texts.end(id) - start <= METRIC.length) return false;
    for (let i = 0; i < METRIC.length; i++) if (bytes[start + i] !== METRIC[i]) return false;
    return true;
  }

  value(id: number): string {
    return TEXT.decode(this.#texts.bytes.subarray(this.#valueStart(id), this.#texts.end(id)));
  }

  /** Bytes of the label in label bytes (src/model/label-bytes.ts): all but the two tags. */
  size(id: number): number {
    return this.#texts.end(id) - this.#texts.start(id) - 2;
  }

  /** Writes the label as label bytes; returns where it ends. */
  writeTo(out: Uint8Array, start: number, id: number): number {
    const { bytes } = this.#texts;
    const end = this.#texts.end(id);
    let from = this.#texts.start(id) + 1;
    const tag = this.#nameStart(id) + this.nameLength(id);
    let at = start;
    for (; from < tag; from++) out[at++] = bytes[from]!;
    for (from++; from < end; from++) out[at++] = bytes[from]!;
    return at;
  }

  #nameStart(id: number): number {
    return this.#texts.start(id) + 1 + uvarintSize(this.nameLength(id));
  }

  #valueStart(id: number): number {
    const length = this.#nameStart(id) + this.nameLength(id) + 1;
    return length + uvarintSize(readUvarint(this.#texts.bytes, length, this.#texts.end(id)));
  }
}

/** Where the text of a label begins when the message spells it as it is kept (nearly always in 1.0), else -1. Only lengths of one byte. */
function spelledFrom(
  message: Uint8Array,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): number {
  const nameLength = nameEnd - nameStart;
  const valueLength = valueEnd - valueStart;
  const isSpelled =
    valueStart === nameEnd + 2 &&
    nameLength < 0x80 &&
    valueLength < 0x80 &&
    nameStart >= 2 &&
    message[nameStart - 2] === NAME &&
    message[nameStart - 1] === nameLength &&
    message[nameEnd] === VALUE &&
    message[nameEnd + 1] === valueLength;
  return isSpelled ? nameStart - 2 : -1;
}

/** Length and text. */
function writeField(out: Uint8Array, start: number, message: Uint8Array, from: number, end: number): number {
  const at = writeUvarint(out, start, end - from);
  out.set(message.subarray(from, end), at);
  return at + end - from;
}
