/**
 * Which series a label set is, within one batch. Labels become tuples of symbol ids, so identity is a comparison of a few
 * numbers; text is compared when a symbol is looked up, in Remote Write 2.0 once a message.
 *
 * A message may spell one label set in several ways (another order, empty values): every spelling met is kept and points to
 * its series. Invariant: no two series have the same labels, and each has the canonical spelling: names strictly ascending
 * by bytes, no empty value.
 */

import { compareBytes, Interner } from '../block/intern.ts';
import { U32List } from '../block/lists.ts';
import { badText } from '../encoding/remote-write/bad.ts';
import { DecodeError, type Decoded } from '../encoding/remote-write/decoded.ts';
import { uvarintSize, writeUvarint } from '../model/label-bytes.ts';
import { TupleInterner } from './tuples.ts';

const NOWHERE = 0xffffffff;

export class SeriesTable {
  readonly #symbols = new Interner();
  readonly #spellings: TupleInterner;
  /** Per spelling: its series. */
  readonly #seriesOf = new U32List();
  /** Per series: its canonical spelling. */
  readonly #canonical = new U32List();
  /** The spelling that is looked up. */
  #spelled = new Uint32Array(64);
  /** 1.0: the symbol met last at each place of a label set. */
  #last = new Uint32Array(64).fill(NOWHERE);
  /** 2.0: our symbol for each symbol of the message at hand, NOWHERE for those that no series has used yet. */
  #symbolOf = new Uint32Array(1024);
  #labels = new Uint8Array(1024);

  constructor(seed: number) {
    this.#spellings = new TupleInterner(seed);
  }

  /** Must be called before the first series of each message: the references of the one before mean nothing any more. */
  beginMessage({ symbolCount }: Decoded): void {
    if (symbolCount > this.#symbolOf.length) this.#symbolOf = new Uint32Array(symbolCount * 2);
    this.#symbolOf.fill(NOWHERE, 0, symbolCount);
  }

  /**
   * The id of the `index`-th series of a message: 0, 1, 2 … in the order of first sight. Throws DecodeError when its labels
   * cannot name a series (none at all, an empty or repeated name), or when the decoder found the series to be bad.
   */
  resolve(decoded: Decoded, index: number): number {
    if (decoded.bad[index] !== 0) throw new DecodeError(`series ${index}: ${badText(decoded.bad[index]!)}`);
    const size = this.#spell(decoded, index);
    const spelling = this.#spellings.intern(this.#spelled, size);
    const id = this.#seriesOfSpelling(spelling);
    return id === NOWHERE ? this.#newSpelling(spelling, size, index) : id;
  }

  /** All ids in the order of their labels (Go's `labels.Compare`). */
  order(): Uint32Array {
    // With symbols numbered in the order of their bytes, label sets compare as tuples of numbers.
    const symbols = Uint32Array.from({ length: this.#symbols.count }, (_, id) => id);
    symbols.sort((a, b) => this.#compareSymbols(a, b));
    const ranks = new Uint32Array(symbols.length);
    for (let rank = 0; rank < symbols.length; rank++) ranks[symbols[rank]!] = rank;

    const spellings = this.#spellings;
    const { items } = spellings;
    const canonical = this.#canonical.items;
    return Uint32Array.from({ length: this.#canonical.length }, (_, id) => id).sort((a, b) => {
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

  /** A series' label bytes (src/model/label-bytes.ts), in memory that the next call uses again. */
  labels(id: number): Uint8Array {
    const { items } = this.#spellings;
    const symbols = this.#symbols;
    const start = this.#spellings.start(this.#canonical.items[id]!);
    const end = this.#spellings.end(this.#canonical.items[id]!);
    let size = 0;
    for (let i = start; i < end; i++) size += uvarintSize(this.#length(items[i]!)) + this.#length(items[i]!);
    if (size > this.#labels.length) this.#labels = new Uint8Array(size * 2);
    const text = symbols.bytes;
    const out = this.#labels;
    let at = 0;
    for (let i = start; i < end; i++) {
      at = writeUvarint(out, at, this.#length(items[i]!));
      for (let j = symbols.start(items[i]!); j < symbols.end(items[i]!); j++) out[at++] = text[j]!;
    }
    return out.subarray(0, at);
  }

  /** Writes a series' labels as symbol ids to `#spelled`: name, value, name, value … Returns how many ids. */
  #spell(decoded: Decoded, index: number): number {
    const from = index === 0 ? 0 : decoded.labelEnd[index - 1]!;
    const size = 2 * (decoded.labelEnd[index]! - from);
    if (size > this.#spelled.length) {
      this.#spelled = new Uint32Array(2 * size);
      this.#last = new Uint32Array(2 * size).fill(NOWHERE);
    }
    const spelled = this.#spelled;
    if (decoded.schema === 1) {
      const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
      for (let i = 0, label = from; i < size; i += 2, label++) {
        spelled[i] = this.#inlined(message, nameStart[label]!, nameEnd[label]!, i);
        spelled[i + 1] = this.#inlined(message, valueStart[label]!, valueEnd[label]!, i + 1);
      }
    } else {
      const { nameRef, valueRef } = decoded;
      for (let i = 0, label = from; i < size; i += 2, label++) {
        spelled[i] = this.#referenced(decoded, nameRef[label]!);
        spelled[i + 1] = this.#referenced(decoded, valueRef[label]!);
      }
    }
    return size;
  }

  /** The text of a 1.0 label. Neighbours share most of theirs, and comparing with the one before is cheaper than a hash. */
  #inlined(message: Uint8Array, start: number, end: number, place: number): number {
    const last = this.#last[place]!;
    if (last !== NOWHERE && this.#isSymbol(last, message, start, end)) return last;
    return (this.#last[place] = this.#symbols.intern(message, start, end));
  }

  /** A symbol of a 2.0 message: its text is looked up once a message. */
  #referenced({ message, symbolStart, symbolEnd }: Decoded, ref: number): number {
    const known = this.#symbolOf[ref]!;
    if (known !== NOWHERE) return known;
    return (this.#symbolOf[ref] = this.#symbols.intern(message, symbolStart[ref]!, symbolEnd[ref]!));
  }

  /** NOWHERE when the spelling has no series: it is new, or was refused before. */
  #seriesOfSpelling(spelling: number): number {
    while (this.#seriesOf.length <= spelling) this.#seriesOf.push(NOWHERE);
    return this.#seriesOf.items[spelling]!;
  }

  /** The series of a spelling met for the first time, which is in `#spelled`. */
  #newSpelling(spelling: number, size: number, index: number): number {
    let canonical = spelling;
    if (!this.#isCanonical(size)) {
      const sorted = this.#sorted(size, index);
      canonical = this.#spellings.intern(sorted, sorted.length);
    }
    let id = this.#seriesOfSpelling(canonical);
    if (id === NOWHERE) {
      id = this.#canonical.length;
      this.#canonical.push(canonical);
      this.#seriesOf.items[canonical] = id;
    }
    this.#seriesOf.items[spelling] = id;
    return id;
  }

  #isCanonical(size: number): boolean {
    const spelled = this.#spelled;
    for (let i = 0; i < size; i += 2) {
      if (this.#length(spelled[i]!) === 0 || this.#length(spelled[i + 1]!) === 0) return false;
      if (i > 0 && this.#compareSymbols(spelled[i - 2]!, spelled[i]!) >= 0) return false;
    }
    return size > 0;
  }

  /** The canonical spelling: a label with an empty value is a label that is not there, as in Prometheus. */
  #sorted(size: number, index: number): Uint32Array {
    const labels: [name: number, value: number][] = [];
    for (let i = 0; i < size; i += 2) {
      const [name, value] = [this.#spelled[i]!, this.#spelled[i + 1]!];
      if (this.#length(name) === 0) throw new DecodeError(`series ${index}: a label has an empty name`);
      if (this.#length(value) > 0) labels.push([name, value]);
    }
    if (labels.length === 0) throw new DecodeError(`series ${index}: no labels`);
    labels.sort(([a], [b]) => this.#compareSymbols(a, b));
    for (let i = 1; i < labels.length; i++) {
      if (labels[i - 1]![0] === labels[i]![0]) throw new DecodeError(`series ${index}: a label name stands twice`);
    }
    return Uint32Array.from(labels.flat());
  }

  #isSymbol(id: number, message: Uint8Array, start: number, end: number): boolean {
    if (this.#length(id) !== end - start) return false;
    const text = this.#symbols.bytes;
    for (let i = start, j = this.#symbols.start(id); i < end; i++, j++) if (message[i] !== text[j]) return false;
    return true;
  }

  #length(symbol: number): number {
    return this.#symbols.end(symbol) - this.#symbols.start(symbol);
  }

  #compareSymbols(a: number, b: number): number {
    const symbols = this.#symbols;
    const { bytes } = symbols;
    return compareBytes(bytes, symbols.start(a), symbols.end(a), bytes, symbols.start(b), symbols.end(b));
  }
}
