/**
 * Builds `io.prometheus.write.v2.Request` messages (Remote Write 2.0, rc.4; field numbers in v2.ts), one series with one sample at a
 * time: what a scrape is encoded with. Messages are closed when they are as large as a request should be, so that a log record
 * can be sent as it is.
 *
 * Invariant: a reference means something only within the message it was made for. `generation` tells messages apart: references
 * kept from an earlier one are void.
 */

import type { Histogram } from '../../model/histogram.ts';
import { uvarintSize, writeUvarint } from '../../model/label-bytes.ts';
import { BYTES, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { fieldSize, int64Size, Writer } from '../protobuf-writer.ts';
import { writeHistogram } from './histogram-message.ts';
import { keepShape } from '../../model/shape.ts';

const REQUEST_SYMBOLS = tagOf(4, BYTES);
const REQUEST_TIMESERIES = tagOf(5, BYTES);
const SERIES_LABELS_REFS = tagOf(1, BYTES);
const SERIES_SAMPLES = tagOf(2, BYTES);
const SERIES_HISTOGRAMS = tagOf(3, BYTES);
const SERIES_EXEMPLARS = tagOf(4, BYTES);
const SERIES_METADATA = tagOf(5, BYTES);
const SAMPLE_VALUE = tagOf(1, FIXED64);
const SAMPLE_TIMESTAMP = tagOf(2, VARINT);
const SAMPLE_START_TIMESTAMP = tagOf(3, VARINT);
const EXEMPLAR_LABELS_REFS = tagOf(1, BYTES);
const EXEMPLAR_VALUE = tagOf(2, FIXED64);
const EXEMPLAR_TIMESTAMP = tagOf(3, VARINT);
const METADATA_TYPE = tagOf(1, VARINT);
const METADATA_HELP_REF = tagOf(3, VARINT);
const METADATA_UNIT_REF = tagOf(4, VARINT);
/** A sample's value with its tag. */
const SAMPLE_VALUE_BYTES = 9;

export interface BuiltRequest {
  /** Uncompressed, in a buffer of its own. */
  readonly message: Uint8Array<ArrayBuffer>;
  readonly samples: number;
  readonly series: number;
  /** Lowest and highest timestamp, Unix ms, both inclusive. */
  readonly minT: number;
  readonly maxT: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** A bit for each lane that was set while series were added; 0 when none was. */
  readonly lanes: number;
}

export class RequestBuilder {
  readonly #samplesMax: number;
  readonly #bytesMax: number;
  readonly #encoder = new TextEncoder();
  readonly #symbols = new Writer();
  readonly #series = new Writer();
  /** Exemplars of the next series. */
  readonly #exemplars = new Writer();
  readonly #histogram = new Writer();
  readonly #refs = new Map<string, number>();
  /** The timestamps of the last sample as they stand there, with their tags; nearly all of a scrape have the same. */
  readonly #time = new Writer();
  #timeIs = NaN;
  #startTimeIs = 0;
  /** The metadata of the last series as it stands there, nothing when there is none; the series of a family have the same. */
  readonly #metadata = new Writer();
  #metadataType = 0;
  #metadataHelp = 0;
  #metadataUnit = 0;
  #built: BuiltRequest[] = [];
  #samples = 0;
  #histograms = 0;
  #exemplarCount = 0;
  #minT = Infinity;
  #maxT = -Infinity;
  #lane = 0;
  #lanes = 0;
  #generation = 0;

  /** `bytesMax` is of the uncompressed message. A single series above it becomes a message of its own. */
  constructor(limits: { readonly samplesMax: number; readonly bytesMax: number }) {
    this.#samplesMax = limits.samplesMax;
    this.#bytesMax = limits.bytesMax;
    this.#begin();
  }

  /** Grows whenever a new message, and so a new symbol table, begins. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes room for one more series that takes about `bytes`, its new symbols included: closes the message when it would not fit.
   * To be called before the series' references are resolved, since they may have to be made anew.
   */
  reserve(bytes: number): void {
    if (this.#samples === 0) return;
    if (this.#samples < this.#samplesMax && this.#symbols.length + this.#series.length + bytes <= this.#bytesMax)
      return;
    this.#close();
  }

  /** What is added from now on is of the lane with this bit. */
  set lane(bit: number) {
    this.#lane = bit;
  }

  /** How full the message is, 0 to 1. */
  get fill(): number {
    if (this.#samples === 0) return 0;
    const bytes = this.#symbols.length + this.#series.length;
    return Math.min(1, Math.max(this.#samples / this.#samplesMax, bytes / this.#bytesMax));
  }

  /** Ends the message here: what comes next is in another. */
  cut(): void {
    if (this.#samples > 0) this.#close();
  }

  /** The reference of a text in the message being built. */
  symbol(text: string): number {
    const known = this.#refs.get(text);
    if (known !== undefined) return known;
    const ref = this.#refs.size;
    this.#refs.set(text, ref);
    writeText(this.#symbols, REQUEST_SYMBOLS, text, this.#encoder);
    return ref;
  }

  /** An exemplar of the series that is added next: `refs` as there, `t` Unix ms, `hi` and `lo` the halves of its value's bits. */
  exemplar(refs: readonly number[], t: number, hi: number, lo: number): void {
    const out = this.#exemplars;
    let refsSize = 0;
    for (const ref of refs) refsSize += uvarintSize(ref);
    this.#exemplarCount++;
    out.tag(SERIES_EXEMPLARS);
    out.uint32((refsSize > 0 ? fieldSize(refsSize) : 0) + 10 + int64Size(t));
    if (refsSize > 0) {
      out.tag(EXEMPLAR_LABELS_REFS);
      out.uint32(refsSize);
      for (const ref of refs) out.uint32(ref);
    }
    out.tag(EXEMPLAR_VALUE);
    out.fixed32(lo);
    out.fixed32(hi);
    out.tag(EXEMPLAR_TIMESTAMP);
    out.int64(t);
  }

  /**
   * Adds a series with one sample. `refs` holds `refCount` references, name and value by turns, sorted by name. `t` is Unix ms; `hi` and
   * `lo` are the halves of the value's bits. `type` is the metadata's type (0 unspecified, 1 counter, 2 gauge, 3 histogram, 4 gaugehistogram,
   * 5 summary, 6 info, 7 stateset). `startT` is when what the sample counts began, Unix ms, 0 when that is not known.
   */
  add(
    refs: Uint32Array | readonly number[],
    refCount: number,
    t: number,
    hi: number,
    lo: number,
    type = 0,
    helpRef = 0,
    unitRef = 0,
    startT = 0,
  ): void {
    if (this.#exemplars.length === 0 && this.#isAdded(refs, refCount, t, hi, lo, type, helpRef, unitRef, startT))
      return;
    const out = this.#series;
    // Both fields are written even when they are zero: 0 is a value like others, and -0 has bits.
    const sampleSize = 10 + int64Size(t) + (startT === 0 ? 0 : 1 + int64Size(startT));
    this.#begun(refs, refCount, sampleSize, type, helpRef, unitRef);
    out.tag(SERIES_SAMPLES);
    out.uint32(sampleSize);
    out.tag(SAMPLE_VALUE);
    out.fixed32(lo);
    out.fixed32(hi);
    out.tag(SAMPLE_TIMESTAMP);
    out.int64(t);
    if (startT !== 0) {
      out.tag(SAMPLE_START_TIMESTAMP);
      out.int64(startT);
    }
    this.#ended(t, type, helpRef, unitRef);
  }

  /**
   * `add` for nearly all: a sample and its metadata in less than 128 bytes, so that all lengths take one. A third of the time of the writing by
   * fields, which is left to what does not fit: false then, and nothing was added.
   */
  #isAdded(
    refs: Uint32Array | readonly number[],
    refCount: number,
    t: number,
    hi: number,
    lo: number,
    type: number,
    helpRef: number,
    unitRef: number,
    startT: number,
  ): boolean {
    const time = this.#timeOf(t, startT);
    const metadata = this.#metadataOf(type, helpRef, unitRef);
    const behind = 2 + SAMPLE_VALUE_BYTES + time.length + metadata.length;
    const out = this.#series;
    out.reserve(4 + refCount * 5 + behind);
    const bytes = out.bytes;
    const start = out.length;
    let at = start + 4;
    for (let i = 0; i < refCount; i++) {
      const ref = refs[i]!;
      if (ref < 0x80) {
        bytes[at++] = ref;
      } else if (ref < 0x4000) {
        bytes[at++] = ref | 0x80;
        bytes[at++] = ref >>> 7;
      } else {
        at = writeUvarint(bytes, at, ref);
      }
    }
    const size = at - start - 2 + behind;
    if (size >= 0x80) return false;
    bytes[start] = REQUEST_TIMESERIES;
    bytes[start + 1] = size;
    bytes[start + 2] = SERIES_LABELS_REFS;
    bytes[start + 3] = at - start - 4;
    bytes[at] = SERIES_SAMPLES;
    bytes[at + 1] = SAMPLE_VALUE_BYTES + time.length;
    bytes[at + 2] = SAMPLE_VALUE;
    bytes[at + 3] = lo;
    bytes[at + 4] = lo >>> 8;
    bytes[at + 5] = lo >>> 16;
    bytes[at + 6] = lo >>> 24;
    bytes[at + 7] = hi;
    bytes[at + 8] = hi >>> 8;
    bytes[at + 9] = hi >>> 16;
    bytes[at + 10] = hi >>> 24;
    at += 11;
    for (let i = 0; i < time.length; i++) bytes[at++] = time.bytes[i]!;
    for (let i = 0; i < metadata.length; i++) bytes[at++] = metadata.bytes[i]!;
    out.length = at;
    this.#counted(t);
    return true;
  }

  #timeOf(t: number, startT: number): Writer {
    const time = this.#time;
    if (t !== this.#timeIs || startT !== this.#startTimeIs) {
      time.clear();
      time.tag(SAMPLE_TIMESTAMP);
      time.int64(t);
      if (startT !== 0) {
        time.tag(SAMPLE_START_TIMESTAMP);
        time.int64(startT);
      }
      this.#timeIs = t;
      this.#startTimeIs = startT;
    }
    return time;
  }

  #metadataOf(type: number, helpRef: number, unitRef: number): Writer {
    const metadata = this.#metadata;
    if (type !== this.#metadataType || helpRef !== this.#metadataHelp || unitRef !== this.#metadataUnit) {
      metadata.clear();
      writeMetadata(metadata, type, helpRef, unitRef);
      this.#metadataType = type;
      this.#metadataHelp = helpRef;
      this.#metadataUnit = unitRef;
    }
    return metadata;
  }

  /** As `add`, with a histogram for its sample. */
  addHistogram(
    refs: Uint32Array | readonly number[],
    refCount: number,
    t: number,
    histogram: Histogram,
    type = 0,
    helpRef = 0,
    unitRef = 0,
    startT = 0,
  ): void {
    const message = this.#histogram;
    message.clear();
    writeHistogram(message, t, histogram, startT);
    this.addHistogramMessage(refs, refCount, t, message.bytes, 0, message.length, type, helpRef, unitRef);
  }

  /** As `addHistogram`, with its message written already: `bytes[start, end)`, with `t` in it. */
  addHistogramMessage(
    refs: Uint32Array | readonly number[],
    refCount: number,
    t: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    type = 0,
    helpRef = 0,
    unitRef = 0,
  ): void {
    this.#begun(refs, refCount, end - start, type, helpRef, unitRef);
    this.#series.field(SERIES_HISTOGRAMS, bytes, start, end);
    this.#histograms++;
    this.#ended(t, type, helpRef, unitRef);
  }

  /** The head of a series whose sample is a message of so many bytes. */
  #begun(
    refs: Uint32Array | readonly number[],
    refCount: number,
    sampleSize: number,
    type: number,
    helpRef: number,
    unitRef: number,
  ): void {
    const out = this.#series;
    let refsSize = 0;
    for (let i = 0; i < refCount; i++) refsSize += uvarintSize(refs[i]!);
    const metadata = this.#metadataOf(type, helpRef, unitRef);
    out.tag(REQUEST_TIMESERIES);
    out.uint32(fieldSize(refsSize) + fieldSize(sampleSize) + this.#exemplars.length + metadata.length);
    out.tag(SERIES_LABELS_REFS);
    out.uint32(refsSize);
    for (let i = 0; i < refCount; i++) out.uint32(refs[i]!);
  }

  /** What comes behind its sample, at `t`. */
  #ended(t: number, type: number, helpRef: number, unitRef: number): void {
    const out = this.#series;
    const exemplars = this.#exemplars;
    if (exemplars.length > 0) {
      out.raw(exemplars.bytes, 0, exemplars.length);
      exemplars.clear();
    }
    const metadata = this.#metadataOf(type, helpRef, unitRef);
    out.raw(metadata.bytes, 0, metadata.length);
    this.#counted(t);
  }

  #counted(t: number): void {
    this.#samples++;
    this.#lanes |= this.#lane;
    if (t < this.#minT) this.#minT = t;
    if (t > this.#maxT) this.#maxT = t;
  }

  /** All messages since the last call, in order, and starts anew. None when nothing was added. */
  finish(): BuiltRequest[] {
    if (this.#samples > 0) this.#close();
    const built = this.#built;
    this.#built = [];
    return built;
  }

  #begin(): void {
    this.#generation++;
    this.#symbols.clear();
    this.#series.clear();
    this.#refs.clear();
    this.#samples = 0;
    this.#histograms = 0;
    this.#exemplarCount = 0;
    this.#lanes = 0;
    this.#minT = Infinity;
    this.#maxT = -Infinity;
    // The first symbol is the empty string, so that a reference of 0 means "none".
    this.symbol('');
  }

  #close(): void {
    const message = new Uint8Array(this.#symbols.length + this.#series.length);
    message.set(this.#symbols.bytes.subarray(0, this.#symbols.length));
    message.set(this.#series.bytes.subarray(0, this.#series.length), this.#symbols.length);
    this.#built.push({
      message,
      samples: this.#samples,
      series: this.#samples,
      minT: this.#minT,
      maxT: this.#maxT,
      histograms: this.#histograms,
      exemplars: this.#exemplarCount,
      lanes: this.#lanes,
    });
    this.#begin();
  }
}

keepShape(new RequestBuilder({ samplesMax: 0, bytesMax: 0 }));

/** Of the message, 0 when there is none. */
function sizeOfMetadata(type: number, helpRef: number, unitRef: number): number {
  let size = 0;
  if (type !== 0) size += 1 + uvarintSize(type);
  if (helpRef !== 0) size += 1 + uvarintSize(helpRef);
  if (unitRef !== 0) size += 1 + uvarintSize(unitRef);
  return size;
}

/** The field, nothing when there is nothing to say. */
function writeMetadata(out: Writer, type: number, helpRef: number, unitRef: number): void {
  const size = sizeOfMetadata(type, helpRef, unitRef);
  if (size === 0) return;
  out.tag(SERIES_METADATA);
  out.uint32(size);
  if (type !== 0) writeNumber(out, METADATA_TYPE, type);
  if (helpRef !== 0) writeNumber(out, METADATA_HELP_REF, helpRef);
  if (unitRef !== 0) writeNumber(out, METADATA_UNIT_REF, unitRef);
}

function writeNumber(out: Writer, tag: number, value: number): void {
  out.tag(tag);
  out.uint32(value);
}

/** A field of text. It is encoded where it will stand if its length takes as many bytes as that of ASCII text would, else moved. */
function writeText(out: Writer, tag: number, text: string, encoder: TextEncoder): void {
  out.tag(tag);
  // UTF-8 takes at most three bytes a UTF-16 unit.
  out.reserve(5 + text.length * 3);
  const lengthAt = out.length;
  const textAt = lengthAt + uvarintSize(text.length);
  const length = encoder.encodeInto(text, out.bytes.subarray(textAt)).written;
  // Moved before its length is written, which would stand on its first bytes.
  const movedTo = lengthAt + uvarintSize(length);
  if (movedTo !== textAt) out.bytes.copyWithin(movedTo, textAt, textAt + length);
  out.uint32(length);
  out.length = movedTo + length;
}
