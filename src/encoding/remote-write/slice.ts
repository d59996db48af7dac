/**
 * Some consecutive series of a remote-write message as a message of their own: how a record is split for a remote that takes less at
 * once. What a series holds is copied byte for byte; in 2.0 its references are renumbered, so that a slice carries no symbols but its own.
 *
 * Invariant: the slices [0, a), [a, b), [b, seriesCount) hold together what the message held, in its order.
 */

import { BYTES, Cursor, DecodeError, tagOf } from '../protobuf-reader.ts';
import { Writer } from '../protobuf-writer.ts';
import { Decoded } from './decoded.ts';
import { keepShape } from '../../model/shape.ts';

const V1_TIMESERIES = tagOf(1, BYTES);
const V1_METADATA = tagOf(3, BYTES);
const V2_SYMBOLS = tagOf(4, BYTES);
const V2_TIMESERIES = tagOf(5, BYTES);

/** Which fields of a 2.0 message refer to symbols, packed or one by one, and which are messages that do. */
interface Shape {
  /** Fields that are left out. */
  readonly without?: readonly number[];
  readonly refs: readonly number[];
  readonly nested: Readonly<Record<number, Shape>>;
}
const EXEMPLAR: Shape = { refs: [1], nested: {} };
const METADATA: Shape = { refs: [3, 4], nested: {} };
export const TIMESERIES: Shape = { refs: [1], nested: { 4: EXEMPLAR, 5: METADATA } };

/**
 * The series `from` up to `to` (exclusive) of a decoded message, in a buffer of its own. Metadata of 1.0, which stands beside the series, goes with
 * the first. Throws DecodeError when a series refers to symbols that are not there; `Decoded.bad` marks such.
 */
export function sliceWrite(decoded: Decoded, from: number, to: number): Uint8Array<ArrayBuffer> {
  return decoded.schema === 1 ? sliceV1(decoded, from, to) : sliceV2(decoded, from, to);
}

function sliceV1(decoded: Decoded, from: number, to: number) {
  const { message, seriesStart, seriesEnd } = decoded;
  const out = new Writer();
  for (let s = from; s < to; s++) out.field(V1_TIMESERIES, message, seriesStart[s]!, seriesEnd[s]!);
  if (from === 0) copyMetadataV1(decoded, out);
  return out.finish();
}

/** Copies the metadata that stands beside the series of a 1.0 message. */
export function copyMetadataV1({ message, metadataCount }: Decoded, out: Writer): void {
  if (metadataCount === 0) return;
  const cursor = new Cursor(message);
  while (cursor.offset < message.length) {
    const start = cursor.offset;
    const tag = cursor.tag(message.length);
    cursor.skip(tag, message.length);
    if (tag === V1_METADATA) out.raw(message, start, cursor.offset);
  }
}

function sliceV2(decoded: Decoded, from: number, to: number): Uint8Array<ArrayBuffer> {
  const { message, seriesStart, seriesEnd } = decoded;
  const symbols = new Symbols(decoded);
  const all = new Writer();
  const cursor = new Cursor(message);
  const series = new Writer();
  for (let s = from; s < to; s++) {
    series.clear();
    cursor.offset = seriesStart[s]!;
    renumber(cursor, seriesEnd[s]!, TIMESERIES, symbols, series);
    all.field(V2_TIMESERIES, series.bytes, 0, series.length);
  }
  symbols.out.raw(all.bytes, 0, all.length);
  return symbols.out.finish();
}

/** The symbols of the new message, in the order in which they are met. */
export class Symbols {
  readonly out = new Writer();
  readonly #from: Decoded;
  /** New reference + 1 by old one; 0 is none yet. */
  readonly #known: Uint32Array;
  #count = 0;

  constructor(from: Decoded) {
    this.#from = from;
    this.#known = new Uint32Array(from.symbolCount);
    if (from.symbolCount > 0) this.ref(0);
  }

  ref(old: number): number {
    if (old >= this.#known.length) throw new DecodeError(`no symbol ${old} of ${this.#known.length}`);
    const known = this.#known[old]!;
    if (known !== 0) return known - 1;
    const { message, symbolStart, symbolEnd } = this.#from;
    this.out.field(V2_SYMBOLS, message, symbolStart[old]!, symbolEnd[old]!);
    this.#known[old] = ++this.#count;
    return this.#count - 1;
  }
}

keepShape(new Symbols(new Decoded()));

/** What is written of a nested message until its size is known, by depth. */
const inners = [new Writer(), new Writer()];

/** Copies the fields of a message up to `end`, with the references of the new table. */
export function renumber(cursor: Cursor, end: number, shape: Shape, symbols: Symbols, out: Writer, depth = 0): void {
  while (cursor.offset < end) {
    const start = cursor.offset;
    const tag = cursor.tag(end);
    const field = tag >>> 3;
    const isBytes = (tag & 7) === BYTES;
    const nested = isBytes ? shape.nested[field] : undefined;
    if (shape.without?.includes(field) === true) {
      cursor.skip(tag, end);
    } else if (nested === undefined && !shape.refs.includes(field)) {
      cursor.skip(tag, end);
      out.raw(cursor.bytes, start, cursor.offset);
    } else if (!isBytes) {
      out.tag(tag);
      out.uint32(symbols.ref(cursor.uint32(end)));
    } else {
      const stop = cursor.length(end);
      const inner = inners[depth]!;
      inner.clear();
      if (nested !== undefined) renumber(cursor, stop, nested, symbols, inner, depth + 1);
      else while (cursor.offset < stop) inner.uint32(symbols.ref(cursor.uint32(stop)));
      out.field(tag, inner.bytes, 0, inner.length);
    }
  }
}
