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
import { NO_SERIES, SectionCache } from './sections.ts';
import { sortInSteps, upTo } from './sort.ts';
import { TupleInterner } from './tuples.ts';

const NOWHERE = 0xffffffff;

export class SeriesTable {
  readonly #symbols = new Interner();
  readonly #spellings: TupleInterner;
  /** 1.0: the series of label sections met before. */
  readonly #sections: SectionCache;
  /** Per spelling: its series. */
  readonly #seriesOfSpelling = new U32List();
  /** Per series: its canonical spelling. */
  readonly #canonical = new U32List();
  /** The spelling that is looked up; behind its size, and until it is written, those looked up before. */
  #spelled = new Uint32Array(64).fill(NOWHERE);
  /** 2.0: our symbol for each symbol of the message at hand, NOWHERE for those that no series has used yet. */
  #symbolOf = new Uint32Array(1024);
  #labels = new Uint8Array(1024);

  constructor(seed: number) {
    this.#spellings = new TupleInterner(seed);
    this.#sections = new SectionCache(seed);
  }

  /** Must be called before the first series of each message: what is remembered of the one before means nothing any more. */
  beginMessage(decoded: Decoded): void {
    const { schema, symbolCount } = decoded;
    if (schema === 1) this.#sections.beginMessage(decoded);
    if (symbolCount > this.#symbolOf.length) this.#symbolOf = new Uint32Array(symbolCount * 2);
    this.#symbolOf.fill(NOWHERE, 0, symbolCount);
  }

  /**
   * The id of the `index`-th series of a message: 0, 1, 2 … in the order of first sight. Throws DecodeError when its labels
   * cannot name a series (none at all, an empty or repeated name), or when the decoder found the series to be bad.
   */
  resolve(decoded: Decoded, index: number): number {
    if (decoded.bad[index] !== 0) throw new DecodeError(`series ${index}: ${badText(decoded.bad[index]!)}`);
    if (decoded.schema === 2) return this.#seriesOf(decoded, index);
    const known = this.#sections.find(decoded, index);
    if (known !== NO_SERIES) return known;
    const id = this.#seriesOf(decoded, index);
    this.#sections.keep(decoded, id);
    return id;
  }

  /** All ids in the order of their labels (Go's `labels.Compare`), found in steps. */
  *order(): Generator<undefined, Uint32Array> {
    // With symbols numbered in the order of their bytes, label sets compare as tuples of numbers.
    const symbols = yield* sortInSteps(upTo(this.#symbols.count), (a, b) => this.#compareSymbols(a, b));
    const ranks = new Uint32Array(symbols.length);
    for (let rank = 0; rank < symbols.length; rank++) ranks[symbols[rank]!] = rank;

    const spellings = this.#spellings;
    const { items } = spellings;
    const canonical = this.#canonical.items;
    return yield* sortInSteps(upTo(this.#canonical.length), (a, b) => {
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

  /** As `resolve`, field by field. */
  #seriesOf(decoded: Decoded, index: number): number {
    const size = this.#spell(decoded, index);
    const spelling = this.#spellings.intern(this.#spelled, size);
    const id = this.#known(spelling);
    return id === NO_SERIES ? this.#newSpelling(spelling, size, index) : id;
  }

  /** Writes a series' labels as symbol ids to `#spelled`: name, value, name, value … Returns how many ids. */
  #spell(decoded: Decoded, index: number): number {
    const from = index === 0 ? 0 : decoded.labelEnd[index - 1]!;
    const size = 2 * (decoded.labelEnd[index]! - from);
    if (size > this.#spelled.length) this.#spelled = new Uint32Array(2 * size).fill(NOWHERE);
    if (decoded.schema === 1) {
      const { nameStart, nameEnd, valueStart, valueEnd } = decoded;
      for (let i = 0, label = from; i < size; i += 2, label++) {
        this.#spellText(decoded.message, nameStart[label]!, nameEnd[label]!, i);
        this.#spellText(decoded.message, valueStart[label]!, valueEnd[label]!, i + 1);
      }
    } else {
      const { nameRef, valueRef } = decoded;
      const spelled = this.#spelled;
      const symbolOf = this.#symbolOf;
      for (let i = 0, label = from; i < size; i += 2, label++) {
        const name = symbolOf[nameRef[label]!]!;
        const value = symbolOf[valueRef[label]!]!;
        spelled[i] = name === NOWHERE ? this.#lookUp(decoded, nameRef[label]!) : name;
        spelled[i + 1] = value === NOWHERE ? this.#lookUp(decoded, valueRef[label]!) : value;
      }
    }
    return size;
  }

  /**
   * Spells the text of a 1.0 label. `#spelled` still holds the series before, and neighbours share most of their labels:
   * comparing with that is cheaper than a hash.
   */
  #spellText(message: Uint8Array, start: number, end: number, place: number): void {
    const symbols = this.#symbols;
    const before = this.#spelled[place]!;
    if (before !== NOWHERE) {
      const text = symbols.bytes;
      let at = symbols.start(before);
      let i = end - start === symbols.end(before) - at ? start : end + 1;
      while (i < end && message[i] === text[at]) {
        i++;
        at++;
      }
      if (i === end) return;
    }
    this.#spelled[place] = symbols.intern(message, start, end);
  }

  /** A symbol of a 2.0 message: its text is looked up once a message. */
  #lookUp({ message, symbolStart, symbolEnd }: Decoded, ref: number): number {
    return (this.#symbolOf[ref] = this.#symbols.intern(message, symbolStart[ref]!, symbolEnd[ref]!));
  }

  /** NO_SERIES when the spelling has none: it is new, or was refused before. */
  #known(spelling: number): number {
    while (this.#seriesOfSpelling.length <= spelling) this.#seriesOfSpelling.push(NO_SERIES);
    return this.#seriesOfSpelling.items[spelling]!;
  }

  /** The series of a spelling met for the first time, which is in `#spelled`. */
  #newSpelling(spelling: number, size: number, index: number): number {
    let canonical = spelling;
    if (!this.#isCanonical(size)) {
      const sorted = this.#sorted(size, index);
      canonical = this.#spellings.intern(sorted, sorted.length);
    }
    let id = this.#known(canonical);
    if (id === NO_SERIES) {
      id = this.#canonical.length;
      this.#canonical.push(canonical);
      this.#seriesOfSpelling.items[canonical] = id;
    }
    this.#seriesOfSpelling.items[spelling] = id;
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

  #length(symbol: number): number {
    return this.#symbols.end(symbol) - this.#symbols.start(symbol);
  }

  #compareSymbols(a: number, b: number): number {
    const symbols = this.#symbols;
    const { bytes } = symbols;
    return compareBytes(bytes, symbols.start(a), symbols.end(a), bytes, symbols.start(b), symbols.end(b));
  }
}
