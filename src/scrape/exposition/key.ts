/**
 * Spells a series as the text format would, with all names in quotes: the key of a series that no line of a page stands for. The same
 * series has the same key, whatever format it came in.
 */

import { Writer } from '../../encoding/protobuf-writer.ts';
import { BACKSLASH, CLOSE, COMMA, EQUALS, LF, OPEN, QUOTE } from './text-bytes.ts';

/** The bytes between the quotes are escaped already, or must be. */
export type Spelling = 'escaped' | 'plain';

export class KeyWriter {
  readonly #spelling: Spelling;
  /** The labels as they stand in every key that is made with them. */
  readonly #labels = new Writer();
  readonly #key = new Writer();

  constructor(spelling: Spelling) {
    this.#spelling = spelling;
  }

  get bytes(): Uint8Array {
    return this.#key.bytes;
  }

  get length(): number {
    return this.#key.length;
  }

  clearLabels(): void {
    this.#labels.clear();
  }

  /** Adds a label of ranges of `bytes`. */
  label(bytes: Uint8Array, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    this.#quoted(this.#labels, COMMA, bytes, nameStart, nameEnd);
    this.#quoted(this.#labels, EQUALS, bytes, valueStart, valueEnd);
  }

  /** Makes the key: a name of a range of `bytes` and a suffix, the labels, and a bound unless its label is ''. */
  make(
    bytes: Uint8Array,
    nameStart: number,
    nameEnd: number,
    suffix: Uint8Array,
    boundLabel: string,
    bound: string,
  ): void {
    const out = this.#key;
    out.clear();
    this.#quoted(out, OPEN, bytes, nameStart, nameEnd);
    if (suffix.length > 0) {
      out.length--;
      out.raw(suffix, 0, suffix.length);
      out.tag(QUOTE);
    }
    out.raw(this.#labels.bytes, 0, this.#labels.length);
    if (boundLabel !== '') {
      const text = `,"${boundLabel}"="${bound}"`;
      for (let i = 0; i < text.length; i++) out.tag(text.charCodeAt(i));
    }
    out.tag(CLOSE);
  }

  /** Whether the key is `expect[start, end)`. */
  is(expect: Uint8Array, start: number, end: number): boolean {
    const keys = this.bytes;
    const length = this.length;
    if (end - start !== length) return false;
    for (let i = 0; i < length; i++) if (keys[i] !== expect[start + i]) return false;
    return true;
  }

  /** A byte, then the range in quotes, with the escapes of the text format. */
  #quoted(out: Writer, before: number, bytes: Uint8Array, start: number, end: number): void {
    out.reserve(3 + 2 * (end - start));
    const escapes = this.#spelling === 'plain';
    const to = out.bytes;
    let at = out.length;
    to[at++] = before;
    to[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const c = bytes[i]!;
      if (escapes && (c === QUOTE || c === BACKSLASH || c === LF)) {
        to[at++] = BACKSLASH;
        to[at++] = c === LF ? 0x6e : c;
      } else to[at++] = c;
    }
    to[at++] = QUOTE;
    out.length = at;
  }
}
