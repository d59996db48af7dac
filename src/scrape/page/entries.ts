/**
 * The series texts that a page has, and had since it was stored as a whole, with their final labels: columns, no object an entry. Two texts may stand for
 * one series (other order of labels, other blanks), so each entry names the entry that stands for its label set. Entries are only added, so what
 * finds them lasts; which of them the page has, and in which order, is a list beside them.
 *
 * A text whose series a rule dropped has no labels: it is there so that no rule has to look at it again, and it stands for nothing.
 *
 * The one invariant: entries that have the same labels have the same `series`, and that is the first of them, on the page or not.
 */

import { WIDE_ZERO } from '../../model/shape.ts';
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
  /** The page: its entries, in its order. */
  order = new Uint32Array(0);
  /** Where in it an entry is; −1 for one that it does not have any more, or not yet. */
  place = new Int32Array(0);

  /** Made when they are asked for: a page whose series do not change needs none. */
  #byKey: HashTable | null = null;
  #byLabels: HashTable | null = null;
  /** The hashes of what was asked for last. */
  #asked = WIDE_ZERO;
  #askedLabels = WIDE_ZERO;
  /** Of the page; −1 when it has not been counted. */
  #seriesCount = -1;

  /** What the columns and the tables take in memory. */
  get bytes(): number {
    const { keys, keyEnd, refs, refEnd, series, tracked, judged, member, order, place } = this;
    const columns = [keys, keyEnd, refs, refEnd, series, tracked, judged, member, order, place];
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
      const keys = viewOf(this.keys);
      for (let i = 0, from = 0; i < this.count; i++) {
        this.#byKey.add(hashOfBytes(keys, from, this.keyEnd[i]!), i);
        from = this.keyEnd[i]!;
      }
    }
    this.#asked = hashOfBytes(viewOf(bytes), start, end);
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

  /**
   * Adds a text, which is new, of a series that `series` stands for; the page does not have it yet. For who decodes: when something was looked up before,
   * it is found only after `reindex`.
   */
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
    this.place[entry] = -1;
    this.count++;
    return entry;
  }

  /** Forgets the entries from `count` on. */
  truncate(count: number): void {
    if (count === this.count) return;
    this.count = count;
    this.reindex();
  }

  reindex(): void {
    this.#byKey = this.#byLabels = null;
  }

  /** The page has these entries now, each once. */
  turn(order: Uint32Array<ArrayBuffer>): void {
    const { place } = this;
    place.fill(-1);
    for (let i = 0; i < order.length; i++) place[order[i]!] = i;
    this.order = order;
    this.#seriesCount = -1;
  }

  /** By entry that stands for a series: 1 when the page has it, dropped or not. */
  present(): Uint8Array<ArrayBuffer> {
    const { order, series } = this;
    const present = new Uint8Array(this.count);
    for (let i = 0; i < order.length; i++) present[series[order[i]!]!] = 1;
    return present;
  }

  /** Label sets that the page exposes, each once. */
  get seriesCount(): number {
    if (this.#seriesCount < 0) {
      const present = this.present();
      this.#seriesCount = 0;
      for (let i = 0; i < present.length; i++) if (present[i] === 1 && !this.isDropped(i)) this.#seriesCount++;
    }
    return this.#seriesCount;
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
    this.place = grown(this.place, new Int32Array(length));
  }
}

/** Most pages that are read grow by a few texts: not by half. */
const room = (needed: number, column: { readonly length: number }): number =>
  column.length === 0 ? needed : Math.max(needed, Math.ceil(column.length * (1 + 1 / 4)), 64);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function grown<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
