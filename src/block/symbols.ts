/**
 * The symbol table of an index: every distinct label name and value, once, sorted by bytes. Series refer to a symbol by its place
 * in that order, so it can be made only when all series have come; until then labels have provisional ids.
 */

import { Cursor } from './cursor.ts';
import { Interner } from './intern.ts';
import { compareBytes } from '../model/bytes.ts';

/** Symbols in order, and for each label id the ordinals of its name and value. */
export interface Symbols {
  readonly strings: Interner;
  /** Ids of `strings`, ascending by bytes. */
  readonly order: Uint32Array;
  readonly names: Uint32Array;
  readonly values: Uint32Array;
}

/** The symbols of `labels`, whose strings are `uvarint length, name, uvarint length, value`. */
export function symbolsOf(labels: Interner): Symbols {
  const strings = new Interner();
  const names = new Uint32Array(labels.count);
  const values = new Uint32Array(labels.count);
  const cursor = new Cursor(labels.bytes, 0, labels.count === 0 ? 0 : labels.end(labels.count - 1));
  const next = (): number => {
    const start = cursor.skip(cursor.uvarint('label'), 'label');
    return strings.intern(cursor.bytes, start, cursor.offset);
  };
  for (let id = 0; id < labels.count; id++) {
    names[id] = next();
    values[id] = next();
  }
  const { bytes } = strings;
  const order = new Uint32Array(strings.count).map((_, id) => id);
  order.sort((a, b) => compareBytes(bytes, strings.start(a), strings.end(a), bytes, strings.start(b), strings.end(b)));
  const ordinals = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) ordinals[order[i]!] = i;
  for (let id = 0; id < labels.count; id++) {
    names[id] = ordinals[names[id]!]!;
    values[id] = ordinals[values[id]!]!;
  }
  return { strings, order, names, values };
}

/** Counting sort: indices of `keys` (all below `keyCount`), ascending by key; equal keys as in `order`. */
export function sortBy(
  keys: Uint32Array,
  keyCount: number,
  order: Uint32Array = keys.map((_, index) => index),
): Uint32Array {
  const starts = new Uint32Array(keyCount + 1);
  for (let i = 0; i < keys.length; i++) starts[keys[i]! + 1]!++;
  for (let key = 0; key < keyCount; key++) starts[key + 1]! += starts[key]!;
  const sorted = new Uint32Array(keys.length);
  for (let i = 0; i < order.length; i++) sorted[starts[keys[order[i]!]!]!++] = order[i]!;
  return sorted;
}
