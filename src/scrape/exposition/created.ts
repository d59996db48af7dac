/**
 * Start timestamps of OpenMetrics 1.0, which stand in lines of their own: `<family>_created`, behind the series that they are about (Prometheus,
 * model/textparse, openmetricsparse.go: `StartTimestamp`, `seriesHash`, `isCreatedSeries`). As there, a series has that of the next such line of its
 * family, when that has the same labels but for `le` and `quantile`, in the same order; or that which the series before it had.
 *
 * The one invariant: what lies ahead is looked at once. A line is kept until it is passed, so time is linear in the page.
 */

import { COUNTER, HISTOGRAM, type PageCursor, SERIES, SUMMARY } from './cursor.ts';
import { doubleOf } from './number.ts';
import { TextError } from './text-bytes.ts';

const NOTHING = new Uint8Array(0);
const CREATED = new TextEncoder().encode('_created');
const BOUND = new TextEncoder().encode('le');
const QUANTILE = new TextEncoder().encode('quantile');

/** A cursor that can be put at the start of any line. */
interface Seekable extends PageCursor {
  seek(at: number): void;
  readonly place: number;
}

/** Whether a family of this type may say since when it counts. */
export const mayBeCreated = (type: number): boolean => type === COUNTER || type === HISTOGRAM || type === SUMMARY;

/** Whether the series that a cursor stands on, and has looked at, is such a line. */
export const isCreated = ({ bytes, nameStart, nameEnd }: PageCursor): boolean =>
  nameEnd - nameStart >= CREATED.length && isText(bytes, nameEnd - CREATED.length, nameEnd, CREATED);

export class CreatedLines {
  readonly #ahead: Seekable;
  /** Where the next such line is, or what ends the family's series; everything before it is known to be none. */
  #at = -1;
  /** Whether it is such a line: its name without the suffix, its labels as in `offsets`, and its value, Unix ms. */
  #isLine = false;
  #nameStart = 0;
  #nameEnd = 0;
  readonly #labels: number[] = [];
  #ms = 0;
  /** The series before had it. */
  #isFound = false;

  /** `ahead` is over the same bytes, and reads such lines as series. */
  constructor(ahead: Seekable) {
    this.#ahead = ahead;
  }

  /** Since when the series counts that the cursor stands on, Unix ms, or 0. `next` is where the next line begins, `family` how long the name of its family is. */
  of(series: PageCursor, next: number, family: number): number {
    if (!mayBeCreated(series.type) || series.nameEnd - series.nameStart < family) {
      this.#isFound = false;
      return 0;
    }
    if (this.#isFound && this.#ms > 0 && this.#isOf(series, family)) return this.#ms;
    if (next > this.#at) this.#look(next);
    this.#isFound = this.#isLine && this.#isOf(series, family);
    return this.#isFound ? this.#ms : 0;
  }

  #look(from: number): void {
    const ahead = this.#ahead;
    ahead.seek(from);
    do {
      this.#at = ahead.place;
      this.#isLine = isSeries(ahead);
    } while (this.#isLine && !isCreated(ahead));
    if (!this.#isLine) return;
    this.#nameStart = ahead.nameStart;
    this.#nameEnd = ahead.nameEnd - CREATED.length;
    this.#labels.length = 0;
    for (let i = 0; i < ahead.offsetCount; i++) this.#labels.push(ahead.offsets[i]!);
    const ms = Math.trunc(doubleOf(ahead) * 1000);
    // What is no time says nothing.
    this.#ms = Number.isSafeInteger(ms) ? ms : 0;
  }

  /** Whether the line is about the series. */
  #isOf(series: PageCursor, family: number): boolean {
    const { bytes, nameStart, offsets, offsetCount, type } = series;
    if (!isSame(bytes, nameStart, nameStart + family, this.#nameStart, this.#nameEnd)) return false;
    const labels = this.#labels;
    let at = 0;
    for (let i = 0; i < offsetCount; i += 4) {
      if (isLeftOut(bytes, offsets[i]!, offsets[i + 1]!, type)) continue;
      while (at < labels.length && isLeftOut(bytes, labels[at]!, labels[at + 1]!, type)) at += 4;
      if (at === labels.length) return false;
      if (!isSame(bytes, offsets[i]!, offsets[i + 1]!, labels[at]!, labels[at + 1]!)) return false;
      if (!isSame(bytes, offsets[i + 2]!, offsets[i + 3]!, labels[at + 2]!, labels[at + 3]!)) return false;
      at += 4;
    }
    while (at < labels.length && isLeftOut(bytes, labels[at]!, labels[at + 1]!, type)) at += 4;
    return at === labels.length;
  }
}

/** Goes to the next entry; what is wrong with it, whoever reads the page will say. */
function isSeries(ahead: PageCursor): boolean {
  try {
    return ahead.next(NOTHING, 0, 0) === SERIES;
  } catch (error) {
    if (error instanceof TextError) return false;
    throw error;
  }
}

/** Whether the label with this name tells only series of one summary or histogram apart. */
function isLeftOut(bytes: Uint8Array, start: number, end: number, type: number): boolean {
  if (type === HISTOGRAM) return isText(bytes, start, end, BOUND);
  return type === SUMMARY && isText(bytes, start, end, QUANTILE);
}

function isText(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

function isSame(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = start, j = otherStart; i < end; i++, j++) if (bytes[i] !== bytes[j]) return false;
  return true;
}
