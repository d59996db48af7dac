/**
 * The write-ahead log: records appended in order, consumers with a cursor each, truncation behind the slowest, bounds. It is not
 * a queue manager: it never sends, waits or decides what a record means. Table layout and arithmetic: FORMAT.md.
 *
 * The one invariant: for every consumer `in = sent + dropped{reason} + pending`, from totals written with the event.
 */

import {
  advance,
  type Consumer,
  consumerStatus,
  isNewMinute,
  type MetadataCounts,
  newConsumer,
  noted,
  type Outcome,
  retried,
  rewound,
  withMetadata,
} from './consumer.ts';
import { Consumers } from './consumers.ts';
import { DEFAULT_LOG_LIMITS, type LogLimits } from './limits.ts';
import type { Batch, NewRecord } from './record.ts';
import { type Newest, Records } from './records.ts';
import type { Sql } from './sql.ts';
import type { ConsumerStatus, LogStatus } from './status.ts';

/** As much of the log goes at least when the disk is full. */
const ROOM_SHARE = 1 / 16;

export class Log {
  readonly #sql: Sql;
  readonly #limits: LogLimits;
  readonly #records: Records;
  readonly #consumers: Consumers;

  constructor(sql: Sql, limits: LogLimits = DEFAULT_LOG_LIMITS) {
    this.#sql = sql;
    this.#limits = limits;
    this.#records = new Records(sql);
    this.#consumers = new Consumers(sql);
  }

  /**
   * Appends records as one: all are in the log afterwards, or none. `rider` is the owner's state, stored in the newest row.
   * Returns the seq of the last. A body or rider above its bound is an error of the caller, who must have split it.
   */
  append(nowMs: number, records: readonly NewRecord[], rider: Uint8Array | null = null): number {
    return this.#sql.transaction(() => {
      const newest = this.#records.append(nowMs, records, rider);
      this.#truncate(nowMs, newest);
      return newest.seq;
    });
  }

  /** The owner's state as of the last append; null before the first. */
  rider(): Uint8Array | null {
    return this.#records.rider();
  }

  /** The owner's state changes without a record. False before the first record, when there is nothing to ride in. */
  setRider(rider: Uint8Array): boolean {
    return this.#records.setRider(rider);
  }

  /**
   * Drops the state that rides in records which wait for a slow consumer: only the newest is ever read, and a thousand of a large one would fill what
   * the bound of bytes, which counts bodies, leaves free. A row for each: it looks at the last `records`, so call it before so many have come.
   */
  dropOldRiders(records: number): void {
    this.#records.dropOldRiders(records);
  }

  /** The place of the newest record; 0 before the first. */
  lastSeq(): number {
    return this.#records.newest().seq;
  }

  /** Bytes of all bodies that ever came. */
  bytesIn(): number {
    return this.#records.newest().bytesIn;
  }

  /**
   * The records after a consumer's cursor, or after the seq `from` for one that reads on before it is done with what it has. At
   * most `bytesMax` of bodies, but at least one. A record that cannot be read is set aside with its reason and passed over;
   * everything after it goes on.
   */
  read(name: string, bytesMax: number, from = this.#consumers.get(name).cursor): Batch {
    return this.#records.after(from, bytesMax);
  }

  /** A record turned out unreadable for its consumer (a damaged body under a good checksum): kept aside with the reason. */
  setAside(seq: number, reason: string): void {
    this.#records.setAside(seq, reason);
  }

  /**
   * A consumer is done with everything from its cursor `from` up to `seq`. False when its cursor is not at `from` any more: another
   * reader was faster, and nothing is counted twice.
   */
  acknowledge(nowMs: number, name: string, from: number, seq: number, outcome: Outcome): boolean {
    return this.#sql.transaction(() => {
      const consumer = this.#consumers.find(name);
      if (consumer === null || consumer.cursor !== from) return false;
      const samplesIn = this.#records.samplesInAt(seq);
      this.#consumers.store(advance(this.#noted(consumer, nowMs), seq, samplesIn, outcome, nowMs));
      this.truncate(nowMs);
      return true;
    });
  }

  /** Requests of a consumer failed and will be tried again; `requests` of them since it was last told. Of `samples`, `histograms` are some. */
  retried(
    nowMs: number,
    name: string,
    requests: number,
    samples: number,
    error: string,
    histograms = 0,
    exemplars = 0,
  ): void {
    const consumer = this.#consumers.find(name);
    if (consumer === null) return;
    const failed = { requests, samples, histograms, exemplars };
    this.#consumers.store(retried(this.#noted(consumer, nowMs), failed, error, nowMs));
  }

  /** What became of metadata that a consumer was sent beside samples: nothing moves. */
  countMetadata(nowMs: number, name: string, counts: MetadataCounts): void {
    const consumer = this.#consumers.find(name);
    if (consumer !== null) this.#consumers.store(withMetadata(this.#noted(consumer, nowMs), counts));
  }

  /** Makes the consumers exactly these: a new one begins at the end of the log, one that is gone stops holding it. */
  setConsumers(names: readonly string[]): void {
    this.#sql.transaction(() => {
      const newest = this.#records.newest();
      const wanted = new Set(names);
      for (const name of this.#consumers.names()) {
        if (!wanted.delete(name)) this.#consumers.delete(name);
      }
      for (const name of wanted) this.#consumers.store(newConsumer(name, newest.seq, newest.samplesIn));
    });
  }

  /**
   * Moves a consumer back to the first record that was appended at `sinceMs` or later, or to the oldest that stands; never forward. What it is given
   * again, or null when there is no such consumer.
   */
  rewind(name: string, sinceMs: number | null): { records: number; samples: number } | null {
    return this.#sql.transaction(() => {
      const consumer = this.#consumers.find(name);
      if (consumer === null) return null;
      const since = this.#records.lastBefore(sinceMs ?? -1, this.#records.newest());
      const seq = Math.min(consumer.cursor, since);
      if (seq === consumer.cursor) return { records: 0, samples: 0 };
      const moved = rewound(consumer, seq, this.#records.samplesInAt(seq));
      this.#consumers.store(moved);
      return { records: consumer.cursor - seq, samples: consumer.state.at - moved.state.at };
    });
  }

  /** In order; what they have done is not read. */
  consumerNames(): string[] {
    return this.#consumers.names();
  }

  /** The consumer of that name; undefined when there is none. */
  consumer(name: string): Consumer | undefined {
    return this.#consumers.find(name) ?? undefined;
  }

  /** What a consumer is not done with; `bytes` are of bodies. */
  pending(name: string): { records: number; samples: number; bytes: number } {
    const { cursor, state } = this.#consumers.get(name);
    const newest = this.#records.newest();
    const bytes = this.#records.bytesAfter(cursor, newest);
    return { records: newest.seq - cursor, samples: newest.samplesIn - state.at, bytes };
  }

  /**
   * Drops what no consumer needs and what the bounds do not allow, oldest first. The newest row always stays: it holds the totals.
   * What a bound takes from a consumer is counted as dropped with the bound's name.
   */
  truncate(nowMs: number): void {
    this.#sql.transaction(() => this.#truncate(nowMs, this.#records.newest()));
  }

  /** Within a transaction. Looks before it acts: at nearly every append nothing goes. */
  #truncate(nowMs: number, newest: Newest): void {
    const oldest = this.#records.oldest();
    if (oldest === null) return;
    const { ageMaxMs, bytesMax } = this.#limits;
    const sinceMs = nowMs - ageMaxMs;
    if (oldest.atMs < sinceMs) this.#give(nowMs, this.#records.lastBefore(sinceMs, newest), 'log_age_limit');
    if (newest.bytesIn - oldest.bytesBefore > bytesMax) {
      this.#give(nowMs, this.#records.lastBeyond(bytesMax, newest), 'log_size_limit');
    }
    this.#deleteDone(newest, oldest.seq);
  }

  /**
   * The disk is full before the bound was reached: drops the oldest records, at least `bytes` of them and some more, so that it is not full again
   * at once. What that takes from a consumer is counted as dropped.
   */
  makeRoom(nowMs: number, bytes: number): void {
    this.#sql.transaction(() => {
      const newest = this.#records.newest();
      const oldest = this.#records.oldest();
      if (oldest === null) return;
      const held = newest.bytesIn - oldest.bytesBefore;
      const kept = held - Math.max(bytes, held * ROOM_SHARE);
      this.#give(nowMs, this.#records.lastBeyond(kept, newest), 'log_full');
      this.#deleteDone(newest, oldest.seq);
    });
  }

  /** Moves every consumer behind `seq`. */
  #give(nowMs: number, seq: number, reason: string): void {
    for (const consumer of this.#consumers.behind(seq)) {
      const samplesIn = this.#records.samplesInAt(seq);
      const outcome = {
        sent: 0,
        dropped: { [reason]: samplesIn - consumer.state.at },
        error: `${reason}: samples older than the log keeps were dropped`,
      };
      this.#consumers.store(advance(consumer, seq, samplesIn, outcome, nowMs));
    }
  }

  /** Deletes what all are done with, from the record `oldest` on. */
  #deleteDone(newest: Newest, oldest: number): void {
    const done = Math.min(this.#consumers.slowest() ?? newest.seq, newest.seq - 1);
    if (done >= oldest) this.#records.deleteUpTo(done);
  }

  status(nowMs: number): { log: LogStatus; consumers: ConsumerStatus[] } {
    const newest = this.#records.newest();
    const oldest = this.#records.oldest();
    return {
      log: {
        firstSeq: oldest?.seq ?? 0,
        lastSeq: newest.seq,
        records: oldest === null ? 0 : newest.seq - oldest.seq + 1,
        bytes: oldest === null ? 0 : newest.bytesIn - oldest.bytesBefore,
        bytesMax: this.#limits.bytesMax,
        oldestAtMs: oldest?.atMs ?? null,
        highestMs: this.#records.highestMs(),
        recordsIn: newest.seq,
        samplesIn: newest.samplesIn,
        bytesIn: newest.bytesIn,
        rowsWritten: this.#sql.rowsWritten(),
        setAside: this.#records.aside(),
      },
      consumers: this.#consumers
        .all()
        .map((consumer) => consumerStatus(consumer, newest, this.#records.appendedAfter(consumer.cursor), nowMs)),
    };
  }

  /** With a note of how it stands, once a minute. */
  #noted(consumer: Consumer, nowMs: number): Consumer {
    if (!isNewMinute(consumer, nowMs)) return consumer;
    const pending = this.#records.newest().samplesIn - consumer.state.at;
    const oldestAtMs = this.#records.appendedAfter(consumer.cursor) ?? nowMs;
    return noted(consumer, pending, Math.max(0, nowMs - oldestAtMs), nowMs);
  }
}
