/**
 * `write_relabel_configs` of one remote: what its records become before they are sent. Labels have all that the log has, the external ones
 * too. What a series became is remembered, so that one that comes again costs no regular expression and no text.
 *
 * The one invariant: a record that cannot be decoded is never sent as it is, since a rule might drop what is in it.
 */

import type { RelabelConfig } from '../config/model.ts';
import type { Decoded } from '../encoding/remote-write/decoded.ts';
import { type Outcome, rewriteLabels } from '../encoding/remote-write/rewrite.ts';
import { SymbolTable } from '../encoding/remote-write/symbols.ts';
import { snappyUncompress } from '../encoding/snappy.ts';
import type { LogRecord } from '../log/record.ts';
import { LabelBuilder } from '../relabel/builder.ts';
import { relabel, type Rules, rulesOf } from '../relabel/relabel.ts';
import { decodeForNow } from './columns.ts';
import { LabelSets } from './label-sets.ts';

/** A message of the log's own is at most 640 KiB; a received one at most what the receiver allowed. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** What is remembered of series, before all of it is forgotten: some 40,000 of ten labels. */
const BYTES_MAX = 8_000_000;

/** What all that no run uses any more may remember together. */
const KEPT_BYTES_MAX = 16_000_000;

const UTF8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** `message` is what remains, uncompressed, valid until the next call: null when nothing does, `same` when all does, as it was. */
export interface Remainder {
  readonly message: Uint8Array | 'same' | null;
  readonly samplesDropped: number;
}

export class WriteRelabeler {
  readonly #rules: Rules;
  /** Texts of labels by number, and by label set, as numbers, what becomes of it. All are void together. */
  #texts = new SymbolTable();
  #outcomes = new LabelSets<Outcome>();
  /** Texts that rules have seen or made. */
  #strings: string[] = [];
  #numberOf = new Map<string, number>();
  /** The label set that is looked at. */
  #numbers = new Uint32Array(64);

  constructor(configs: readonly RelabelConfig[]) {
    this.#rules = rulesOf(configs);
  }

  /** What its remote gets of a record, in the schema it has. Throws DecodeError or SnappyError for a record that cannot be read. */
  relabel({ schema, samples, body }: Pick<LogRecord, 'schema' | 'samples' | 'body'>): Remainder {
    if (this.#rules.length === 0) return { message: 'same', samplesDropped: 0 };
    if (this.bytes > BYTES_MAX) this.#forget();
    const decoded = decodeForNow(schema, snappyUncompress(body, MESSAGE_BYTES_MAX));
    const symbols = this.#symbolsOf(decoded);
    const outcomes: Outcome[] = [];
    for (let s = 0; s < decoded.seriesCount; s++) outcomes.push(this.#outcomeOf(decoded, s, symbols));
    const { message, series, samplesDropped } = rewriteLabels(decoded, outcomes, this.#texts, symbols);
    if (series === 0) return { message: null, samplesDropped: samples };
    return { message: message ?? 'same', samplesDropped };
  }

  /** What it remembers takes about that. */
  get bytes(): number {
    return this.#texts.out.length * 3 + this.#texts.count * 100 + this.#outcomes.bytes;
  }

  #forget(): void {
    this.#texts = new SymbolTable();
    this.#outcomes = new LabelSets();
    this.#strings = [];
    this.#numberOf = new Map();
  }

  /** The numbers of a 2.0 message's symbols. */
  #symbolsOf({ message, symbolCount, symbolStart, symbolEnd }: Decoded): Uint32Array {
    const numbers = new Uint32Array(symbolCount);
    for (let ref = 0; ref < symbolCount; ref++)
      numbers[ref] = this.#texts.ref(message, symbolStart[ref]!, symbolEnd[ref]!);
    return numbers;
  }

  #outcomeOf(decoded: Decoded, s: number, symbols: Uint32Array): Outcome {
    const start = s === 0 ? 0 : decoded.labelEnd[s - 1]!;
    const length = 2 * (decoded.labelEnd[s]! - start);
    if (length > this.#numbers.length) this.#numbers = new Uint32Array(length * 2);
    const numbers = this.#numbers;
    if (decoded.schema === 2) {
      const { nameRef, valueRef } = decoded;
      for (let at = 0, label = start; at < length; label++) {
        numbers[at++] = symbols[nameRef[label]!]!;
        numbers[at++] = symbols[valueRef[label]!]!;
      }
    } else {
      const { message, nameStart, nameEnd, valueStart, valueEnd } = decoded;
      for (let at = 0, label = start; at < length; label++) {
        numbers[at++] = this.#texts.ref(message, nameStart[label]!, nameEnd[label]!);
        numbers[at++] = this.#texts.ref(message, valueStart[label]!, valueEnd[label]!);
      }
    }
    let outcome = this.#outcomes.get(numbers, length);
    if (outcome === undefined) {
      outcome = this.#apply(numbers.subarray(0, length));
      // A single record may have more series than are remembered.
      if (this.bytes <= 2 * BYTES_MAX) this.#outcomes.add(numbers, length, outcome);
    }
    return outcome;
  }

  #apply(numbers: Uint32Array): Outcome {
    const pairs: [string, string][] = [];
    for (let i = 0; i < numbers.length; i += 2) pairs.push([this.#text(numbers[i]!), this.#text(numbers[i + 1]!)]);
    const builder = new LabelBuilder(pairs);
    if (!relabel(this.#rules, builder)) return null;
    const after = builder.labels().flatMap(({ name, value }) => [this.#number(name), this.#number(value)]);
    if (after.length === 0) return null;
    return after.length === numbers.length && after.every((number, i) => number === numbers[i]) ? 'same' : after;
  }
  /** A text is decoded once, and encoded once. */
  #text(number: number): string {
    const known = this.#strings[number];
    if (known !== undefined) return known;
    const { out } = this.#texts;
    const text = UTF8.decode(out.bytes.subarray(this.#texts.startOf(number), this.#texts.endOf(number)));
    this.#strings[number] = text;
    if (!this.#numberOf.has(text)) this.#numberOf.set(text, number);
    return text;
  }

  #number(text: string): number {
    let number = this.#numberOf.get(text);
    if (number === undefined) {
      const bytes = ENCODER.encode(text);
      this.#numberOf.set(text, (number = this.#texts.ref(bytes, 0, bytes.length)));
    }
    return number;
  }
}

/** By rules, those that were asked for last behind. Whatever is not there any more is found out anew. */
const kept = new Map<string, WriteRelabeler>();

/** The relabeler for rules. What it learned in a run serves the next, which else would begin with regular expressions for every series. */
export function relabelerOf(configs: readonly RelabelConfig[]): WriteRelabeler {
  const key = JSON.stringify(configs);
  const relabeler = kept.get(key) ?? new WriteRelabeler(configs);
  kept.delete(key);
  kept.set(key, relabeler);
  let bytes = 0;
  for (const one of kept.values()) bytes += one.bytes;
  for (const [other, one] of kept) {
    if (bytes <= KEPT_BYTES_MAX || one === relabeler) break;
    kept.delete(other);
    bytes -= one.bytes;
  }
  return relabeler;
}
