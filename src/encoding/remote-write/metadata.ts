/**
 * Reads what a decoded request says of metrics: 1.0 beside the series (`MetricMetadata { type = 1, metric_family_name = 2, help = 4, unit = 5 }`,
 * prometheus/prometheus, prompb/types.proto), 2.0 in each series, whose metric may be but a part of its family.
 */

import { type FamilyMetadata, metricType } from '../../model/metadata.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { BYTES, Cursor, tagOf, VARINT } from '../protobuf-reader.ts';
import type { Decoded } from './decoded.ts';

const REQUEST_METADATA = tagOf(3, BYTES);
const TYPE = tagOf(1, VARINT);
const FAMILY_NAME = tagOf(2, BYTES);
const HELP = tagOf(4, BYTES);
const UNIT = tagOf(5, BYTES);

const TEXT = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const NAME = Uint8Array.from(METRIC_NAME, (char) => char.charCodeAt(0));

/** The families of a 1.0 message, those without a name left out; `max` at most. Decoding has walked them already. */
export function families1({ message, metadataCount }: Decoded, max: number): FamilyMetadata[] {
  const families: FamilyMetadata[] = [];
  if (metadataCount === 0) return families;
  const cursor = new Cursor(message);
  while (cursor.offset < message.length && families.length < max) {
    const tag = cursor.tag(message.length);
    if (tag !== REQUEST_METADATA) {
      cursor.skip(tag, message.length);
      continue;
    }
    const family = familyAt(cursor, cursor.length(message.length));
    if (family.metric !== '') families.push(family);
  }
  return families;
}

function familyAt(cursor: Cursor, end: number): FamilyMetadata {
  const family = { metric: '', type: metricType(0), help: '', unit: '' };
  const text = (): string => {
    const stop = cursor.length(end);
    const start = cursor.offset;
    cursor.offset = stop;
    return TEXT.decode(cursor.bytes.subarray(start, stop));
  };
  while (cursor.offset < end) {
    const tag = cursor.tag(end);
    if (tag === TYPE) family.type = metricType(cursor.uint32(end));
    else if (tag === FAMILY_NAME) family.metric = text();
    else if (tag === HELP) family.help = text();
    else if (tag === UNIT) family.unit = text();
    else cursor.skip(tag, end);
  }
  return family;
}

/** The place of `__name__` in the label columns of series `s`, or -1. */
export function nameLabel({ message, labelEnd, nameStart, nameEnd }: Decoded, s: number): number {
  for (let i = s === 0 ? 0 : labelEnd[s - 1]!; i < labelEnd[s]!; i++) {
    const start = nameStart[i]!;
    if (nameEnd[i]! - start !== NAME.length) continue;
    let at = 0;
    while (at < NAME.length && message[start + at] === NAME[at]) at++;
    if (at === NAME.length) return i;
  }
  return -1;
}

const PARTS: Readonly<Record<string, RegExp>> = {
  histogram: /_(?:bucket|sum|count)$/,
  gaugehistogram: /_(?:bucket|gsum|gcount)$/,
  summary: /_(?:sum|count)$/,
  // Only OpenMetrics has the type, and its family is without. (A counter's may be with `_total`, as in the text format, or without.)
  info: /_info$/,
};

/** The family of a metric of that type: what is said of `x_bucket` is said of `x`. */
export function familyName(metric: string, type: string): string {
  const part = PARTS[type];
  return part === undefined ? metric : metric.replace(part, '') || metric;
}

/** A text of the message. */
export const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  TEXT.decode(bytes.subarray(start, end));
