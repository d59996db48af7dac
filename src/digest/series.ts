/**
 * Which series a label set is. A series is a tuple of labels, so identity is a comparison of a few numbers; text is compared when a label
 * is looked up. Senders send their series in the same order again and again: the one that came behind the last one before is tried first,
 * and where it stands neither a label is decoded nor a hash made (0.1 against 1.5 µs).
 *
 * A message may spell one label set in several ways (another order, empty values): every spelling met is kept and points to
 * its series. Invariant: no two series have the same labels, and each has the canonical spelling: names strictly ascending
 * by bytes, no empty value.
 */

import { U32List } from '../block/lists.ts';
import { badText } from '../encoding/remote-write/bad.ts';
import {
  DecodeError,
  type Decoded,
  decodeWrite,
  type Schema,
  type SeriesReader,
} from '../encoding/remote-write/decoded.ts';
import { LabelTable } from './label-table.ts';
import { Sorted } from './sort.ts';
import { TupleInterner } from './tuples.ts';

const NOWHERE = 0xffffffff;
const NOTHING = new DataView(new ArrayBuffer(0));
/** The tag of a 1.0 label, and of 2.0 references to labels. */
const LABEL = 0x0a;

export class SeriesTable implements SeriesReader {
  /** Per series of the message decoded last: its id, where it has samples. */
  ids = new Uint32Array(1024);
  readonly #labels = new LabelTable();
  readonly #spellings: TupleInterner;
  /** Per spelling: its series, and the spelling that came behind it last time. */
  readonly #seriesOfSpelling = new U32List();
  readonly #next = new U32List();
  /** Per series: its canonical spelling. */
  readonly #canonical = new U32List();
  /** The spelling that came last. */
  #last = NOWHERE;
  /** The spelling that is looked up; behind its size, and until it is written, those looked up before. */
  #spelled = new Uint32Array(64).fill(NOWHERE);
  /** The message at hand. */
  #decoded: Decoded | null = null;
  #view: DataView = NOTHING;
  /** 2.0: per symbol of the message, as a value: our label, and the name that it had with it. */
  #labelOf = new Uint32Array(1024);
  #nameOf = new Uint32Array(1024);
  #labelBytes = new Uint8Array(1024);
  readonly #labelOrder = new Sorted();
  readonly #order = new Sorted();
  /** Per label: its place in their order. */
  #ranks = new Uint32Array(0);

  constructor(seed: number) {
    this.#spellings = new TupleInterner(seed);
  }

  get count(): number {
    return this.#canonical.length;
  }

  /** Memory that it takes, about. */
  get bytes(): number {
    const lists = [this.#seriesOfSpelling, this.#next, this.#canonical];
    return lists.reduce(
      (sum, { items }) => sum + items.byteLength,
      this.#labels.bytes + this.#spellings.bytes + 4 * this.count,
    );
  }

  /**
   * Decodes a message and looks up every series that has samples: 0, 1, 2 … in the order of first sight. Of series that were known at once the labels
   * are not in the columns, if there is nothing but samples behind them. Throws DecodeError when the message is malformed, when labels of a
   * series with samples cannot name it (none at all, an empty or repeated name), or when the decoder found it to be bad.
   */
  decode(schema: Schema, message: Uint8Array, decoded: Decoded): void {
    this.#decoded = decoded;
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    decodeWrite(schema, message, decoded, this);
    const { seriesCount, sampleEnd, histogramEnd, bad } = decoded;
    // Ends of both kinds added up grow where a series has a sample of either.
    for (let series = 0, from = 0; series < seriesCount; series++) {
      const end = sampleEnd[series]! + histogramEnd[series]!;
      if (end > from && bad[series] !== 0) throw new DecodeError(`series ${series}: ${badText(bad[series]!)}`);
      from = end;
    }
    // The table is kept for longer than the memory of messages.
    this.#decoded = null;
    this.#view = NOTHING;
  }

  haveSymbols(): void {
    this.#beginSymbols(this.#decoded!.symbolCount);
  }

  skipLabels(start: number, end: number): number {
    const spelling = this.#expected();
    if (spelling === NOWHERE) return -1;
    const spellings = this.#spellings;
    const view = this.#view;
    const from = spellings.start(spelling);
    const to = spellings.end(spelling);
    const at =
      this.#decoded!.schema === 1
        ? this.#labels.endOf(spellings.items, from, to, view, start, end)
        : this.#endOfRefs(from, to, start, end);
    return at < end && at >= 0 && view.getUint8(at) === LABEL ? -1 : at;
  }

  haveSkipped(series: number): void {
    this.#found(series, this.#expected());
  }

  haveRead(series: number): void {
    const decoded = this.#decoded!;
    if (decoded.samplesBefore(series + 1) === decoded.samplesBefore(series) || decoded.bad[series] !== 0) return;
    this.#see(series, decoded.schema === 1 ? this.#spell1(decoded, series) : this.#spell2(decoded, series));
  }

  /** All ids in the order of their labels (Go's `labels.Compare`), found in steps. Valid until more series come. */
  *order(): Generator<undefined, Uint32Array> {
    // With labels numbered in their order, label sets compare as tuples of numbers.
    const labels = this.#labels;
    const byLabel = yield* this.#labelOrder.extend(labels.count, (a, b) => labels.compare(a, b));
    if (this.#ranks.length < byLabel.length) this.#ranks = new Uint32Array(byLabel.length);
    const ranks = this.#ranks;
    for (let rank = 0; rank < byLabel.length; rank++) ranks[byLabel[rank]!] = rank;

    const spellings = this.#spellings;
    const { items } = spellings;
    const canonical = this.#canonical.items;
    return yield* this.#order.extend(this.count, (a, b) => {
      const aStart = spellings.start(canonical[a]!);
      const bStart = spellings.start(canonical[b]!);
      const aSize = spellings.end(canonical[a]!) - aStart;
      const bSize = spellings.end(canonical[b]!) - bStart;
      const common = Math.min(aSize, bSize);
      for (let i = 0; i < common; i++) {
        const difference = ranks[items[aStart + i]!]! - ranks[items[bStart + i]!]!;
        if (difference !== 0) return difference;
      }
      return aSize - bSize;
    });
  }

  /** The number of the label that is the name of the metric of series `id`; -1 when it has none. */
  metricName(id: number): number {
    const { items } = this.#spellings;
    const end = this.#spellings.end(this.#canonical.items[id]!);
    for (let i = this.#spellings.start(this.#canonical.items[id]!); i < end; i++)
      if (this.#labels.isMetricName(items[i]!)) return items[i]!;
    return -1;
  }

  /** The value of a label. */
  valueOf(label: number): string {
    return this.#labels.value(label);
  }

  /** A series' label bytes (src/model/label-bytes.ts), in memory that the next call uses again. */
  labels(id: number): Uint8Array {
    const { items } = this.#spellings;
    const labels = this.#labels;
    const start = this.#spellings.start(this.#canonical.items[id]!);
    const end = this.#spellings.end(this.#canonical.items[id]!);
    let size = 0;
    for (let i = start; i < end; i++) size += labels.size(items[i]!);
    if (size > this.#labelBytes.length) this.#labelBytes = new Uint8Array(size * 2);
    let at = 0;
    for (let i = start; i < end; i++) at = labels.writeTo(this.#labelBytes, at, items[i]!);
    return this.#labelBytes.subarray(0, at);
  }

  /** The spelling that came behind the last one before; NOWHERE when there is none. */
  #expected(): number {
    return this.#last === NOWHERE ? NOWHERE : this.#next.items[this.#last]!;
  }

  /** A series of the message has the labels that are spelled: the first `size` of `#spelled`. */
  #see(series: number, size: number): void {
    const spelling = this.#isExpected(size) ? this.#expected() : this.#spellings.intern(this.#spelled, size);
    while (this.#seriesOfSpelling.length <= spelling) {
      this.#seriesOfSpelling.push(NOWHERE);
      this.#next.push(NOWHERE);
    }
    if (this.#seriesOfSpelling.items[spelling] === NOWHERE) this.#newSpelling(spelling, size, series);
    if (this.#last !== NOWHERE) this.#next.items[this.#last] = spelling;
    this.#found(series, spelling);
  }

  #isExpected(size: number): boolean {
    const spelling = this.#expected();
    if (spelling === NOWHERE) return false;
    const start = this.#spellings.start(spelling);
    if (this.#spellings.end(spelling) - start !== size) return false;
    const { items } = this.#spellings;
    const spelled = this.#spelled;
    for (let i = 0; i < size; i++) if (items[start + i] !== spelled[i]) return false;
    return true;
  }

  #found(series: number, spelling: number): void {
    if (series >= this.ids.length) {
      const ids = new Uint32Array(2 * series);
      ids.set(this.ids);
      this.ids = ids;
    }
    this.ids[series] = this.#seriesOfSpelling.items[spelling]!;
    this.#last = spelling;
  }

  /**
   * Writes a series' labels to `#spelled`; returns how many. That still holds the series before, and neighbours share most of their
   * labels: comparing with those is cheaper than a hash.
   */
  #spell1({ message, labelEnd, nameStart, nameEnd, valueStart, valueEnd }: Decoded, series: number): number {
    const from = series === 0 ? 0 : labelEnd[series - 1]!;
    const size = labelEnd[series]! - from;
    const spelled = this.#roomToSpell(size);
    const labels = this.#labels;
    for (let i = 0, label = from; i < size; i++, label++) {
      const before = spelled[i]!;
      // A field's tag and length, and those of its name, stand before the name.
      const start = nameStart[label]! - 4;
      if (
        before !== NOWHERE &&
        start >= 0 &&
        labels.endOf(spelled, i, i + 1, this.#view, start, message.length) === valueEnd[label]
      )
        continue;
      spelled[i] = labels.intern(message, nameStart[label]!, nameEnd[label]!, valueStart[label]!, valueEnd[label]!);
    }
    return size;
  }

  /**
   * Where the references end when they stand from `start` on, packed, and say the labels [from, to) of the spellings; else -1. Also -1 when they
   * are written otherwise: in several fields, or in more than two bytes.
   */
  #endOfRefs(from: number, to: number, start: number, end: number): number {
    const decoded = this.#decoded!;
    const { message, symbolCount } = decoded;
    const labelOf = this.#labelOf;
    const nameOf = this.#nameOf;
    const { items } = this.#spellings;
    if (end - start < 2 || message[start] !== LABEL) return -1;
    let at = start + 2;
    let stop = message[start + 1]!;
    if (stop >= 0x80) {
      if (at >= end || message[at]! >= 0x80) return -1;
      stop = (stop & 0x7f) | (message[at++]! << 7);
    }
    stop += at;
    if (stop > end) return -1;
    let place = from;
    while (at < stop && place < to) {
      let name = message[at++]!;
      if (name >= 0x80) {
        if (at >= stop || message[at]! >= 0x80) return -1;
        name = (name & 0x7f) | (message[at++]! << 7);
      }
      if (at >= stop) return -1;
      let value = message[at++]!;
      if (value >= 0x80) {
        if (at >= stop || message[at]! >= 0x80) return -1;
        value = (value & 0x7f) | (message[at++]! << 7);
      }
      if (value >= symbolCount) return -1;
      if (nameOf[value] !== name) {
        if (name >= symbolCount) return -1;
        this.#lookUp(decoded, name, value, items[place]!);
      }
      if (labelOf[value] !== items[place++]) return -1;
    }
    return at === stop && place === to ? at : -1;
  }

  /** What is spelled by references to symbols: a text is looked at once a message, and first compared with that of the series that is expected. */
  #spell2(decoded: Decoded, series: number): number {
    const { labelEnd, nameRef, valueRef } = decoded;
    const from = series === 0 ? 0 : labelEnd[series - 1]!;
    const size = labelEnd[series]! - from;
    const spelled = this.#roomToSpell(size);
    const labelOf = this.#labelOf;
    const nameOf = this.#nameOf;
    const spelling = this.#expected();
    const place = spelling === NOWHERE ? 0 : this.#spellings.start(spelling);
    const places = spelling === NOWHERE ? 0 : this.#spellings.end(spelling) - place;
    for (let i = 0, label = from; i < size; i++, label++) {
      const value = valueRef[label]!;
      if (nameOf[value] !== nameRef[label]!)
        this.#lookUp(decoded, nameRef[label]!, value, i < places ? this.#spellings.items[place + i]! : NOWHERE);
      spelled[i] = labelOf[value]!;
    }
    return size;
  }

  /** Finds the label of a name and a value, which is likely the given one, if that is not NOWHERE. */
  #lookUp({ message, symbolStart, symbolEnd }: Decoded, name: number, value: number, likely: number): void {
    const labels = this.#labels;
    const nameStart = symbolStart[name]!;
    const nameEnd = symbolEnd[name]!;
    const valueStart = symbolStart[value]!;
    const valueEnd = symbolEnd[value]!;
    this.#nameOf[value] = name;
    this.#labelOf[value] =
      likely !== NOWHERE && labels.is(likely, message, nameStart, nameEnd, valueStart, valueEnd)
        ? likely
        : labels.intern(message, nameStart, nameEnd, valueStart, valueEnd);
  }

  #beginSymbols(count: number): void {
    if (count > this.#nameOf.length) {
      this.#nameOf = new Uint32Array(count * 2);
      this.#labelOf = new Uint32Array(count * 2);
    }
    this.#nameOf.fill(NOWHERE, 0, count);
  }

  #roomToSpell(size: number): Uint32Array {
    if (size > this.#spelled.length) this.#spelled = new Uint32Array(2 * size).fill(NOWHERE);
    return this.#spelled;
  }

  /** Finds the series of a spelling met for the first time, or again after it was refused; it is in `#spelled`. */
  #newSpelling(spelling: number, size: number, series: number): void {
    let canonical = spelling;
    if (!this.#isCanonical(size)) {
      const sorted = this.#sorted(size, series);
      canonical = this.#spellings.intern(sorted, sorted.length);
      while (this.#seriesOfSpelling.length <= canonical) {
        this.#seriesOfSpelling.push(NOWHERE);
        this.#next.push(NOWHERE);
      }
    }
    let id = this.#seriesOfSpelling.items[canonical]!;
    if (id === NOWHERE) {
      id = this.#canonical.length;
      this.#canonical.push(canonical);
      this.#seriesOfSpelling.items[canonical] = id;
    }
    this.#seriesOfSpelling.items[spelling] = id;
  }

  #isCanonical(size: number): boolean {
    const spelled = this.#spelled;
    const labels = this.#labels;
    for (let i = 0; i < size; i++) {
      if (labels.nameLength(spelled[i]!) === 0 || !labels.hasValue(spelled[i]!)) return false;
      if (i > 0 && labels.compareNames(spelled[i - 1]!, spelled[i]!) >= 0) return false;
    }
    return size > 0;
  }

  /** The canonical spelling: a label with an empty value is a label that is not there, as in Prometheus. */
  #sorted(size: number, series: number): Uint32Array {
    const labels = this.#labels;
    const sorted: number[] = [];
    for (const label of this.#spelled.subarray(0, size)) {
      if (labels.nameLength(label) === 0) throw new DecodeError(`series ${series}: a label has an empty name`);
      if (labels.hasValue(label)) sorted.push(label);
    }
    if (sorted.length === 0) throw new DecodeError(`series ${series}: no labels`);
    sorted.sort((a, b) => labels.compareNames(a, b));
    for (let i = 1; i < sorted.length; i++) {
      if (labels.compareNames(sorted[i - 1]!, sorted[i]!) === 0)
        throw new DecodeError(`series ${series}: a label name stands twice`);
    }
    return Uint32Array.from(sorted);
  }
}
