/**
 * The Prometheus text format, 0.0.4 and 1.0.0 (which only adds quoted names), as a cursor over a page's bytes: one call an entry, no
 * object a sample. It follows Prometheus 3's own lexer (model/textparse, promlex.l and promparse.go) also where that is odd: labels may be
 * parted by blanks, a value may follow a closing brace at once, `\r` is not a line's end, a timestamp has no sign. It differs in
 * two points, both silent losses there: a NUL byte at a line's start is an error, not the end of the page, and blanks before a name are
 * not part of the name.
 *
 * The one invariant: the cursor only moves forward, and looks at a byte at most a few times, so time is linear in the page.
 */

import { type Entry, END, HELP, HISTOGRAM, PageCursor, SERIES, SUMMARY, TYPE } from './cursor.ts';
import { parseValue } from './number.ts';
import { CLOSE, COLON, COMMA, EQUALS, HASH, isBlank, isNameByte, isNameStart, LF, OPEN, QUOTE } from './text-bytes.ts';
import { keepShape } from '../../model/shape.ts';

const TYPES: ReadonlyMap<string, number> = new Map([
  ['untyped', 0],
  ['counter', 1],
  ['gauge', 2],
  ['histogram', HISTOGRAM],
  ['summary', SUMMARY],
]);

export class TextCursor extends PageCursor {
  override next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    const bytes = this.bytes;
    const end = bytes.length;
    let at = this.at;
    for (;;) {
      while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
      if (at >= end) {
        this.at = at;
        return END;
      }
      const c = bytes[at]!;
      if (c === LF) {
        at++;
        continue;
      }
      this.line = at;
      if (c !== HASH) break;
      const entry = this.#comment(at);
      at = this.at;
      if (entry !== END) return entry;
    }

    this.keyStart = at;
    const keyEnd = at + expectEnd - expectStart;
    if (this.isExpected(at, expect, expectStart, expectEnd) && this.#isWhole(keyEnd)) {
      this.expected = true;
      this.keyEnd = keyEnd;
    } else {
      this.expected = false;
      this.keyEnd = this.#key(at);
    }
    this.#sample(this.keyEnd);
    return SERIES;
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
    this.offsetCount = 0;
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
        nameEnd = this.quoted(at, 'a label name', false);
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
      const valueEnd = this.quoted(valueStart, 'a label value', true);
      this.push(nameStart, nameEnd, valueStart + 1, valueEnd);
      at = this.#blanks(valueEnd + 1);
      if (bytes[at] === COMMA) at = this.#blanks(at + 1);
    }
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
    this.at = at + 1;
  }

  /** A line that starts with `#`: HELP, TYPE, or END for a comment. */
  #comment(start: number): Entry {
    const bytes = this.bytes;
    const lineBreak = bytes.indexOf(LF, start);
    const end = lineBreak < 0 ? bytes.length : lineBreak;
    this.at = end + 1;
    const word = this.#blanks(start + 1);
    const isHelp = this.#isWord(word, 0x48, 0x45, 0x4c, 0x50);
    if (word === start + 1 || !(isHelp || this.#isWord(word, 0x54, 0x59, 0x50, 0x45))) return END;

    const what = isHelp ? 'a metric name after HELP' : 'a metric name after TYPE';
    let at = this.#blanks(word + 4);
    if (bytes[at] === QUOTE) {
      this.nameStart = at + 1;
      this.nameEnd = this.quoted(at, what, false);
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
    this.at = end + 1;
    this.textStart = this.#blanks(start) >= end ? end : Math.min(start + 1, end);
    this.textEnd = end;
    if (isHelp) return HELP;
    const type = TYPES.get(this.decode(this.textStart, end));
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
}

keepShape(new TextCursor(new Uint8Array(0)));
