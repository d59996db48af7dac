/**
 * A remote-write request as columns: byte ranges and numbers, no object per series, label or sample. The text of labels stays
 * in the message. It is the shape only; `v1.ts` and `v2.ts` fill it, and judge nothing but the encoding: whether labels and times
 * are acceptable is `receive/validate.ts`.
 *
 * Invariant: whatever decodeWrite returns, every range lies within `message`, and every end is at or above the one before.
 */

import { DecodeError } from '../protobuf-reader.ts';
import { decodeV1 } from './v1.ts';
import { decodeV2 } from './v2.ts';
import { keepShape } from '../../model/shape.ts';

export { DecodeError };

/** Who knows series by the bytes of their labels: most of a message are labels that it had before. */
export interface SeriesReader {
  /** All symbols of a 2.0 message are in the columns. */
  haveSymbols(): void;
  /**
   * Where the labels end when the TimeSeries in bytes [start, end) begins with a label set that is known, with no other label behind it; else -1. When
   * samples follow, and no label or exemplar, its labels are not put into the columns, and it is said by haveSkipped. Else it is read as if it were not
   * known.
   */
  skipLabels(start: number, end: number): number;
  haveSkipped(series: number): void;
  /** A series whose labels are in the columns has been read. */
  haveRead(series: number): void;
}

/** Which message: 1 is `prometheus.WriteRequest`, 2 is `io.prometheus.write.v2.Request`. */
export type Schema = 1 | 2;

/** The message holds more of something than columns are kept for. The way out is a smaller request. */
export class TooManyError extends DecodeError {
  override readonly name = 'TooManyError';
}

/**
 * What one message may hold. On the wire an empty series, a sample of defaults, an empty symbol, a label of two references take two bytes
 * each, and in the columns 45, 16, 8 and 24: without bounds a message of 32 MiB would take 500. With them the columns stay
 * below 60 MiB, and only for a message that really holds that many. They are far above what senders make (10,000 samples a request at most).
 */
export const COUNT_MAX = {
  series: 1 << 18,
  labels: 1 << 20,
  samples: 1 << 20,
  histograms: 1 << 20,
  symbols: 1 << 20,
} as const;

const CAPACITY_MIN = 256;

/**
 * The columns. Arrays are longer than what they hold: the counts tell. They are reused by the next decodeWrite into the same object,
 * so nothing may keep them. A range [start, end) per series in the columns of labels and samples begins at the previous series' end.
 */
export class Decoded {
  schema: Schema = 1;
  /** The uncompressed message that all byte offsets point into. */
  message: Uint8Array = new Uint8Array(0);

  seriesCount = 0;
  labelCount = 0;
  sampleCount = 0;
  histogramCount = 0;
  /** Symbols of a 2.0 message, 0 for 1.0. */
  symbolCount = 0;
  /** Metadata of metric families beside the series (1.0 only; 2.0 has it inside the series). */
  metadataCount = 0;

  // Per series.
  /** Byte range of the TimeSeries message, without its tag and length. */
  seriesStart = new Uint32Array(0);
  seriesEnd = new Uint32Array(0);
  /** End in the label columns, exclusive. */
  labelEnd = new Uint32Array(0);
  /** End in the sample columns, exclusive. */
  sampleEnd = new Uint32Array(0);
  /** End in the histogram columns, exclusive. */
  histogramEnd = new Uint32Array(0);
  /** How many there are; what they hold is not decoded. */
  exemplarCount = new Uint32Array(0);
  /** 0, or why the series cannot be taken (bad.ts). Its labels are then incomplete. */
  bad = new Uint8Array(0);
  /** 2.0 only, stale after a 1.0 message: what is said of its metric, 0 where nothing is. */
  metadataType = new Uint32Array(0);
  helpRef = new Uint32Array(0);
  unitRef = new Uint32Array(0);

  // Per label: byte ranges of its text.
  nameStart = new Uint32Array(0);
  nameEnd = new Uint32Array(0);
  valueStart = new Uint32Array(0);
  valueEnd = new Uint32Array(0);
  /** Per label of a 2.0 message: its symbols. Stale after a 1.0 message. */
  nameRef = new Uint32Array(0);
  valueRef = new Uint32Array(0);

  // Per symbol of a 2.0 message: the byte range of its text.
  symbolStart = new Uint32Array(0);
  symbolEnd = new Uint32Array(0);

  // Per sample: Unix ms, and the high and low half of the value's bits.
  t = new Float64Array(0);
  hi = new Uint32Array(0);
  lo = new Uint32Array(0);

  // Per histogram: byte range of its message, which is not decoded (histogram.ts does that).
  histogramStart = new Uint32Array(0);
  histogramStop = new Uint32Array(0);

  /** Empties it for another message. */
  begin(schema: Schema, message: Uint8Array): void {
    this.schema = schema;
    this.message = message;
    this.seriesCount =
      this.labelCount =
      this.sampleCount =
      this.histogramCount =
      this.symbolCount =
      this.metadataCount =
        0;
  }

  /**
   * After the first series: makes room for `series` like it, so that columns need not be doubled and copied on the way (10 to 20 % of the
   * time of decoding into new columns). Only a guess, so it takes no more than `bytesLeft` could hold, at two bytes an entry.
   */
  expect(series: number, bytesLeft: number): void {
    const guess = (perSeries: number, max: number): number =>
      Math.min(series * perSeries, bytesLeft >>> 1, max - perSeries);
    this.#reserveSeries(guess(1, COUNT_MAX.series));
    this.reserveLabels(guess(this.labelCount, COUNT_MAX.labels));
    this.#reserveSamples(guess(this.sampleCount, COUNT_MAX.samples));
  }

  #reserveSeries(more: number): void {
    const needed = this.seriesCount + more;
    if (needed <= this.seriesStart.length) return;
    const capacity = grown('series', this.seriesStart.length, needed);
    this.seriesStart = widened(this.seriesStart, capacity);
    this.seriesEnd = widened(this.seriesEnd, capacity);
    this.labelEnd = widened(this.labelEnd, capacity);
    this.sampleEnd = widened(this.sampleEnd, capacity);
    this.histogramEnd = widened(this.histogramEnd, capacity);
    this.exemplarCount = widened(this.exemplarCount, capacity);
    this.metadataType = widened(this.metadataType, capacity);
    this.helpRef = widened(this.helpRef, capacity);
    this.unitRef = widened(this.unitRef, capacity);
    const bad = new Uint8Array(capacity);
    bad.set(this.bad);
    this.bad = bad;
  }

  #reserveSamples(more: number): void {
    const needed = this.sampleCount + more;
    if (needed <= this.t.length) return;
    const capacity = grown('samples', this.t.length, needed);
    const times = new Float64Array(capacity);
    times.set(this.t);
    this.t = times;
    this.hi = widened(this.hi, capacity);
    this.lo = widened(this.lo, capacity);
  }

  /** Adds a series with the byte range and nothing else; what follows is added to it until `endSeries`. */
  beginSeries(start: number, end: number): number {
    const s = this.seriesCount;
    if (s === this.seriesStart.length) this.#reserveSeries(1);
    this.seriesStart[s] = start;
    this.seriesEnd[s] = end;
    this.exemplarCount[s] = this.metadataType[s] = this.helpRef[s] = this.unitRef[s] = 0;
    this.bad[s] = 0;
    return s;
  }

  endSeries(s: number): void {
    this.labelEnd[s] = this.labelCount;
    this.sampleEnd[s] = this.sampleCount;
    this.histogramEnd[s] = this.histogramCount;
    this.seriesCount = s + 1;
  }

  addLabel(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const i = this.labelCount;
    if (i === this.nameStart.length) this.reserveLabels(1);
    this.nameStart[i] = nameStart;
    this.nameEnd[i] = nameEnd;
    this.valueStart[i] = valueStart;
    this.valueEnd[i] = valueEnd;
    this.labelCount = i + 1;
  }

  /** Makes room for that many more labels, so that a loop may write them into the columns itself. */
  reserveLabels(more: number): void {
    const needed = this.labelCount + more;
    if (needed <= this.nameStart.length && (this.schema === 1 || needed <= this.nameRef.length)) return;
    const capacity = grown('labels', this.nameStart.length, needed);
    if (capacity > this.nameStart.length) {
      this.nameStart = widened(this.nameStart, capacity);
      this.nameEnd = widened(this.nameEnd, capacity);
      this.valueStart = widened(this.valueStart, capacity);
      this.valueEnd = widened(this.valueEnd, capacity);
    }
    if (this.schema === 2) {
      this.nameRef = widened(this.nameRef, capacity);
      this.valueRef = widened(this.valueRef, capacity);
    }
  }

  addSample(t: number, hi: number, lo: number): void {
    const i = this.sampleCount;
    if (i === this.t.length) this.#reserveSamples(1);
    this.t[i] = t;
    this.hi[i] = hi;
    this.lo[i] = lo;
    this.sampleCount = i + 1;
  }

  addHistogram(start: number, end: number): void {
    const i = this.histogramCount;
    if (i === this.histogramStart.length) {
      const capacity = grown('histograms', i, i + 1);
      this.histogramStart = widened(this.histogramStart, capacity);
      this.histogramStop = widened(this.histogramStop, capacity);
    }
    this.histogramStart[i] = start;
    this.histogramStop[i] = end;
    this.histogramCount = i + 1;
  }

  /** Where the histograms of a series begin in their columns. */
  histogramFrom(series: number): number {
    return series === 0 ? 0 : this.histogramEnd[series - 1]!;
  }

  /** Takes back what was added to a series that was begun; it is to be begun again. */
  dropSamplesSince(samples: number, histograms: number): void {
    this.sampleCount = samples;
    this.histogramCount = histograms;
  }

  /** Samples of the series before `series`, floats and histograms. */
  samplesBefore(series: number): number {
    return series === 0 ? 0 : this.sampleEnd[series - 1]! + this.histogramEnd[series - 1]!;
  }

  addSymbol(start: number, end: number): void {
    const i = this.symbolCount;
    if (i === this.symbolStart.length) {
      const capacity = grown('symbols', i, i + 1);
      this.symbolStart = widened(this.symbolStart, capacity);
      this.symbolEnd = widened(this.symbolEnd, capacity);
    }
    this.symbolStart[i] = start;
    this.symbolEnd[i] = end;
    this.symbolCount = i + 1;
  }
}

keepShape(new Decoded());

/** The capacity of columns that must hold `needed`: doubled, so that growing costs little, and never above COUNT_MAX. */
function grown(what: keyof typeof COUNT_MAX, capacity: number, needed: number): number {
  const max = COUNT_MAX[what];
  if (needed > max) throw new TooManyError(`more than ${max} ${what} in one request; send smaller requests`);
  return Math.min(Math.max(CAPACITY_MIN, needed, capacity * 2), max);
}

function widened(column: Uint32Array<ArrayBuffer>, capacity: number): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(capacity);
  wide.set(column);
  return wide;
}

/**
 * Reads a whole, uncompressed remote-write message into columns: new ones, or those of `into`, whose previous content is lost. `reader` takes part
 * in reading the series. Throws DecodeError when the message is malformed, TooManyError (a DecodeError) when it holds more than COUNT_MAX.
 */
export function decodeWrite(
  schema: Schema,
  message: Uint8Array,
  into: Decoded = new Decoded(),
  reader: SeriesReader | null = null,
): Decoded {
  into.begin(schema, message);
  if (schema === 1) decodeV1(message, into, reader);
  else decodeV2(message, into, reader);
  return into;
}
