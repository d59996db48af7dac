/**
 * The Prometheus text format, 0.0.4 and 1.0.0 (which only adds quoted names), as a cursor over a page's bytes: one call an entry, no
 * object a sample. It follows Prometheus 3's own lexer (model/textparse, promlex.l and promparse.go) also where that is odd: labels may be
 * parted by blanks, a value may follow a closing brace at once, `\r` is not a line's end, a timestamp has no sign. It differs in
 * two points, both silent losses there: a NUL byte at a line's start is an error, not the end of the page, and blanks before a name are
 * not part of the name.
 *
 * The one invariant: the cursor only moves forward, and looks at a byte at most a few times, so time is linear in the page.
 */

import { canonicalBound, parseValue } from './number.ts';
import {
  BACKSLASH,
  CLOSE,
  COLON,
  COMMA,
  decodeText,
  EQUALS,
  HASH,
  isBlank,
  isNameByte,
  isNameStart,
  LF,
  lineError,
  OPEN,
  QUOTE,
  type TextError,
  unescapeHelp,
  unescapeLabel,
} from './text-bytes.ts';

export { TextError } from './text-bytes.ts';

/** What `next` found. */
export const END = 0;
export const SERIES = 1;
export const HELP = 2;
export const TYPE = 3;
export type Entry = typeof END | typeof SERIES | typeof HELP | typeof TYPE;

/** Types as Remote Write 2.0 numbers them (`Metadata.MetricType`). */
const HISTOGRAM = 3;
const SUMMARY = 5;
const TYPES: ReadonlyMap<string, number> = new Map([
  ['untyped', 0],
  ['counter', 1],
  ['gauge', 2],
  ['histogram', HISTOGRAM],
  ['summary', SUMMARY],
]);

export class TextCursor {
  readonly bytes: Uint8Array;
  /** SERIES: the series' text, name and labels as written: `bytes[keyStart, keyEnd)`. */
  keyStart = 0;
  keyEnd = 0;
  /** SERIES: the text is the one that was expected; `labels` must not be called then. */
  expected = false;
  /** SERIES: the value's bits. */
  hi = 0;
  lo = 0;
  /** SERIES: an explicit timestamp, Unix ms. */
  hasTimestamp = false;
  timestamp = 0;
  /** HELP, TYPE: the metric family's name, without quotes: `bytes[nameStart, nameEnd)`. SERIES, unless expected: the metric's name. */
  nameStart = 0;
  nameEnd = 0;
  /** HELP: the text, escaped: `bytes[textStart, textEnd)`. */
  textStart = 0;
  textEnd = 0;
  /** The type of the last TYPE line; of any family, as in Prometheus. */
  type = 0;

  #at = 0;
  /** Start of the line that an error is about. */
  #line = 0;
  /** Four offsets a label: start and end of its name and of its value. */
  #offsets = new Int32Array(64);
  #offsetCount = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * The next entry. `expect[expectStart, expectEnd)` is the series' text that probably comes; when it does, its labels are
   * not looked at. Throws TextError; the cursor is of no use then.
   */
  next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    const bytes = this.bytes;
    const end = bytes.length;
    let at = this.#at;
    for (;;) {
      while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
      if (at >= end) {
        this.#at = at;
        return END;
      }
      const c = bytes[at]!;
      if (c === LF) {
        at++;
        continue;
      }
      this.#line = at;
      if (c !== HASH) break;
      const entry = this.#comment(at);
      at = this.#at;
      if (entry !== END) return entry;
    }

    this.keyStart = at;
    const length = expectEnd - expectStart;
    let same = 0;
    if (at + length < end) while (same < length && bytes[at + same] === expect[expectStart + same]) same++;
    if (same === length && length > 0 && this.#isWhole(at + length)) {
      this.expected = true;
      this.keyEnd = at + length;
    } else {
      this.expected = false;
      this.keyEnd = this.#key(at);
    }
    this.#sample(this.keyEnd);
    return SERIES;
  }

  /** The labels of a SERIES that was not expected, name and value in turn, `__name__` first, unescaped. Throws TextError on invalid UTF-8. */
  labels(out: string[]): void {
    out.length = 0;
    const name = this.#string(this.nameStart, this.nameEnd);
    if (name === '') throw this.error(this.keyStart, 'a metric name that is not empty');
    out.push('__name__', name);
    for (let i = 0; i < this.#offsetCount; i += 4) {
      const label = this.#string(this.#offsets[i]!, this.#offsets[i + 1]!);
      if (label === '') throw this.error(this.#offsets[i]!, 'a label name that is not empty');
      const value = this.#string(this.#offsets[i + 2]!, this.#offsets[i + 3]!);
      const isBound = (label === 'le' && this.type === HISTOGRAM) || (label === 'quantile' && this.type === SUMMARY);
      out.push(label, isBound ? canonicalBound(value) : value);
    }
  }

  /** The name of a HELP or TYPE entry. */
  familyName(): string {
    return this.#string(this.nameStart, this.nameEnd);
  }

  /** The text of a HELP entry. Throws TextError on invalid UTF-8. */
  helpText(): string {
    return unescapeHelp(this.#decode(this.textStart, this.textEnd));
  }

  /** An error about the byte at `at`, for those who find fault with what the cursor stands on. */
  error(at: number, wanted: string): TextError {
    return lineError(this.bytes, this.#line, at, wanted);
  }

  /** Whether an expected text that ends at `at` is the whole text of the series. After a closing brace it is. */
  #isWhole(at: number): boolean {
    const bytes = this.bytes;
    if (bytes[at - 1] === CLOSE) return true;
    if (!isBlank(bytes[at])) return false;
    let next = at + 1;
    while (isBlank(bytes[next])) next++;
    return bytes[next] !== OPEN;
  }

  /** Reads name and labels from `start` and returns their end. */
  #key(start: number): number {
    const bytes = this.bytes;
    let at = start;
    this.#offsetCount = 0;
    this.nameStart = this.nameEnd = -1;
    const first = bytes[at]!;
    if (isNameStart(first) || first === COLON) {
      at++;
      while (at < bytes.length && (isNameByte(bytes[at]!) || bytes[at] === COLON)) at++;
      this.nameStart = start;
      this.nameEnd = at;
      const brace = this.#blanks(at);
      if (bytes[brace] !== OPEN) return at;
      at = brace;
    } else if (first !== OPEN) {
      throw this.error(at, 'a metric name, a comment or a line break');
    }
    at = this.#labels(at + 1);
    if (this.nameStart < 0) throw this.error(at - 1, 'a quoted metric name within the braces');
    return at;
  }

  /** Reads what is within braces and returns what is after the closing one. */
  #labels(start: number): number {
    const bytes = this.bytes;
    let at = this.#blanks(start);
    for (;;) {
      const c = bytes[at];
      if (c === CLOSE) return at + 1;
      let nameStart = at;
      let nameEnd: number;
      let quoted = false;
      if (c === QUOTE) {
        quoted = true;
        nameStart = at + 1;
        nameEnd = this.#quoted(at, 'a label name', false);
        at = this.#blanks(nameEnd + 1);
      } else if (c !== undefined && isNameStart(c)) {
        at++;
        while (at < bytes.length && isNameByte(bytes[at]!)) at++;
        nameEnd = at;
        at = this.#blanks(at);
      } else {
        throw this.error(at, 'a label name');
      }
      // A quoted string alone is the metric's name.
      if (quoted && (bytes[at] === COMMA || bytes[at] === CLOSE)) {
        if (this.nameStart >= 0) throw this.error(nameStart - 1, 'one metric name only');
        this.nameStart = nameStart;
        this.nameEnd = nameEnd;
        if (bytes[at] === CLOSE) return at + 1;
        at = this.#blanks(at + 1);
        continue;
      }
      if (bytes[at] !== EQUALS) throw this.error(at, '"=" after a label name');
      const valueStart = this.#blanks(at + 1);
      if (bytes[valueStart] !== QUOTE) throw this.error(valueStart, 'a label value in double quotes');
      const valueEnd = this.#quoted(valueStart, 'a label value', true);
      this.#push(nameStart, nameEnd, valueStart + 1, valueEnd);
      at = this.#blanks(valueEnd + 1);
      if (bytes[at] === COMMA) at = this.#blanks(at + 1);
    }
  }

  /** Where the closing quote is of a string that opens at `start`. A string may hold line breaks, but not after a backslash. */
  #quoted(start: number, what: string, mayHoldNul: boolean): number {
    const bytes = this.bytes;
    for (let at = start + 1; at < bytes.length; at++) {
      const c = bytes[at]!;
      if (c === QUOTE) return at;
      if (c === BACKSLASH) {
        at++;
        while (mayHoldNul && bytes[at] === 0) at++;
        if (bytes[at] === LF) throw this.error(at, `${what} without a line break after a backslash`);
      }
      if (bytes[at] === 0 && !mayHoldNul) throw this.error(at, `${what} without a NUL byte`);
    }
    throw this.error(bytes.length, `a closing quote of ${what}`);
  }

  #push(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.#offsetCount + 4 > this.#offsets.length) {
      const grown = new Int32Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    const offsets = this.#offsets;
    offsets[this.#offsetCount++] = nameStart;
    offsets[this.#offsetCount++] = nameEnd;
    offsets[this.#offsetCount++] = valueStart;
    offsets[this.#offsetCount++] = valueEnd;
  }

  /** Reads value and timestamp, to the end of the line. */
  #sample(start: number): void {
    const bytes = this.bytes;
    const end = bytes.length;
    let at = start;
    while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
    const value = at;
    for (; at < end; at++) {
      const c = bytes[at]!;
      if (c === LF || c === 0x20 || c === 0x09 || c === OPEN || c === 0) break;
    }
    if (at === value) throw this.error(at, 'a value');
    const fault = parseValue(bytes, value, at, this);
    if (fault !== null) throw this.error(value, `a value (${fault})`);

    at = this.#blanks(at);
    this.hasTimestamp = false;
    if (at < end && bytes[at] !== LF) {
      const from = at;
      let timestamp = 0;
      for (; at < end; at++) {
        const digit = bytes[at]! - 0x30;
        if (digit < 0 || digit > 9) break;
        timestamp = timestamp * 10 + digit;
      }
      if (at === from) throw this.error(at, 'a timestamp in milliseconds or a line break');
      // A little above 2⁶³, since the sum has rounded: what is that far ahead is dropped anyway.
      if (timestamp > 9.22338e18) throw this.error(from, 'a timestamp of 64 bits');
      this.hasTimestamp = true;
      this.timestamp = timestamp;
      at = this.#blanks(at);
      if (at < end && bytes[at] !== LF) throw this.error(at, 'a line break after the timestamp');
    }
    this.#at = at + 1;
  }

  /** A line that starts with `#`: HELP, TYPE, or END for a comment. */
  #comment(start: number): Entry {
    const bytes = this.bytes;
    const lineBreak = bytes.indexOf(LF, start);
    const end = lineBreak < 0 ? bytes.length : lineBreak;
    this.#at = end + 1;
    const word = this.#blanks(start + 1);
    const isHelp = this.#isWord(word, 0x48, 0x45, 0x4c, 0x50);
    if (word === start + 1 || !(isHelp || this.#isWord(word, 0x54, 0x59, 0x50, 0x45))) return END;

    const what = isHelp ? 'a metric name after HELP' : 'a metric name after TYPE';
    let at = this.#blanks(word + 4);
    if (bytes[at] === QUOTE) {
      this.nameStart = at + 1;
      this.nameEnd = this.#quoted(at, what, false);
      at = this.nameEnd + 1;
      // A quoted name may hold line breaks.
      if (at > end) return this.#text(isHelp, at, bytes.indexOf(LF, at));
    } else {
      if (at >= end || !(isNameStart(bytes[at]!) || bytes[at] === COLON)) throw this.error(at, what);
      this.nameStart = at;
      while (at < end && (isNameByte(bytes[at]!) || bytes[at] === COLON)) at++;
      this.nameEnd = at;
    }
    return this.#text(isHelp, at, end);
  }

  /** What follows the name: one byte that parts them, then the text to the end of the line, or only blanks. */
  #text(isHelp: boolean, start: number, lineBreak: number): Entry {
    const bytes = this.bytes;
    const end = lineBreak < 0 ? bytes.length : lineBreak;
    this.#at = end + 1;
    this.textStart = this.#blanks(start) >= end ? end : Math.min(start + 1, end);
    this.textEnd = end;
    if (isHelp) return HELP;
    const type = TYPES.get(this.#decode(this.textStart, end));
    if (type === undefined) {
      throw this.error(this.textStart, 'counter, gauge, histogram, summary or untyped, and then a line break');
    }
    this.type = type;
    return TYPE;
  }

  #isWord(at: number, a: number, b: number, c: number, d: number): boolean {
    const bytes = this.bytes;
    return (
      bytes[at] === a && bytes[at + 1] === b && bytes[at + 2] === c && bytes[at + 3] === d && isBlank(bytes[at + 4])
    );
  }

  #blanks(at: number): number {
    const bytes = this.bytes;
    let next = at;
    while (bytes[next] === 0x20 || bytes[next] === 0x09) next++;
    return next;
  }

  /** A name or label value. */
  #string(start: number, end: number): string {
    return unescapeLabel(this.#decode(start, end));
  }

  #decode(start: number, end: number): string {
    const text = decodeText(this.bytes, start, end);
    if (text === null) throw this.error(start, 'valid UTF-8');
    return text;
  }
}
