/** The page state as bytes: see FORMAT.md. What it says of the last scrape, samples aside, survives an object's sleep unchanged. */

import { snappyCompress, snappyUncompress } from '../../encoding/snappy.ts';
import { WIDE_ZERO } from '../../model/shape.ts';
import { Entries } from './entries.ts';
import { Families } from './families.ts';
import { StateReader, StateWriter } from './page-bytes.ts';
import { REPORT, REPORT_ALWAYS } from './report.ts';
import { Symbols } from './symbols.ts';

/** What a page remembers between two scrapes. */
export interface PageState {
  /** What the labels were made with: the target's labels, the external ones, honor_labels, the rules, limits. */
  context: string;
  /** The last scrape had the entries, so they can go stale. */
  live: boolean;
  /** Timestamp of the last scrape that this state knows of, Unix ms; an older state knows an older one. */
  lastMs: number;
  symbols: Symbols;
  families: Families;
  entries: Entries;
  /** Labels of the report series; none before the first scrape and after the target's end. */
  reports: Uint32Array[];
  /** What was stored last as a whole; null when it is to be stored as a whole again. */
  stored: StoredState | null;
}

/** Of a state that was stored as a whole: what a change (page-change.ts) is told against. */
export interface StoredState {
  /** Together they tell it from any other: the timestamp of the last scrape that it knows of, and how many bytes it has, uncompressed. */
  readonly lastMs: number;
  readonly bytes: number;
  readonly symbols: number;
  readonly families: Families;
  /** Its entries are the first of all, in its order; the column `tracked` is kept as it was. */
  readonly count: number;
  readonly tracked: Uint8Array;
}

const VERSION = 1;
const LIVE = 1;
const TRACKED = 1;
const ALIAS = 2;
const MEMBER = 4;
const HISTOGRAM = 8;
const FLOATS = 16;
/** The flags of each way to go stale, by its number in entries.ts. */
const TRACKINGS: readonly number[] = [0, TRACKED, TRACKED | HISTOGRAM, TRACKED | HISTOGRAM | FLOATS];
/** And the number by the flags; of flags that are none of these: not at all. */
const TRACKED_AS = new Uint8Array(32);
TRACKINGS.forEach((flags, as) => (TRACKED_AS[flags] = as));
/** Added to a family's type when its unit follows. */
const HAS_UNIT = 16;
/** A page has at most 100,000 series of a body of some 10 MB; more is damage. */
export const STATE_BYTES_MAX = 64 * 1024 * 1024;

export const emptyState = (): PageState => ({
  context: '',
  live: false,
  lastMs: WIDE_ZERO,
  symbols: new Symbols(),
  families: new Families(),
  entries: new Entries(),
  reports: [],
  stored: null,
});

/** The state as bytes that own their buffer. Texts that nothing refers to are left out. */
export function encodeState(state: PageState): Uint8Array<ArrayBuffer> {
  const { entries, families, reports } = state;
  const out = new StateWriter();
  const sets = new StateWriter();
  out.tag(VERSION);
  out.tag(state.live ? LIVE : 0);
  out.uint32(Math.floor(state.lastMs / 2 ** 32));
  out.uint32(state.lastMs % 2 ** 32);
  out.text(state.context);

  // References are numbered anew in the order of their use.
  const { order } = entries;
  let length = reports.reduce((sum, set) => sum + set.length, 0);
  for (let i = 0; i < order.length; i++) length += entries.refEnd[order[i]!]! - entries.refStart(order[i]!);
  const refs = new Uint32Array(length);
  const renumbered = new Int32Array(state.symbols.count).fill(-1);
  const used = [state.symbols.text(0)];
  renumbered[0] = 0;
  let base = 0;
  const use = (ref: number): void => {
    if (renumbered[ref]! < 0) renumbered[ref] = used.push(state.symbols.text(ref)) - 1;
    refs[base++] = renumbered[ref]!;
  };
  sets.uint32(reports.length);
  sets.uint32(order.length);
  sets.uint32(refs.length);
  for (const set of reports) {
    const from = base;
    set.forEach(use);
    sets.labels(refs, from, base);
  }
  for (let i = 0; i < order.length; i++) {
    const from = base;
    for (let r = entries.refStart(order[i]!); r < entries.refEnd[order[i]!]!; r++) use(entries.refs[r]!);
    sets.labels(refs, from, base);
  }

  out.texts(used);
  out.raw(sets.bytes, 0, sets.length);

  const familyOf = new Map(families.stamps.map((stamp, id) => [stamp, id + 1]));
  out.uint32(families.count);
  for (let id = 0; id < families.count; id++) {
    out.text(families.names[id]!);
    writeFamily(out, families, id);
  }
  for (let i = 0; i < order.length; i++) out.uint32(entries.keyEnd[order[i]!]! - entries.keyStart(order[i]!));
  // And entries in the order of the page.
  const moved = new Int32Array(entries.count).fill(-1);
  for (let i = 0; i < order.length; i++) {
    const series = entries.series[order[i]!]!;
    const isFirst = moved[series]! < 0;
    if (isFirst) moved[series] = i;
    out.tag((isFirst ? TRACKINGS[entries.tracked[series]!]! : ALIAS) | (entries.member[order[i]!] ? MEMBER : 0));
    if (!isFirst) out.uint32(moved[series]!);
  }
  for (let i = 0; i < order.length; i++) out.uint32(familyOf.get(entries.judged[order[i]!]!) ?? 0);
  for (let i = 0; i < order.length;) {
    // Neighbours nearly always stay neighbours.
    const first = order[i]!;
    let last = first;
    while (++i < order.length && order[i] === last + 1) last++;
    out.raw(entries.keys, entries.keyStart(first), entries.keyEnd[last]!);
  }
  return snappyCompress(out.bytes.subarray(0, out.length));
}

/** The inverse. Throws Error on damage. */
export function decodeState(stored: Uint8Array): PageState {
  const state = emptyState();
  const from = new StateReader(snappyUncompress(stored, STATE_BYTES_MAX), 'stored page state');
  if (from.number() !== VERSION) throw from.damaged();
  state.live = from.number() === LIVE;
  state.lastMs = from.number() * 2 ** 32 + from.number();
  state.context = from.text();

  const symbols = from.texts();
  if (symbols[0] !== state.symbols.text(0)) throw from.damaged();
  state.symbols = new Symbols(symbols);

  const reports = from.number();
  if (![0, REPORT_ALWAYS, REPORT.length].includes(reports)) throw from.damaged();
  const n = from.count();
  const refs = new Uint32Array(from.count());
  let base = 0;
  for (let i = 0; i < reports; i++) {
    const end = from.labels(refs, base, symbols.length);
    state.reports.push(refs.slice(base, end));
    base = end;
  }
  const { entries } = state;
  entries.refEnd = new Uint32Array(n);
  for (let i = 0, end = base; i < n; i++) {
    end = from.labels(refs, end, symbols.length);
    entries.refEnd[i] = end - base;
  }
  entries.refs = refs.subarray(base);

  const families = from.count();
  for (let id = 0; id < families; id++) {
    const name = from.text();
    readFamily(from, (type, help, unit) => state.families.add(name, type, help, unit));
  }
  entries.keyEnd = new Uint32Array(n);
  let keyBytes = 0;
  for (let i = 0; i < n; i++) entries.keyEnd[i] = keyBytes += from.count();
  entries.series = new Uint32Array(n);
  entries.tracked = new Uint8Array(n);
  entries.member = new Uint8Array(n);
  entries.order = new Uint32Array(n);
  entries.place = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const flags = from.number();
    entries.tracked[i] = TRACKED_AS[flags & (TRACKED | HISTOGRAM | FLOATS)]!;
    entries.member[i] = flags & MEMBER ? 1 : 0;
    const series = flags & ALIAS ? from.number() : i;
    if (series > i) throw from.damaged();
    entries.series[i] = series === i ? i : entries.series[series]!;
    entries.order[i] = entries.place[i] = i;
  }
  entries.judged = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    const family = from.number();
    if (family > families) throw from.damaged();
    entries.judged[i] = family === 0 ? 0 : state.families.stamps[family - 1]!;
  }
  entries.keys = from.take(keyBytes);
  entries.count = n;
  from.end();
  state.stored = {
    lastMs: state.lastMs,
    bytes: from.bytes.length,
    symbols: symbols.length,
    families: state.families.copy(),
    count: n,
    tracked: entries.tracked.slice(),
  };
  return state;
}

/** What is said of a family, but its name. */
export function writeFamily(out: StateWriter, families: Families, id: number): void {
  const unit = families.units[id]!;
  out.uint32(families.types[id]! + (unit === '' ? 0 : HAS_UNIT));
  out.text(families.helps[id]!);
  if (unit !== '') out.text(unit);
}

export function readFamily(from: StateReader, add: (type: number, help: string, unit: string) => void): void {
  const type = from.number();
  const help = from.text();
  add(type % HAS_UNIT, help, type < HAS_UNIT ? '' : from.text());
}
