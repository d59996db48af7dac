/**
 * Exemplars of a batch of records, each once, as Remote Write 2.0 messages whose series have nothing else: what the ring (exemplar-ring.ts) keeps.
 *
 * Invariant: every exemplar of an added record is in exactly one of the messages, `duplicates` and `leftOut`.
 */

import { Interner } from '../block/intern.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';
import { readExemplars } from '../encoding/remote-write/exemplars.ts';
import { SymbolTable } from '../encoding/remote-write/symbols.ts';
import { BYTES, FIXED64, tagOf, VARINT } from '../encoding/protobuf-reader.ts';
import { Writer } from '../encoding/protobuf-writer.ts';
import { snappyCompress } from '../encoding/snappy.ts';
import { TupleInterner } from './tuples.ts';

/** As many as Prometheus keeps of everything (`storage.exemplars.max_exemplars`). A batch with more leaves those out that came last. */
export const EXEMPLARS_MAX = 100_000;
/** Text of labels that a batch keeps, each once: Prometheus bounds an exemplar's to 128 characters. */
const TEXT_BYTES_MAX = 8 * 1024 * 1024;
/** Of a message, uncompressed; symbols and series alike. */
const MESSAGE_BYTES_MAX = 1_000_000;

const TIMESERIES = tagOf(5, BYTES);
const LABELS_REFS = tagOf(1, BYTES);
const EXEMPLARS = tagOf(4, BYTES);
const VALUE = tagOf(2, FIXED64);
const TIMESTAMP = tagOf(3, VARINT);

export interface ExemplarPart {
  /** Snappy block format, in a buffer of its own. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly count: number;
  /** Unix ms, both inclusive. */
  readonly minT: number;
  readonly maxT: number;
}

export class Exemplars {
  readonly #texts = new Interner();
  readonly #series = new TupleInterner(0);
  /** All of an exemplar: its series, its time, its value, its labels. */
  readonly #exemplars = new TupleInterner(0);
  readonly #t: number[] = [];
  #tuple = new Uint32Array(64);
  duplicates = 0;
  leftOut = 0;

  add(decoded: Decoded): void {
    for (let s = 0; s < decoded.seriesCount; s++) {
      if (decoded.exemplarCount[s]! > 0 && decoded.bad[s] === 0) this.#ofSeries(decoded, s);
    }
  }

  #ofSeries(decoded: Decoded, s: number): void {
    if (this.#t.length >= EXEMPLARS_MAX || this.#textBytes() > TEXT_BYTES_MAX) {
      this.leftOut += decoded.exemplarCount[s]!;
      return;
    }
    const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
    let size = 0;
    for (let i = s === 0 ? 0 : decoded.labelEnd[s - 1]!; i < decoded.labelEnd[s]!; i++) {
      if (valueStart[i] === valueEnd[i]) continue;
      size = this.#put(size, this.#texts.intern(message, nameStart[i]!, nameEnd[i]!));
      size = this.#put(size, this.#texts.intern(message, valueStart[i]!, valueEnd[i]!));
    }
    const series = this.#series.intern(this.#tuple, size);
    readExemplars(decoded, s, ({ labels, t, hi, lo }) => {
      // A time that a double does not hold exactly is none that anybody means.
      if (this.#t.length >= EXEMPLARS_MAX || !Number.isSafeInteger(t)) {
        this.leftOut++;
        return;
      }
      let size = this.#put(0, series);
      size = this.#put(size, Math.floor(t / 0x1_0000_0000) >>> 0);
      size = this.#put(size, t >>> 0);
      size = this.#put(size, hi);
      size = this.#put(size, lo);
      for (let i = 0; i < labels.length; i += 2) {
        size = this.#put(size, this.#texts.intern(message, labels[i]!, labels[i + 1]!));
      }
      const before = this.#exemplars.count;
      if (this.#exemplars.intern(this.#tuple, size) < before) this.duplicates++;
      else this.#t.push(t);
    });
  }

  #textBytes(): number {
    return this.#texts.count === 0 ? 0 : this.#texts.end(this.#texts.count - 1);
  }

  #put(at: number, value: number): number {
    if (at === this.#tuple.length) {
      const wide = new Uint32Array(2 * at);
      wide.set(this.#tuple);
      this.#tuple = wide;
    }
    this.#tuple[at] = value;
    return at + 1;
  }

  /** All that was gathered, as messages: a series' exemplars stand together, in the order in which they came. */
  parts(): ExemplarPart[] {
    const bySeries = Array.from({ length: this.#series.count }, () => [] as number[]);
    for (let id = 0; id < this.#t.length; id++) bySeries[this.#exemplars.items[this.#exemplars.start(id)]!]!.push(id);
    const parts: ExemplarPart[] = [];
    let part = new Part(this.#texts);
    bySeries.forEach((ids, series) => {
      const labels = this.#series.items.subarray(this.#series.start(series), this.#series.end(series));
      for (let i = 0; i < ids.length;) {
        if (part.bytes > MESSAGE_BYTES_MAX) {
          parts.push(part.finish());
          part = new Part(this.#texts);
        }
        part.beginSeries(labels);
        // A series of very many goes on in the next message.
        for (; i < ids.length && part.bytes <= MESSAGE_BYTES_MAX; i++) {
          const id = ids[i]!;
          const tuple = this.#exemplars.items.subarray(this.#exemplars.start(id), this.#exemplars.end(id));
          part.exemplar(tuple, this.#t[id]!);
        }
        part.endSeries();
      }
    });
    if (part.count > 0) parts.push(part.finish());
    return parts;
  }
}

/** A message that is being written. */
class Part {
  readonly #texts: Interner;
  readonly #symbols = new SymbolTable();
  readonly #all = new Writer();
  readonly #series = new Writer();
  readonly #one = new Writer();
  readonly #refs = new Writer();
  count = 0;
  #minT = Infinity;
  #maxT = -Infinity;

  constructor(texts: Interner) {
    this.#texts = texts;
  }

  get bytes(): number {
    return this.#symbols.out.length + this.#all.length + this.#series.length;
  }

  beginSeries(labels: Uint32Array): void {
    this.#series.clear();
    this.#labels(this.#series, labels, 0);
  }

  exemplar(tuple: Uint32Array, t: number): void {
    const one = this.#one;
    one.clear();
    this.#labels(one, tuple, 5);
    one.tag(VALUE);
    one.fixed32(tuple[4]!);
    one.fixed32(tuple[3]!);
    one.tag(TIMESTAMP);
    one.int64(t);
    this.#series.field(EXEMPLARS, one.bytes, 0, one.length);
    this.count++;
    this.#minT = Math.min(this.#minT, t);
    this.#maxT = Math.max(this.#maxT, t);
  }

  endSeries(): void {
    this.#all.field(TIMESERIES, this.#series.bytes, 0, this.#series.length);
    this.#series.clear();
  }

  #labels(out: Writer, texts: Uint32Array, from: number): void {
    const refs = this.#refs;
    refs.clear();
    const { bytes } = this.#texts;
    for (let i = from; i < texts.length; i++) {
      refs.uint32(this.#symbols.ref(bytes, this.#texts.start(texts[i]!), this.#texts.end(texts[i]!)));
    }
    if (refs.length > 0) out.field(LABELS_REFS, refs.bytes, 0, refs.length);
  }

  finish(): ExemplarPart {
    const { out } = this.#symbols;
    out.raw(this.#all.bytes, 0, this.#all.length);
    const body = snappyCompress(out.finish());
    return { body, count: this.count, minT: this.#minT, maxT: this.#maxT };
  }
}
