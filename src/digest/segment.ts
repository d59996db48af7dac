/**
 * Segments: what a digest leaves of a batch. A segment is a list of parts (a row, a piece of a stream); a part is a version byte and, compressed,
 * entries: one a series, ascending by labels. An entry has the labels of its series, and defines it so, or refers to a definition in an earlier segment
 * of the same cut. The format is in FORMAT.md. Not a block: nothing is indexed, and times of two segments may overlap.
 */

import { ENCODING_FLOAT_HISTOGRAM, ENCODING_XOR, type MixedColumns } from '../block/columns.ts';
import type { FinishedChunk } from '../block/chunks.ts';
import { decodeHistograms, HistogramEncoder } from '../block/histogram-chunk.ts';
import { decodeXor, XorEncoder, type SampleColumns } from '../block/xor.ts';
import { snappyCompress, SnappyError, snappyUncompress } from '../encoding/snappy.ts';
import { HINT_GAUGE, HINT_RESET, type Histogram, isStale, sameLayout } from '../model/histogram.ts';
import { damagedLabelAt, readUvarint, uvarintSize, writeUvarint } from '../model/label-bytes.ts';
import { keepShape } from '../model/shape.ts';

export const SEGMENT_VERSION = 3;

/** Samples of a fragment at most: as many as Prometheus puts in a chunk. */
export const FRAGMENT_SAMPLES_MAX = 120;

/** Of 32 bits. */
const UVARINT_BYTES_MAX = 5;

/** A fragment of histograms ends when it has grown past this: a part must fit a row, and one histogram may take 100 KB. */
const FRAGMENT_BYTES = 32 * 1024;

/** A part that is not what FORMAT.md says. Trying again does not help: the part is damaged, or of a later version. */
export class SegmentError extends Error {
  override readonly name = 'SegmentError';
  /** Where in the part's uncompressed entries, in bytes; -1 when the part is damaged around them. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(offset < 0 ? `segment part: ${message}` : `segment part: ${message} (at byte ${offset} of its entries)`);
    this.offset = offset;
  }
}

/** Writes the parts of one segment. Series must be added ascending by labels, each once. */
export class SegmentWriter {
  /** Bytes of all finished parts, as they are: compressed. */
  bytes = 0;
  readonly #partBytesMax: number;
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  readonly #encoder = new XorEncoder();
  readonly #histogramEncoder = new HistogramEncoder();
  /** Entries of the part being written: its first `#at` bytes. */
  #part = new Uint8Array(16 * 1024);
  #at = 0;
  /** Fragments of the series being written, each with its length before it. */
  #fragments = new Uint8Array(4096);
  /** Series defined so far. */
  #defined = 0;
  /** The series being written: its labels when it is to be defined; else its definition's segment, counted back from this one, and number in it. */
  #labels: Uint8Array | null = null;
  #back = 0;
  #number = 0;
  /** The same of the last reference in the part. */
  #lastBack = 0;
  #lastNumber = -1;

  /** `partBytesMax`: the uncompressed entries of a part; only a single fragment with its labels may be larger. */
  constructor(partBytesMax: number) {
    this.#partBytesMax = partBytesMax;
  }

  /** Adds a series with its label bytes and `count` samples (1 or more), ascending in time. Returns its number among those that are defined here. */
  define(labels: Uint8Array, columns: SampleColumns & Partial<MixedColumns>, count: number): number {
    this.#labels = labels;
    this.#back = 0;
    this.#number = this.#defined++;
    this.#add(columns, count);
    return this.#number;
  }

  /** Adds a series that is defined in a segment before this one: `back` (1 or more) digested earlier, under the number that `define` returned. */
  refer(back: number, number: number, columns: SampleColumns & Partial<MixedColumns>, count: number): void {
    this.#labels = null;
    this.#back = back;
    this.#number = number;
    this.#add(columns, count);
  }

  /** A full part ends the series; it goes on in the next. */
  #add(columns: SampleColumns & Partial<MixedColumns>, count: number): void {
    const histograms = columns.histograms ?? null;
    const tagged = histograms !== null;
    let fragments = 0;
    let end = 0;
    for (let from = 0; from < count;) {
      const start = end;
      let to = Math.min(from + FRAGMENT_SAMPLES_MAX, count);
      if (histograms !== null) to = endOfFragment(histograms, from, to);
      if (histograms?.[from] === undefined) end = this.#encode(columns, from, to, start, tagged);
      else [end, to] = this.#encodeHistograms(columns.t, histograms, from, to, start);
      if (this.#at + this.#headBytesMax() + uvarintSize(countOf(fragments + 1, tagged)) + end > this.#partBytesMax) {
        if (fragments > 0) this.#write(countOf(fragments, tagged), start);
        this.#close();
        this.#fragments.copyWithin(0, start, end);
        end -= start;
        fragments = 0;
      }
      fragments++;
      from = to;
    }
    this.#write(countOf(fragments, tagged), end);
  }

  /** All parts, each in a buffer of its own; none when no series was added. */
  finish(): Uint8Array<ArrayBuffer>[] {
    this.#close();
    return this.#parts;
  }

  /** Writes samples [from, to) as a fragment to `#fragments` at `at`; returns its end. */
  #encode({ t, hi, lo }: SampleColumns, from: number, to: number, at: number, tagged: boolean): number {
    const encoder = this.#encoder;
    encoder.reset();
    for (let i = from; i < to; i++) encoder.append(t[i]!, hi[i]!, lo[i]!);
    return this.#place(encoder, at, tagged ? ENCODING_XOR : 0);
  }

  /** The same for histograms, which all are of one kind and layout; of fewer where they take too many bytes. Returns where they end, too. */
  #encodeHistograms(
    t: Float64Array,
    histograms: readonly (Histogram | undefined)[],
    from: number,
    to: number,
    at: number,
  ): [end: number, to: number] {
    const encoder = this.#histogramEncoder;
    const first = histograms[from]!;
    encoder.begin(first, first.isFloat, first.resetHint);
    let i = from;
    do {
      encoder.append(t[i]!, histograms[i]!.values);
      i++;
    } while (i < to && encoder.byteLength <= FRAGMENT_BYTES);
    return [this.#place(encoder, at, encoder.encoding), i];
  }

  /** Writes a fragment to `#fragments` at `at`: its encoding, unless 0, its length and itself; returns its end. */
  #place(chunk: FinishedChunk, at: number, encoding: number): number {
    const size = chunk.byteLength;
    const tagBytes = encoding === 0 ? 0 : 1;
    const start = at + tagBytes + uvarintSize(size);
    this.#fragments = withRoom(this.#fragments, at, start + size);
    if (tagBytes > 0) this.#fragments[at] = encoding;
    writeUvarint(this.#fragments, at + tagBytes, size);
    chunk.copyTo(this.#fragments, start);
    return start + size;
  }

  /** Writes an entry; `count` is what it says of its fragments, which are the first `bytes` of `#fragments`. */
  #write(count: number, bytes: number): void {
    this.#part = withRoom(this.#part, this.#at, this.#at + this.#headBytesMax() + uvarintSize(count) + bytes);
    let at = writeUvarint(this.#part, this.#writeHead(), count);
    // A call into the engine costs more than a few moves.
    if (bytes > 64) this.#part.set(this.#fragments.subarray(0, bytes), at);
    else for (let i = 0; i < bytes; i++) this.#part[at + i] = this.#fragments[i]!;
    at += bytes;
    this.#at = at;
  }

  /** Says which series it is; returns where that ends. A definition is given once: where the series goes on it is a reference to it. */
  #writeHead(): number {
    const part = this.#part;
    let at = this.#at;
    if (at === 0) {
      at = writeUvarint(part, at, this.#labels === null ? this.#defined : this.#number);
      this.#lastBack = 0;
      this.#lastNumber = -1;
    }
    const labels = this.#labels;
    if (labels !== null) {
      this.#labels = null;
      part[at] = 0;
      at = writeUvarint(part, at + 1, labels.length);
      part.set(labels, at);
      return at + labels.length;
    }
    const isNear = this.#back === this.#lastBack && this.#number > this.#lastNumber;
    if (isNear) at = writeUvarint(part, at, 2 * (this.#number - this.#lastNumber));
    else at = writeUvarint(part, writeUvarint(part, at, 2 * this.#back + 1), this.#number);
    this.#lastBack = this.#back;
    this.#lastNumber = this.#number;
    return at;
  }

  #headBytesMax(): number {
    const labels = this.#labels;
    return UVARINT_BYTES_MAX * 3 + (labels === null ? 0 : labels.length);
  }

  #close(): void {
    if (this.#at === 0) return;
    // Neighbours have most of their labels in common: compressed, they take a tenth.
    const entries = snappyCompress(this.#part.subarray(0, this.#at));
    const part = new Uint8Array(1 + entries.length);
    part[0] = SEGMENT_VERSION;
    part.set(entries, 1);
    this.#parts.push(part);
    this.bytes += part.length;
    this.#at = 0;
  }
}

keepShape(new SegmentWriter(0));

/** What an entry says of its fragments: how many, and whether each says its encoding. */
const countOf = (fragments: number, tagged: boolean): number => 2 * fragments + (tagged ? 1 : 0);

/** The same array when it has `length` bytes, else a copy of its first `used` ones with room for more. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, used: number, length: number): Uint8Array<ArrayBuffer> {
  if (length <= bytes.length) return bytes;
  const out = new Uint8Array(Math.max(length, bytes.length * 2));
  out.set(bytes.subarray(0, used));
  return out;
}

/**
 * Where a fragment that begins with sample `from` ends, at `to` at the latest: its samples are of one kind and layout, and what is known of a counter
 * reset is known of the first alone. Nothing is compared or recoded here: samples of other segments may come to stand between these.
 */
function endOfFragment(histograms: readonly (Histogram | undefined)[], from: number, to: number): number {
  const first = histograms[from];
  let i = from + 1;
  if (first === undefined) {
    while (i < to && histograms[i] === undefined) i++;
    return i;
  }
  const gauge = first.resetHint === HINT_GAUGE;
  for (let last = first; i < to; i++) {
    const next = histograms[i];
    if (next === undefined || next.isFloat !== first.isFloat || next.resetHint === HINT_RESET) return i;
    if ((next.resetHint === HINT_GAUGE) !== gauge) return i;
    if (!isStale(next) && (isStale(last) || !sameLayout(next, first))) return i;
    last = next;
  }
  return i;
}

/**
 * Walks the entries of one part: `next()`, then the labels' range or the reference, and `samples` are of that entry, and `decode()` gives its
 * samples. Every length is checked against what is left before it is used; damage is a SegmentError that names the offset.
 */
export class PartCursor {
  /** The part's entries, uncompressed. */
  readonly bytes: Uint8Array;
  /** Label bytes of the entry: [labelsStart, labelsEnd) of `bytes`. */
  labelsStart = 0;
  labelsEnd = 0;
  /** Whether the entry has labels. */
  isDefinition = false;
  /** Where its series is defined: how many segments before this one (0: here), and the number there. */
  back = 0;
  number = 0;
  /** How many samples the entry's fragments say they hold; not more than their bytes could. */
  samples = 0;
  readonly #version: number;
  #fragments = 0;
  /** Whether each fragment of the entry begins with its encoding. */
  #tagged = false;
  #firstFragment = 0;
  #end = 0;
  /** The number of the next definition. */
  #defined = 0;
  #lastBack = 0;
  #lastNumber = -1;

  /** Throws SegmentError when the part is empty, of another version or cannot be uncompressed. */
  constructor(part: Uint8Array) {
    if (part.length === 0) throw new SegmentError('no bytes', -1);
    this.#version = part[0]!;
    if (!(this.#version >= 1 && this.#version <= SEGMENT_VERSION)) {
      throw new SegmentError(`version ${part[0]}, this reader knows 1 to ${SEGMENT_VERSION}`, -1);
    }
    try {
      // No limit but snappy's own: no block grows by more than 22 times.
      this.bytes = snappyUncompress(part.subarray(1), Infinity);
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error;
      throw new SegmentError(error.message, -1);
    }
    if (this.#version < 3 || this.bytes.length === 0) return;
    this.#defined = this.#uvarint(0, 'number of definitions before');
    this.#end = uvarintSize(this.#defined);
  }

  /** Whether the entry is the part's last; true before the first of a part without entries. */
  get isLast(): boolean {
    return this.#end === this.bytes.length;
  }

  /** Moves to the next entry and checks its frame; false when there is none. */
  next(): boolean {
    if (this.isLast) return false;
    const { bytes } = this;
    const head = this.#head(this.#end);
    const count = this.#uvarint(head, 'number of fragments');
    // Version 1 knew XOR chunks only.
    this.#fragments = this.#version === 1 ? count : count >>> 1;
    this.#tagged = this.#version > 1 && count % 2 === 1;
    if (this.#fragments === 0) throw new SegmentError('entry without fragments', head);
    this.#firstFragment = head + uvarintSize(count);
    this.samples = 0;
    let at = this.#firstFragment;
    // A false number ends at the first missing byte, so it costs no more than the part is long.
    for (let i = 0; i < this.#fragments; i++) {
      const encoding = this.#tagged ? this.#encoding(at++) : ENCODING_XOR;
      const length = this.#uvarint(at, 'length of a fragment');
      const start = at + uvarintSize(length);
      const end = this.#within(start, length, 'fragment', at);
      const samples = length < 2 ? 0 : (bytes[start]! << 8) | bytes[start + 1]!;
      if (samples === 0) throw new SegmentError('fragment without samples', at);
      // The first sample takes 9 bytes at least, each other one two bits; of histograms 10 bytes with the header's third, and four bits.
      const most = encoding === ENCODING_XOR ? (length - 11) * 4 + 1 : (length - 12) * 2 + 1;
      if (samples > most) throw new SegmentError(`${samples} samples in ${length} bytes`, start);
      this.samples += samples;
      at = end;
    }
    this.#end = at;
    return true;
  }

  /** Reads which series it is; returns where that ends. */
  #head(start: number): number {
    let at = start;
    if (this.#version > 2) {
      const key = this.#uvarint(at, 'kind of the entry');
      at += uvarintSize(key);
      this.isDefinition = key === 0;
      if (!this.isDefinition) return this.#reference(key, at);
    }
    this.isDefinition = true;
    this.back = 0;
    this.number = this.#defined++;
    const labelBytes = this.#uvarint(at, 'length of the labels');
    this.labelsStart = at + uvarintSize(labelBytes);
    this.labelsEnd = this.#within(this.labelsStart, labelBytes, 'labels', at);
    const damage = damagedLabelAt(this.bytes, this.labelsStart, this.labelsEnd);
    if (damage >= 0) throw new SegmentError('labels do not fill their bytes', damage);
    return this.labelsEnd;
  }

  #reference(key: number, start: number): number {
    let at = start;
    if (key % 2 === 0) {
      this.back = this.#lastBack;
      this.number = this.#lastNumber + key / 2;
    } else {
      this.back = key >>> 1;
      this.number = this.#uvarint(at, 'number of a definition');
      at += uvarintSize(this.number);
    }
    this.#lastBack = this.back;
    this.#lastNumber = this.number;
    return at;
  }

  /**
   * Writes the entry's samples into `out` from index `at`, where there must be room for `samples`. Times must ascend, the
   * first one from `afterT` on (exclusive).
   */
  decode(out: MixedColumns, at: number, afterT = -Infinity): void {
    let fragment = this.#firstFragment;
    let place = at;
    let last = afterT;
    for (let i = 0; i < this.#fragments; i++) {
      const encoding = this.#tagged ? this.bytes[fragment++]! : ENCODING_XOR;
      const length = readUvarint(this.bytes, fragment, this.bytes.length);
      const start = fragment + uvarintSize(length);
      const first = place;
      try {
        place +=
          encoding === ENCODING_XOR
            ? decodeXor(this.bytes, start, start + length, out, place)
            : decodeHistograms(this.bytes, start, start + length, encoding === ENCODING_FLOAT_HISTOGRAM, out, place);
      } catch (error) {
        throw new SegmentError(`fragment: ${error instanceof Error ? error.message : String(error)}`, start);
      }
      if (!(out.t[first]! > last))
        throw new SegmentError(`fragment begins at ${out.t[first]}, not after ${last}`, start);
      last = out.t[place - 1]!;
      fragment = start + length;
    }
  }

  #encoding(at: number): number {
    const encoding = at < this.bytes.length ? this.bytes[at]! : 0;
    if (encoding < ENCODING_XOR || encoding > ENCODING_FLOAT_HISTOGRAM) {
      throw new SegmentError(`fragment of encoding ${encoding}`, at);
    }
    return encoding;
  }

  #uvarint(at: number, what: string): number {
    const value = readUvarint(this.bytes, at, this.bytes.length);
    if (value < 0) throw new SegmentError(`${what} is cut off or not a number`, at);
    return value;
  }

  #within(start: number, length: number, what: string, at: number): number {
    if (length > this.bytes.length - start) {
      throw new SegmentError(`${what} of ${length} bytes, ${this.bytes.length - start} are left`, at);
    }
    return start + length;
  }
}
