/**
 * The digest of a batch of log records: their samples sorted by block range, labels and time, each timestamp of a series once,
 * encoded as segments. It keeps no state from batch to batch, so its memory is a matter of the batch's size alone. What
 * two batches share is settled when their segments merge.
 *
 * Invariant: every sample of an added record is in exactly one of `samples`, `duplicates` and `conflicts` of the result.
 */

import { Decoded, DecodeError, decodeWrite, type Schema } from '../encoding/remote-write/decoded.ts';
import { decodeHistogram } from '../encoding/remote-write/histogram.ts';
import { ByteList, U32List } from '../block/lists.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { rangeStart } from '../model/sample.ts';
import { type ExemplarPart, Exemplars } from './exemplars.ts';
import { Said } from './metadata.ts';
import { SegmentWriter } from './segment.ts';
import { SeriesTable } from './series.ts';
import { Settling, type Repeats } from './settle.ts';
import { upTo } from './sort.ts';

/** A batch ends when its histograms, which may be of any size, take so many bytes. */
const HISTOGRAM_BYTES_MAX = 12 * 1024 * 1024;

export interface DigestLimits {
  /** Samples of a batch (`hasRoomFor`), unless one record alone holds more. Memory for all of them is taken when many have come. */
  samplesMax: number;
  /** Bytes of a segment's part before compression; only a single fragment with its labels may be larger. */
  partBytesMax: number;
}

/** One block range's samples of the batch. */
export interface DigestedSegment {
  /** Start of the block range, Unix ms. */
  rangeStartMs: number;
  /** In order; each owns its buffer. */
  parts: Uint8Array<ArrayBuffer>[];
  samples: number;
  series: number;
  /** Time of the first and of the last sample, Unix ms, both inclusive. */
  minT: number;
  maxT: number;
  /** Of all parts, as they are stored. */
  bytes: number;
}

export interface DigestResult extends Repeats {
  /** Ascending by range, none empty. */
  segments: DigestedSegment[];
  /** Samples in the segments. */
  samples: number;
  /** What was said of metrics, each thing once; `leftOut` is what there was no room for. */
  metadata: { readonly families: readonly FamilyMetadata[]; readonly leftOut: number };
  exemplars: { readonly parts: readonly ExemplarPart[]; readonly duplicates: number; readonly leftOut: number };
}

/** Series that are encoded in a step: some milliseconds. */
const SERIES_A_STEP = 1000;

export class Digest {
  readonly #limits: DigestLimits;
  readonly #table: SeriesTable;
  readonly #decoded = new Decoded();
  /** Samples in the order of arrival. */
  #count = 0;
  #series = new Uint32Array(4096);
  #t = new Float64Array(4096);
  #hi = new Uint32Array(4096);
  #lo = new Uint32Array(4096);
  /** Per sample: 0, or the number of its histogram, from 1 on. Null as long as there is none. */
  #histogram: Uint32Array<ArrayBuffer> | null = null;
  /** Histograms as they came, for they take a quarter of the memory so, and the end of each. */
  readonly #messages = new ByteList();
  readonly #messageEnds = new U32List();
  /** Times of the histograms of the record being added. */
  #times: number[] = [];
  readonly #said = new Said();
  readonly #exemplars = new Exemplars();
  /** Series ids of the record being added, resolved before any of its samples is kept. */
  #resolved = new Uint32Array(1024);

  /** `seed` is of the hash of label sets; any number will do, one that a sender cannot guess is better. */
  constructor(limits: DigestLimits, seed = 0) {
    this.#limits = limits;
    this.#table = new SeriesTable(seed);
  }

  /** Samples added so far, repeats included. */
  get samples(): number {
    return this.#count;
  }

  /** Whether a record of so many samples belongs to this batch. The first always does. */
  hasRoomFor(samples: number): boolean {
    if (this.#count === 0) return true;
    return this.#count + samples <= this.#limits.samplesMax && this.#messages.length <= HISTOGRAM_BYTES_MAX;
  }

  /**
   * Adds the samples of an uncompressed Remote Write message, in their order: of a series first the floats, then the histograms. Throws
   * DecodeError, and then nothing of the message was added, when it is malformed, a series with samples has no usable labels or a
   * time beyond 2^53 ms, or a histogram is not valid.
   */
  add(schema: Schema, message: Uint8Array): void {
    const decoded = decodeWrite(schema, message, this.#decoded);
    this.#resolve(decoded);
    if (decoded.histogramCount > 0) this.#addMixed(decoded);
    else this.#addFloats(decoded);
    this.#said.add(decoded);
    this.#exemplars.add(decoded);
  }

  #addFloats(decoded: Decoded): void {
    const first = this.#count;
    const count = first + decoded.sampleCount;
    this.#reserve(count);
    const { t, hi, lo, sampleEnd } = decoded;
    for (let series = 0, i = 0; series < decoded.seriesCount; series++) {
      const id = this.#resolved[series]!;
      for (const end = sampleEnd[series]!; i < end; i++) this.#series[first + i] = id;
    }
    this.#t.set(t.subarray(0, decoded.sampleCount), first);
    this.#hi.set(hi.subarray(0, decoded.sampleCount), first);
    this.#lo.set(lo.subarray(0, decoded.sampleCount), first);
    this.#count = count;
  }

  /** As `add`, for a message with histograms, whose series are resolved. */
  #addMixed(decoded: Decoded): void {
    const { message, t, hi, lo, sampleEnd, histogramStart, histogramStop, histogramEnd } = decoded;
    // They are decoded again when their turn has come: now it is only seen whether they can be.
    this.#times.length = 0;
    for (let h = 0; h < decoded.histogramCount; h++) {
      const { t } = decodeHistogram(message, histogramStart[h]!, histogramStop[h]!);
      if (!Number.isSafeInteger(t)) throw new DecodeError(`a histogram's timestamp is beyond ±2^53 ms`);
      this.#times.push(t);
    }
    this.#reserve(this.#count + decoded.sampleCount + decoded.histogramCount);
    this.#histogram ??= new Uint32Array(this.#t.length);
    let at = this.#count;
    for (let series = 0, i = 0, h = 0; series < decoded.seriesCount; series++) {
      const id = this.#resolved[series]!;
      for (const end = sampleEnd[series]!; i < end; i++, at++) {
        this.#series[at] = id;
        this.#t[at] = t[i]!;
        this.#hi[at] = hi[i]!;
        this.#lo[at] = lo[i]!;
      }
      for (const end = histogramEnd[series]!; h < end; h++, at++) {
        this.#messages.append(message, histogramStart[h]!, histogramStop[h]!);
        this.#messageEnds.push(this.#messages.length);
        this.#series[at] = id;
        this.#t[at] = this.#times[h]!;
        this.#histogram[at] = this.#messageEnds.length;
      }
    }
    this.#count = at;
  }

  /** Sorts, drops repeats and encodes. The digest is spent then. */
  finish(): DigestResult {
    const steps = this.steps();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** As `finish`, in steps, so that others may have their turn between two of them. */
  *steps(): Generator<undefined, DigestResult> {
    const settling = new Settling();
    const segments: DigestedSegment[] = [];
    let samples = 0;
    const order = yield* this.#order();
    yield;
    for (let i = 0; i < order.length;) {
      const rangeStartMs = rangeStart(this.#t[order[i]!]!);
      const writer = new SegmentWriter(this.#limits.partBytesMax);
      const segment = { samples: 0, series: 0, minT: Infinity, maxT: -Infinity };
      while (i < order.length && rangeStart(this.#t[order[i]!]!) === rangeStartMs) {
        const labels = this.#table.labels(this.#series[order[i]!]!);
        i = this.#gather(order, i, rangeStartMs, settling);
        settling.settle(labels);
        const { count, t } = settling;
        writer.add(labels, settling, count);
        segment.samples += count;
        segment.series++;
        segment.minT = Math.min(segment.minT, t[0]!);
        segment.maxT = Math.max(segment.maxT, t[count - 1]!);
        if (segment.series % SERIES_A_STEP === 0) yield;
      }
      segments.push({ rangeStartMs, parts: writer.finish(), ...segment, bytes: writer.bytes });
      samples += segment.samples;
    }
    yield;
    const { duplicates, conflicts, conflictExample } = settling;
    const exemplars = this.#exemplars;
    return {
      segments,
      samples,
      duplicates,
      conflicts,
      conflictExample,
      metadata: { families: this.#said.families(), leftOut: this.#said.leftOut },
      exemplars: { parts: exemplars.parts(), duplicates: exemplars.duplicates, leftOut: exemplars.leftOut },
    };
  }

  /** Looks up every series of a record that has samples: all that could make the record refused, before any is kept. */
  #resolve(decoded: Decoded): void {
    const { seriesCount, sampleEnd, histogramEnd } = decoded;
    if (seriesCount > this.#resolved.length) this.#resolved = new Uint32Array(seriesCount * 2);
    this.#table.beginMessage(decoded);
    // Ends of both kinds added up grow where a series has a sample of either.
    for (let series = 0, from = 0; series < seriesCount; series++) {
      const end = sampleEnd[series]! + histogramEnd[series]!;
      if (end > from) this.#resolved[series] = this.#table.resolve(decoded, series);
      from = end;
    }
  }

  /** Gathers the samples of one series in one range, from place `from` of the order; returns the place behind them. */
  #gather(order: Uint32Array, from: number, rangeStartMs: number, settling: Settling): number {
    const series = this.#series[order[from]!]!;
    const histogram = this.#histogram;
    let place = from;
    settling.clear();
    for (; place < order.length; place++) {
      const i = order[place]!;
      if (this.#series[i] !== series || rangeStart(this.#t[i]!) !== rangeStartMs) break;
      if (histogram !== null && histogram[i]! > 0) {
        const [start, end] = this.#messageRange(histogram[i]! - 1);
        settling.pushHistogram(this.#t[i]!, decodeHistogram(this.#messages.items, start, end).histogram);
      } else settling.push(this.#t[i]!, this.#hi[i]!, this.#lo[i]!);
    }
    return place;
  }

  #messageRange(histogram: number): [start: number, end: number] {
    const ends = this.#messageEnds.items;
    return [histogram === 0 ? 0 : ends[histogram - 1]!, ends[histogram]!];
  }

  /** Indices of the samples by (range, labels, arrival): stable counting sorts, the one by range only when there are several. */
  *#order(): Generator<undefined, Uint32Array> {
    const count = this.#count;
    const bySeries = countingSort(upTo(count), this.#series, yield* this.#table.order());
    const starts = new Set<number>();
    for (let i = 0, last = NaN; i < count; i++) {
      const start = rangeStart(this.#t[i]!);
      if (start !== last) starts.add((last = start));
    }
    if (starts.size <= 1) return bySeries;
    const places = new Map([...starts].sort((a, b) => a - b).map((start, place) => [start, place]));
    const ranges = Uint32Array.from({ length: count }, (_, i) => places.get(rangeStart(this.#t[i]!))!);
    return countingSort(bySeries, ranges, upTo(starts.size));
  }

  #reserve(count: number): void {
    if (count <= this.#t.length) return;
    // In few steps: what is left behind counts as memory until it is collected.
    const places = Math.max(count, Math.min(this.#t.length * 16, this.#limits.samplesMax));
    const t = new Float64Array(places);
    t.set(this.#t);
    this.#t = t;
    this.#hi = widened(this.#hi, places);
    this.#lo = widened(this.#lo, places);
    this.#series = widened(this.#series, places);
    if (this.#histogram !== null) this.#histogram = widened(this.#histogram, places);
  }
}

function widened(column: Uint32Array<ArrayBuffer>, places: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(places);
  out.set(column);
  return out;
}

/** `items` sorted, stable, by where `keys[item]` stands in `keyOrder`, which holds each key from 0 on once. */
function countingSort(items: Uint32Array, keys: Uint32Array, keyOrder: Uint32Array): Uint32Array {
  const next = new Uint32Array(keyOrder.length);
  for (let i = 0; i < items.length; i++) next[keys[items[i]!]!]!++;
  for (let place = 0, k = 0; k < keyOrder.length; k++) {
    const key = keyOrder[k]!;
    const size = next[key]!;
    next[key] = place;
    place += size;
  }
  const out = new Uint32Array(items.length);
  for (let i = 0; i < items.length; i++) out[next[keys[items[i]!]!]!++] = items[i]!;
  return out;
}
