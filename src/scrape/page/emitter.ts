/**
 * Puts the samples of one scrape into a request builder: translates a page's references into those of the message being built.
 * It lives as long as one call; the message may change under it at any sample.
 */

import { Writer } from '../../encoding/protobuf-writer.ts';
import { RequestBuilder } from '../../encoding/remote-write/builder.ts';
import { writeHistogram } from '../../encoding/remote-write/histogram-message.ts';
import { HINT_UNKNOWN, staleHistogram } from '../../model/histogram.ts';
import { STALE_HI, STALE_LO } from '../../model/sample.ts';
import { AS_FLOAT, AS_FLOAT_HISTOGRAM } from './entries.ts';
import type { Exemplar } from './exemplars.ts';
import { Symbols } from './symbols.ts';
import { keepShape } from '../../model/shape.ts';

/** What an exemplar takes: 128 characters of up to four bytes, and as much for numbers and lengths as there can be labels. */
const EXEMPLAR_BYTES_MAX = 1536;

export class Emitter {
  readonly #out: RequestBuilder;
  readonly #symbols: Symbols;
  readonly #constantBytes: number;
  /** Page reference → reference in the message, or −1. */
  #refs = new Int32Array(0);
  #generation = -1;
  #scratch = new Uint32Array(64);
  #help = '';
  #helpRef = 0;
  #unit = '';
  #unitRef = 0;
  /** The exemplars of the next sample. */
  readonly exemplars: Exemplar[] = [];

  /** `constantBytes`: what the labels that are not in a series' text take, about. */
  constructor(out: RequestBuilder, symbols: Symbols, constantBytes: number) {
    this.#out = out;
    this.#symbols = symbols;
    this.#constantBytes = constantBytes;
  }

  /** Adds one sample of the series with the labels `refs[start, end)`, whose text takes `keyBytes`. */
  add(
    refs: Uint32Array,
    start: number,
    end: number,
    keyBytes: number,
    t: number,
    hi: number,
    lo: number,
    type = 0,
    help = '',
    unit = '',
    startT = 0,
  ): void {
    this.#prepare(refs, start, end, keyBytes, help, unit);
    this.#out.add(this.#scratch, end - start, t, hi, lo, type, this.#helpRef, this.#unitRef, startT);
  }

  /** As `add`, with a histogram: its message is `bytes[from, to)`. */
  addHistogram(
    refs: Uint32Array,
    start: number,
    end: number,
    keyBytes: number,
    t: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    type = 0,
    help = '',
    unit = '',
  ): void {
    this.#prepare(refs, start, end, keyBytes + to - from, help, unit);
    this.#out.addHistogramMessage(this.#scratch, end - start, t, bytes, from, to, type, this.#helpRef, this.#unitRef);
  }

  /** Marks a series stale, as its last sample was: see entries.ts. */
  stale(refs: Uint32Array, start: number, end: number, keyBytes: number, t: number, as = AS_FLOAT): void {
    if (as === AS_FLOAT) {
      this.add(refs, start, end, keyBytes, t, STALE_HI, STALE_LO);
      return;
    }
    const message = new Writer();
    writeHistogram(message, t, staleHistogram(as === AS_FLOAT_HISTOGRAM, HINT_UNKNOWN));
    this.addHistogram(refs, start, end, keyBytes, t, message.bytes, 0, message.length);
  }

  /** Makes room for a series, and its references, in `#scratch`; its exemplars are added. */
  #prepare(refs: Uint32Array, start: number, end: number, sampleBytes: number, help: string, unit: string): void {
    const out = this.#out;
    // More than it takes, since most texts are in the message already: then a message ends a little early.
    const { exemplars } = this;
    out.reserve(
      sampleBytes + this.#constantBytes + (end - start) * 8 + help.length * 3 + exemplars.length * EXEMPLAR_BYTES_MAX,
    );
    if (out.generation !== this.#generation) this.#begin();
    const map = this.#refs;
    const count = end - start;
    if (count > this.#scratch.length) this.#scratch = new Uint32Array(count * 2);
    const scratch = this.#scratch;
    for (let i = 0; i < count; i++) {
      const symbol = refs[start + i]!;
      let ref = map[symbol]!;
      if (ref < 0) map[symbol] = ref = out.symbol(this.#symbols.text(symbol));
      scratch[i] = ref;
    }
    if (help !== this.#help) {
      this.#help = help;
      this.#helpRef = help === '' ? 0 : out.symbol(help);
    }
    if (unit !== this.#unit) {
      this.#unit = unit;
      this.#unitRef = unit === '' ? 0 : out.symbol(unit);
    }
    if (exemplars.length > 0) {
      for (const { labels, t, hi, lo } of exemplars) {
        out.exemplar(
          labels.map((text) => out.symbol(text)),
          t,
          hi,
          lo,
        );
      }
      exemplars.length = 0;
    }
  }

  #begin(): void {
    this.#generation = this.#out.generation;
    this.#refs = new Int32Array(this.#symbols.count).fill(-1);
    this.#help = '';
    this.#helpRef = 0;
    this.#unit = '';
    this.#unitRef = 0;
  }
}

keepShape(new Emitter(new RequestBuilder({ samplesMax: 0, bytesMax: 0 }), new Symbols(), 0));
