/**
 * Reads one body against what a page already knows: the first of the two passes of a scrape. Nothing leaves before all of the body
 * is read, since a fault in its last line fails the whole scrape.
 */

import type { StartTimestamps } from '../../config/features.ts';
import type { RelabelConfig, ValidationScheme } from '../../config/model.ts';
import { Writer } from '../../encoding/protobuf-writer.ts';
import { writeHistogram } from '../../encoding/remote-write/histogram-message.ts';
import { bucketsOf } from '../../model/histogram-buckets.ts';
import { histogramFault } from '../../model/histogram-rules.ts';
import { type Histogram, zeroHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { type Rules, rulesOf } from '../../relabel/relabel.ts';
import { ConvertingCursor } from '../exposition/converting.ts';
import { END, type PageCursor, SERIES } from '../exposition/cursor.ts';
import { AS_FLOAT, AS_FLOAT_HISTOGRAM, AS_HISTOGRAM, Entries, UNTRACKED } from './entries.ts';
import type { Exemplars } from './exemplars.ts';
import { type Families, isOfFamily } from './families.ts';
import type { BodyFormat } from '../exposition/formats.ts';
import { CLASSIC_ONLY, type HistogramSettings, limited } from './histograms.ts';
import type { LabelLimits } from './label-limits.ts';
import { checkLegacyNames, finalLabels, PageError } from './labels.ts';
import { OpenMetricsCursor } from '../exposition/openmetrics.ts';
import { ProtobufCursor } from '../exposition/protobuf/cursor.ts';
import { NAME_REF, type Symbols } from './symbols.ts';
import { TextCursor } from '../exposition/text.ts';
import { EncodingError } from '../exposition/text-bytes.ts';
import { keepShape } from '../../model/shape.ts';

/** A page with more samples fails: its state and its messages must fit an isolate's 128 MB beside others. */
export const SAMPLES_MAX = 100_000;
/** An explicit timestamp further ahead is not taken, as in Prometheus (`maxAheadTime`). */
export const AHEAD_MS_MAX = 10 * 60 * 1000;

/** A zero is written at a start timestamp that is at most this far back: as long as a Prometheus server takes samples that come late. */
export const ZERO_MS_MAX = 60 * 60 * 1000;

/** Bits of `Reading.seen`. All are of a series, but TOUCHED, which is of an entry. */
export const SEEN = 1;
export const SEEN_WITH_TIMESTAMP = 2;
const TOUCHED = 4;
/** A series has a sample later than the scrape: no marker would come after it. */
const AHEAD = 8;
/** A series has a histogram, of floats. */
const HISTOGRAM = 16;
const FLOATS = 32;

export interface PageLimits {
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  /** Samples a scrape may have; 0 is no limit but `SAMPLES_MAX`. */
  readonly sampleLimit: number;
  /** Each is asked once for each text that is new to the page. */
  readonly metricRelabelConfigs: readonly RelabelConfig[];
  readonly metricNameValidationScheme: ValidationScheme;
  /** None when left out. */
  readonly labelLimits?: LabelLimits;
  /** A series goes stale also when its samples have timestamps of their own. */
  readonly trackTimestampsStaleness?: boolean;
  /** Classic ones alone when left out. */
  readonly histograms?: HistogramSettings;
  /** What is done with start timestamps; nothing when left out. */
  readonly startTimestamps?: StartTimestamps;
}

/** Samples of one body, as columns, and what became of them. */
export class Reading {
  count = 0;
  entry: Uint32Array<ArrayBuffer>;
  t: Float64Array<ArrayBuffer>;
  hi: Uint32Array<ArrayBuffer>;
  lo: Uint32Array<ArrayBuffer>;
  /** The metric family, or −1. */
  family: Int32Array<ArrayBuffer>;
  /** Of samples that are histograms: which they are, ascending, and where the message of each ends in `messages`. */
  readonly histogram: number[] = [];
  readonly messageEnd: number[] = [];
  readonly messages = new Writer();
  /** Of each sample its start timestamp, Unix ms, 0 when it has none; null when they are not to be stored. */
  startT: Float64Array<ArrayBuffer> | null = null;
  /** Of each sample the time of the zero that goes before it, Unix ms, 0 for none; null while there is none. */
  zeroT: Float64Array<ArrayBuffer> | null = null;
  /** Of such samples that are histograms: the message of the zero. */
  readonly zeroMessages = new Map<number, Uint8Array<ArrayBuffer>>();
  /** Per entry: bits, see above. */
  seen: Uint8Array<ArrayBuffer>;
  /** Entries of this page in the order of their first place in it. */
  order: Uint32Array<ArrayBuffer>;
  orderCount = 0;

  /** Samples in the body; those that relabelling left; series that are new. */
  scraped = 0;
  postRelabel = 0;
  seriesAdded = 0;
  /** Samples left out: a series a second time without timestamps; a timestamp too far ahead. */
  duplicates = 0;
  outOfBounds = 0;

  /** With room for the entries that there are, and for a page like the last. */
  constructor({ count, order }: Entries) {
    const capacity = order.length + 64;
    this.entry = new Uint32Array(capacity);
    this.t = new Float64Array(capacity);
    this.hi = new Uint32Array(capacity);
    this.lo = new Uint32Array(capacity);
    this.family = new Int32Array(capacity);
    this.seen = new Uint8Array(count + 64);
    this.order = new Uint32Array(capacity);
  }

  isTouched(entry: number): boolean {
    return (this.seen[entry]! & TOUCHED) !== 0;
  }

  touch(entry: number): void {
    if (entry >= this.seen.length) this.seen = wider(this.seen, Uint8Array, entry);
    if ((this.seen[entry]! & TOUCHED) !== 0) return;
    this.seen[entry]! |= TOUCHED;
    if (this.orderCount === this.order.length) this.order = wider(this.order, Uint32Array, this.orderCount);
    this.order[this.orderCount++] = entry;
  }

  /** How the series goes stale when the next scrape does not have it, as in entries.ts. */
  trackedAs(series: number): number {
    const seen = this.seen[series]!;
    if ((seen & (SEEN | AHEAD)) !== SEEN) return UNTRACKED;
    if ((seen & HISTOGRAM) === 0) return AS_FLOAT;
    return (seen & FLOATS) === 0 ? AS_HISTOGRAM : AS_FLOAT_HISTOGRAM;
  }

  /** Whether the series must not go stale now. */
  isThere(series: number): boolean {
    return (this.seen[series]! & (SEEN | AHEAD)) !== 0;
  }

  push(entry: number, t: number, hi: number, lo: number, family: number): void {
    const i = this.count++;
    if (i === this.entry.length) {
      this.entry = wider(this.entry, Uint32Array, i);
      this.t = wider(this.t, Float64Array, i);
      this.hi = wider(this.hi, Uint32Array, i);
      this.lo = wider(this.lo, Uint32Array, i);
      this.family = wider(this.family, Int32Array, i);
    }
    this.entry[i] = entry;
    this.t[i] = t;
    this.hi[i] = hi;
    this.lo[i] = lo;
    this.family[i] = family;
  }

  /** As `push`, with a histogram, which is encoded at once: a page of many would not fit in memory otherwise. */
  pushHistogram(entry: number, series: number, t: number, histogram: Histogram, family: number, startT: number): void {
    this.histogram.push(this.count);
    writeHistogram(this.messages, t, histogram, startT);
    this.messageEnd.push(this.messages.length);
    this.seen[series]! |= histogram.isFloat ? HISTOGRAM | FLOATS : HISTOGRAM;
    this.push(entry, t, 0, 0, family);
  }

  /** Notes the start timestamp of the sample that was pushed last. */
  noteStart(startT: number): void {
    const i = this.count - 1;
    this.startT ??= new Float64Array(this.entry.length);
    if (i >= this.startT.length) this.startT = wider(this.startT, Float64Array, i);
    this.startT[i] = startT;
  }

  /** Notes that a zero at `t` goes before the sample that was pushed last. */
  noteZero(t: number, histogram: Histogram | null): void {
    const i = this.count - 1;
    this.zeroT ??= new Float64Array(this.entry.length);
    if (i >= this.zeroT.length) this.zeroT = wider(this.zeroT, Float64Array, i);
    this.zeroT[i] = t;
    if (histogram === null) return;
    const message = new Writer();
    writeHistogram(message, t, zeroHistogram(histogram));
    this.zeroMessages.set(i, message.finish());
  }
}

keepShape(new Reading(new Entries()));

/** What a body is read against. New series, texts and families are added to it. */
export interface Known {
  readonly entries: Entries;
  readonly families: Families;
  readonly symbols: Symbols;
  readonly exemplars: Exemplars;
  readonly target: Labels;
  readonly external: Labels;
  readonly limits: PageLimits;
  /** When the last sample or marker was of the series that an entry stands for, Unix ms; −∞ when it is new to the page. */
  readonly lastOf: (series: number) => number;
}

export function cursorOf(
  body: Uint8Array,
  format: BodyFormat,
  settings = CLASSIC_ONLY,
  readsStart = false,
): PageCursor {
  if (format === 'protobuf') return new ProtobufCursor(body, settings, readsStart);
  const cursor = format === 'openmetrics' ? new OpenMetricsCursor(body, readsStart) : new TextCursor(body);
  return settings.convert ? new ConvertingCursor(cursor, settings.classic) : cursor;
}

/** Reads a whole body into `out`. Throws TextError or PageError; `out` then holds the counts up to the fault. */
export function readBody(body: Uint8Array, format: BodyFormat, timestampMs: number, known: Known, out: Reading): void {
  const { entries, families, symbols, exemplars, limits } = known;
  const { honorTimestamps, trackTimestampsStaleness } = limits;
  const sampleLimit = limits.sampleLimit > 0 ? limits.sampleLimit : Infinity;
  const aheadMs = timestampMs + AHEAD_MS_MAX;
  const { order } = entries;
  const settings = limits.histograms ?? CLASSIC_ONLY;
  const { startTimestamps } = limits;
  const storesStart = startTimestamps?.store === true;
  const writesZero = startTimestamps?.zero === true;
  const cursor = cursorOf(body, format, settings, startTimestamps !== undefined);
  const exposed: string[] = [];
  let rules: Rules | null = null;
  let appended = 0;
  let overBucketLimit = '';
  let guess = 0;
  families.begin();
  exemplars.begin();

  for (;;) {
    const next = guess < order.length ? order[guess]! : -1;
    const kind = cursor.next(entries.keys, next < 0 ? 0 : entries.keyStart(next), next < 0 ? 0 : entries.keyEnd[next]!);
    if (kind === END) break;
    if (kind !== SERIES) {
      families.enter(cursor, kind);
      if (families.count > SAMPLES_MAX) throw new PageError(`more than ${SAMPLES_MAX} metric families`);
      continue;
    }
    if (++out.scraped > SAMPLES_MAX) {
      throw new PageError(
        `more than ${SAMPLES_MAX} samples, the most that a scrape may have here (split the target's metrics over several paths)`,
      );
    }

    let entry: number;
    let isNew = false;
    if (cursor.expected) {
      entry = next;
      guess++;
    } else {
      entry = entries.find(cursor.keys, cursor.keyStart, cursor.keyEnd);
      if (entry >= 0) {
        // The page goes on from there, most likely.
        if (entries.place[entry]! >= 0) guess = entries.place[entry]! + 1;
        else isNew = !out.isTouched(entry);
      } else {
        readLabels(cursor, exposed, out);
        rules ??= rulesOf(limits.metricRelabelConfigs);
        const { target, external } = known;
        const labels = finalLabels(exposed, target, external, limits.honorLabels, rules, limits.labelLimits);
        if (limits.metricNameValidationScheme === 'legacy') checkLegacyNames(labels);
        if (labels.length > 0 && appended >= sampleLimit) {
          appended++;
          out.postRelabel++;
          continue;
        }
        entry = entries.add(
          cursor.keys,
          cursor.keyStart,
          cursor.keyEnd,
          labels.map((text) => symbols.ref(text)),
        );
        isNew = true;
      }
    }

    out.touch(entry);
    if (entries.isDropped(entry)) continue;
    out.postRelabel++;
    const series = entries.series[entry]!;
    const hasTimestamp = honorTimestamps && cursor.hasTimestamp;
    if (!hasTimestamp && (out.seen[series]! & (SEEN | SEEN_WITH_TIMESTAMP)) !== 0) {
      out.duplicates++;
      continue;
    }
    const histogram = cursor.histogram === null ? null : limited(cursor.histogram, settings);
    if (histogram === null && cursor.histogram !== null) {
      overBucketLimit ||= `${shown(entries, entry)} has ${bucketsOf(cursor.histogram)} buckets`;
      continue;
    }
    if (++appended > sampleLimit) continue;
    if (hasTimestamp && cursor.timestamp > aheadMs) {
      out.outOfBounds++;
      continue;
    }
    const isFirst = (out.seen[series]! & (SEEN | SEEN_WITH_TIMESTAMP)) === 0;
    if (!hasTimestamp) out.seen[series]! |= SEEN;
    else if (cursor.timestamp > timestampMs) out.seen[series]! |= SEEN_WITH_TIMESTAMP | AHEAD;
    else out.seen[series]! |= trackTimestampsStaleness === true ? SEEN | SEEN_WITH_TIMESTAMP : SEEN_WITH_TIMESTAMP;
    if (isNew) out.seriesAdded++;
    const t = hasTimestamp ? cursor.timestamp : timestampMs;
    const startT = startTimestamps === undefined ? 0 : cursor.startTimestamp();
    const family = familyOf(entries, entry, families, symbols);
    if (histogram === null) {
      out.push(entry, t, cursor.hi, cursor.lo, family);
    } else {
      const fault = histogramFault(histogram);
      if (fault !== null) throw new PageError(`histogram ${shown(entries, entry)}: ${fault}`);
      out.pushHistogram(entry, series, t, histogram, family, storesStart ? startT : 0);
    }
    if (startT !== 0) {
      if (storesStart) out.noteStart(startT);
      if (writesZero && isFirst && isZeroDue(startT, t, known.lastOf(series))) out.noteZero(startT, histogram);
    }
    if (cursor.exemplarEnd > 0) exemplars.take(cursor, entries.keyText(entry), out.count - 1, t);
  }
  if (appended > sampleLimit) {
    throw new PageError(
      `sample limit exceeded: ${appended} samples, sample_limit is ${sampleLimit} (raise it, or let the target expose less)`,
      'sample_limit',
    );
  }
  if (overBucketLimit !== '') {
    throw new PageError(
      `histogram bucket limit exceeded: ${overBucketLimit}, and in the coarsest resolution still more than native_histogram_bucket_limit, which is ${settings.bucketLimit} (raise it)`,
      'native_histogram_bucket_limit',
    );
  }
}

/** A sample whose labels are not UTF-8 does not count, as in Prometheus, whose parser stops before it. */
function readLabels(cursor: PageCursor, exposed: string[], out: Reading): void {
  try {
    cursor.labels(exposed);
  } catch (error) {
    if (error instanceof EncodingError) out.scraped--;
    throw error;
  }
}

/** Whether a series that counts since `startT`, has a sample at `t` and had its last at `lastMs` is to have a zero where it began (tsdb/agent, `bestEffortAppendSTZeroSample`). */
const isZeroDue = (startT: number, t: number, lastMs: number): boolean =>
  startT < t && startT > lastMs && startT >= t - ZERO_MS_MAX;

/** A series' text, shortened, for a message. */
function shown(entries: Entries, entry: number): string {
  const text = entries.keyText(entry);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The current family if the series belongs to it, else −1. Names are compared only when the series comes under a family for the first time. */
function familyOf(entries: Entries, entry: number, families: Families, symbols: Symbols): number {
  const family = families.current;
  if (family < 0) return -1;
  const stamp = families.stamps[family]!;
  if (entries.judged[entry] !== stamp) {
    let name = '';
    for (let i = entries.refStart(entry); i < entries.refEnd[entry]!; i += 2) {
      if (entries.refs[i] === NAME_REF) name = symbols.text(entries.refs[i + 1]!);
    }
    entries.judged[entry] = stamp;
    entries.member[entry] = isOfFamily(name, families.names[family]!, families.types[family]!) ? 1 : 0;
  }
  return entries.member[entry] === 1 ? family : -1;
}

type Column = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** A copy of a column with room for index `index` and as much again. */
function wider<T extends Column>(column: T, make: new (length: number) => T, index: number): T {
  const wide = new make(Math.max(column.length * 2, index + 1));
  wide.set(column);
  return wide;
}
