/** The page state as bytes: see FORMAT.md. What it says of the last scrape, samples aside, survives an object's sleep unchanged. */

import { snappyCompress, snappyUncompress } from '../../encoding/snappy.ts';
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
  /** Its entries, of which the columns `series` and `tracked` are kept as they were. */
  readonly count: number;
  readonly series: Uint32Array;
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
/** Added to a family's type when its unit follows. */
const HAS_UNIT = 16;
/** A page has at most 100,000 series of a body of some 10 MB; more is damage. */
export const STATE_BYTES_MAX = 64 * 1024 * 1024;

export const emptyState = (): PageState => ({
  context: '',
  live: false,
  lastMs: 0,
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
  const entryRefs = entries.refStart(entries.count);
  const refs = new Uint32Array(reports.reduce((sum, set) => sum + set.length, entryRefs));
  const renumbered = new Int32Array(state.symbols.count).fill(-1);
  const used = [state.symbols.text(0)];
  renumbered[0] = 0;
  let base = 0;
  const use = (ref: number): void => {
    if (renumbered[ref]! < 0) renumbered[ref] = used.push(state.symbols.text(ref)) - 1;
    refs[base++] = renumbered[ref]!;
  };
  for (const set of reports) set.forEach(use);
  const entriesFrom = base;
  for (let i = 0; i < entryRefs; i++) use(entries.refs[i]!);
  sets.uint32(reports.length);
  sets.uint32(entries.count);
  sets.uint32(refs.length);
  base = 0;
  for (const set of reports) sets.labels(refs, base, (base += set.length));
  for (let i = 0; i < entries.count; i++)
    sets.labels(refs, entriesFrom + entries.refStart(i), entriesFrom + entries.refEnd[i]!);

  out.texts(used);
  out.raw(sets.bytes, 0, sets.length);

  const familyOf = new Map(families.stamps.map((stamp, id) => [stamp, id + 1]));
  out.uint32(families.count);
  for (let id = 0; id < families.count; id++) {
    out.text(families.names[id]!);
    writeFamily(out, families, id);
  }
  for (let i = 0; i < entries.count; i++) out.uint32(entries.keyEnd[i]! - entries.keyStart(i));
  for (let i = 0; i < entries.count; i++) {
    const series = entries.series[i]!;
    out.tag(TRACKINGS[entries.tracked[i]!]! | (series === i ? 0 : ALIAS) | (entries.member[i] ? MEMBER : 0));
    if (series !== i) out.uint32(series);
  }
  for (let i = 0; i < entries.count; i++) out.uint32(familyOf.get(entries.judged[i]!) ?? 0);
  out.raw(entries.keys, 0, entries.keyStart(entries.count));
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
  entries.origin = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const flags = from.number();
    entries.tracked[i] = Math.max(0, TRACKINGS.indexOf(flags & (TRACKED | HISTOGRAM | FLOATS)));
    entries.member[i] = flags & MEMBER ? 1 : 0;
    entries.series[i] = flags & ALIAS ? from.number() : i;
    if (entries.series[i]! > i) throw from.damaged();
    entries.origin[i] = i;
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
    series: entries.series,
    tracked: entries.tracked,
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
