/**
 * A 2.0 message as a compressed 1.0 one, in one go. What a 1.0 message says again and again is what a 2.0 message has a reference for, so where a label, a
 * timestamp or a length stood before is known, and nothing has to be looked for: a third of the time of converting (convert.ts) and compressing.
 *
 * Invariant: the block decompresses to what `toSchema` gives.
 */

import { uvarintSize } from '../../model/label-bytes.ts';
import { BYTES, FIXED64, tagOf, VARINT } from '../protobuf-reader.ts';
import { fieldSize, int64Size, Writer } from '../protobuf-writer.ts';
import { SnappyWriter } from '../snappy-writer.ts';
import { Decoded } from './decoded.ts';

const TIMESERIES = tagOf(1, BYTES);
const LABELS = tagOf(1, BYTES);
const SAMPLES = tagOf(2, BYTES);
const LABEL_NAME = tagOf(1, BYTES);
const LABEL_VALUE = tagOf(2, BYTES);
const SAMPLE_VALUE = tagOf(1, FIXED64);
const SAMPLE_TIMESTAMP = tagOf(2, VARINT);
/** Tag and value. */
const VALUE_BYTES = 9;

const NOTHING = new Decoded();

/** What a message above that needs in memory is not kept. Only others send such. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/**
 * The series `from` up to `to` (exclusive) of a 2.0 message without bad series. `more` writes what a series has besides labels and samples; null when none has more.
 */
export function blockV1(
  decoded: Decoded,
  more: ((out: Writer, series: number) => void) | null,
  from = 0,
  to = decoded.seriesCount,
): Uint8Array<ArrayBuffer> {
  const block = decoded.message.length > MESSAGE_BYTES_MAX ? new Block() : KEPT;
  block.begin(decoded, from);
  // Not the work itself: a function that is called once a record would be compiled in its loop only, and begin each record uncompiled.
  for (let s = from; s < to; s++) block.say(s, more);
  return block.finish();
}

/** One series after the other. */
class Block {
  readonly #out = new SnappyWriter();
  readonly #labels = new Labels(this.#out);
  readonly #samples = new Samples(this.#out);
  readonly #rest = new Writer();
  #decoded = NOTHING;
  /** Of the last series: its size, and where its tag stands. */
  #size = -1;
  #sizeAt = -1;
  #time = NaN;
  #timeSize = 0;
  /** The first of the next series. */
  #label = 0;
  #sample = 0;

  begin(decoded: Decoded, from: number): void {
    this.#decoded = decoded;
    this.#out.clear();
    this.#rest.clear();
    this.#labels.begin(decoded);
    this.#samples.begin(decoded);
    this.#size = this.#sizeAt = -1;
    this.#label = from === 0 ? 0 : decoded.labelEnd[from - 1]!;
    this.#sample = from === 0 ? 0 : decoded.sampleEnd[from - 1]!;
  }

  say(s: number, more: ((out: Writer, series: number) => void) | null): void {
    const decoded = this.#decoded;
    const labels = this.#labels;
    const samples = this.#samples;
    const out = this.#out;
    const rest = this.#rest;
    const labelEnd = decoded.labelEnd[s]!;
    const sampleEnd = decoded.sampleEnd[s]!;
    if (more !== null) {
      rest.clear();
      more(rest, s);
    }
    let size = rest.length;
    for (let i = this.#label; i < labelEnd; i++) size += fieldSize(labels.sizeOf(i));
    let sample = this.#sample;
    for (let i = sample; i < sampleEnd; i++) {
      const t = decoded.t[i]!;
      if (t !== this.#time) this.#timeSize = int64Size((this.#time = t));
      size += fieldSize(1 + VALUE_BYTES + this.#timeSize);
    }
    const at = out.position;
    if (size !== this.#size || !out.copied(this.#sizeAt, 1 + uvarintSize(size))) {
      out.byte(TIMESERIES);
      out.uint32(size);
    }
    this.#size = size;
    this.#sizeAt = at;
    labels.beginSeries();
    for (let label = this.#label; label < labelEnd; label++) labels.say(label);
    this.#label = labelEnd;
    if (sample < sampleEnd) {
      // What follows the last label in the place that it was copied from may be a sample too, whose first bytes go on.
      samples.say(sample, labels.sampleAfter(sample), labels.end);
      for (sample++; sample < sampleEnd; sample++) samples.say(sample, -1, 0);
    }
    this.#sample = sampleEnd;
    if (rest.length > 0) out.raw(rest.bytes, 0, rest.length);
  }

  /** The block, in an array that owns its buffer. The message is not kept. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#decoded = NOTHING;
    this.#labels.begin(NOTHING);
    this.#samples.begin(NOTHING);
    return this.#out.finish();
  }
}

/** Labels, and where in the block each of them stands. */
class Labels {
  readonly #out: SnappyWriter;
  #decoded = NOTHING;
  /** By label: where it stands. */
  #at = new Int32Array(0);
  /** By the last label of a series: its first sample + 1. */
  #sampleOf = new Int32Array(0);
  /** By value, and by name: the last label that had it; −1. A value nearly always has one name. */
  #ofValue = new Int32Array(0);
  #ofName = new Int32Array(0);
  /** By symbol: what the field of its text takes, in bytes. */
  #sizes = new Uint32Array(0);
  /** The label that the last one was copied from; −1 when that was not a copy. */
  #source = -1;
  #label = -1;

  constructor(out: SnappyWriter) {
    this.#out = out;
  }

  begin(decoded: Decoded): void {
    const { labelCount, symbolCount, symbolStart, symbolEnd } = decoded;
    this.#decoded = decoded;
    this.#source = -1;
    if (this.#at.length < labelCount) {
      this.#at = new Int32Array(labelCount * 2);
      this.#sampleOf = new Int32Array(labelCount * 2);
    } else {
      this.#sampleOf.fill(0, 0, labelCount);
    }
    if (this.#sizes.length < symbolCount) {
      this.#ofValue = new Int32Array(symbolCount * 2);
      this.#ofName = new Int32Array(symbolCount * 2);
      this.#sizes = new Uint32Array(symbolCount * 2);
    }
    this.#ofValue.fill(-1, 0, symbolCount);
    this.#ofName.fill(-1, 0, symbolCount);
    const sizes = this.#sizes;
    for (let ref = 0; ref < symbolCount; ref++) sizes[ref] = fieldSize(symbolEnd[ref]! - symbolStart[ref]!);
  }

  /** Bytes of the message of a label. */
  sizeOf(label: number): number {
    const { nameRef, valueRef } = this.#decoded;
    return this.#sizes[nameRef[label]!]! + this.#sizes[valueRef[label]!]!;
  }

  beginSeries(): void {
    this.#label = -1;
  }

  say(label: number): void {
    const out = this.#out;
    const { nameRef, valueRef } = this.#decoded;
    const name = nameRef[label]!;
    const value = valueRef[label]!;
    const size = this.sizeOf(label);
    const at = this.#at;
    at[label] = out.position;
    // A copy that goes on is best: what follows the label that was copied last, if it is this one too.
    let source = this.#source + 1;
    if (source === 0 || source >= label || nameRef[source] !== name || valueRef[source] !== value) source = -1;
    if (source < 0 || !out.continued(at[source]!, fieldSize(size))) {
      source = this.#ofValue[value]!;
      if (source < 0 || nameRef[source] !== name || !out.copied(at[source]!, fieldSize(size))) {
        source = -1;
        this.#sayNew(label, size);
      }
    }
    this.#source = source;
    this.#label = label;
    this.#ofValue[value] = label;
    this.#ofName[name] = label;
  }

  /** The series has this sample: returns the one that follows the place which its last label was copied from, or −1. */
  sampleAfter(sample: number): number {
    if (this.#label < 0) return -1;
    this.#sampleOf[this.#label] = sample + 1;
    return this.#source < 0 ? -1 : this.#sampleOf[this.#source]! - 1;
  }

  /** Where what the last label was copied from ends. */
  get end(): number {
    return this.#source < 0 ? -1 : this.#at[this.#source]! + fieldSize(this.sizeOf(this.#source));
  }

  /** A label that is new, or out of reach: its name and the begin of its value may stand in the last label of that name. */
  #sayNew(label: number, size: number): void {
    const out = this.#out;
    const { message, nameRef, nameStart, nameEnd, valueStart, valueEnd } = this.#decoded;
    const nameLength = nameEnd[label]! - nameStart[label]!;
    const valueLength = valueEnd[label]! - valueStart[label]!;
    // The tag of the name, its length, the name, the tag of the value.
    const head = 1 + uvarintSize(nameLength) + nameLength + 1;
    const last = this.#ofName[nameRef[label]!]!;
    const headAt = last < 0 ? -1 : this.#at[last]! + 1 + uvarintSize(this.sizeOf(last));
    out.byte(LABELS);
    out.uint32(size);
    if (last < 0 || !out.copied(headAt, head)) {
      out.byte(LABEL_NAME);
      out.uint32(nameLength);
      out.raw(message, nameStart[label]!, nameEnd[label]!);
      out.byte(LABEL_VALUE);
    }
    const lastLength = last < 0 ? 0 : valueEnd[last]! - valueStart[last]!;
    const most = Math.min(lastLength, valueLength);
    let same = 0;
    while (same < most && message[valueStart[last]! + same] === message[valueStart[label]! + same]) same++;
    const lengthSize = uvarintSize(valueLength);
    if (last < 0 || lastLength !== valueLength || !out.copied(headAt + head, lengthSize + same)) {
      out.uint32(valueLength);
      if (same > 0 && !out.copied(headAt + head + uvarintSize(lastLength), same)) same = 0;
    }
    // The end of the value too, since what follows there goes on in the same place.
    let rest = 0;
    if (last >= 0) {
      const end = valueEnd[label]! - 1;
      const lastEnd = valueEnd[last]! - 1;
      while (rest < most - same && message[lastEnd - rest] === message[end - rest]) rest++;
    }
    out.raw(message, valueStart[label]! + same, valueEnd[label]! - rest);
    const restAt = headAt + head + uvarintSize(lastLength) + lastLength - rest;
    if (rest > 0 && !out.copied(restAt, rest)) out.raw(message, valueEnd[label]! - rest, valueEnd[label]!);
  }
}

/** Samples, of which neighbours share the timestamp and often some bytes of the value. */
class Samples {
  readonly #out: SnappyWriter;
  #decoded = NOTHING;
  readonly #time = new Writer();
  readonly #value = new Uint8Array(8);
  /** Where the last sample stands. */
  #at = -1;

  constructor(out: SnappyWriter) {
    this.#out = out;
  }

  begin(decoded: Decoded): void {
    this.#decoded = decoded;
    this.#at = -1;
  }

  /** `other` is a sample, or −1, that stands at `otherAt`, where a copy that was begun may go on. */
  say(sample: number, other: number, otherAt: number): void {
    const { t, hi, lo } = this.#decoded;
    const out = this.#out;
    const time = this.#time;
    const before = this.#at;
    this.#at = out.position;
    const value = this.#value;
    for (let i = 0; i < 4; i++) {
      value[i] = lo[sample]! >>> (8 * i);
      value[4 + i] = hi[sample]! >>> (8 * i);
    }
    if (before < 0 || t[sample] !== t[sample - 1]) {
      time.clear();
      time.tag(SAMPLE_TIMESTAMP);
      time.int64(t[sample]!);
      this.#sayBegin(8);
      out.raw(time.bytes, 0, time.length);
      return;
    }
    // Tag, length and the value's tag are the same in samples of the same time; so may be the value's first bytes, and its last ones.
    let first = 0;
    if (other >= 0 && t[other] === t[sample] && out.continued(otherAt, 3 + this.#first(sample, other))) {
      first = this.#first(sample, other);
    } else if (out.copied(before, 3 + this.#first(sample, sample - 1))) {
      first = this.#first(sample, sample - 1);
    } else {
      this.#sayBegin(0);
    }
    const otherHi = hi[sample]! ^ hi[sample - 1]!;
    const last = otherHi !== 0 ? Math.clz32(otherHi) >>> 3 : 4 + (Math.clz32(lo[sample]! ^ lo[sample - 1]!) >>> 3);
    const to = Math.max(first, 8 - last);
    if (first < to) out.raw(value, first, to);
    if (out.copied(before + 3 + to, 8 - to + time.length)) return;
    out.raw(value, to, 8);
    out.raw(time.bytes, 0, time.length);
  }

  /** What stands before a value, and its first bytes. */
  #sayBegin(count: number): void {
    const out = this.#out;
    out.byte(SAMPLES);
    out.byte(VALUE_BYTES + this.#time.length);
    out.byte(SAMPLE_VALUE);
    out.raw(this.#value, 0, count);
  }

  /** How many of a value's first bytes two samples share. */
  #first(a: number, b: number): number {
    const { hi, lo } = this.#decoded;
    const other = lo[a]! ^ lo[b]!;
    return other !== 0 ? trailing(other) : 4 + trailing(hi[a]! ^ hi[b]!);
  }
}

/** How many of a word's low bytes are zero; 4 of zero. */
const trailing = (word: number): number => (word === 0 ? 4 : (31 - Math.clz32(word & -word)) >>> 3);

/** Serves one record after the other: to make tables anew for each would cost as much as filling them, and of its classes objects must live (model/shape.ts). */
const KEPT = new Block();
