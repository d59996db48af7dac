/**
 * Metadata for a remote of 1.0, which gets it in requests of its own (Prometheus, storage/remote/queue_manager.go, `AppendWatcherMetadata`). 2.0 records have it
 * in each series: it is gathered from those that are encoded again anyway, and goes out when the run ends. A metric is looked at once a record.
 */

import type { Decoded } from '../encoding/remote-write/decoded.ts';
import { familyName, nameLabel, textOf } from '../encoding/remote-write/metadata.ts';
import { BYTES, Cursor, tagOf, VARINT } from '../encoding/protobuf-reader.ts';
import { fieldSize, Writer } from '../encoding/protobuf-writer.ts';
import { metricType } from '../model/metadata.ts';
import { keepShape } from '../model/shape.ts';

const SERIES_METADATA = tagOf(5, BYTES);
const TYPE = tagOf(1, VARINT);
const HELP_REF = tagOf(3, VARINT);
const UNIT_REF = tagOf(4, VARINT);
const REQUEST_METADATA = tagOf(3, BYTES);
const FAMILY_NAME = tagOf(2, BYTES);
const HELP = tagOf(4, BYTES);
const UNIT = tagOf(5, BYTES);

/** Families that are remembered, about 200 B each: more than the targets of a run expose. */
const FAMILIES_MAX = 20_000;

interface Family {
  readonly type: number;
  readonly help: string;
  readonly unit: string;
}

export class MetadataOfRun {
  readonly #families = new Map<string, Family>();

  /** Takes what a 2.0 message says. */
  gather(decoded: Decoded): void {
    if (decoded.schema !== 2) return;
    const { valueRef, seriesCount } = decoded;
    const seen = new Uint8Array(decoded.symbolCount);
    for (let s = 0; s < seriesCount; s++) {
      const label = nameLabel(decoded, s);
      if (label >= 0 && seen[valueRef[label]!] === 0 && this.#take(decoded, s, label)) seen[valueRef[label]!] = 1;
    }
  }

  /** What the series says of the metric that the label names; false when that is nothing. */
  #take(decoded: Decoded, series: number, label: number): boolean {
    const { message, valueStart, valueEnd } = decoded;
    const cursor = new Cursor(message);
    const end = decoded.seriesEnd[series]!;
    let type = 0;
    let help = '';
    let unit = '';
    for (cursor.offset = decoded.seriesStart[series]!; cursor.offset < end;) {
      const tag = cursor.tag(end);
      if (tag !== SERIES_METADATA) {
        cursor.skip(tag, end);
        continue;
      }
      for (const stop = cursor.length(end); cursor.offset < stop;) {
        const field = cursor.tag(stop);
        if (field === TYPE) type = cursor.uint32(stop);
        else if (field === HELP_REF) help = symbolText(decoded, cursor.uint32(stop));
        else if (field === UNIT_REF) unit = symbolText(decoded, cursor.uint32(stop));
        else cursor.skip(field, stop);
      }
    }
    if (type === 0 && help === '' && unit === '') return false;
    const name = familyName(textOf(message, valueStart[label]!, valueEnd[label]!), metricType(type));
    if (this.#families.size < FAMILIES_MAX || this.#families.has(name)) this.#families.set(name, { type, help, unit });
    return true;
  }

  /** All that was gathered, as 1.0 messages of so many families at most; then it is forgotten. */
  messages(familiesMax: number): { readonly message: Uint8Array<ArrayBuffer>; readonly families: number }[] {
    const utf8 = new TextEncoder();
    const messages: { message: Uint8Array<ArrayBuffer>; families: number }[] = [];
    let out = new Writer();
    let count = 0;
    for (const [name, { type, help, unit }] of this.#families) {
      const texts = [
        [FAMILY_NAME, utf8.encode(name)],
        [HELP, utf8.encode(help)],
        [UNIT, utf8.encode(unit)],
      ] as const;
      const present = texts.filter(([, text]) => text.length > 0);
      out.tag(REQUEST_METADATA);
      out.uint32((type === 0 ? 0 : 2) + present.reduce((sum, [, text]) => sum + fieldSize(text.length), 0));
      if (type !== 0) {
        out.tag(TYPE);
        out.uint32(type);
      }
      for (const [tag, text] of present) out.field(tag, text, 0, text.length);
      if (++count === familiesMax) {
        messages.push({ message: out.finish(), families: count });
        out = new Writer();
        count = 0;
      }
    }
    if (count > 0) messages.push({ message: out.finish(), families: count });
    this.#families.clear();
    return messages;
  }
}

keepShape(new MetadataOfRun());

const symbolText = ({ message, symbolStart, symbolEnd }: Decoded, ref: number): string =>
  textOf(message, symbolStart[ref]!, symbolEnd[ref]!);
