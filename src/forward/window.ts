/**
 * What a run holds of one log for one remote: records that wait, that are under way, and that are done with but not acknowledged. It says what may
 * be sent now and what may be acknowledged; it sends nothing.
 *
 * The one invariant: what is under way or done shares no lane with an earlier record that is not acknowledged. So each lane arrives in order, and
 * after a crash a remote gets of each lane at most the newest request again. Its records may then be joined to others: what a remote without an out-of-order
 * window refuses for them goes again record by record.
 */

import { mergeOutcomes, type Outcome } from '../log/consumer.ts';
import { ALL_LANES } from '../log/lanes.ts';
import type { Batch, LogRecord } from '../log/record.ts';

/** Records that are sent in one request, or in several one after the other. */
export interface Group {
  readonly records: readonly LogRecord[];
  readonly lanes: number;
  /** Set when it is done with. */
  outcome: Outcome | null;
}

export class Window {
  /** The consumer's cursor: everything up to it is acknowledged. */
  cursor: number;
  /** As far as was read, inclusive. */
  end: number;
  /** Records up to this one are sent alone: they were refused together. */
  #aloneUpTo = 0;
  /** In the order of the log. A record that waits stands for itself. */
  #items: (LogRecord | Group)[] = [];
  #bytesWaiting = 0;

  constructor(cursor: number) {
    this.cursor = this.end = cursor;
  }

  add({ records, upTo }: Batch): void {
    for (const record of records) {
      this.#items.push(record);
      this.#bytesWaiting += record.body.byteLength;
    }
    this.end = upTo;
  }

  /** Nothing waits, is under way or is to be acknowledged. */
  get isDone(): boolean {
    return this.#items.length === 0 && this.cursor === this.end;
  }

  get bytesWaiting(): number {
    return this.#bytesWaiting;
  }

  /** When the first record that waits was appended, Unix ms; null when none does. */
  get waitingSinceMs(): number | null {
    return this.#items.find((item) => 'seq' in item)?.atMs ?? null;
  }

  /** The records that may be sent now, as one request; none when all that wait must wait. */
  next(): readonly LogRecord[] {
    let before = 0;
    for (let i = 0; i < this.#items.length && before !== ALL_LANES; i++) {
      const item = this.#items[i]!;
      if ('seq' in item && (item.lanes & before) === 0) return this.#run(i, item, before);
      before |= item.lanes;
    }
    return [];
  }

  #run(start: number, first: LogRecord, before: number): LogRecord[] {
    const run = [first];
    if (first.seq <= this.#aloneUpTo) return run;
    for (let i = start + 1; i < this.#items.length; i++) {
      const item = this.#items[i]!;
      if (!('seq' in item) || (item.lanes & before) !== 0) break;
      run.push(item);
    }
    return run;
  }

  /** These records, as `next` gave them, are under way as one from now on. */
  take(records: readonly LogRecord[]): Group {
    const group = { records, lanes: records.reduce((lanes, record) => lanes | record.lanes, 0), outcome: null };
    this.#items.splice(this.#items.indexOf(records[0]!), records.length, group);
    this.#bytesWaiting -= bytesOf(records);
    return group;
  }

  /** A group was delivered or dropped. */
  done(group: Group, outcome: Outcome): void {
    group.outcome = outcome;
  }

  /** The records of a group wait again: another request is made of them. */
  again(group: Group): void {
    this.#items.splice(this.#items.indexOf(group), 1, ...group.records);
    this.#bytesWaiting += bytesOf(group.records);
  }

  /** The same, and each in a request of its own: they were refused together, and who is at fault is not known. */
  apart(group: Group): void {
    this.#aloneUpTo = Math.max(this.#aloneUpTo, group.records.at(-1)!.seq);
    this.again(group);
  }

  /** How far the cursor may move, and what became of what lies between; null when the first that was read is not done with. */
  ready(): { readonly seq: number; readonly outcome: Outcome } | null {
    const done: Group[] = [];
    for (const item of this.#items) {
      if ('seq' in item || item.outcome === null) break;
      done.push(item);
    }
    // Unreadable records at the end were passed over: the cursor follows, and they are counted as dropped.
    const seq = done.length === this.#items.length ? this.end : (done.at(-1)?.records.at(-1)?.seq ?? this.cursor);
    return seq === this.cursor ? null : { seq, outcome: mergeOutcomes(done.map(({ outcome }) => outcome!)) };
  }

  /** The cursor stands at `seq`, as `ready` said. */
  acknowledged(seq: number): void {
    this.cursor = seq;
    const isBehind = (item: LogRecord | Group): boolean => !('seq' in item) && item.records.at(-1)!.seq <= seq;
    while (this.#items.length > 0 && isBehind(this.#items[0]!)) this.#items.shift();
  }
}

const bytesOf = (records: readonly LogRecord[]): number => records.reduce((sum, { body }) => sum + body.byteLength, 0);
