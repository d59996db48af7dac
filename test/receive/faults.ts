/**
 * Damage that is certain to be damage: what comes out is in no reading a valid body. (Snappy and protobuf have no checksum, so that of a flipped bit
 * nobody can say so.) Each takes its choices from the generator alone.
 */

import { concat } from '../../src/model/bytes.ts';
import type { Rng } from '../encoding/damage.ts';

/** An unsigned varint, of numbers up to 2^53. */
export function uvarint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Uint8Array.from([...bytes, value]);
}

const ENDLESS = new Uint8Array(11).fill(0x80);

/** A snappy block that is none any more. */
export function faultySnappy(block: Uint8Array, rng: Rng): Uint8Array {
  let preamble = 1;
  while (block[preamble - 1]! >= 0x80) preamble++;
  const elements = block.subarray(preamble);
  const length = block.subarray(0, preamble).reduce((sum, byte, i) => sum + (byte & 0x7f) * 128 ** i, 0);
  switch (rng.below(6)) {
    case 0: // cut short
      return block.slice(0, 1 + rng.below(block.length - 1));
    case 1: // more than was announced
      return concat([block, rng.bytes(1 + rng.below(8))]);
    case 2: {
      // another length, of any size
      const other = Math.floor(2 ** rng.below(40)) + rng.below(3);
      return concat([uvarint(other === length ? other + 1 : other), elements]);
    }
    case 3: // a length without an end
      return concat([ENDLESS.subarray(0, 5 + rng.below(6)), elements]);
    case 4: {
      // a copy from before the beginning, or from nowhere
      const literal = 1 + rng.below(20);
      const offset = rng.below(2) * (literal + 1 + rng.below(1000));
      const copied = 1 + rng.below(64);
      const head = [(literal - 1) << 2, ...rng.bytes(literal), ((copied - 1) << 2) | 2, offset & 0xff, offset >> 8];
      return concat([uvarint(literal + copied), Uint8Array.from(head)]);
    }
    default: // a literal longer than the rest
      return concat([block.subarray(0, preamble), Uint8Array.of(0xfc, 0xff, 0xff, 0xff, rng.next() & 0xff), elements]);
  }
}

/** Which fields of a message are messages, and what those are. */
export interface Nested {
  readonly [field: number]: Nested;
}

const LABEL: Nested = {};
const HISTOGRAM: Nested = { 8: {}, 11: {} };
export const WRITE_1: Nested = { 1: { 1: LABEL, 2: {}, 3: { 1: LABEL }, 4: HISTOGRAM }, 3: {} };
export const WRITE_2: Nested = { 5: { 2: {}, 3: HISTOGRAM, 4: {}, 5: {} } };
const ANY: Nested = { 5: { 1: {} }, 6: { 1: { 2: {} } } };
const ATTRIBUTE: Nested = { 2: ANY };
const EXEMPLAR: Nested = { 7: ATTRIBUTE };
const NUMBERS: Nested = { 1: { 5: EXEMPLAR, 7: ATTRIBUTE } };
const HISTOGRAMS: Nested = { 1: { 8: EXEMPLAR, 9: ATTRIBUTE } };
const EXPONENTIALS: Nested = { 1: { 1: ATTRIBUTE, 8: {}, 9: {}, 11: EXEMPLAR } };
const SUMMARIES: Nested = { 1: { 6: {}, 7: ATTRIBUTE } };
const METRIC: Nested = { 5: NUMBERS, 7: NUMBERS, 9: HISTOGRAMS, 10: EXPONENTIALS, 11: SUMMARIES };
export const OTLP: Nested = { 1: { 1: { 1: ATTRIBUTE }, 2: { 1: { 3: ATTRIBUTE }, 2: METRIC } } };

interface Field {
  readonly field: number;
  readonly start: number;
  /** Of its value; behind the length, where there is one. */
  readonly value: number;
  readonly end: number;
}

/** A protobuf message that is none any more, at some depth: all lengths around the fault are right. */
export function faultyMessage(message: Uint8Array, nested: Nested, rng: Rng): Uint8Array {
  const fields = fieldsOf(message);
  const deeper = fields.filter(({ field, value, end }) => nested[field] !== undefined && end > value);
  if (deeper.length > 0 && rng.below(4) > 0) {
    const { field, start, value, end } = deeper[rng.below(deeper.length)]!;
    const inner = faultyMessage(message.subarray(value, end), nested[field]!, rng);
    const tag = uvarint(field * 8 + 2);
    return concat([message.subarray(0, start), tag, uvarint(inner.length), inner, message.subarray(end)]);
  }
  // Those above are read by nobody, or not by every version.
  const last = Math.max(...Object.keys(nested).map(Number));
  const known = fields.filter(({ field }) => last === -Infinity || field <= last);
  if (known.length > 0 && rng.below(4) === 0) {
    // A wire type that no field has, here or elsewhere in these schemas.
    const { field, start, end } = known[rng.below(known.length)]!;
    return concat([message.subarray(0, start), uvarint(field * 8 + 5), rng.bytes(4), message.subarray(end)]);
  }
  const boundaries = [...fields.map(({ start }) => start), message.length];
  if (message.length > 0 && rng.below(3) === 0) {
    const cuts = Array.from({ length: message.length }, (_, i) => i).filter((i) => !boundaries.includes(i));
    return message.slice(0, cuts[rng.below(cuts.length)]);
  }
  const at = boundaries[rng.below(boundaries.length)]!;
  const rest = message.length - at;
  const tooLong = [rest + 1, rest + 1 + rng.below(1000), 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1][rng.below(5)]!;
  const faults = [
    Uint8Array.of(rng.below(8)), // field 0
    Uint8Array.of((1 + rng.below(15)) * 8 + [3, 4, 6, 7][rng.below(4)]!), // a wire type that is none, or a group's
    ENDLESS, // a tag without an end
    concat([Uint8Array.of(15 * 8), ENDLESS]), // a number without an end
    concat([Uint8Array.of(15 * 8 + 2), uvarint(tooLong)]), // a length beyond the end
    concat([Uint8Array.of([...Object.keys(nested).map(Number), 14][0]! * 8 + 2), uvarint(tooLong)]), // the same of a known field
  ];
  return concat([message.subarray(0, at), faults[rng.below(faults.length)]!, message.subarray(at)]);
}

function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = read();
    const type = tag & 7;
    const length = type === 2 ? read() : type === 1 ? 8 : type === 5 ? 4 : 0;
    const value = at;
    if (type === 0) read();
    at += length;
    fields.push({ field: Math.floor(tag / 8), start, value, end: at });
  }
  return fields;
}
