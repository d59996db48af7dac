/** The page state as bytes: see FORMAT.md. What it says of the last scrape, samples aside, survives an object's sleep unchanged. */

import { Writer } from '../encoding/protobuf-writer.ts';
import { snappyCompress, snappyUncompress } from '../encoding/snappy.ts';
import { readUvarint, uvarintSize } from '../model/label-bytes.ts';
import { Entries } from './entries.ts';
import { Families } from './families.ts';
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
const STATE_BYTES_MAX = 64 * 1024 * 1024;

export const emptyState = (): PageState => ({
  context: '',
  live: false,
  lastMs: 0,
  symbols: new Symbols(),
  families: new Families(),
  entries: new Entries(),
  reports: [],
});

/** The state as bytes that own their buffer. Texts that nothing refers to are left out. */
export function encodeState(state: PageState): Uint8Array<ArrayBuffer> {
  const { entries, families } = state;
  const out = new Writer();
  const texts = new Writer();
  const encoder = new TextEncoder();
  const text = (value: string): void => {
    const bytes = encoder.encode(value);
    out.uint32(bytes.length);
    out.raw(bytes, 0, bytes.length);
  };
  out.tag(VERSION);
  out.tag(state.live ? LIVE : 0);
  out.uint32(Math.floor(state.lastMs / 2 ** 32));
  out.uint32(state.lastMs % 2 ** 32);
  text(state.context);

  // References are numbered anew in the order of their use.
  const renumbered = new Int32Array(state.symbols.count).fill(-1);
  const used: string[] = [];
  const use = (ref: number): number => {
    if (renumbered[ref]! < 0) renumbered[ref] = used.push(state.symbols.text(ref)) - 1;
    return renumbered[ref]!;
  };
  use(0);
  let previous: Uint32Array = new Uint32Array(0);
  const labels = (refs: Uint32Array): void => {
    texts.uint32(refs.length);
    const now = refs.map((ref, i) => {
      const next = use(ref);
      const delta = next - (previous[i] ?? 0);
      texts.uint32(delta < 0 ? -delta * 2 - 1 : delta * 2);
      return next;
    });
    previous = now;
  };
  const reportRefs = state.reports.reduce((sum, refs) => sum + refs.length, 0);
  texts.uint32(state.reports.length);
  texts.uint32(entries.count);
  texts.uint32(reportRefs + entries.refStart(entries.count));
  for (const refs of state.reports) labels(refs);
  for (let i = 0; i < entries.count; i++) labels(entries.refs.subarray(entries.refStart(i), entries.refEnd[i]));

  out.uint32(used.length);
  for (const symbol of used) out.uint32(symbol.length);
  text(used.join(''));
  out.raw(texts.bytes, 0, texts.length);

  const familyOf = new Map(families.stamps.map((stamp, id) => [stamp, id + 1]));
  out.uint32(families.count);
  for (let id = 0; id < families.count; id++) {
    text(families.names[id]!);
    const unit = families.units[id]!;
    out.uint32(families.types[id]! + (unit === '' ? 0 : HAS_UNIT));
    text(families.helps[id]!);
    if (unit !== '') text(unit);
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
  const bytes = snappyUncompress(stored, STATE_BYTES_MAX);
  const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  let at = 0;
  const damaged = (): Error => new Error(`stored page state is damaged at byte ${at} of ${bytes.length}`);
  const number = (): number => {
    const value = readUvarint(bytes, at, bytes.length);
    if (value < 0) throw damaged();
    at += uvarintSize(value);
    return value;
  };
  /** A number of things of which each takes at least a byte, or is one that was read already. */
  const count = (): number => {
    const value = number();
    if (value > bytes.length) throw damaged();
    return value;
  };
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    if (length > bytes.length - at) throw damaged();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const text = (): string => decoder.decode(take(count()));

  if (number() !== VERSION) throw damaged();
  state.live = number() === LIVE;
  state.lastMs = number() * 2 ** 32 + number();
  state.context = text();

  const lengths = Array.from({ length: count() }, number);
  const joined = text();
  let from = 0;
  const symbols = lengths.map((length) => joined.slice(from, (from += length)));
  if (symbols[0] !== state.symbols.text(0) || from !== joined.length) throw damaged();
  state.symbols = new Symbols(symbols);

  const reports = number();
  if (![0, REPORT_ALWAYS, REPORT.length].includes(reports)) throw damaged();
  const n = count();
  const refs = new Uint32Array(count());
  let previousStart = 0;
  let previousEnd = 0;
  /** Reads a label set to `refs[start, …)` and returns its end. */
  const labels = (start: number): number => {
    const length = count();
    const end = start + length;
    if (end > refs.length) throw damaged();
    for (let i = 0; i < length; i++) {
      const delta = number();
      const before = previousStart + i < previousEnd ? refs[previousStart + i]! : 0;
      const ref = before + (delta % 2 === 1 ? -(delta + 1) / 2 : delta / 2);
      if (ref < 0 || ref >= symbols.length) throw damaged();
      refs[start + i] = ref;
    }
    previousStart = start;
    previousEnd = end;
    return end;
  };
  let base = 0;
  for (let i = 0; i < reports; i++) {
    const end = labels(base);
    state.reports.push(refs.slice(base, end));
    base = end;
  }
  const { entries } = state;
  entries.refEnd = new Uint32Array(n);
  for (let i = 0, end = base; i < n; i++) {
    end = labels(end);
    entries.refEnd[i] = end - base;
  }
  entries.refs = refs.slice(base);

  const families = count();
  for (let id = 0; id < families; id++) {
    const name = text();
    const type = number();
    state.families.add(name, type % HAS_UNIT, text(), type < HAS_UNIT ? '' : text());
  }
  entries.keyEnd = new Uint32Array(n);
  let keyBytes = 0;
  for (let i = 0; i < n; i++) entries.keyEnd[i] = keyBytes += count();
  entries.series = new Uint32Array(n);
  entries.tracked = new Uint8Array(n);
  entries.member = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const flags = number();
    entries.tracked[i] = Math.max(0, TRACKINGS.indexOf(flags & (TRACKED | HISTOGRAM | FLOATS)));
    entries.member[i] = flags & MEMBER ? 1 : 0;
    entries.series[i] = flags & ALIAS ? number() : i;
    if (entries.series[i]! > i) throw damaged();
  }
  entries.judged = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    const family = number();
    if (family > families) throw damaged();
    entries.judged[i] = family === 0 ? 0 : state.families.stamps[family - 1]!;
  }
  entries.origin = Int32Array.from({ length: n }, (_, i) => i);
  entries.keys = take(keyBytes);
  entries.count = n;
  if (at !== bytes.length) throw damaged();
  return state;
}
