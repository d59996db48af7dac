/**
 * Prometheus' protobuf format, delimited `io.prometheus.client.MetricFamily` messages (prompb/io/prometheus/client/metrics.proto), as a cursor:
 * each message gives the entries that the same metrics in text would, in the order of Prometheus' own parser (model/textparse,
 * protobufparse.go, with `IgnoreNativeHistograms`): a histogram is its count, its sum and its buckets, whatever native parts it has.
 * Start timestamps are not read.
 *
 * The one invariant: nothing is gathered that grows with the body. Buckets and quantiles are read where they stand, one a call.
 */

import { BYTES, Cursor, DecodeError, FIXED64, tagOf, VARINT } from '../encoding/protobuf-reader.ts';
import { Writer } from '../encoding/protobuf-writer.ts';
import {
  COUNTER,
  END,
  type Entry,
  GAUGE,
  GAUGE_HISTOGRAM,
  HELP,
  HISTOGRAM,
  PageCursor,
  SERIES,
  SUMMARY,
  TYPE,
  UNIT,
  UNKNOWN,
} from './cursor.ts';
import { doubleOf, formatBound, putBits, type ValueBits } from './number.ts';
import { BACKSLASH, decodeText, LF, QUOTE, TextError } from './text-bytes.ts';

const FAMILY = {
  name: tagOf(1, BYTES),
  help: tagOf(2, BYTES),
  type: tagOf(3, VARINT),
  metric: tagOf(4, BYTES),
  unit: tagOf(5, BYTES),
};
const LABEL = tagOf(1, BYTES);
const TIMESTAMP_MS = tagOf(6, VARINT);
/** Of LabelPair. */
const NAME = tagOf(1, BYTES);
const VALUE = tagOf(2, BYTES);
/** Of Gauge, Counter and Untyped. */
const SCALAR_VALUE = tagOf(1, FIXED64);
const COUNTER_EXEMPLAR = tagOf(2, BYTES);
/** Of Summary and Histogram; points are quantiles and buckets. */
const SAMPLE_COUNT = tagOf(1, VARINT);
const SAMPLE_SUM = tagOf(2, FIXED64);
const POINT = tagOf(3, BYTES);
const SAMPLE_COUNT_FLOAT = tagOf(4, FIXED64);
const QUANTILE = { quantile: tagOf(1, FIXED64), value: tagOf(2, FIXED64) };
const BUCKET = {
  count: tagOf(1, VARINT),
  bound: tagOf(2, FIXED64),
  exemplar: tagOf(3, BYTES),
  countFloat: tagOf(4, FIXED64),
};
const EXEMPLAR = { label: tagOf(1, BYTES), value: tagOf(2, FIXED64), timestamp: tagOf(3, BYTES) };
const TIMESTAMP = { seconds: tagOf(1, VARINT), nanos: tagOf(2, VARINT) };

/** By the number of `MetricType`: the type as Remote Write has it, and the tag of the field of Metric that holds the value. */
const TYPES: readonly (readonly [type: number, field: number])[] = [
  [COUNTER, tagOf(3, BYTES)],
  [GAUGE, tagOf(2, BYTES)],
  [SUMMARY, tagOf(4, BYTES)],
  [UNKNOWN, tagOf(5, BYTES)],
  [HISTOGRAM, tagOf(7, BYTES)],
  [GAUGE_HISTOGRAM, tagOf(7, BYTES)],
];

/** Which series of a summary or histogram is next: its count, its sum, a point (2), or none. */
const COUNT = 0;
const SUM = 1;
const DONE = 3;

const ASCII = new TextEncoder();
const SUFFIXES = {
  none: ASCII.encode(''),
  count: ASCII.encode('_count'),
  sum: ASCII.encode('_sum'),
  bucket: ASCII.encode('_bucket'),
};

export class ProtobufCursor extends PageCursor {
  readonly #reader: Cursor;
  /** The family: where its fields begin and end, where its next metric is looked for, and what comes before it. */
  #familyEnd = 0;
  #metricAt = 0;
  #before: readonly Entry[] = [];
  #beforeAt = 0;
  #familyNameStart = 0;
  #familyNameEnd = 0;
  #helpStart = 0;
  #helpEnd = 0;
  #unitStart = 0;
  #unitEnd = 0;
  #field = 0;
  /** The metric's summary or histogram. */
  #stage = DONE;
  #pointAt = 0;
  #pointsEnd = 0;
  #hasInfinity = false;
  readonly #count: ValueBits = { hi: 0, lo: 0 };
  readonly #sum: ValueBits = { hi: 0, lo: 0 };
  readonly #bits: ValueBits = { hi: 0, lo: 0 };
  /** The metric's labels as they stand in every key of its series, and the key being made. */
  readonly #labelPart = new Writer();
  readonly #key = new Writer();
  #suffix = SUFFIXES.none;
  #boundLabel = '';
  #bound = '';
  readonly #bounds = new Map<number, string>();

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.#reader = new Cursor(bytes);
  }

  override next(expect: Uint8Array, expectStart: number, expectEnd: number): Entry {
    try {
      for (;;) {
        if (this.#beforeAt < this.#before.length) return this.#describe(this.#before[this.#beforeAt++]!);
        if (this.#stage < DONE && this.#nextOfMany()) break;
        const kind = this.#nextMetric();
        if (kind === SERIES) break;
        if (kind === END && !this.#nextFamily()) return END;
      }
    } catch (error) {
      throw inWords(error);
    }
    this.#makeKey();
    this.expected = this.#isExpected(expect, expectStart, expectEnd);
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
    if (this.#boundLabel !== '') out.push(this.#boundLabel, this.#bound);
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

  override familyName(): string {
    return this.string(this.#familyNameStart, this.#familyNameEnd);
  }

  override helpText(): string {
    return this.string(this.textStart, this.textEnd);
  }

  override error(at: number, wanted: string): TextError {
    return new TextError(`byte ${at}: expected ${wanted}`);
  }

  /** Nothing is escaped. */
  protected override string(start: number, end: number): string {
    return this.decode(start, end);
  }

  /** Stands on HELP, UNIT or TYPE of the family. */
  #describe(entry: Entry): Entry {
    this.nameStart = this.#familyNameStart;
    this.nameEnd = this.#familyNameEnd;
    this.textStart = entry === UNIT ? this.#unitStart : this.#helpStart;
    this.textEnd = entry === UNIT ? this.#unitEnd : this.#helpEnd;
    return entry;
  }

  /** Goes to the next family that has metrics; false at the end of the body. */
  #nextFamily(): boolean {
    const reader = this.#reader;
    const { bytes } = this;
    for (;;) {
      if (this.#familyEnd === bytes.length) return false;
      reader.offset = this.#familyEnd;
      const end = reader.length(bytes.length);
      const start = reader.offset;
      this.#familyEnd = end;
      this.#familyNameStart = this.#familyNameEnd = this.#helpStart = this.#helpEnd = start;
      this.#unitStart = this.#unitEnd = start;
      let type = 0;
      let hasMetrics = false;
      while (reader.offset < end) {
        const tag = reader.tag(end);
        if (tag === FAMILY.type) {
          type = reader.uint32(end);
          continue;
        }
        if (tag !== FAMILY.name && tag !== FAMILY.help && tag !== FAMILY.unit && tag !== FAMILY.metric) {
          reader.skipOther(tag, end, 'MetricFamily', 5);
          continue;
        }
        const to = reader.length(end);
        if (tag === FAMILY.name) [this.#familyNameStart, this.#familyNameEnd] = [reader.offset, to];
        else if (tag === FAMILY.help) [this.#helpStart, this.#helpEnd] = [reader.offset, to];
        else if (tag === FAMILY.unit) [this.#unitStart, this.#unitEnd] = [reader.offset, to];
        else hasMetrics = true;
        reader.offset = to;
      }
      if (!hasMetrics) continue;
      if (this.familyName() === '') throw this.error(start, 'a metric name that is not empty');
      const known = TYPES[type];
      if (known === undefined) throw this.error(start, `a metric type from 0 to 5, got ${type}`);
      [this.type, this.#field] = known;
      this.#metricAt = start;
      this.#before = this.#unitEnd > this.#unitStart ? [HELP, UNIT, TYPE] : [HELP, TYPE];
      this.#beforeAt = 0;
      return true;
    }
  }

  /** Reads the next metric of the family. SERIES when it is one, HELP when it is many series, END when there is none. */
  #nextMetric(): Entry {
    const reader = this.#reader;
    const end = this.#familyEnd;
    reader.offset = this.#metricAt;
    // Before the first family there is nothing.
    while (this.#before.length > 0 && reader.offset < end) {
      const tag = reader.tag(end);
      if (tag !== FAMILY.metric) {
        reader.skip(tag, end);
        continue;
      }
      const stop = reader.length(end);
      this.#metricAt = stop;
      return this.#readMetric(stop);
    }
    this.#metricAt = end;
    return END;
  }

  #readMetric(end: number): Entry {
    const reader = this.#reader;
    const isMany = this.type === SUMMARY || this.type === HISTOGRAM || this.type === GAUGE_HISTOGRAM;
    this.offsetCount = 0;
    this.timestamp = 0;
    this.hi = this.lo = 0;
    this.exemplarEnd = 0;
    this.#pointAt = this.#pointsEnd = 0;
    this.#count.hi = this.#count.lo = this.#sum.hi = this.#sum.lo = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === LABEL) this.#readLabel(reader.length(end));
      else if (tag === TIMESTAMP_MS) this.timestamp = reader.int64(end);
      else if (tag !== this.#field) reader.skip(tag, end);
      else if (isMany) this.#readMany(reader.length(end));
      else this.#readScalar(reader.length(end));
    }
    // As in Prometheus: 0 is none.
    this.hasTimestamp = this.timestamp !== 0;
    this.#writeLabels();
    this.#suffix = SUFFIXES.none;
    this.#boundLabel = this.#bound = '';
    if (!isMany) return SERIES;
    this.#stage = COUNT;
    this.#hasInfinity = false;
    return HELP;
  }

  #readLabel(end: number): void {
    const reader = this.#reader;
    let nameStart = reader.offset;
    let nameEnd = nameStart;
    let valueStart = nameStart;
    let valueEnd = nameStart;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag !== NAME && tag !== VALUE) {
        reader.skipOther(tag, end, 'LabelPair', 2);
        continue;
      }
      const to = reader.length(end);
      if (tag === NAME) [nameStart, nameEnd] = [reader.offset, to];
      else [valueStart, valueEnd] = [reader.offset, to];
      reader.offset = to;
    }
    this.push(nameStart, nameEnd, valueStart, valueEnd);
  }

  #readScalar(end: number): void {
    const reader = this.#reader;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === SCALAR_VALUE) {
        this.lo = reader.fixed32(end);
        this.hi = reader.fixed32(end);
      } else if (tag === COUNTER_EXEMPLAR && this.type === COUNTER) this.#readExemplar(reader.length(end));
      else reader.skip(tag, end);
    }
  }

  /** Count and sum of a summary or histogram; its points come later. */
  #readMany(end: number): void {
    const reader = this.#reader;
    this.#pointAt = reader.offset;
    this.#pointsEnd = end;
    let count = 0;
    let countFloat = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === SAMPLE_COUNT) count = unsigned(reader.int64(end));
      else if (tag === SAMPLE_SUM) this.#readBits(end, this.#sum);
      else if (tag === SAMPLE_COUNT_FLOAT && this.type !== SUMMARY) countFloat = this.#readDouble(end);
      else reader.skip(tag, end);
    }
    putBits(countFloat === 0 ? count : countFloat, this.#count);
  }

  /** Goes to the next series of a summary or histogram; false when there is none. */
  #nextOfMany(): boolean {
    this.exemplarEnd = 0;
    if (this.#stage === COUNT || this.#stage === SUM) {
      const { hi, lo } = this.#stage === COUNT ? this.#count : this.#sum;
      this.hi = hi;
      this.lo = lo;
      this.#suffix = this.#stage === COUNT ? SUFFIXES.count : SUFFIXES.sum;
      this.#stage++;
      return true;
    }
    const isSummary = this.type === SUMMARY;
    this.#suffix = isSummary ? SUFFIXES.none : SUFFIXES.bucket;
    this.#boundLabel = isSummary ? 'quantile' : 'le';
    const reader = this.#reader;
    const end = this.#pointsEnd;
    reader.offset = this.#pointAt;
    while (reader.offset < end && !this.#hasInfinity) {
      const tag = reader.tag(end);
      if (tag !== POINT) {
        reader.skip(tag, end);
        continue;
      }
      const stop = reader.length(end);
      if (isSummary) this.#readQuantile(stop);
      else this.#readBucket(stop);
      this.#pointAt = stop;
      return true;
    }
    this.#stage = DONE;
    if (isSummary || this.#hasInfinity) return false;
    // The bucket that has all may be missing.
    this.hi = this.#count.hi;
    this.lo = this.#count.lo;
    this.#bound = '+Inf';
    return true;
  }

  #readQuantile(end: number): void {
    const reader = this.#reader;
    let quantile = 0;
    this.hi = this.lo = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === QUANTILE.quantile) quantile = this.#readDouble(end);
      else if (tag === QUANTILE.value) this.#readBits(end, this);
      else reader.skipOther(tag, end, 'Quantile', 2);
    }
    this.#bound = this.#boundText(quantile);
  }

  #readBucket(end: number): void {
    const reader = this.#reader;
    let bound = 0;
    let count = 0;
    let countFloat = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === BUCKET.count) count = unsigned(reader.int64(end));
      else if (tag === BUCKET.bound) bound = this.#readDouble(end);
      else if (tag === BUCKET.countFloat) countFloat = this.#readDouble(end);
      else if (tag === BUCKET.exemplar) this.#readExemplar(reader.length(end));
      else reader.skipOther(tag, end, 'Bucket', 4);
    }
    putBits(countFloat === 0 ? count : countFloat, this);
    this.#hasInfinity = bound === Infinity;
    this.#bound = this.#boundText(bound);
  }

  #readExemplar(end: number): void {
    const reader = this.#reader;
    this.exemplarStart = reader.offset;
    this.exemplarEnd = end;
    this.exemplarHasTimestamp = false;
    this.exemplarHi = this.exemplarLo = 0;
    while (reader.offset < end) {
      const tag = reader.tag(end);
      if (tag === EXEMPLAR.value) {
        this.#readBits(end, this.#bits);
        this.exemplarHi = this.#bits.hi;
        this.exemplarLo = this.#bits.lo;
      } else if (tag === EXEMPLAR.timestamp) {
        const stop = reader.length(end);
        let seconds = 0;
        let nanos = 0;
        while (reader.offset < stop) {
          const field = reader.tag(stop);
          if (field === TIMESTAMP.seconds) seconds = reader.int64(stop);
          else if (field === TIMESTAMP.nanos) nanos = reader.int64(stop);
          else reader.skipOther(field, stop, 'Timestamp', 2);
        }
        this.exemplarHasTimestamp = true;
        this.exemplarTimestamp = seconds * 1000 + Math.trunc(nanos / 1_000_000);
      } else if (tag === EXEMPLAR.label) reader.offset = reader.length(end);
      else reader.skipOther(tag, end, 'Exemplar', 3);
    }
  }

  #readBits(end: number, out: ValueBits): void {
    out.lo = this.#reader.fixed32(end);
    out.hi = this.#reader.fixed32(end);
  }

  #readDouble(end: number): number {
    this.#readBits(end, this.#bits);
    return doubleOf(this.#bits);
  }

  /** Few bounds stand in many metrics. */
  #boundText(bound: number): string {
    let text = this.#bounds.get(bound);
    if (text === undefined) {
      text = formatBound(bound);
      if (this.#bounds.size < 1000) this.#bounds.set(bound, text);
    }
    return text;
  }

  #writeLabels(): void {
    const out = this.#labelPart;
    out.clear();
    for (let i = 0; i < this.offsetCount; i += 4) {
      this.#writeText(out, 0x2c, this.offsets[i]!, this.offsets[i + 1]!);
      this.#writeText(out, 0x3d, this.offsets[i + 2]!, this.offsets[i + 3]!);
    }
  }

  /** A byte, then the text in quotes, with the escapes of the text format. */
  #writeText(out: Writer, before: number, start: number, end: number): void {
    const bytes = this.bytes;
    out.reserve(3 + 2 * (end - start));
    const to = out.bytes;
    let at = out.length;
    to[at++] = before;
    to[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const c = bytes[i]!;
      if (c === QUOTE || c === BACKSLASH || c === LF) to[at++] = BACKSLASH;
      to[at++] = c === LF ? 0x6e : c;
    }
    to[at++] = QUOTE;
    out.length = at;
  }

  /** The key: the series as the text format would spell it, with all names in quotes. */
  #makeKey(): void {
    const out = this.#key;
    out.clear();
    this.#writeText(out, 0x7b, this.#familyNameStart, this.#familyNameEnd);
    const suffix = this.#suffix;
    if (suffix.length > 0) {
      out.length--;
      out.raw(suffix, 0, suffix.length);
      out.tag(QUOTE);
    }
    out.raw(this.#labelPart.bytes, 0, this.#labelPart.length);
    if (this.#boundLabel !== '') {
      const text = `,"${this.#boundLabel}"="${this.#bound}"`;
      for (let i = 0; i < text.length; i++) out.tag(text.charCodeAt(i));
    }
    out.tag(0x7d);
    this.keys = out.bytes;
    this.keyStart = 0;
    this.keyEnd = out.length;
  }

  #isExpected(expect: Uint8Array, start: number, end: number): boolean {
    const keys = this.keys;
    const length = this.keyEnd;
    if (end - start !== length) return false;
    for (let i = 0; i < length; i++) if (keys[i] !== expect[start + i]) return false;
    return true;
  }
}

const inWords = (error: unknown): unknown =>
  error instanceof DecodeError ? new TextError(`protobuf: ${error.message}`) : error;

const unsigned = (value: number): number => (value < 0 ? value + 2 ** 64 : value);
