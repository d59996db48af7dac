/**
 * Segments: what a digest leaves of a batch. A segment is a list of parts, each of which stands alone (a row, a piece of a
 * stream); a part is a version byte and, compressed, entries: one a series, ascending by labels. The format is in FORMAT.md. Not a
 * block: nothing is indexed, and times of two segments may overlap.
 */

import { decodeXor, XorEncoder, type SampleColumns } from '../block/xor.ts';
import { snappyCompress, SnappyError, snappyUncompress } from '../encoding/snappy.ts';
import { damagedLabelAt, readUvarint, uvarintSize, writeUvarint } from '../model/label-bytes.ts';

export const SEGMENT_VERSION = 1;

/** Samples of a fragment at most: as many as Prometheus puts in a chunk. */
export const FRAGMENT_SAMPLES_MAX = 120;

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
  /** Entries of the part being written: its first `#at` bytes. */
  #part = new Uint8Array(16 * 1024);
  #at = 0;
  /** Fragments of the series being written, each with its length before it. */
  #fragments = new Uint8Array(4096);

  /** `partBytesMax`: the uncompressed entries of a part; only a single fragment with its labels may be larger. */
  constructor(partBytesMax: number) {
    this.#partBytesMax = partBytesMax;
  }

  /** Adds a series: its label bytes and `count` samples (1 or more), ascending in time. A full part ends it; it goes on in the next. */
  add(labels: Uint8Array, columns: SampleColumns, count: number): void {
    const labelBytes = uvarintSize(labels.length) + labels.length;
    let fragments = 0;
    let end = 0;
    for (let from = 0; from < count; from += FRAGMENT_SAMPLES_MAX) {
      const start = end;
      end = this.#encode(columns, from, Math.min(from + FRAGMENT_SAMPLES_MAX, count), start);
      if (this.#at + labelBytes + uvarintSize(fragments + 1) + end > this.#partBytesMax) {
        if (fragments > 0) this.#write(labels, fragments, start);
        this.#close();
        this.#fragments.copyWithin(0, start, end);
        end -= start;
        fragments = 0;
      }
      fragments++;
    }
    this.#write(labels, fragments, end);
  }

  /** All parts, each in a buffer of its own; none when no series was added. */
  finish(): Uint8Array<ArrayBuffer>[] {
    this.#close();
    return this.#parts;
  }

  /** Writes samples [from, to) as a fragment with its length to `#fragments` at `at`; returns its end. */
  #encode({ t, hi, lo }: SampleColumns, from: number, to: number, at: number): number {
    const encoder = this.#encoder;
    encoder.reset();
    for (let i = from; i < to; i++) encoder.append(t[i]!, hi[i]!, lo[i]!);
    const size = encoder.byteLength;
    const start = at + uvarintSize(size);
    this.#fragments = withRoom(this.#fragments, at, start + size);
    writeUvarint(this.#fragments, at, size);
    encoder.copyTo(this.#fragments, start);
    return start + size;
  }

  /** Writes an entry with that many fragments: the first `bytes` of `#fragments`. */
  #write(labels: Uint8Array, fragments: number, bytes: number): void {
    const length = uvarintSize(labels.length) + labels.length + uvarintSize(fragments) + bytes;
    this.#part = withRoom(this.#part, this.#at, this.#at + length);
    let at = writeUvarint(this.#part, this.#at, labels.length);
    this.#part.set(labels, at);
    at = writeUvarint(this.#part, at + labels.length, fragments);
    this.#part.set(this.#fragments.subarray(0, bytes), at);
    this.#at = at + bytes;
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

/** The same array when it has `length` bytes, else a copy of its first `used` ones with room for more. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, used: number, length: number): Uint8Array<ArrayBuffer> {
  if (length <= bytes.length) return bytes;
  const out = new Uint8Array(Math.max(length, bytes.length * 2));
  out.set(bytes.subarray(0, used));
  return out;
}

/**
 * Walks the entries of one part: `next()`, then the labels' range and `samples` are of that entry, and `decode()` gives its
 * samples. Every length is checked against what is left before it is used; damage is a SegmentError that names the offset.
 */
export class PartCursor {
  /** The part's entries, uncompressed. */
  readonly bytes: Uint8Array;
  /** Label bytes of the entry: [labelsStart, labelsEnd) of `bytes`. */
  labelsStart = 0;
  labelsEnd = 0;
  /** How many samples the entry's fragments say they hold; not more than their bytes could. */
  samples = 0;
  #fragments = 0;
  #firstFragment = 0;
  #end = 0;

  /** Throws SegmentError when the part is empty, of another version or cannot be uncompressed. */
  constructor(part: Uint8Array) {
    if (part.length === 0) throw new SegmentError('no bytes', -1);
    if (part[0] !== SEGMENT_VERSION) {
      throw new SegmentError(`version ${part[0]}, this reader knows ${SEGMENT_VERSION}`, -1);
    }
    try {
      // No limit but snappy's own: no block grows by more than 22 times.
      this.bytes = snappyUncompress(part.subarray(1), Infinity);
    } catch (error) {
      if (!(error instanceof SnappyError)) throw error;
      throw new SegmentError(error.message, -1);
    }
  }

  /** Whether the entry is the part's last; true before the first of a part without entries. */
  get isLast(): boolean {
    return this.#end === this.bytes.length;
  }

  /** Moves to the next entry and checks its frame; false when there is none. */
  next(): boolean {
    if (this.isLast) return false;
    const { bytes } = this;
    let at = this.#end;
    const labelBytes = this.#uvarint(at, 'length of the labels');
    this.labelsStart = at + uvarintSize(labelBytes);
    this.labelsEnd = this.#within(this.labelsStart, labelBytes, 'labels', at);
    const damage = damagedLabelAt(bytes, this.labelsStart, this.labelsEnd);
    if (damage >= 0) throw new SegmentError('labels do not fill their bytes', damage);

    this.#fragments = this.#uvarint(this.labelsEnd, 'number of fragments');
    if (this.#fragments === 0) throw new SegmentError('entry without fragments', this.labelsEnd);
    this.#firstFragment = this.labelsEnd + uvarintSize(this.#fragments);
    this.samples = 0;
    at = this.#firstFragment;
    // A false number ends at the first missing byte, so it costs no more than the part is long.
    for (let i = 0; i < this.#fragments; i++) {
      const length = this.#uvarint(at, 'length of a fragment');
      const start = at + uvarintSize(length);
      const end = this.#within(start, length, 'fragment', at);
      const samples = length < 2 ? 0 : (bytes[start]! << 8) | bytes[start + 1]!;
      if (samples === 0) throw new SegmentError('fragment without samples', at);
      // The first sample takes 9 bytes at least, each other one two bits.
      if (samples > (length - 11) * 4 + 1) throw new SegmentError(`${samples} samples in ${length} bytes`, start);
      this.samples += samples;
      at = end;
    }
    this.#end = at;
    return true;
  }

  /**
   * Writes the entry's samples into `out` from index `at`, where there must be room for `samples`. Times must ascend, the
   * first one from `afterT` on (exclusive).
   */
  decode(out: SampleColumns, at: number, afterT = -Infinity): void {
    let fragment = this.#firstFragment;
    let place = at;
    let last = afterT;
    for (let i = 0; i < this.#fragments; i++) {
      const length = readUvarint(this.bytes, fragment, this.bytes.length);
      const start = fragment + uvarintSize(length);
      const first = place;
      try {
        place += decodeXor(this.bytes, start, start + length, out, place);
      } catch (error) {
        throw new SegmentError(`fragment: ${error instanceof Error ? error.message : String(error)}`, start);
      }
      if (!(out.t[first]! > last))
        throw new SegmentError(`fragment begins at ${out.t[first]}, not after ${last}`, start);
      last = out.t[place - 1]!;
      fragment = start + length;
    }
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
