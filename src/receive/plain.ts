/**
 * Requests with nothing about them but labels in order, and samples, histograms and exemplars behind them, as nearly all are: judged in one pass over
 * their bytes, without columns. Not a second opinion: whatever is not plainly good is left to validate(), which alone refuses, and knows why.
 *
 * Invariant: of a request for which this answers, validate() keeps every series, and counts the same.
 */

import { COUNT_MAX, DecodeError, type Schema } from '../encoding/remote-write/decoded.ts';
import { decodeHistogram } from '../encoding/remote-write/histogram.ts';
import { isAscii, isUtf8 } from '../encoding/utf8.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { DEFAULT_RECEIVE_LIMITS, type ReceiveLimits } from './limits.ts';
import { keepShape } from '../model/shape.ts';

export interface Plain {
  readonly series: number;
  /** Floats. A series has a sample, a histogram or an exemplar. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly labels: number;
  /** Of samples and histograms, Unix ms, both inclusive; infinite when there are none. */
  readonly minT: number;
  readonly maxT: number;
}

/** What a request holds when all of it is plainly good; null when that cannot be said. Never throws. */
export function judgePlain(schema: Schema, message: Uint8Array, limits: ReceiveLimits, nowMs: number): Plain | null {
  const pass = schema === 1 ? new Pass1(message, limits, nowMs) : new Pass2(message, limits, nowMs);
  return pass.run() && pass.labels <= COUNT_MAX.labels ? pass : null;
}

/** Tags of fields that have a length, and of the sample's own. */
const FIELD_1 = 0x0a;
const FIELD_2 = 0x12;
const FIELD_3 = 0x1a;
const FIELD_4 = 0x22;
const FIELD_5 = 0x2a;
const SAMPLE_VALUE = 0x09;
const SAMPLE_TIMESTAMP = 0x10;
const SAMPLE_START_TIMESTAMP = 0x18;
const EXEMPLAR_VALUE = 0x11;
const EXEMPLAR_TIMESTAMP = 0x18;
const METADATA_TYPE = 0x08;
const METADATA_HELP_REF = 0x18;
const METADATA_UNIT_REF = 0x20;

/** `__name__` as bytes. */
const NAME = Uint8Array.from(METRIC_NAME, (char) => char.charCodeAt(0));

abstract class Pass implements Plain {
  series = 0;
  samples = 0;
  histograms = 0;
  exemplars = 0;
  minT = Infinity;
  maxT = -Infinity;
  labels = 0;
  protected readonly bytes: Uint8Array;
  protected readonly view: DataView;
  protected readonly limits: ReceiveLimits;
  readonly #tooOld: number;
  readonly #tooNew: number;
  /** Where the next read begins. */
  protected at = 0;

  constructor(message: Uint8Array, limits: ReceiveLimits, nowMs: number) {
    this.bytes = message;
    this.view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    this.limits = limits;
    this.#tooOld = nowMs - limits.pastMs;
    this.#tooNew = nowMs + limits.futureMs;
  }

  abstract run(): boolean;

  /** Tags of these fields of a series. */
  protected abstract readonly histogramTag: number;
  protected abstract readonly exemplarTag: number;

  /** Passes over labels of an exemplar, whose field has been read up to its content; whether they are such. */
  protected abstract exemplarLabels(end: number): boolean;

  /** Reads a length of one or two bytes; where what it announces ends, or −1 when it is longer, or that is beyond `end`. */
  protected length(end: number): number {
    const { bytes, at } = this;
    if (at >= end) return -1;
    let length = bytes[at]!;
    let from = at + 1;
    if (length >= 0x80) {
      if (from >= end) return -1;
      const high = bytes[from++]!;
      if (high >= 0x80) return -1;
      length = (length & 0x7f) | (high << 7);
    }
    this.at = from;
    return from + length <= end ? from + length : -1;
  }

  /** What stands behind the labels of a series, up to its end or to another field. */
  protected content(end: number): boolean {
    const { samples } = this;
    if (!this.#samples(end)) return false;
    // In 2.0 metadata comes last.
    if (this.samples > samples && (this.at === end || this.bytes[this.at] === FIELD_5)) return true;
    const { histograms, exemplars } = this;
    for (; this.at < end;) {
      const tag = this.bytes[this.at];
      if (tag === this.histogramTag) {
        if (!this.#histogram(end)) return false;
      } else if (tag === this.exemplarTag) {
        if (!this.#exemplar(end)) return false;
      } else break;
    }
    if (this.samples > samples) return this.histograms === histograms;
    return this.histograms > histograms || this.exemplars > exemplars;
  }

  #histogram(end: number): boolean {
    this.at++;
    const stop = this.length(end);
    if (stop < 0) return false;
    try {
      const { t } = decodeHistogram(this.bytes, this.at, stop);
      if (!this.#isTime(t)) return false;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return false;
    }
    this.at = stop;
    this.histograms++;
    return true;
  }

  /** What it says is not judged, only whether it can be read. */
  #exemplar(end: number): boolean {
    this.at++;
    const stop = this.length(end);
    if (stop < 0) return false;
    while (this.at < stop) {
      const tag = this.bytes[this.at++];
      if (tag === FIELD_1) {
        const labelsEnd = this.length(stop);
        if (labelsEnd < 0 || !this.exemplarLabels(labelsEnd)) return false;
      } else {
        if (tag === EXEMPLAR_VALUE) this.at += 8;
        else if (tag === EXEMPLAR_TIMESTAMP) this.at = this.varint(this.at, stop, 10);
        else return false;
        if (this.at < 0 || this.at > stop) return false;
      }
    }
    this.exemplars++;
    return true;
  }

  #isTime(t: number): boolean {
    // A time that is no number is within no bounds.
    if (!(t >= this.#tooOld && t <= this.#tooNew)) return false;
    if (t < this.minT) this.minT = t;
    if (t > this.maxT) this.maxT = t;
    return true;
  }

  /** The samples of a series, up to its end or to another field. */
  #samples(end: number): boolean {
    const { bytes } = this;
    let at = this.at;
    let count = 0;
    for (; at < end && bytes[at] === FIELD_2; count++) {
      if (at + 2 > end) return false;
      const sampleEnd = at + 2 + bytes[at + 1]!;
      if (bytes[at + 1]! >= 0x80 || sampleEnd > end) return false;
      at += 2;
      // A value of 0 is left out.
      if (bytes[at] === SAMPLE_VALUE) at += 9;
      if (at + 7 > sampleEnd || bytes[at] !== SAMPLE_TIMESTAMP) return false;
      const [b0, b1, b2] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
      const [b3, b4, b5] = [bytes[at + 4]!, bytes[at + 5]!, bytes[at + 6]!];
      // Times between 2004 and 2527 take six bytes.
      if ((b0 & b1 & b2 & b3 & b4) < 0x80 || b5 >= 0x80) return false;
      const low = (b0 & 0x7f) | ((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21);
      const t = ((b4 & 0x7f) | (b5 << 7)) * 0x1000_0000 + low;
      if (!this.#isTime(t)) return false;
      at += 7;
      if (at !== sampleEnd) {
        at = this.startTimestamp(at, sampleEnd);
        if (at !== sampleEnd) return false;
      }
    }
    this.at = at;
    this.samples += count;
    return true;
  }

  /** Passes over the start timestamp of a sample, which 1.0 does not have; returns its end, or −1. */
  protected startTimestamp(_at: number, _end: number): number {
    return -1;
  }

  /** Passes over a varint of at most `max` bytes; returns its end, or −1. */
  protected varint(at: number, end: number, max: number): number {
    for (let i = at; i < end && i < at + max; i++) if (this.bytes[i]! < 0x80) return i + 1;
    return -1;
  }

  /** Order of two names as bytes: whether the first is below the second. */
  protected isBelow(a: number, aEnd: number, b: number, bEnd: number): boolean {
    const { bytes } = this;
    let x = a;
    let y = b;
    for (; x < aEnd && y < bEnd; x++, y++) if (bytes[x] !== bytes[y]) return bytes[x]! < bytes[y]!;
    return x === aEnd && y < bEnd;
  }

  protected isName(at: number, end: number): boolean {
    if (end - at !== NAME.length) return false;
    for (let i = 0; i < NAME.length; i++) if (this.bytes[at + i] !== NAME[i]) return false;
    return true;
  }
}

/** More labels than this a series of a plain request does not have. */
const LABELS_MAX = 128;

/** 1.0: labels of a name and a value, then the rest. Names are mostly those of the series before, which were judged. */
class Pass1 extends Pass {
  /** Where the names of the last series are, how long they are, how many, and which is `__name__`. */
  readonly #names = new Uint32Array(LABELS_MAX);
  readonly #lengths = new Uint8Array(LABELS_MAX);
  #count = 0;
  #nameAt = -1;
  protected readonly exemplarTag = FIELD_3;
  protected readonly histogramTag = FIELD_4;

  run(): boolean {
    const { bytes } = this;
    const end = bytes.length;
    while (this.at < end) {
      if (bytes[this.at++] !== FIELD_1) return false;
      const seriesEnd = this.length(end);
      if (seriesEnd < 0 || !this.#labels(seriesEnd) || !this.content(seriesEnd) || this.at !== seriesEnd) return false;
      this.series++;
    }
    return true;
  }

  #labels(end: number): boolean {
    const { bytes, view } = this;
    const { nameBytesMax, valueBytesMax, labelsMax } = this.limits;
    const names = this.#names;
    const lengths = this.#lengths;
    const start = this.at;
    let at = start;
    let count = 0;
    /** All names so far are those of the last series. */
    let same = true;
    let nameAt = -1;
    while (at < end && bytes[at] === FIELD_1) {
      // As `length`, which reads all lengths of two bytes: here are ten times as many as in all the rest.
      let labelEnd = at + 2 + bytes[at + 1]!;
      if (bytes[at + 1]! < 0x80) at += 2;
      else {
        this.at = at + 1;
        labelEnd = this.length(end);
        at = this.at;
      }
      if (labelEnd > end || labelEnd < at + 4 || bytes[at] !== FIELD_1 || count === LABELS_MAX) return false;
      const length = bytes[at + 1]!;
      const name = at + 2;
      const nameEnd = name + length;
      if (length === 0 || length >= 0x80 || nameEnd + 2 > labelEnd || bytes[nameEnd] !== FIELD_2) return false;
      let valueLength = bytes[nameEnd + 1]!;
      if (valueLength < 0x80) {
        if (nameEnd + 2 + valueLength !== labelEnd) return false;
      } else {
        this.at = nameEnd + 1;
        if (this.length(labelEnd) !== labelEnd) return false;
        valueLength = labelEnd - this.at;
      }
      if (valueLength > valueBytesMax) return false;
      same = same && count < this.#count && lengths[count] === length && isSame(view, names[count]!, name, length);
      if (same ? count === this.#nameAt : this.isName(name, nameEnd)) {
        if (valueLength === 0) return false;
        nameAt = count;
      }
      if (!same) {
        if (length > nameBytesMax) return false;
        if (count > 0 && !this.isBelow(names[count - 1]!, names[count - 1]! + lengths[count - 1]!, name, nameEnd))
          return false;
        lengths[count] = length;
      }
      names[count++] = name;
      at = labelEnd;
    }
    this.at = at;
    this.#count = count;
    this.#nameAt = nameAt;
    this.labels += count;
    if (nameAt < 0 || count > labelsMax) return false;
    return isAscii(view, start, at) || this.#areUtf8(start, at);
  }

  /** One label: a name and a value. */
  protected override exemplarLabels(end: number): boolean {
    const { bytes } = this;
    if (bytes[this.at++] !== FIELD_1) return false;
    const nameEnd = this.length(end);
    if (nameEnd < 0 || bytes[nameEnd] !== FIELD_2) return false;
    this.at = nameEnd + 1;
    if (this.length(end) !== end) return false;
    this.at = end;
    return true;
  }

  /** The labels in [start, end), whose shape is known, one by one. */
  #areUtf8(start: number, end: number): boolean {
    const { bytes } = this;
    for (let at = start; at < end;) {
      this.at = at + 1;
      const labelEnd = this.length(end);
      const name = this.at + 2;
      const nameEnd = name + bytes[this.at + 1]!;
      this.at = nameEnd + 1;
      this.length(labelEnd);
      if (!isUtf8(bytes, name, nameEnd) || !isUtf8(bytes, this.at, labelEnd)) return false;
      at = labelEnd;
    }
    this.at = end;
    return true;
  }
}

keepShape(new Pass1(new Uint8Array(0), DEFAULT_RECEIVE_LIMITS, 0));

/** Whether names of this length are the same bytes; from four on, by words that may overlap. */
function isSame(view: DataView, a: number, b: number, length: number): boolean {
  if (length < 4) {
    for (let i = 0; i < length; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
    return true;
  }
  const last = length - 4;
  for (let i = 0; i < last; i += 4) if (view.getInt32(a + i, true) !== view.getInt32(b + i, true)) return false;
  return view.getInt32(a + last, true) === view.getInt32(b + last, true);
}

/** What a symbol may be. */
const USABLE = 1;
const EMPTY = 2;
const TOO_LONG_FOR_NAME = 4;

/** Columns of symbols, kept from request to request; more symbols than this are not plain. */
const SYMBOLS_MAX = 1 << 14;
const symbolStart = new Uint32Array(SYMBOLS_MAX);
const symbolEnd = new Uint32Array(SYMBOLS_MAX);
const symbolIs = new Uint8Array(SYMBOLS_MAX);

/** 2.0: symbols, each judged once, then series of references to them. */
class Pass2 extends Pass {
  #symbols = 0;
  protected readonly histogramTag = FIELD_3;
  protected readonly exemplarTag = FIELD_4;
  /** The references of the last series' names, how many they are, and which is `__name__`. */
  readonly #names = new Uint32Array(LABELS_MAX);
  #count = 0;
  #nameAt = -1;

  run(): boolean {
    const { bytes } = this;
    const end = bytes.length;
    while (this.at < end && bytes[this.at] === FIELD_4) if (!this.#symbol(end)) return false;
    // The first is the empty one: it stands for nothing.
    if (this.#symbols === 0 || (symbolIs[0]! & EMPTY) === 0) return false;
    while (this.at < end) {
      if (bytes[this.at++] !== FIELD_5) return false;
      const seriesEnd = this.length(end);
      if (seriesEnd < 0 || !this.#labels(seriesEnd) || !this.content(seriesEnd)) return false;
      if (this.at !== seriesEnd && !this.#metadata(seriesEnd)) return false;
      this.series++;
    }
    return true;
  }

  #symbol(end: number): boolean {
    this.at++;
    const stop = this.length(end);
    const s = this.#symbols;
    const start = this.at;
    const size = stop - start;
    const { nameBytesMax, valueBytesMax } = this.limits;
    if (stop < 0 || s === SYMBOLS_MAX) return false;
    symbolStart[s] = start;
    symbolEnd[s] = stop;
    const usable = size <= valueBytesMax && isUtf8(this.bytes, start, stop);
    symbolIs[s] = (usable ? USABLE : 0) | (size === 0 ? EMPTY : 0) | (size > nameBytesMax ? TOO_LONG_FOR_NAME : 0);
    this.#symbols = s + 1;
    this.at = stop;
    return true;
  }

  #labels(end: number): boolean {
    const { bytes } = this;
    if (bytes[this.at++] !== FIELD_1) return false;
    const stop = this.length(end);
    if (stop < 0) return false;
    const symbols = this.#symbols;
    const names = this.#names;
    const known = this.#count;
    const knownNameAt = this.#nameAt;
    let at = this.at;
    let count = 0;
    let same = true;
    let nameAt = -1;
    while (at < stop) {
      let name = bytes[at++]!;
      if (name >= 0x80) {
        if (at >= stop || bytes[at]! >= 0x80) return false;
        name = (name & 0x7f) | (bytes[at++]! << 7);
      }
      if (at >= stop) return false;
      let value = bytes[at++]!;
      if (value >= 0x80) {
        if (at >= stop || bytes[at]! >= 0x80) return false;
        value = (value & 0x7f) | (bytes[at++]! << 7);
      }
      if (name >= symbols || value >= symbols || count === LABELS_MAX || (symbolIs[value]! & USABLE) === 0)
        return false;
      same = same && count < known && names[count] === name;
      if (!same) {
        if (symbolIs[name] !== USABLE) return false;
        if (count > 0 && !this.#isBelow(names[count - 1]!, name)) return false;
        names[count] = name;
      }
      if (same ? count === knownNameAt : this.isName(symbolStart[name]!, symbolEnd[name]!)) {
        if ((symbolIs[value]! & EMPTY) !== 0) return false;
        nameAt = count;
      }
      count++;
    }
    this.at = at;
    this.#count = count;
    this.#nameAt = nameAt;
    this.labels += count;
    return nameAt >= 0 && count <= this.limits.labelsMax;
  }

  #isBelow(a: number, b: number): boolean {
    return this.isBelow(symbolStart[a]!, symbolEnd[a]!, symbolStart[b]!, symbolEnd[b]!);
  }

  /** References, of which a name and a value are a pair. */
  protected override exemplarLabels(end: number): boolean {
    const { bytes } = this;
    let refs = 0;
    for (; this.at < end; refs++) {
      let ref = bytes[this.at++]!;
      if (ref >= 0x80) {
        if (this.at >= end || bytes[this.at]! >= 0x80) return false;
        ref = (ref & 0x7f) | (bytes[this.at++]! << 7);
      }
      if (ref >= this.#symbols) return false;
    }
    return refs % 2 === 0;
  }

  protected override startTimestamp(at: number, end: number): number {
    return this.bytes[at] === SAMPLE_START_TIMESTAMP ? this.varint(at + 1, end, 10) : -1;
  }

  /** The metadata that ends a series: its references must be some. */
  #metadata(end: number): boolean {
    const { bytes } = this;
    if (bytes[this.at++] !== FIELD_5 || this.length(end) !== end) return false;
    while (this.at < end) {
      const tag = bytes[this.at++];
      if (tag !== METADATA_TYPE && tag !== METADATA_HELP_REF && tag !== METADATA_UNIT_REF) return false;
      if (this.at >= end) return false;
      let value = bytes[this.at++]!;
      if (value >= 0x80) {
        if (this.at >= end || bytes[this.at]! >= 0x80) return false;
        value = (value & 0x7f) | (bytes[this.at++]! << 7);
      }
      if (tag !== METADATA_TYPE && value >= this.#symbols) return false;
    }
    return true;
  }
}

keepShape(new Pass2(new Uint8Array(0), DEFAULT_RECEIVE_LIMITS, 0));
