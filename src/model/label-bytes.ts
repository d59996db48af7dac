/**
 * A label set as bytes: per label `uvarint nameLen | name | uvarint valueLen | value`, names strictly ascending by bytes,
 * no empty name, no empty value, lengths in the fewest bytes. This is how segments and the block writer carry labels; one label set
 * has exactly one such spelling, so equal sets are equal bytes. Not the order of those bytes, though: sets are ordered as
 * Prometheus orders them (Go, `labels.Compare`), and `compareLabelBytes` is the one place that knows how.
 */

import { compareUtf8, type Labels } from './labels.ts';

const UVARINT_BYTES_MAX = 5;
const UTF8 = new TextDecoder();

/** Bytes that a uvarint of `value` takes; `value` is an unsigned 32-bit number. */
export function uvarintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/**
 * Reads an unsigned 32-bit uvarint at `at`. The next byte is at `at + uvarintSize(value)`, since only the shortest form is
 * taken. Returns -1 when it runs past `end`, is longer than 32 bits or not the shortest form.
 */
export function readUvarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = bytes[at]!;
  if (first < 0x80) return first;
  let value = first & 0x7f;
  let scale = 0x80;
  for (let i = 1; i < UVARINT_BYTES_MAX; i++, scale *= 0x80) {
    if (at + i >= end) return -1;
    const byte = bytes[at + i]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return byte === 0 || value > 0xffffffff ? -1 : value;
  }
  return -1;
}

/** Writes an unsigned 32-bit uvarint at `at` and returns where the next byte goes. The caller has made room. */
export function writeUvarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    bytes[next++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[next++] = rest;
  return next;
}

/**
 * Orders two label sets as Go's `labels.Compare`: label by label, the name's bytes, then the value's bytes; when one set
 * begins with the other, the one with fewer labels is first. Both ranges must hold well-formed label bytes.
 *
 * Equal bytes are equal labels, so one tight loop finds the first byte that differs; only then are lengths read, to find
 * the field that the byte belongs to. Throws RangeError when that finds no field, which well-formed bytes cannot cause.
 */
export function compareLabelBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart);
  let same = 0;
  while (same < common && a[aStart + same] === b[bStart + same]) same++;
  if (same === common) return aEnd - aStart - (bEnd - bStart);

  let field = 0;
  let aLength = 0;
  for (;;) {
    aLength = readUvarint(a, aStart + field, aEnd);
    if (aLength < 0) throw new RangeError(`malformed label bytes: no length at offset ${aStart + field}`);
    const next = field + uvarintSize(aLength) + aLength;
    if (next > same) break;
    field = next;
  }
  const bLength = readUvarint(b, bStart + field, bEnd);
  if (bLength < 0) throw new RangeError(`malformed label bytes: no length at offset ${bStart + field}`);
  if (aLength === bLength) return a[aStart + same]! - b[bStart + same]!;

  const aField = aStart + field + uvarintSize(aLength);
  const bField = bStart + field + uvarintSize(bLength);
  const shorter = Math.min(aLength, bLength);
  for (let i = 0; i < shorter; i++) {
    const difference = a[aField + i]! - b[bField + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/**
 * Checks that a range is whole label bytes: every length within the range, names and values in pairs, no name empty, at
 * least one label. Returns -1 when it is, else the offset of the length that is wrong. Names' order is not checked.
 */
export function damagedLabelAt(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return start;
  for (let at = start, isName = true; at < end || !isName; isName = !isName) {
    const length = readUvarint(bytes, at, end);
    if (length < 0 || (isName && length === 0)) return at;
    const next = at + uvarintSize(length) + length;
    if (next > end) return at;
    at = next;
  }
  return -1;
}

/** The labels of a well-formed range, as strings. Throws RangeError on a damaged one. */
export function labelsFromBytes(bytes: Uint8Array, start = 0, end = bytes.length): Labels {
  const damage = damagedLabelAt(bytes, start, end);
  if (damage >= 0) throw new RangeError(`malformed label bytes at offset ${damage}`);
  const texts: string[] = [];
  for (let at = start; at < end;) {
    const length = readUvarint(bytes, at, end);
    const text = at + uvarintSize(length);
    at = text + length;
    texts.push(UTF8.decode(bytes.subarray(text, at)));
  }
  return Array.from({ length: texts.length / 2 }, (_, i) => ({ name: texts[2 * i]!, value: texts[2 * i + 1]! }));
}

/** Label bytes of labels as strings: sorts them; empty values are dropped, as Prometheus does. Not for hot paths. */
export function bytesFromLabels(labels: Labels): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const fields = labels
    .filter(({ value }) => value !== '')
    .toSorted((a, b) => compareUtf8(a.name, b.name))
    .flatMap(({ name, value }) => [encoder.encode(name), encoder.encode(value)]);
  const out = new Uint8Array(fields.reduce((sum, field) => sum + uvarintSize(field.length) + field.length, 0));
  let at = 0;
  for (const field of fields) {
    at = writeUvarint(out, at, field.length);
    out.set(field, at);
    at += field.length;
  }
  return out;
}
