/**
 * The digest of a batch of log records: their samples sorted by block range, labels and time, each timestamp of a series once,
 * encoded as segments. What it knows of series may come from the batches before (known.ts), but no sample does: what two batches share is
 * settled when their segments merge.
 *
 * Invariant: every sample of an added record is in exactly one of `samples`, `duplicates` and `conflicts` of the result.
 */

import { Decoded, DecodeError, type Schema } from '../encoding/remote-write/decoded.ts';
import { decodeHistogram } from '../encoding/remote-write/histogram.ts';
import { ByteList, U32List } from '../block/lists.ts';
import type { FamilyMetadata } from '../model/metadata.ts';
import { RANGE_MS, rangeStart } from '../model/sample.ts';
import { type ExemplarPart, Exemplars } from './exemplars.ts';
import { Known } from './known.ts';
import { Said } from './metadata.ts';
import { SegmentWriter } from './segment.ts';
import type { SeriesTable } from './series.ts';
import { Settling, type Repeats } from './settle.ts';
import { upTo } from './sort.ts';
import { keepShape } from '../model/shape.ts';

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
  /** Its number: other segments that refer to it count back to it. */
  id: number;
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

/** Series that are encoded in a step, a millisecond or two; one that is defined counts for some. */
const SERIES_A_STEP = 1000;
const DEFINED_COUNTS = 4;
/** Samples that are put in their places in a step: as much. */
const SORTED_A_STEP = 1 << 16;

export class Digest {
  readonly #limits: DigestLimits;
  readonly #known: Known;
  readonly #table: SeriesTable;
  readonly #firstSegment: number;
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

  /**
   * `known` is what digests before this one know, and it learns what this one finds: it must be forgotten when what this one makes is not kept. Its
   * segments are numbered from `firstSegment` on (1 or more).
   */
  constructor(limits: DigestLimits, known = new Known(), firstSegment = 1) {
    this.#limits = limits;
    this.#known = known;
    this.#table = known.series;
    this.#firstSegment = firstSegment;
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
    const decoded = this.#decoded;
    this.#table.decode(schema, message, decoded);
    if (decoded.histogramCount > 0) this.#addMixed(decoded);
    else this.#addFloats(decoded);
    this.#said.add(decoded, this.#table);
    this.#exemplars.add(decoded);
  }

  #addFloats(decoded: Decoded): void {
    const first = this.#count;
    const count = first + decoded.sampleCount;
    this.#reserve(count);
    const { t, hi, lo, sampleEnd } = decoded;
    const { ids } = this.#table;
    for (let series = 0, i = 0; series < decoded.seriesCount; series++) {
      const id = ids[series]!;
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
    const { ids } = this.#table;
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
      const id = ids[series]!;
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
    let series = 0;
    let encoded = 0;
    const labels = (): Uint8Array => this.#table.labels(series);
    for (let i = 0; i < order.length;) {
      const rangeStartMs = rangeStart(this.#t[order[i]!]!);
      const id = this.#firstSegment + segments.length;
      const writer = new SegmentWriter(this.#limits.partBytesMax);
      const defined = this.#known.definitions(rangeStartMs);
      const segment = { samples: 0, series: 0, minT: Infinity, maxT: -Infinity };
      const rangeEndMs = rangeStartMs + RANGE_MS;
      while (i < order.length && this.#t[order[i]!]! >= rangeStartMs && this.#t[order[i]!]! < rangeEndMs) {
        series = this.#series[order[i]!]!;
        i = this.#gather(order, i, rangeStartMs, settling);
        settling.settle(labels);
        const { count, t } = settling;
        const definer = defined.segment[series]!;
        if (definer > 0) writer.refer(id - definer, defined.number[series]!, settling, count);
        else {
          defined.segment[series] = id;
          defined.number[series] = writer.define(labels(), settling, count);
        }
        segment.samples += count;
        segment.series++;
        segment.minT = Math.min(segment.minT, t[0]!);
        segment.maxT = Math.max(segment.maxT, t[count - 1]!);
        encoded += definer > 0 ? 1 : DEFINED_COUNTS;
        if (encoded < SERIES_A_STEP) continue;
        encoded = 0;
        yield;
      }
      segments.push({ id, rangeStartMs, parts: writer.finish(), ...segment, bytes: writer.bytes });
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

  /** Gathers the samples of one series in one range, from place `from` of the order; returns the place behind them. */
  #gather(order: Uint32Array, from: number, rangeStartMs: number, settling: Settling): number {
    const series = this.#series[order[from]!]!;
    const histogram = this.#histogram;
    const rangeEndMs = rangeStartMs + RANGE_MS;
    let place = from;
    settling.clear();
    for (; place < order.length; place++) {
      const i = order[place]!;
      if (this.#series[i] !== series || !(this.#t[i]! >= rangeStartMs && this.#t[i]! < rangeEndMs)) break;
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
    const bySeries = yield* countingSort(upTo(count), this.#series, yield* this.#table.order());
    const starts = new Set<number>();
    for (let i = 0, last = NaN; i < count; i++) {
      if (!(this.#t[i]! >= last && this.#t[i]! < last + RANGE_MS)) starts.add((last = rangeStart(this.#t[i]!)));
    }
    if (starts.size <= 1) return bySeries;
    const places = new Map([...starts].sort((a, b) => a - b).map((start, place) => [start, place]));
    const ranges = Uint32Array.from({ length: count }, (_, i) => places.get(rangeStart(this.#t[i]!))!);
    return yield* countingSort(bySeries, ranges, upTo(starts.size));
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

keepShape(new Digest({ samplesMax: 0, partBytesMax: 0 }));

function widened(column: Uint32Array<ArrayBuffer>, places: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(places);
  out.set(column);
  return out;
}

/** `items` sorted, stable, by where `keys[item]` stands in `keyOrder`, which holds each key from 0 on once. */
function* countingSort(
  items: Uint32Array,
  keys: Uint32Array,
  keyOrder: Uint32Array,
): Generator<undefined, Uint32Array> {
  yield;
  const next = new Uint32Array(keyOrder.length);
  for (let from = 0; from < items.length; from += SORTED_A_STEP) {
    count(items, from, Math.min(from + SORTED_A_STEP, items.length), keys, next);
    yield;
  }
  for (let place = 0, k = 0; k < keyOrder.length; k++) {
    const key = keyOrder[k]!;
    const size = next[key]!;
    next[key] = place;
    place += size;
  }
  const out = new Uint32Array(items.length);
  for (let from = 0; from < items.length; from += SORTED_A_STEP) {
    yield;
    put(items, from, Math.min(from + SORTED_A_STEP, items.length), keys, next, out);
  }
  return out;
}

function count(items: Uint32Array, from: number, to: number, keys: Uint32Array, counts: Uint32Array): void {
  for (let i = from; i < to; i++) counts[keys[items[i]!]!]!++;
}

function put(
  items: Uint32Array,
  from: number,
  to: number,
  keys: Uint32Array,
  next: Uint32Array,
  out: Uint32Array,
): void {
  for (let i = from; i < to; i++) out[next[keys[items[i]!]!]!++] = items[i]!;
}
