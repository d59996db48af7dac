/**
 * What page states are written and read with: numbers, texts, label sets. The grammar is in `page-codec.ts` and `page-change.ts`, the format in FORMAT.md.
 *
 * The one invariant: a reader never leaves its bytes and takes no memory that they could not fill; it throws instead.
 */

import { Writer } from '../../encoding/protobuf-writer.ts';
import { readUvarint, uvarintSize, writeUvarint } from '../../model/label-bytes.ts';
import { keepShape } from '../../model/shape.ts';

export class StateWriter extends Writer {
  readonly #encoder = new TextEncoder();
  #labelsStart = 0;
  #labelsEnd = 0;

  text(value: string): void {
    const bytes = this.#encoder.encode(value);
    this.uint32(bytes.length);
    this.raw(bytes, 0, bytes.length);
  }

  /** Texts, joined: how many, how long each is in UTF-16 units, and their bytes. */
  texts(values: readonly string[]): void {
    this.uint32(values.length);
    for (const value of values) this.uint32(value.length);
    this.text(values.join(''));
  }

  /** The label set `refs[start, end)`, as differences from the one that was written before, of the same array. */
  labels(refs: Uint32Array, start: number, end: number): void {
    this.uint32(end - start);
    this.reserve((end - start) * 5);
    const before = this.#labelsStart - start;
    const beforeEnd = this.#labelsEnd;
    const bytes = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i++) {
      const delta = refs[i]! - (i + before < beforeEnd ? refs[i + before]! : 0);
      const zigzag = delta < 0 ? -delta * 2 - 1 : delta * 2;
      if (zigzag < 0x80) bytes[at++] = zigzag;
      else at = writeUvarint(bytes, at, zigzag);
    }
    this.length = at;
    this.#labelsStart = start;
    this.#labelsEnd = end;
  }
}

keepShape(new StateWriter());

export class StateReader {
  readonly bytes: Uint8Array<ArrayBuffer>;
  at = 0;
  readonly #what: string;
  readonly #decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  #labelsStart = 0;
  #labelsEnd = 0;

  /** `what` is for errors. */
  constructor(bytes: Uint8Array<ArrayBuffer>, what: string) {
    this.bytes = bytes;
    this.#what = what;
  }

  damaged(): Error {
    return new Error(`${this.#what} is damaged at byte ${this.at} of ${this.bytes.length}`);
  }

  number(): number {
    const byte = this.bytes[this.at];
    if (byte !== undefined && byte < 0x80) {
      this.at++;
      return byte;
    }
    const value = readUvarint(this.bytes, this.at, this.bytes.length);
    if (value < 0) throw this.damaged();
    this.at += uvarintSize(value);
    return value;
  }

  /** A number of things of which each takes at least a byte, or is one that was read already. */
  count(): number {
    const value = this.number();
    if (value > this.bytes.length) throw this.damaged();
    return value;
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.bytes.length - this.at) throw this.damaged();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return this.#decoder.decode(this.take(this.count()));
  }

  texts(): string[] {
    const lengths = Array.from({ length: this.count() }, () => this.number());
    const joined = this.text();
    let from = 0;
    const values = lengths.map((length) => joined.slice(from, (from += length)));
    if (from !== joined.length) throw this.damaged();
    return values;
  }

  /** Reads a label set of references below `symbols` to `refs[start, …)`, where the one before stands too, and returns its end. */
  labels(refs: Uint32Array, start: number, symbols: number): number {
    const end = start + this.count();
    if (end > refs.length) throw this.damaged();
    const before = this.#labelsStart - start;
    const beforeEnd = this.#labelsEnd;
    const { bytes } = this;
    for (let i = start; i < end; i++) {
      const known = i + before < beforeEnd ? refs[i + before]! : 0;
      // Most are those of the set before, which were looked at there.
      if (bytes[this.at] === 0 && known < symbols) {
        this.at++;
        refs[i] = known;
        continue;
      }
      const delta = this.number();
      const ref = known + ((delta >>> 1) ^ -(delta & 1));
      if (ref < 0 || ref >= symbols) throw this.damaged();
      refs[i] = ref;
    }
    this.#labelsStart = start;
    this.#labelsEnd = end;
    return end;
  }

  end(): void {
    if (this.at !== this.bytes.length) throw this.damaged();
  }
}

keepShape(new StateReader(new Uint8Array(0), ''));
