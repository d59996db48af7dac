/**
 * The series of a block while it is being written, and the chunks they have: all that must stay in memory until the index can be
 * written. A series is a run of label ids (one u32 a label) and a run of bytes with its chunks as the index will say them.
 *
 * The invariant: series strictly ascend by label set, in Go's order; labels of a series strictly ascend by name and none is empty.
 */

import { compareLabelBytes, labelsFromBytes } from '../model/label-bytes.ts';
import { formatLabels } from '../model/labels.ts';
import { Cursor } from './cursor.ts';
import { BlockError } from './error.ts';
import { Interner } from './intern.ts';
import { compareBytes } from '../model/bytes.ts';
import { ByteList, U32List, uvarintSize } from './lists.ts';

export class SeriesTable {
  /** Distinct labels, each as `uvarint length, name, uvarint length, value`. */
  readonly labels = new Interner();
  /** Ids in `labels`, series by series. */
  readonly labelIds = new U32List();
  /** Per series: end of its ids in `labelIds`. */
  readonly labelEnds = new U32List();
  /** Chunks as they stand in a series entry of the index, series by series. */
  readonly chunks = new ByteList();
  /** Per series: end of its bytes in `chunks`. */
  readonly chunkEnds = new U32List();
  /** Per series: how many chunks it has. */
  readonly chunkCounts = new U32List();

  #previous = new ByteList();
  #maxT = 0;
  #ref = 0;

  get count(): number {
    return this.labelEnds.length;
  }

  /**
   * Begins a series. `labels` is its label set as bytes (model/label-bytes.ts). Throws BlockError when it is malformed or does not
   * come after the last series; the table is then of no use any more.
   */
  add(labels: Uint8Array): void {
    const previous = this.#previous;
    // Neighbours have most labels in common. Bytes up to here are the same, so labels that end before it have the same ids.
    const shared = commonPrefix(labels, previous.items, previous.length);
    const cursor = new Cursor(labels);
    let lastStart = 0;
    let lastEnd = 0;
    for (let i = this.count < 2 ? 0 : this.labelEnds.items[this.count - 2]!; cursor.left > 0; i++) {
      const start = cursor.offset;
      const nameStart = cursor.skip(lengthOf(cursor, 'label name'), 'label name');
      const nameEnd = cursor.offset;
      cursor.skip(lengthOf(cursor, 'label value'), 'label value');
      if (cursor.offset <= shared) {
        this.labelIds.push(this.labelIds.items[i]!);
      } else {
        if (start > 0 && compareBytes(labels, lastStart, lastEnd, labels, nameStart, nameEnd) >= 0) {
          throw new BlockError('labels of a series must ascend by name, each name once', start);
        }
        this.labelIds.push(this.labels.intern(labels, start, cursor.offset));
      }
      lastStart = nameStart;
      lastEnd = nameEnd;
    }
    if (labels.length === 0) throw new BlockError('a series needs at least one label');
    if (this.count > 0 && compareLabelBytes(previous.items, 0, previous.length, labels, 0, labels.length) >= 0) {
      const text = (bytes: Uint8Array, end: number): string => formatLabels(labelsFromBytes(bytes, 0, end));
      throw new BlockError(
        `series ${text(labels, labels.length)} must come before ${text(previous.items, previous.length)}, and once`,
      );
    }
    previous.length = 0;
    previous.append(labels);
    this.labelEnds.push(this.labelIds.length);
    this.chunkEnds.push(this.chunks.length);
    this.chunkCounts.push(0);
  }

  /**
   * Adds a chunk to the last series: first and last timestamp (both in the chunk), and where it is (chunks.ts). Throws
   * BlockError when it does not come after the series' last chunk, in time and in place.
   */
  addChunk(minT: number, maxT: number, ref: number): void {
    const last = this.count - 1;
    const { chunks } = this;
    if (this.chunkCounts.items[last]!++ === 0) {
      chunks.varint(minT);
      chunks.uvarint(maxT - minT);
      chunks.uvarint(ref);
    } else {
      if (!(minT > this.#maxT && ref > this.#ref)) {
        throw new BlockError(`chunk from ${minT} at ${ref} is not after the one to ${this.#maxT} at ${this.#ref}`);
      }
      chunks.uvarint(minT - this.#maxT);
      chunks.uvarint(maxT - minT);
      chunks.varint(ref - this.#ref);
    }
    this.chunkEnds.items[last] = chunks.length;
    this.#maxT = maxT;
    this.#ref = ref;
  }
}

/** The length of a name or value: not 0, and in as few bytes as it needs, for equal labels are told by equal bytes. */
function lengthOf(cursor: Cursor, what: string): number {
  const start = cursor.offset;
  const length = cursor.uvarint(what);
  if (length === 0) throw new BlockError(`empty ${what} in a label set`, start);
  if (cursor.offset - start !== uvarintSize(length))
    throw new BlockError(`length of a ${what} is too long a varint`, start);
  return length;
}

function commonPrefix(a: Uint8Array, b: Uint8Array, bLength: number): number {
  const length = Math.min(a.length, bLength);
  let i = 0;
  while (i < length && a[i] === b[i]) i++;
  return i;
}
