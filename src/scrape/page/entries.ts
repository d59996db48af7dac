/**
 * The series texts of a page, in the order of the page, with their final labels: columns, no object an entry. Two texts may stand for
 * one series (other order of labels, other blanks), so each entry names the entry that stands for its label set.
 *
 * A text whose series a rule dropped has no labels: it is there so that no rule has to look at it again, and it stands for nothing.
 *
 * The one invariant: entries that have the same labels have the same `series`, and that is the index of one of them.
 */

import { hashOfBytes, hashOfRefs, HashTable } from './hash-table.ts';

/**
 * How a series goes stale when it is not there any more: not at all, or with a marker that is a float, a histogram, a histogram of floats, as its
 * last sample was.
 */
export const UNTRACKED = 0;
export const AS_FLOAT = 1;
export const AS_HISTOGRAM = 2;
export const AS_FLOAT_HISTOGRAM = 3;

const UTF8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

export class Entries {
  count = 0;
  /** The texts, one after the other; `keyEnd[i]` is where text `i` ends. */
  keys = new Uint8Array(0);
  keyEnd = new Uint32Array(0);
  /** The label sets, one after the other; `refEnd[i]` is where set `i` ends. */
  refs = new Uint32Array(0);
  refEnd = new Uint32Array(0);
  series = new Uint32Array(0);
  /** On the entry that stands for a series: how it goes stale; it does when its last sample had no timestamp of its own. */
  tracked = new Uint8Array(0);
  /** The family stamp under which `member` was judged; 0 for none. */
  judged = new Uint32Array(0);
  member = new Uint8Array(0);
  /** Which entry of the page that was stored last as a whole it is; −1 for one that is newer. */
  origin = new Int32Array(0);

  /** Made when they are asked for: a page whose series do not change needs none. */
  #byKey: HashTable | null = null;
  #byLabels: HashTable | null = null;
  /** The hashes of what was asked for last. */
  #asked = 0;
  #askedLabels = 0;

  /** What the columns and the tables take in memory. */
  get bytes(): number {
    const { keys, keyEnd, refs, refEnd, series, tracked, judged, member, origin } = this;
    const columns = [keys, keyEnd, refs, refEnd, series, tracked, judged, member, origin];
    return columns.reduce((sum, column) => sum + column.byteLength, 32 * this.count);
  }

  keyStart(entry: number): number {
    return entry === 0 ? 0 : this.keyEnd[entry - 1]!;
  }

  refStart(entry: number): number {
    return entry === 0 ? 0 : this.refEnd[entry - 1]!;
  }

  /** Whether a rule of relabelling dropped the entry's series. */
  isDropped(entry: number): boolean {
    return this.refEnd[entry] === this.refStart(entry);
  }

  keyText(entry: number): string {
    return UTF8.decode(this.keys.subarray(this.keyStart(entry), this.keyEnd[entry]));
  }

  /** The entry of a text, or −1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (this.#byKey === null) {
      this.#byKey = new HashTable(this.count);
      for (let i = 0; i < this.count; i++)
        this.#byKey.add(hashOfBytes(this.keys, this.keyStart(i), this.keyEnd[i]!), i);
    }
    this.#asked = hashOfBytes(bytes, start, end);
    const table = this.#byKey;
    for (let at = table.first(this.#asked); at >= 0; at = table.next()) {
      if (this.#isKey(at, bytes, start, end)) return at;
    }
    return -1;
  }

  /** The entry that stands for the series with these labels, or −1. */
  findLabels(refs: Uint32Array | readonly number[], start: number, end: number): number {
    if (this.#byLabels === null) {
      this.#byLabels = new HashTable(this.count);
      for (let i = 0; i < this.count; i++) {
        if (this.series[i] === i && !this.isDropped(i))
          this.#byLabels.add(hashOfRefs(this.refs, this.refStart(i), this.refEnd[i]!), i);
      }
    }
    this.#askedLabels = hashOfRefs(refs, start, end);
    const table = this.#byLabels;
    for (let at = table.first(this.#askedLabels); at >= 0; at = table.next()) {
      if (this.#isLabels(at, refs, start, end)) return at;
    }
    return -1;
  }

  /** Adds the text that `find` was asked for last, and did not know. Without labels it is a dropped one. */
  add(bytes: Uint8Array, start: number, end: number, refs: readonly number[]): number {
    const same = refs.length === 0 ? -1 : this.findLabels(refs, 0, refs.length);
    const entry = this.append(bytes, start, end, refs, same < 0 ? this.count : same);
    this.#byKey?.add(this.#asked, entry);
    if (same < 0 && refs.length > 0) this.#byLabels?.add(this.#askedLabels, entry);
    return entry;
  }

  /** Adds a text, which is new, of a series that `series` stands for. For who decodes: what was looked up before does not find it. */
  append(bytes: Uint8Array, start: number, end: number, refs: Uint32Array | readonly number[], series: number): number {
    const entry = this.count;
    const key = this.keyStart(entry);
    const ref = this.refStart(entry);
    this.#reserve(entry + 1, key + end - start, ref + refs.length);
    this.keys.set(bytes.subarray(start, end), key);
    this.keyEnd[entry] = key + end - start;
    this.refs.set(refs, ref);
    this.refEnd[entry] = ref + refs.length;
    this.series[entry] = series;
    this.tracked[entry] = 0;
    this.judged[entry] = 0;
    this.member[entry] = 0;
    this.origin[entry] = -1;
    this.count++;
    return entry;
  }

  /** Forgets the entries from `count` on. */
  truncate(count: number): void {
    if (count === this.count) return;
    this.count = count;
    this.#byKey = this.#byLabels = null;
  }

  /** These entries, in this order; `tracked[i]` is the new value for the series that entry `i` stands for. */
  select(order: Uint32Array, tracked: (series: number) => number): Entries {
    const out = new Entries();
    let keyBytes = 0;
    let refCount = 0;
    for (const i of order) {
      keyBytes += this.keyEnd[i]! - this.keyStart(i);
      refCount += this.refEnd[i]! - this.refStart(i);
    }
    // With some room: who changes changes again, and the first text that is new would move all columns.
    const more = 1 + 1 / 32;
    out.#reserve(Math.ceil(order.length * more), Math.ceil(keyBytes * more), Math.ceil(refCount * more));
    const moved = new Int32Array(this.count).fill(-1);
    let key = 0;
    let ref = 0;
    for (let to = 0; to < order.length;) {
      // Neighbours nearly always stay neighbours: what they have is moved at once.
      const first = order[to]!;
      let run = 1;
      while (to + run < order.length && order[to + run] === first + run) run++;
      const keyStart = this.keyStart(first);
      const refStart = this.refStart(first);
      out.keys.set(this.keys.subarray(keyStart, this.keyEnd[first + run - 1]), key);
      out.refs.set(this.refs.subarray(refStart, this.refEnd[first + run - 1]), ref);
      for (let from = first; from < first + run; from++, to++) {
        out.keyEnd[to] = this.keyEnd[from]! - keyStart + key;
        out.refEnd[to] = this.refEnd[from]! - refStart + ref;
        const series = this.series[from]!;
        if (moved[series]! < 0) moved[series] = to;
        out.series[to] = moved[series]!;
        out.tracked[to] = moved[series] === to ? tracked(series) : 0;
        out.judged[to] = this.judged[from]!;
        out.member[to] = this.member[from]!;
        out.origin[to] = this.origin[from]!;
      }
      key = out.keyEnd[to - 1]!;
      ref = out.refEnd[to - 1]!;
    }
    out.count = order.length;
    return out;
  }

  #isKey(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const keys = this.keys;
    let at = this.keyStart(entry);
    if (this.keyEnd[entry]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (keys[at++] !== bytes[i]) return false;
    return true;
  }

  #isLabels(entry: number, refs: Uint32Array | readonly number[], start: number, end: number): boolean {
    let at = this.refStart(entry);
    if (this.refEnd[entry]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (this.refs[at++] !== refs[i]) return false;
    return true;
  }

  #reserve(entries: number, keyBytes: number, refs: number): void {
    if (keyBytes > this.keys.length) this.keys = grown(this.keys, new Uint8Array(room(keyBytes, this.keys)));
    if (refs > this.refs.length) this.refs = grown(this.refs, new Uint32Array(room(refs, this.refs)));
    if (entries <= this.keyEnd.length) return;
    const length = room(entries, this.keyEnd);
    this.keyEnd = grown(this.keyEnd, new Uint32Array(length));
    this.refEnd = grown(this.refEnd, new Uint32Array(length));
    this.series = grown(this.series, new Uint32Array(length));
    this.tracked = grown(this.tracked, new Uint8Array(length));
    this.judged = grown(this.judged, new Uint32Array(length));
    this.member = grown(this.member, new Uint8Array(length));
    this.origin = grown(this.origin, new Int32Array(length));
  }
}

const room = (needed: number, column: { readonly length: number }): number =>
  column.length === 0 ? needed : Math.max(needed, column.length * 2, 64);

function grown<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
