/**
 * `write_relabel_configs` of one remote: what its records become before they are sent. Labels have all that the log has, the external ones
 * too. What a series became is remembered, so that one that comes again costs no regular expression.
 *
 * The one invariant: a record that cannot be decoded is never sent as it is, since a rule might drop what is in it.
 */

import type { RelabelConfig } from '../config/model.ts';
import { type Decoded, decodeWrite } from '../encoding/remote-write/decoded.ts';
import { rewriteLabels } from '../encoding/remote-write/rewrite.ts';
import { snappyCompress, snappyUncompress } from '../encoding/snappy.ts';
import type { LogRecord } from '../log/log.ts';
import { LabelBuilder } from '../relabel/builder.ts';
import { relabel, type Rules, rulesOf } from '../relabel/relabel.ts';

/** A message of the log's own is at most 640 KiB; a received one at most what the receiver allowed. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** Series that are remembered for certain; up to twice as many are. About half a kilobyte each. */
const SERIES_MAX = 20_000;
/** Between texts in a key: no text that was decoded from UTF-8 has it. */
const BETWEEN = '\ud800';

/** Labels, name and value by turns; null for a series that a rule drops. */
type Outcome = readonly string[] | null;

export class WriteRelabeler {
  readonly #rules: Rules;
  /** By labels before. What was asked for since the last change of generation, and in the one before. */
  #known = new Map<string, Outcome>();
  #before = new Map<string, Outcome>();

  constructor(configs: readonly RelabelConfig[]) {
    this.#rules = rulesOf(configs);
  }

  /**
   * The record as its remote gets it, in the schema it has, and how many of its samples are dropped. Null when nothing remains. Throws DecodeError
   * or SnappyError for a record that cannot be read.
   */
  relabel(record: LogRecord): { readonly record: LogRecord | null; readonly samplesDropped: number } {
    if (this.#rules.length === 0) return { record, samplesDropped: 0 };
    const decoded = decodeWrite(record.schema, snappyUncompress(record.body, MESSAGE_BYTES_MAX));
    const textsOf = texts(decoded);
    const { message, series, samplesDropped } = rewriteLabels(decoded, (s) => this.#labels(textsOf(s)));
    if (series === 0) return { record: null, samplesDropped: record.samples };
    const body = snappyCompress(message);
    return { record: { ...record, samples: record.samples - samplesDropped, body }, samplesDropped };
  }

  #labels(labels: readonly string[]): Outcome {
    const key = labels.join(BETWEEN);
    let outcome = this.#known.get(key);
    if (outcome !== undefined) return outcome;
    outcome = this.#before.get(key);
    if (outcome === undefined) outcome = this.#apply(labels);
    if (this.#known.size >= SERIES_MAX) {
      this.#before = this.#known;
      this.#known = new Map();
    }
    this.#known.set(key, outcome);
    return outcome;
  }

  #apply(labels: readonly string[]): Outcome {
    const pairs: [string, string][] = [];
    for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
    const builder = new LabelBuilder(pairs);
    if (!relabel(this.#rules, builder)) return null;
    const after = builder.labels().flatMap(({ name, value }) => [name, value]);
    return after.length === 0 ? null : after;
  }
}

/** The labels of a series as texts. Texts at the same place, as symbols of 2.0 are, are decoded once. */
function texts({ message, labelEnd, nameStart, nameEnd, valueStart, valueEnd }: Decoded): (series: number) => string[] {
  const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  const byStart = new Map<number, string>();
  const text = (start: number, end: number): string => {
    let known = byStart.get(start);
    if (known === undefined) byStart.set(start, (known = utf8.decode(message.subarray(start, end))));
    return known;
  };
  return (series) => {
    const labels: string[] = [];
    for (let i = series === 0 ? 0 : labelEnd[series - 1]!; i < labelEnd[series]!; i++) {
      labels.push(text(nameStart[i]!, nameEnd[i]!), text(valueStart[i]!, valueEnd[i]!));
    }
    return labels;
  };
}
