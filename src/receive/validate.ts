/**
 * Judges a decoded request, series by series: names, labels, limits, time bounds. Only what needs no history: order, duplicates
 * and series identity are settled when the log is digested. Unsorted labels and labels with an empty value are taken, as by Prometheus,
 * which sorts the ones and leaves out the others.
 *
 * A series is taken whole or not at all. Invariant: what has `keep` 1 is what every later reader may rely on.
 */

import { isAscii, isUtf8 } from '../encoding/utf8.ts';
import { BAD_TIMESTAMP } from '../encoding/remote-write/bad.ts';
import { Decoded, DecodeError } from '../encoding/remote-write/decoded.ts';
import { decodeHistogram, HistogramTooLargeError } from '../encoding/remote-write/histogram.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { explain } from './explain.ts';
import { DEFAULT_RECEIVE_LIMITS, type ReceiveLimits } from './limits.ts';
import { keepShape } from '../model/shape.ts';

/** Why a series was refused. Also the label `reason` of the metrics. */
export type Reason =
  | 'bad_reference'
  | 'invalid_histogram'
  | 'too_many_buckets'
  | 'no_samples'
  | 'mixed_samples'
  | 'no_metric_name'
  | 'too_many_labels'
  | 'empty_label_name'
  | 'duplicate_label'
  | 'label_name_too_long'
  | 'label_value_too_long'
  | 'invalid_utf8'
  | 'too_far_ahead'
  | 'too_old';

export interface Refused {
  readonly reason: Reason;
  /** How many series, and how many samples and histograms of theirs. */
  series: number;
  samples: number;
  /** The first of them, in words. */
  readonly example: string;
}

export interface Validated {
  /** Per series: 1 is taken, 0 refused. */
  readonly keep: Uint8Array;
  /** What is taken. */
  readonly series: number;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** Per histogram of a series that is taken: its time, Unix ms. */
  readonly histogramT: Float64Array;
  /** By reason, in order of appearance. Empty when all is taken. */
  readonly refused: readonly Refused[];
}

/** Judges every series against the limits and the clock (`nowMs`, Unix ms). Never throws. */
export function validate(decoded: Decoded, limits: ReceiveLimits, nowMs: number): Validated {
  const judge = new Judge(decoded, limits, nowMs);
  const keep = new Uint8Array(decoded.seriesCount);
  const refused = new Map<Reason, Refused>();
  let series = 0;
  let samples = 0;
  let histograms = 0;
  let exemplars = 0;
  for (let s = 0, label = 0, sample = 0; s < decoded.seriesCount; s++) {
    const labelEnd = decoded.labelEnd[s]!;
    const sampleEnd = decoded.sampleEnd[s]!;
    const histogramsHere = decoded.histogramEnd[s]! - decoded.histogramFrom(s);
    const reason = judge.series(s, label, labelEnd, sample, sampleEnd);
    if (reason === null) {
      keep[s] = 1;
      series++;
      samples += sampleEnd - sample;
      histograms += histogramsHere;
      exemplars += decoded.exemplarCount[s]!;
    } else {
      let row = refused.get(reason);
      if (row === undefined) {
        row = { reason, series: 0, samples: 0, example: explain(decoded, s, reason, judge.found, limits, nowMs) };
        refused.set(reason, row);
      }
      row.series++;
      row.samples += sampleEnd - sample + histogramsHere;
    }
    label = labelEnd;
    sample = sampleEnd;
  }
  const { histogramT } = judge;
  return { keep, series, samples, histograms, exemplars, histogramT, refused: [...refused.values()] };
}

/** What was found in the series that was refused last. */
export interface Found {
  /** Of too_far_ahead and too_old: the time, Unix ms. */
  t: number;
  /** Of a histogram that is not valid: why. */
  fault: string;
}

const UNKNOWN = 0;
const VALID = 1;
const INVALID = 2;

/** `__name__` as bytes. */
const NAME = Uint8Array.from(METRIC_NAME, (char) => char.charCodeAt(0));

class Judge {
  readonly found: Found = { t: 0, fault: '' };
  readonly histogramT: Float64Array;
  readonly #decoded: Decoded;
  readonly #limits: ReceiveLimits;
  readonly #minT: number;
  readonly #maxT: number;
  readonly #view: DataView;
  /** 2.0 only: whether a symbol is UTF-8. Each is looked at once, however many series use it. */
  readonly #symbols: Uint8Array;
  /**
   * 2.0 only: the last series whose names were judged and found good, as its place in the label columns, how many it has, and which
   * is `__name__`. Series that follow each other mostly have the same names, so the same references.
   */
  #sameFrom = 0;
  #sameCount = -1;
  #sameName = 0;

  constructor(decoded: Decoded, limits: ReceiveLimits, nowMs: number) {
    this.#decoded = decoded;
    this.#limits = limits;
    this.#minT = nowMs - limits.pastMs;
    this.#maxT = nowMs + limits.futureMs;
    const { buffer, byteOffset, byteLength } = decoded.message;
    this.#view = new DataView(buffer, byteOffset, byteLength);
    this.#symbols = new Uint8Array(decoded.symbolCount);
    this.histogramT = new Float64Array(decoded.histogramCount);
  }

  /** The first reason against series `s`, or null. Ranges are its own in the columns of labels and samples, ends exclusive. */
  series(s: number, label: number, labelEnd: number, sample: number, sampleEnd: number): Reason | null {
    const decoded = this.#decoded;
    const bad = decoded.bad[s]!;
    if (bad !== 0 && bad !== BAD_TIMESTAMP) return 'bad_reference';
    const wrong = this.#labels(label, labelEnd);
    if (wrong !== null) return wrong;
    const histogram = decoded.histogramFrom(s);
    const histogramEnd = decoded.histogramEnd[s]!;
    // Prometheus sends exemplars as series of their own, without samples.
    if (sample === sampleEnd && histogram === histogramEnd && decoded.schema === 2 && decoded.exemplarCount[s] === 0) {
      return 'no_samples';
    }
    // Remote Write 2.0: "A TimeSeries MUST NOT include both samples and histograms."
    if (sample < sampleEnd && histogram < histogramEnd && decoded.schema === 2) return 'mixed_samples';
    for (let i = sample; i < sampleEnd; i++) {
      const t = decoded.t[i]!;
      if (t > this.#maxT || t < this.#minT) return this.#outOfBounds(t);
    }
    return histogram === histogramEnd ? null : this.#histograms(histogram, histogramEnd);
  }

  #outOfBounds(t: number): Reason {
    this.found.t = t;
    return t > this.#maxT ? 'too_far_ahead' : 'too_old';
  }

  #histograms(from: number, to: number): Reason | null {
    const { message, histogramStart, histogramStop } = this.#decoded;
    for (let i = from; i < to; i++) {
      let t: number;
      try {
        t = decodeHistogram(message, histogramStart[i]!, histogramStop[i]!).t;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.found.fault = error.message;
        return error instanceof HistogramTooLargeError ? 'too_many_buckets' : 'invalid_histogram';
      }
      if (t > this.#maxT || t < this.#minT) return this.#outOfBounds(t);
      this.histogramT[i] = t;
    }
    return null;
  }

  #labels(start: number, end: number): Reason | null {
    const { nameRef, valueStart, valueEnd, schema } = this.#decoded;
    const count = end - start;
    if (count > this.#limits.labelsMax) return 'too_many_labels';
    let nameAt = -1;
    if (schema === 2 && count === this.#sameCount) {
      let i = 0;
      while (i < count && nameRef[start + i] === nameRef[this.#sameFrom + i]) i++;
      if (i === count) nameAt = start + this.#sameName;
    }
    if (nameAt < 0) {
      const wrong = this.#names(start, end);
      if (typeof wrong === 'string') return wrong;
      nameAt = wrong;
      this.#sameFrom = start;
      this.#sameCount = count;
      this.#sameName = nameAt - start;
    }
    // A label with an empty value is as good as absent.
    if (valueStart[nameAt] === valueEnd[nameAt]) return 'no_metric_name';
    const { valueBytesMax } = this.#limits;
    for (let i = start; i < end; i++) if (valueEnd[i]! - valueStart[i]! > valueBytesMax) return 'label_value_too_long';
    return this.#areUtf8(start, end) ? null : 'invalid_utf8';
  }

  /** The place of `__name__` in the label columns, or what is wrong with the names. */
  #names(start: number, end: number): number | Reason {
    const { nameStart, nameEnd, message } = this.#decoded;
    let nameAt = -1;
    let sorted = true;
    for (let i = start; i < end; i++) {
      const length = nameEnd[i]! - nameStart[i]!;
      if (length === 0) return 'empty_label_name';
      if (length > this.#limits.nameBytesMax) return 'label_name_too_long';
      if (sorted && i > start && this.#compareNames(i - 1, i) >= 0) sorted = false;
      if (length === NAME.length && startsWith(message, nameStart[i]!, NAME)) nameAt = i;
    }
    if (!sorted && this.#repeats(start, end)) return 'duplicate_label';
    return nameAt < 0 ? 'no_metric_name' : nameAt;
  }

  /** Order of two label names as bytes. */
  #compareNames(a: number, b: number): number {
    const { nameStart, nameEnd, message } = this.#decoded;
    let x = nameStart[a]!;
    let y = nameStart[b]!;
    const xEnd = nameEnd[a]!;
    const yEnd = nameEnd[b]!;
    for (; x < xEnd && y < yEnd; x++, y++) {
      const difference = message[x]! - message[y]!;
      if (difference !== 0) return difference;
    }
    return xEnd - x - (yEnd - y);
  }

  /** Whether a name comes twice among labels that are not sorted. Few are unsorted, so this may sort for itself. */
  #repeats(start: number, end: number): boolean {
    const order = Uint32Array.from({ length: end - start }, (_, i) => start + i);
    order.sort((a, b) => this.#compareNames(a, b));
    return order.some((label, i) => i > 0 && this.#compareNames(order[i - 1]!, label) === 0);
  }

  #areUtf8(start: number, end: number): boolean {
    const { message, nameStart, nameEnd, nameRef, valueStart, valueEnd, valueRef, schema } = this.#decoded;
    if (schema === 2) {
      for (let i = start; i < end; i++) if (!this.#symbol(nameRef[i]!) || !this.#symbol(valueRef[i]!)) return false;
      return true;
    }
    // The labels of a 1.0 series stand together, mostly with nothing but small tags and lengths between, which look like ASCII.
    const first = Math.min(nameStart[start]!, valueStart[start]!);
    const last = Math.max(nameEnd[end - 1]!, valueEnd[end - 1]!);
    if (isAscii(this.#view, first, last)) return true;
    for (let i = start; i < end; i++) {
      if (!isUtf8(message, nameStart[i]!, nameEnd[i]!) || !isUtf8(message, valueStart[i]!, valueEnd[i]!)) return false;
    }
    return true;
  }

  #symbol(ref: number): boolean {
    let state = this.#symbols[ref]!;
    if (state === UNKNOWN) {
      const { message, symbolStart, symbolEnd } = this.#decoded;
      state = isUtf8(message, symbolStart[ref]!, symbolEnd[ref]!) ? VALID : INVALID;
      this.#symbols[ref] = state;
    }
    return state === VALID;
  }
}

keepShape(new Judge(new Decoded(), DEFAULT_RECEIVE_LIMITS, 0));

function startsWith(bytes: Uint8Array, at: number, what: Uint8Array): boolean {
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}
