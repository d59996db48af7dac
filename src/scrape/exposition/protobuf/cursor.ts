/**
 * Prometheus' protobuf format, delimited `io.prometheus.client.MetricFamily` messages, as a cursor: each message gives the entries that the
 * same metrics in text would, in the order of Prometheus' own parser (model/textparse, protobufparse.go). What of a histogram is given, its
 * native part, its classic series, or what these are as a native one, is as the settings say. Start timestamps
 * are read when that is wanted.
 *
 * The one invariant: nothing is gathered that grows with the body. Buckets and quantiles are read where they stand, one a call.
 */

import { HISTOGRAM_BUCKETS_MAX } from '../../../encoding/histogram-parts.ts';
import { Cursor } from '../../../encoding/protobuf-reader.ts';
import {
  COUNTER,
  END,
  type Entry,
  GAUGE_HISTOGRAM,
  HELP,
  HISTOGRAM,
  PageCursor,
  SERIES,
  SUMMARY,
  TYPE,
  UNIT,
} from '../cursor.ts';
import { HINT_GAUGE, HINT_UNKNOWN, type Histogram } from '../../../model/histogram.ts';
import { ClassicHistogram } from '../classic-histogram.ts';
import { CLASSIC_ONLY, type HistogramSettings } from '../../page/histograms.ts';
import { KeyWriter } from '../key.ts';
import { doubleOf } from '../number.ts';
import { decodeText, TextError } from '../text-bytes.ts';
import { byteError, inWords } from './errors.ts';
import { readExemplar, readTimestamp } from './exemplar.ts';
import { FamilyReader } from './family.ts';
import { EXEMPLAR, LABEL, METRIC, SCALAR, START_TIMESTAMP } from './messages.ts';
import { NativeReader } from './native.ts';
import { PointReader, readBits } from './points.ts';
import { keepShape } from '../../../model/shape.ts';

/** Which series of a summary or histogram is next: its native part, its count, its sum (2), a point, what it is converted to, or none. */
const NATIVE = 0;
const COUNT = 1;
const POINTS = 3;
const CONVERTED = 4;
const DONE = 5;

const ASCII = new TextEncoder();
const SUFFIXES = {
  none: ASCII.encode(''),
  count: ASCII.encode('_count'),
  sum: ASCII.encode('_sum'),
  bucket: ASCII.encode('_bucket'),
};

export class ProtobufCursor extends PageCursor {
  readonly #reader: Cursor;
  readonly #family: FamilyReader;
  /** What comes before the metrics of the family. */
  #before: readonly Entry[] = [];
  #beforeAt = 0;
  /** The metric's summary or histogram. */
  #stage = DONE;
  readonly #points: PointReader;
  readonly #native: NativeReader;
  readonly #settings: HistogramSettings;
  readonly #readsStart: boolean;
  /** Of the metric: since when it counts, or 0. */
  #startTimestamp = 0;
  readonly #key = new KeyWriter('plain');
  #suffix = SUFFIXES.none;
  #boundLabel = '';

  constructor(bytes: Uint8Array, settings: HistogramSettings = CLASSIC_ONLY, readsStart = false) {
    super(bytes);
    this.#reader = new Cursor(bytes);
    this.#family = new FamilyReader(this.#reader);
    this.#points = new PointReader(this.#reader);
    this.#native = new NativeReader(this.#reader);
    this.#settings = settings;
    this.#readsStart = readsStart;
  }

  override next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    try {
      for (;;) {
        if (this.#beforeAt < this.#before.length) return this.#describe(this.#before[this.#beforeAt++]!);
        if (this.#stage < DONE && this.#nextOfMany()) break;
        // Before the first family there is nothing.
        const end = this.#before.length === 0 ? -1 : this.#family.nextMetric();
        if (end < 0) {
          if (!this.#nextFamily()) return END;
        } else if (this.#readMetric(end)) break;
      }
    } catch (error) {
      throw inWords(error);
    }
    const key = this.#key;
    const { nameStart, nameEnd } = this.#family;
    key.make(this.bytes, nameStart, nameEnd, this.#suffix, this.#boundLabel, this.#points.boundText);
    this.keys = key.bytes;
    this.keyStart = 0;
    this.keyEnd = key.length;
    this.expected = key.is(expect, expectStart, expectEnd);
    return SERIES;
  }

  override labels(out: string[]): void {
    out.length = 0;
    const suffix = decodeText(this.#suffix, 0, this.#suffix.length)!;
    out.push('__name__', this.familyName() + suffix);
    for (let i = 0; i < this.offsetCount; i += 4) {
      const name = this.string(this.offsets[i]!, this.offsets[i + 1]!);
      if (name === '') throw this.error(this.offsets[i]!, 'a label name that is not empty');
      out.push(name, this.string(this.offsets[i + 2]!, this.offsets[i + 3]!));
    }
    if (this.#boundLabel !== '') out.push(this.#boundLabel, this.#points.boundText);
  }

  override exemplarLabels(out: string[]): void {
    out.length = 0;
    const reader = this.#reader;
    const end = this.exemplarEnd;
    const from = this.offsetCount;
    try {
      reader.offset = this.exemplarStart;
      while (reader.offset < end) {
        const tag = reader.tag(end);
        if (tag === EXEMPLAR.label) this.#readLabel(reader.length(end));
        else reader.skip(tag, end);
      }
    } catch (error) {
      throw inWords(error);
    }
    for (let i = from; i < this.offsetCount; i += 2) out.push(this.string(this.offsets[i]!, this.offsets[i + 1]!));
    this.offsetCount = from;
  }

  override nextExemplar(): boolean {
    try {
      return this.histogram !== null && this.#native.nextExemplar(this);
    } catch (error) {
      throw inWords(error);
    }
  }

  override startTimestamp(): number {
    return this.#startTimestamp;
  }

  override familyName(): string {
    return this.string(this.#family.nameStart, this.#family.nameEnd);
  }

  override helpText(): string {
    return this.string(this.textStart, this.textEnd);
  }

  override error(at: number, wanted: string): TextError {
    return byteError(at, wanted);
  }

  /** Nothing is escaped. */
  protected override string(start: number, end: number): string {
    return this.decode(start, end);
  }

  /** Stands on HELP, UNIT or TYPE of the family. */
  #describe(entry: Entry): Entry {
    const family = this.#family;
    this.nameStart = family.nameStart;
    this.nameEnd = family.nameEnd;
    this.textStart = entry === UNIT ? family.unitStart : family.helpStart;
    this.textEnd = entry === UNIT ? family.unitEnd : family.helpEnd;
    return entry;
  }

  #nextFamily(): boolean {
    const family = this.#family;
    if (!family.next()) return false;
    if (this.familyName() === '') throw this.error(family.nameStart, 'a metric name that is not empty');
    this.type = family.type;
    this.#before = family.unitEnd > family.unitStart ? [HELP, UNIT, TYPE] : [HELP, TYPE];
    this.#beforeAt = 0;
    return true;
  }

  /** Reads a metric, which ends at `end`. True when it is one series; when it is many, they come one by one. */
  #readMetric(end: number): boolean {
    const reader = this.#reader;
    const isMany = this.type === SUMMARY || this.type === HISTOGRAM || this.type === GAUGE_HISTOGRAM;
    this.offsetCount = 0;
    this.timestamp = 0;
    this.hi = this.lo = 0;
    this.exemplarEnd = 0;
    this.histogram = null;
    this.#startTimestamp = 0;
    this.#points.clear(this.type === SUMMARY);
    this.#native.clear();
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === METRIC.label) this.#readLabel(reader.length(end));
      else if (tag === METRIC.timestampMs) this.timestamp = reader.int64(end);
      else if (tag !== this.#family.field) reader.skip(tag, end);
      else {
        const valueEnd = reader.length(end);
        if (this.#readsStart) this.#readStart(valueEnd);
        if (isMany) this.#readMany(valueEnd);
        else this.#readScalar(valueEnd);
      }
    }
    // As in Prometheus: 0 is none.
    this.hasTimestamp = this.timestamp !== 0;
    this.#key.clearLabels();
    const { bytes, offsets } = this;
    for (let i = 0; i < this.offsetCount; i += 4) {
      this.#key.label(bytes, offsets[i]!, offsets[i + 1]!, offsets[i + 2]!, offsets[i + 3]!);
    }
    this.#suffix = SUFFIXES.none;
    this.#boundLabel = '';
    if (isMany) this.#stage = this.#firstStage();
    return !isMany;
  }

  /** Looks for it in the message at the reader's place, and goes back there. */
  #readStart(end: number): void {
    const reader = this.#reader;
    const start = reader.offset;
    const wanted = START_TIMESTAMP[this.type];
    if (wanted === undefined) return;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === wanted) this.#startTimestamp = readTimestamp(reader, reader.length(end));
      else reader.skip(tag, end);
    }
    reader.offset = start;
  }

  #readMany(end: number): void {
    const start = this.#reader.offset;
    this.#points.begin(end);
    const { native, convert } = this.#settings;
    if (this.type !== SUMMARY && (native || convert)) this.#native.begin(start, end);
    this.#reader.offset = end;
  }

  #firstStage(): number {
    if (this.type === SUMMARY) return COUNT;
    const { native, classic, convert } = this.#settings;
    if (native && this.#native.isNative) return NATIVE;
    return convert && !classic ? CONVERTED : COUNT;
  }

  #readLabel(end: number): void {
    const reader = this.#reader;
    let nameStart = reader.offset;
    let nameEnd = nameStart;
    let valueStart = nameStart;
    let valueEnd = nameStart;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag !== LABEL.name && tag !== LABEL.value) {
        reader.skipOther(tag, end, 'LabelPair', 2);
        continue;
      }
      const to = reader.length(end);
      if (tag === LABEL.name) [nameStart, nameEnd] = [reader.offset, to];
      else [valueStart, valueEnd] = [reader.offset, to];
      reader.offset = to;
    }
    this.push(nameStart, nameEnd, valueStart, valueEnd);
  }

  #readScalar(end: number): void {
    const reader = this.#reader;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === SCALAR.value) readBits(reader, end, this);
      else if (tag === SCALAR.exemplar && this.type === COUNTER) readExemplar(reader, reader.length(end), this);
      else reader.skip(tag, end);
    }
  }

  /** Goes to the next series of a summary or histogram; false when there is none. */
  #nextOfMany(): boolean {
    this.exemplarEnd = 0;
    this.histogram = null;
    const points = this.#points;
    const { native, classic, convert } = this.#settings;
    const isNative = native && this.#native.isNative;
    switch (this.#stage) {
      case NATIVE:
        this.#stage = classic && this.#native.hasBuckets ? COUNT : DONE;
        return this.#give(this.#native.histogram(this.type === GAUGE_HISTOGRAM));
      case POINTS:
        if (points.next(this)) {
          const isSummary = this.type === SUMMARY;
          this.#suffix = isSummary ? SUFFIXES.none : SUFFIXES.bucket;
          this.#boundLabel = isSummary ? 'quantile' : 'le';
          this.hi = points.value.hi;
          this.lo = points.value.lo;
          return true;
        }
        this.#stage = DONE;
        return convert && !isNative && this.type !== SUMMARY && this.#give(this.#converted());
      case CONVERTED:
        this.#stage = DONE;
        return this.#give(this.#converted());
      default: {
        const isCount = this.#stage++ === COUNT;
        const { hi, lo } = isCount ? points.count : points.sum;
        this.hi = hi;
        this.lo = lo;
        this.#suffix = isCount ? SUFFIXES.count : SUFFIXES.sum;
        return true;
      }
    }
  }

  /** Stands on a histogram as one sample. */
  #give(histogram: Histogram): true {
    this.histogram = histogram;
    this.#suffix = SUFFIXES.none;
    this.#boundLabel = '';
    this.#native.nextExemplar(this);
    return true;
  }

  #converted(): Histogram {
    const points = this.#points;
    const classic = new ClassicHistogram();
    classic.count(doubleOf(points.count));
    classic.sum(points.sum.hi, points.sum.lo);
    for (points.rewind(); points.nextPoint(this);) {
      if (classic.isFull) throw this.error(this.#reader.offset, `at most ${HISTOGRAM_BUCKETS_MAX} buckets`);
      classic.bucket(points.bound, doubleOf(points.value));
    }
    const histogram = classic.convert(this.type === GAUGE_HISTOGRAM ? HINT_GAUGE : HINT_UNKNOWN);
    if (typeof histogram !== 'string') return histogram;
    throw new TextError(`histogram ${JSON.stringify(this.familyName())}: ${histogram}`);
  }
}

keepShape(new ProtobufCursor(new Uint8Array(0)));
