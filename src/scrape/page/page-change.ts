/**
 * What became of a page since it was stored as a whole: the series that are new with all that is known of them, and the order in which they and the
 * stored ones stand now. A change is told against the whole, not against the change before it, so one of them at most is ever read. See FORMAT.md.
 *
 * The one invariant: whole and change together decode to what the whole of the same state would, but for what a series was judged to be (entries.ts), which
 * the next scrape finds out anew.
 */

import { snappyCompress, snappyUncompress } from '../../encoding/snappy.ts';
import { AS_FLOAT_HISTOGRAM, type Entries } from './entries.ts';
import type { Families } from './families.ts';
import { StateReader, StateWriter } from './page-bytes.ts';
import { type PageState, readFamily, STATE_BYTES_MAX, type StoredState, writeFamily } from './page-codec.ts';

const VERSION = 1;
const LIVE = 1;
const FAMILIES = 2;
/** A new text of a series of the whole stands for that one, also when the page has no other text of it. Earlier versions saw to that only when it had. */
const JOINED = 4;
const ALIAS = 1;
const MEMBER = 2;

/** The change as bytes that own their buffer, of a state that was stored as a whole before. */
export function encodeChange(state: PageState): Uint8Array<ArrayBuffer> {
  const { entries, families, symbols } = state;
  const stored = state.stored!;
  const otherFamilies = !isSame(families, stored.families);
  const out = new StateWriter();
  out.tag(VERSION);
  time(out, stored.lastMs);
  out.uint32(stored.bytes);
  out.tag(JOINED | (state.live ? LIVE : 0) | (otherFamilies ? FAMILIES : 0));
  time(out, state.lastMs);
  if (otherFamilies) writeFamilies(out, families, stored.families);

  const fresh = freshOf(state);
  const refs = new Uint32Array(fresh.reduce((sum, i) => sum + entries.refEnd[i]! - entries.refStart(i), 0));
  const numbers = new Map<number, number>();
  let at = 0;
  for (const i of fresh) {
    for (let r = entries.refStart(i); r < entries.refEnd[i]!; r++) {
      const ref = entries.refs[r]!;
      let number = ref;
      if (ref >= stored.symbols) {
        number = numbers.get(ref) ?? stored.symbols + numbers.size;
        numbers.set(ref, number);
      }
      refs[at++] = number;
    }
  }
  out.texts([...numbers.keys()].map((ref) => symbols.text(ref)));

  out.uint32(fresh.length);
  out.uint32(refs.length);
  at = 0;
  for (const i of fresh) out.labels(refs, at, (at += entries.refEnd[i]! - entries.refStart(i)));
  for (const i of fresh) out.uint32(entries.keyEnd[i]! - entries.keyStart(i));
  const standing = new Map<number, number>();
  const familyOf = new Map(families.stamps.map((stamp, id) => [stamp, id + 1]));
  fresh.forEach((i, k) => {
    const own = stored.count + k;
    const series = entries.series[i]!;
    // One that came and went may stand for it in memory.
    const known = series < stored.count ? series : standing.get(series);
    if (known === undefined) standing.set(series, own);
    out.tag((known === undefined ? 0 : ALIAS) | (entries.member[i] ? MEMBER : 0));
    out.uint32(known ?? entries.tracked[series]!);
    out.uint32(familyOf.get(entries.judged[i]!) ?? 0);
  });
  for (const i of fresh) out.raw(entries.keys, entries.keyStart(i), entries.keyEnd[i]!);

  writeOrder(out, state, stored);
  const told = new Set<number>();
  for (let i = 0; i < entries.order.length; i++) {
    const series = entries.series[entries.order[i]!]!;
    if (series >= stored.count || stored.tracked[series] === entries.tracked[series] || told.has(series)) continue;
    told.add(series);
    out.uint32(i);
    out.uint32(entries.tracked[series]!);
  }
  return snappyCompress(out.bytes.subarray(0, out.length));
}

/**
 * Makes of a state that was just decoded what it became. False, and it stays as it is, for a change of another whole: one that an earlier version, which
 * knows of no changes, has stored since. Throws Error on damage; the state is of no use then.
 */
export function applyChange(state: PageState, change: Uint8Array): boolean {
  const stored = state.stored!;
  const from = new StateReader(snappyUncompress(change, STATE_BYTES_MAX), 'stored change of a page');
  if (from.number() !== VERSION) throw from.damaged();
  const wholeMs = from.number() * 2 ** 32 + from.number();
  if (wholeMs !== stored.lastMs || from.number() !== stored.bytes) return false;
  const flags = from.number();
  state.live = (flags & LIVE) !== 0;
  state.lastMs = from.number() * 2 ** 32 + from.number();
  if ((flags & FAMILIES) !== 0) state.families = readFamilies(from, stored.families);

  const { entries, families, symbols } = state;
  for (const text of from.texts()) symbols.add(text);
  const count = from.count();
  const refs = new Uint32Array(from.count());
  const refEnd = new Uint32Array(count);
  for (let k = 0, end = 0; k < count; k++) refEnd[k] = end = from.labels(refs, end, symbols.count);
  const keyLength = Array.from({ length: count }, () => from.count());
  const series = new Uint32Array(count);
  const tracked = new Uint8Array(count);
  const member = new Uint8Array(count);
  const judged = new Uint32Array(count);
  for (let k = 0; k < count; k++) {
    const own = stored.count + k;
    const flag = from.number();
    member[k] = flag & MEMBER ? 1 : 0;
    series[k] = own;
    if (flag & ALIAS) {
      const known = from.number();
      if (known >= own) throw from.damaged();
      series[k] = known < stored.count ? entries.series[known]! : series[known - stored.count]!;
    } else {
      tracked[k] = readTracked(from);
    }
    const family = from.number();
    if (family > families.count) throw from.damaged();
    judged[k] = family === 0 ? 0 : families.stamps[family - 1]!;
  }
  if ((flags & JOINED) === 0) join(entries, refs, refEnd, series, tracked);
  for (let k = 0; k < count; k++) {
    const key = from.take(keyLength[k]!);
    const set = refs.subarray(k === 0 ? 0 : refEnd[k - 1]!, refEnd[k]);
    const entry = entries.append(key, 0, key.length, set, series[k]!);
    if (series[k] === entry) entries.tracked[entry] = tracked[k]!;
    entries.member[entry] = member[k]!;
    entries.judged[entry] = judged[k]!;
  }

  entries.turn(readOrder(from, entries.count));
  while (from.at < from.bytes.length) {
    const entry = entries.order[from.number()];
    if (entry === undefined) throw from.damaged();
    entries.tracked[entries.series[entry]!] = readTracked(from);
  }
  return true;
}

/** Makes new entries that stand for themselves, and have the labels of one of the whole, stand for that one. */
function join(
  entries: Entries,
  refs: Uint32Array,
  refEnd: Uint32Array,
  series: Uint32Array,
  tracked: Uint8Array,
): void {
  const joined = new Map<number, number>();
  for (let k = 0; k < series.length; k++) {
    const start = k === 0 ? 0 : refEnd[k - 1]!;
    const own = entries.count + k;
    const known = series[k] === own && refEnd[k]! > start ? entries.findLabels(refs, start, refEnd[k]!) : -1;
    if (known >= 0) {
      joined.set(own, known);
      entries.tracked[known] = tracked[k]!;
    }
    series[k] = joined.get(series[k]!) ?? series[k]!;
  }
  entries.reindex();
}

/** How a series goes stale, as entries.ts numbers it. */
function readTracked(from: StateReader): number {
  const as = from.number();
  if (as > AS_FLOAT_HISTOGRAM) throw from.damaged();
  return as;
}

function time(out: StateWriter, ms: number): void {
  out.uint32(Math.floor(ms / 2 ** 32));
  out.uint32(ms % 2 ** 32);
}

/** The entries that the stored whole does not have, in the order of the page. */
function freshOf({ entries, stored }: PageState): number[] {
  const { order } = entries;
  const { count } = stored!;
  const fresh: number[] = [];
  for (let i = 0; i < order.length; i++) if (order[i]! >= count) fresh.push(order[i]!);
  return fresh;
}

/** Runs of neighbours: where each begins, in stored and new entries as they are numbered together, and how long it is. */
function writeOrder(out: StateWriter, { entries }: PageState, stored: StoredState): void {
  const runs: number[] = [];
  let fresh = stored.count;
  let next = -1;
  for (let i = 0; i < entries.order.length; i++) {
    const entry = entries.order[i]!;
    const number = entry < stored.count ? entry : fresh++;
    if (number === next) runs[runs.length - 1]!++;
    else runs.push(number, 1);
    next = number + 1;
  }
  out.uint32(entries.order.length);
  out.uint32(runs.length / 2);
  for (const number of runs) out.uint32(number);
}

/** As many as `count` at most, each once. */
function readOrder(from: StateReader, count: number): Uint32Array<ArrayBuffer> {
  const length = from.number();
  if (length > count) throw from.damaged();
  const order = new Uint32Array(length);
  const seen = new Uint8Array(count);
  let at = 0;
  for (let runs = from.number(); runs > 0; runs--) {
    const start = from.number();
    const end = start + from.number();
    if (end > count || end - start > length - at) throw from.damaged();
    for (let entry = start; entry < end; entry++) {
      if (seen[entry] === 1) throw from.damaged();
      seen[entry] = 1;
      order[at++] = entry;
    }
  }
  if (at !== length) throw from.damaged();
  return order;
}

function isSame(a: Families, b: Families): boolean {
  if (a.count !== b.count) return false;
  for (let id = 0; id < a.count; id++) if (a.stamps[id] !== b.stamps[id] || !saysTheSame(a, id, b, id)) return false;
  return true;
}

const saysTheSame = (a: Families, id: number, b: Families, other: number): boolean =>
  a.helps[id] === b.helps[other] && a.units[id] === b.units[other];

/** Each is a stored one, or a stored one that says something else, or new: with its stamp the type has changed too. */
function writeFamilies(out: StateWriter, families: Families, stored: Families): void {
  const known = new Map(stored.stamps.map((stamp, id) => [stamp, id]));
  out.uint32(families.count);
  for (let id = 0; id < families.count; id++) {
    const other = known.get(families.stamps[id]!);
    const isOther = other !== undefined && !saysTheSame(families, id, stored, other);
    out.uint32(other === undefined ? 0 : 1 + other * 2 + (isOther ? 1 : 0));
    if (other === undefined) out.text(families.names[id]!);
    if (other === undefined || isOther) writeFamily(out, families, id);
  }
}

function readFamilies(from: StateReader, stored: Families): Families {
  const families = stored.empty();
  for (let count = from.count(); count > 0; count--) {
    const reference = from.number();
    if (reference === 0) {
      const name = from.text();
      readFamily(from, (type, help, unit) => families.add(name, type, help, unit));
      continue;
    }
    const id = Math.floor((reference - 1) / 2);
    const name = stored.names[id];
    const stamp = stored.stamps[id];
    if (name === undefined || stamp === undefined) throw from.damaged();
    const type = stored.types[id]!;
    if (reference % 2 === 1) families.add(name, type, stored.helps[id]!, stored.units[id]!, stamp);
    else readFamily(from, (_, help, unit) => families.add(name, type, help, unit, stamp));
  }
  return families;
}
