/**
 * The series texts of a page, in the order of the page, with their final labels: columns, no object an entry. Two texts may stand for
 * one series (other order of labels, other blanks), so each entry names the entry that stands for its label set.
 *
 * A text whose series a rule dropped has no labels: it is there so that no rule has to look at it again, and it stands for nothing.
 *
 * The one invariant: entries that have the same labels have the same `series`, and that is the index of one of them.
 */

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
  /** On the entry that stands for a series: 1 when its last sample had no timestamp of its own, so that it can go stale. */
  tracked = new Uint8Array(0);
  /** The family stamp under which `member` was judged; 0 for none. */
  judged = new Uint32Array(0);
  member = new Uint8Array(0);

  /** Made when they are asked for: a page whose series do not change needs none. */
  #byKey: Map<string, number> | null = null;
  #byLabels: Map<string, number> | null = null;
  #asked = '';
  #askedLabels = '';

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
      this.#byKey = new Map();
      for (let i = 0; i < this.count; i++) {
        this.#byKey.set(this.keyText(i), i);
      }
    }
    this.#asked = UTF8.decode(bytes.subarray(start, end));
    const found = this.#byKey.get(this.#asked);
    // What is not UTF-8 may decode to the text of another key.
    return found !== undefined && this.#isKey(found, bytes, start, end) ? found : -1;
  }

  /** An entry with these labels, or −1. */
  findLabels(refs: Uint32Array | readonly number[], start: number, end: number): number {
    if (this.#byLabels === null) {
      this.#byLabels = new Map();
      for (let i = 0; i < this.count; i++) {
        if (this.series[i] === i && !this.isDropped(i))
          this.#byLabels.set(labelsText(this.refs, this.refStart(i), this.refEnd[i]!), i);
      }
    }
    this.#askedLabels = labelsText(refs, start, end);
    return this.#byLabels.get(this.#askedLabels) ?? -1;
  }

  /** Adds the text that `find` was asked for last, and did not know. Without labels it is a dropped one. */
  add(bytes: Uint8Array, start: number, end: number, refs: readonly number[]): number {
    const entry = this.count;
    const same = refs.length === 0 ? -1 : this.findLabels(refs, 0, refs.length);
    const key = this.keyStart(entry);
    const ref = this.refStart(entry);
    this.#reserve(entry + 1, key + end - start, ref + refs.length);
    this.keys.set(bytes.subarray(start, end), key);
    this.keyEnd[entry] = key + end - start;
    this.refs.set(refs, ref);
    this.refEnd[entry] = ref + refs.length;
    this.series[entry] = same < 0 ? entry : same;
    this.tracked[entry] = 0;
    this.judged[entry] = 0;
    this.member[entry] = 0;
    this.count++;
    this.#byKey?.set(this.#asked, entry);
    if (same < 0 && refs.length > 0) this.#byLabels?.set(this.#askedLabels, entry);
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
    out.#reserve(order.length, keyBytes, refCount);
    const moved = new Map<number, number>();
    let key = 0;
    let ref = 0;
    order.forEach((from, to) => {
      out.keys.set(this.keys.subarray(this.keyStart(from), this.keyEnd[from]), key);
      out.keyEnd[to] = key += this.keyEnd[from]! - this.keyStart(from);
      out.refs.set(this.refs.subarray(this.refStart(from), this.refEnd[from]), ref);
      out.refEnd[to] = ref += this.refEnd[from]! - this.refStart(from);
      const series = this.series[from]!;
      if (!moved.has(series)) moved.set(series, to);
      out.series[to] = moved.get(series)!;
      out.tracked[to] = out.series[to] === to ? tracked(series) : 0;
      out.judged[to] = this.judged[from]!;
      out.member[to] = this.member[from]!;
    });
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
  }
}

const room = (needed: number, column: { readonly length: number }): number =>
  column.length === 0 ? needed : Math.max(needed, column.length * 2, 64);

function grown<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** A label set as a map's key: two code units a reference, so no two sets have the same. */
function labelsText(refs: Uint32Array | readonly number[], start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(refs[i]! >>> 16, refs[i]! & 0xffff);
  return text;
}
