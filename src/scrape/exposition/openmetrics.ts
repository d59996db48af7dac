/**
 * The OpenMetrics text format, 0.0.1 and 1.0.0, as a cursor over a page's bytes. It follows Prometheus 3's lexer (model/textparse,
 * openmetricslex.l and openmetricsparse.go), which is as strict as the format: one blank between the parts of a line, none within
 * braces, no empty lines and no comments but HELP, TYPE and UNIT, and `# EOF` with nothing after it. `_created` lines are series like
 * others, as in Prometheus by default; or, when start timestamps are wanted, what these are read from, and no series. Escapes in an exemplar's labels stay as they are, as there.
 *
 * The one invariant: a page that does not end with `# EOF` is an error, so half a page is never taken for a whole one.
 */

import {
  COUNTER,
  END,
  type Entry,
  GAUGE,
  GAUGE_HISTOGRAM,
  HELP,
  HISTOGRAM,
  INFO,
  PageCursor,
  SERIES,
  STATE_SET,
  SUMMARY,
  TYPE,
  UNIT,
  UNKNOWN,
} from './cursor.ts';
import { CreatedLines, isCreated, mayBeCreated } from './created.ts';
import { doubleOf, parseValue, type ValueBits } from './number.ts';
import {
  CLOSE,
  COLON,
  COMMA,
  EQUALS,
  HASH,
  isNameByte,
  isNameStart,
  LF,
  OPEN,
  QUOTE,
  unescapeLabel,
} from './text-bytes.ts';
import { keepShape } from '../../model/shape.ts';

const TYPES: ReadonlyMap<string, number> = new Map([
  ['unknown', UNKNOWN],
  ['counter', COUNTER],
  ['gauge', GAUGE],
  ['histogram', HISTOGRAM],
  ['gaugehistogram', GAUGE_HISTOGRAM],
  ['summary', SUMMARY],
  ['info', INFO],
  ['stateset', STATE_SET],
]);

const BLANK = 0x20;
/** In milliseconds, a little above what 64 bits hold: what is that far ahead is dropped anyway. */
const TIMESTAMP_MAX = 9.22338e18;
const EOF = 'the page to end with "# EOF" and a line break';

export class OpenMetricsCursor extends PageCursor {
  readonly #number: ValueBits = { hi: 0, lo: 0 };
  /** Where `_created` lines are, when start timestamps are wanted. */
  readonly #created: CreatedLines | null;
  /** How long the name of the last HELP, TYPE or UNIT line is. */
  #familyLength = 0;

  constructor(bytes: Uint8Array, readsStart = false) {
    super(bytes);
    this.#created = readsStart ? new CreatedLines(new OpenMetricsCursor(bytes)) : null;
  }

  override next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    const bytes = this.bytes;
    for (;;) {
      const at = this.at;
      this.line = at;
      if (at >= bytes.length) throw this.error(at, EOF);
      if (bytes[at] === HASH) return this.#descriptor(at);

      this.keyStart = at;
      const keyEnd = at + expectEnd - expectStart;
      const isExpected = this.isExpected(at, expect, expectStart, expectEnd);
      if (isExpected && (bytes[keyEnd - 1] === CLOSE || bytes[keyEnd] === BLANK)) {
        this.expected = true;
        this.keyEnd = keyEnd;
      } else {
        this.expected = false;
        this.keyEnd = this.#key(at);
      }
      this.#sample(this.keyEnd);
      if (this.#created === null || !this.#isCreated()) return SERIES;
    }
  }

  override startTimestamp(): number {
    return this.#created === null ? 0 : this.#created.of(this, this.at, this.#familyLength);
  }

  /** Where the next line begins. */
  get place(): number {
    return this.at;
  }

  /** Goes on with the line that begins at `at`. */
  seek(at: number): void {
    this.at = at;
  }

  /** Whether it stands on a line that is no series, but says since when one counts. Name and labels of those that count are looked at, expected or not. */
  #isCreated(): boolean {
    if (!mayBeCreated(this.type)) return false;
    if (this.expected) this.#key(this.keyStart);
    return isCreated(this);
  }

  /** Help texts have the escapes of label values here. */
  override helpText(): string {
    return unescapeLabel(this.decode(this.textStart, this.textEnd));
  }

  override exemplarLabels(out: string[]): void {
    out.length = 0;
    const from = this.offsetCount;
    this.#exemplarLabels(this.exemplarStart);
    for (let i = from; i < this.offsetCount; i += 2) out.push(this.decode(this.offsets[i]!, this.offsets[i + 1]!));
    this.offsetCount = from;
  }

  /** A line that starts with `#`. */
  #descriptor(start: number): Entry {
    const bytes = this.bytes;
    if (bytes[start + 1] !== BLANK) throw this.error(start, '"# "');
    const word = start + 2;
    if (isWord(bytes, word, 0x45, 0x4f, 0x46)) {
      const end = bytes[word + 3] === LF ? word + 4 : word + 3;
      if (end < bytes.length) throw this.error(end, 'nothing after "# EOF"');
      this.at = end;
      return END;
    }
    let kind: Entry = END;
    if (bytes[word + 4] === BLANK) {
      const last = bytes[word + 3]!;
      if (last === 0x50 && isWord(bytes, word, 0x48, 0x45, 0x4c)) kind = HELP;
      else if (last === 0x45 && isWord(bytes, word, 0x54, 0x59, 0x50)) kind = TYPE;
      else if (last === 0x54 && isWord(bytes, word, 0x55, 0x4e, 0x49)) kind = UNIT;
    }
    if (kind === END) throw this.error(word, 'HELP, TYPE, UNIT or EOF');

    let at = word + 5;
    if (bytes[at] === QUOTE) {
      this.nameStart = at + 1;
      this.nameEnd = this.quoted(at, 'a metric name', false);
      at = this.nameEnd + 1;
    } else {
      this.nameStart = at;
      this.nameEnd = at = this.#name(at, 'a metric name');
    }
    if (bytes[at] !== BLANK) throw this.error(at, 'a blank after the metric name');
    this.#familyLength = this.nameEnd - this.nameStart;
    const end = bytes.indexOf(LF, at);
    if (end < 0) throw this.error(bytes.length, 'a line break');
    this.textStart = at + 1;
    this.textEnd = end;
    this.at = end + 1;
    if (kind === TYPE) {
      const type = TYPES.get(this.decode(at + 1, end));
      if (type === undefined) throw this.error(at + 1, `one of ${[...TYPES.keys()].join(', ')}`);
      this.type = type;
    } else if (kind === UNIT && end > at + 1) {
      this.#checkUnit();
    }
    return kind;
  }

  #checkUnit(): void {
    const { bytes, nameEnd, textStart, textEnd } = this;
    const from = nameEnd - (textEnd - textStart);
    let ok = from > this.nameStart && bytes[from - 1] === 0x5f;
    for (let i = textStart; ok && i < textEnd; i++) ok = bytes[i] === bytes[from + i - textStart];
    if (!ok) throw this.error(textStart, 'a unit that the metric name ends with');
  }

  /** Passes over a name and returns its end. */
  #name(start: number, what: string): number {
    const bytes = this.bytes;
    const first = bytes[start];
    if (first === undefined || !(isNameStart(first) || first === COLON)) throw this.error(start, what);
    let at = start + 1;
    while (at < bytes.length && (isNameByte(bytes[at]!) || bytes[at] === COLON)) at++;
    return at;
  }

  /** Reads name and labels from `start` and returns their end. */
  #key(start: number): number {
    const bytes = this.bytes;
    let at = start;
    this.offsetCount = 0;
    this.nameStart = this.nameEnd = -1;
    if (bytes[at] !== OPEN) {
      at = this.#name(at, 'a metric name, or HELP, TYPE, UNIT or EOF after "# "');
      this.nameStart = start;
      this.nameEnd = at;
      if (bytes[at] !== OPEN) return at;
    }
    at = this.#labels(at + 1);
    if (this.nameStart < 0) throw this.error(at - 1, 'a quoted metric name within the braces');
    return at;
  }

  /** Reads what is within braces and returns what is after the closing one. */
  #labels(start: number): number {
    const bytes = this.bytes;
    let at = start;
    for (;;) {
      if (bytes[at] === CLOSE) return at + 1;
      const nameStart = at;
      const quoted = bytes[at] === QUOTE;
      at = this.#labelName(at, true);
      // A quoted string alone is the metric's name.
      if (quoted && (bytes[at] === COMMA || bytes[at] === CLOSE)) {
        if (this.nameStart >= 0) throw this.error(nameStart, 'one metric name only');
        this.nameStart = nameStart + 1;
        this.nameEnd = at - 1;
        if (bytes[at] === CLOSE) return at + 1;
        at++;
        continue;
      }
      at = this.#labelValue(nameStart, at, quoted, true);
    }
  }

  /** Reads an exemplar's labels from its opening brace on, and returns what is after the closing one. */
  #exemplarLabels(start: number): number {
    const bytes = this.bytes;
    let at = start + 1;
    while (bytes[at] !== CLOSE) {
      const nameStart = at;
      at = this.#labelValue(nameStart, this.#labelName(at, false), bytes[nameStart] === QUOTE, false);
    }
    return at + 1;
  }

  /** Passes over a label name, quoted or not, and returns its end. */
  #labelName(start: number, mayHoldLineBreak: boolean): number {
    const bytes = this.bytes;
    const c = bytes[start];
    if (c === QUOTE) {
      const end = this.quoted(start, 'a label name', false);
      if (!mayHoldLineBreak) this.#checkOneLine(start, end);
      return end + 1;
    }
    if (c === undefined || !isNameStart(c)) throw this.error(start, 'a label name');
    let at = start + 1;
    while (at < bytes.length && isNameByte(bytes[at]!)) at++;
    return at;
  }

  /** Reads what follows a label name that ends at `nameEnd`, and returns where the next label or the closing brace is. */
  #labelValue(nameStart: number, nameEnd: number, quoted: boolean, mayHoldNul: boolean): number {
    const bytes = this.bytes;
    if (bytes[nameEnd] !== EQUALS) throw this.error(nameEnd, '"=" after a label name');
    const start = nameEnd + 1;
    if (bytes[start] !== QUOTE) throw this.error(start, 'a label value in double quotes');
    const end = this.quoted(start, 'a label value', mayHoldNul);
    this.#checkOneLine(start, end);
    if (quoted) this.push(nameStart + 1, nameEnd - 1, start + 1, end);
    else this.push(nameStart, nameEnd, start + 1, end);
    if (bytes[end + 1] === COMMA) return end + 2;
    if (bytes[end + 1] !== CLOSE) throw this.error(end + 1, 'a comma or a closing brace');
    return end + 1;
  }

  #checkOneLine(start: number, end: number): void {
    const bytes = this.bytes;
    for (let i = start; i < end; i++) if (bytes[i] === LF) throw this.error(i, 'a closing quote in the same line');
  }

  /** Reads value, timestamp and exemplar, to the end of the line. */
  #sample(start: number): void {
    const bytes = this.bytes;
    let at = this.#read(start, 'a value', this);
    this.hasTimestamp = false;
    this.exemplarEnd = 0;
    if (bytes[at] === LF) {
      this.at = at + 1;
      return;
    }
    if (at >= bytes.length) throw this.error(at, EOF);
    if (!this.#isExemplar(at)) {
      at = this.#read(at, 'a timestamp in seconds', this.#number);
      this.timestamp = this.#milliseconds(at);
      this.hasTimestamp = true;
    }
    if (this.#isExemplar(at)) at = this.#exemplar(at + 3);
    if (bytes[at] !== LF) throw this.error(at, at < bytes.length ? 'a line break or " # {"' : EOF);
    this.at = at + 1;
  }

  /** Whether ` # {` stands at `at`. */
  #isExemplar(at: number): boolean {
    const bytes = this.bytes;
    return bytes[at] === BLANK && bytes[at + 1] === HASH && bytes[at + 2] === BLANK && bytes[at + 3] === OPEN;
  }

  /** Reads an exemplar from its opening brace on, and returns the end of the line. */
  #exemplar(start: number): number {
    const { offsetCount } = this;
    let at = this.#exemplarLabels(start);
    // What was read of the series must stay; `exemplarLabels` reads again.
    this.offsetCount = offsetCount;
    this.exemplarStart = start;
    at = this.#read(at, "an exemplar's value", this.#number);
    this.exemplarHi = this.#number.hi;
    this.exemplarLo = this.#number.lo;
    this.exemplarHasTimestamp = this.bytes[at] === BLANK;
    if (this.exemplarHasTimestamp) {
      at = this.#read(at, "an exemplar's timestamp in seconds", this.#number);
      this.exemplarTimestamp = this.#milliseconds(at);
    }
    this.exemplarEnd = at;
    return at;
  }

  /** Reads a blank and a number into `out`, and returns its end. */
  #read(start: number, what: string, out: ValueBits): number {
    const bytes = this.bytes;
    if (bytes[start] !== BLANK) throw this.error(start, `a blank and ${what}`);
    let at = start + 1;
    for (; at < bytes.length; at++) {
      const c = bytes[at]!;
      if (c === BLANK || c === LF) break;
    }
    if (at === start + 1) throw this.error(at, what);
    const fault = parseValue(bytes, start + 1, at, out);
    if (fault !== null) throw this.error(start + 1, `${what} (${fault})`);
    return at;
  }

  /** The number that was read last, which ends at `end`, from seconds to whole milliseconds. */
  #milliseconds(end: number): number {
    const ms = Math.trunc(doubleOf(this.#number) * 1000);
    if (!(Math.abs(ms) < TIMESTAMP_MAX)) throw this.error(end, 'a timestamp of 64 bits');
    // No negative zero.
    return ms + 0;
  }
}

keepShape(new OpenMetricsCursor(new Uint8Array(0)));

function isWord(bytes: Uint8Array, at: number, a: number, b: number, c: number): boolean {
  return bytes[at] === a && bytes[at + 1] === b && bytes[at + 2] === c;
}
