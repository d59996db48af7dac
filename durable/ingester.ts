/**
 * Ingester: one shard of a tenant. It owns a log, the shelf of sorted segments that the log is digested into, and the cut watermark.
 *
 *   when                     what                                              rows
 *   append (a request)       body → log                                        1 a record (+ 1 for the alarm, once a digest)
 *   elect, or a refusal      who leads an HA pair, without an append           1 every five seconds and pair
 *   describe                 metadata that came without samples                0 when nothing is new; else 1 a 1.8 MB of all; 1 more with a rate
 *   alarm, digest            log → sort, deduplicate → segments on the shelf   1 a part of 256 KiB, 2 for cursor and totals
 *                            metadata and exemplars in it are kept             as above; 1 a MB of exemplars, 1 for each that goes
 *                            active series, where they are limited             1 a 1.8 MB of bitmaps
 *   close                    watermark moves on, ended ranges are closed       1 a segment
 *   part / drop              a cut is read / is in a committed block           0 / 1 a part, 1 when something came twice
 *   next / acknowledge       relaying: records after a cursor; it moves        0 / 1
 *
 * Appending needs no history, so an object that has just woken up answers as fast as a warm one.
 */

import { Digest } from '../src/digest/digest.ts';
import { ExemplarRing } from '../src/digest/exemplar-ring.ts';
import { Keeper, Keepers, Known } from '../src/digest/known.ts';
import { MetadataTable } from '../src/digest/metadata.ts';
import type { Repeats } from '../src/digest/settle.ts';
import { type Cut, OPEN_AFTER_END_MS, Shelf } from '../src/digest/shelf.ts';
import { DecodeError, decodeWrite } from '../src/encoding/remote-write/decoded.ts';
import { seriesHashes } from '../src/encoding/remote-write/hashes.ts';
import { SnappyError, snappyUncompress } from '../src/encoding/snappy.ts';
import { Outbox } from '../src/forward/outbox.ts';
import type { IngesterStatus } from '../src/http/status.ts';
import { Log } from '../src/log/log.ts';
import type { NewRecord } from '../src/log/record.ts';
import { isFull, type Sql } from '../src/log/sql.ts';
import { Blobs, Values } from '../src/log/table.ts';
import { assertOwned, owned } from '../src/model/bytes.ts';
import type { FamilyMetadata } from '../src/model/metadata.ts';
import { rangeStart } from '../src/model/sample.ts';
import { ActiveSeries } from '../src/receive/active-series.ts';
import { Gate, STORAGE_RETRY_S } from '../src/receive/gate.ts';
import { Elections, LEADER_CACHE_MS, type Replica } from '../src/receive/ha.ts';
import { DEFAULT_SHARD_LIMITS, type ShardLimits } from '../src/receive/limits.ts';
import { refusal } from '../src/receive/refusals.ts';
import { decodeRider, encodeRider } from '../src/receive/rider.ts';
import type { AboutRecords, AppendResult, NotAppended } from '../src/receive/write.ts';
import { ForwardingObject } from './forwarding.ts';
import { type LogEnv, limitsOf } from './limits.ts';
import { sqlOf } from './sql.ts';

/** The consumer that every log here has; remotes that it relays to are others. */
const DIGEST = 'digest';
/** Its blob, beside those of the metadata. */
const ACTIVE_SERIES = 'active-series';
/** Samples digested at once: what bounds the memory of the sort, whatever the number of series. */
const DIGEST_LIMITS = { samplesMax: 400_000, partBytesMax: 256 * 1024 };
/** What the objects of an isolate remember of series between digests: 32 MiB are 350,000 series with ten labels. */
const KNOWN = new Keepers(32 * 1024 * 1024);
/** Bodies read at once for a digest: a ms, where 1 MB took four. A batch is many such pieces: a series costs the same for one sample of it as for many. */
const DIGEST_READ_BYTES = 250_000;
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
const MESSAGE_BYTES_MOSTLY = 2 * 1024 * 1024;
/** A record waits at most this long for its digest … */
const DIGEST_AFTER_MS = 5 * 60 * 1000;
/** … a little while when the shelf is empty, so that a range is seen filling from its beginning … */
const FIRST_DIGEST_AFTER_MS = 20 * 1000;
/** … or until this many samples wait. */
const DIGEST_SAMPLES = 400_000;
const DIGEST_RETRY_MS = 60 * 1000;
/** How much of the log's bound may wait for the digest: what was accepted is never dropped by the bound. */
const UNDIGESTED_SHARE = 0.95;

/** What goes with the records of an append. */
export interface AppendTerms extends Omit<AboutRecords, 'shard'> {
  readonly limits: ShardLimits;
  /** Names of the remotes that the shard may relay to. */
  readonly relay: readonly string[];
}

const NO_TERMS: AppendTerms = { limits: DEFAULT_SHARD_LIMITS, hashes: null, replica: null, relay: [] };

interface Totals {
  readonly segments: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly conflictExample: string | null;
  /** Of the metadata: families that are kept now, and how often one was left out. Absent in what earlier versions stored. */
  readonly families?: number;
  readonly familiesLeftOut?: number;
  /** Exemplars: in = those in the ring + what is counted here. */
  readonly exemplarsIn?: number;
  readonly exemplarsDropped?: ExemplarsDropped;
}

interface ExemplarsDropped {
  readonly duplicate: number;
  readonly too_many: number;
  readonly evicted: number;
}

const NONE_DROPPED: ExemplarsDropped = { duplicate: 0, too_many: 0, evicted: 0 };

export class Ingester extends ForwardingObject {
  readonly #log: Log;
  readonly #shelf: Shelf;
  readonly #values: Values;
  readonly #metadata: MetadataTable;
  readonly #exemplars: ExemplarRing;
  readonly #sql: Sql;
  protected override readonly outbox: Outbox;
  readonly #gate = new Gate(Math.random, (seriesMax) => this.#recalled(seriesMax));
  readonly #blobs: Blobs;
  /** Whether nothing is stored of active series, as far as is known. */
  #isSeriesForgotten = false;
  readonly #undigestedBytesMax: number;
  /** Of what rides in the log: dropped whenever an append fails. */
  #elections: Elections | null = null;
  /** When the alarm will digest, Unix ms; only a memory of what is armed. */
  #alarmAtMs: number | null = null;
  /** What is known of series, for the next digest. */
  readonly #keeper = new Keeper();
  /** The digest that is under way. */
  #digesting: Promise<void> | null = null;

  constructor(state: DurableObjectState, env: LogEnv) {
    super(state, env);
    const sql = sqlOf(state.storage);
    this.#sql = sql;
    const bounds = limitsOf(env);
    this.#log = new Log(sql, bounds);
    this.#undigestedBytesMax = bounds.bytesMax * UNDIGESTED_SHARE;
    this.#shelf = new Shelf(sql);
    this.#values = new Values(sql);
    this.#blobs = new Blobs(sql);
    this.#metadata = new MetadataTable(this.#blobs);
    this.#exemplars = new ExemplarRing(sql);
    // Runs begin anew every minute with the configuration in force: none is told to end before.
    this.outbox = new Outbox(this.#log, this.#values, () => 0);
    if (this.#log.consumer(DIGEST) === undefined) this.#log.setConsumers([DIGEST]);
  }

  /** All records or none. When it returns, they are durable: nothing leaves the object before its writes are confirmed. */
  async append(
    nowMs: number,
    records: readonly NewRecord[],
    { limits, hashes, replica, relay }: AppendTerms = NO_TERMS,
  ): Promise<AppendResult> {
    for (const { body } of records) assertOwned(body);
    const elections = this.#known();
    const leader = replica === null ? null : elections.elect(nowMs, replica);
    if (leader !== null && leader !== replica!.replica) return { ok: true, leader };
    this.#relayAtMost(relay);
    if (limits.seriesMax === null) this.#forgetSeries();
    const samples = records.reduce((sum, record) => sum + record.samples, 0);
    const exemplars = records.reduce((sum, record) => sum + (record.exemplars ?? 0), 0);
    const pending = this.#log.pending(DIGEST);
    const refused = this.#refused(nowMs, samples + exemplars, hashes, limits, pending.bytes);
    if (refused !== null) {
      // What waits is what makes it wait: the digest must not sleep until its time.
      if (refused.status === 503 && pending.records > 0) await this.#arm(nowMs);
      if (leader === null) return refused;
      // It leads all the same: what it was refused comes again, and is not to be taken for the other's.
      this.#write(elections, replica!.cluster);
      return { ...refused, leader };
    }
    try {
      this.#log.append(nowMs, records, encodeRider({ elections, bucket: this.#gate.bucket() }));
    } catch (error) {
      this.#elections = null;
      if (!isFull(error)) throw error;
      // What was acknowledged is not given up for what can come again.
      await this.#arm(nowMs);
      const hold = { untilMs: nowMs + STORAGE_RETRY_S * 1000, leastS: STORAGE_RETRY_S, series: null };
      return refusal(503, `the shard's disk is full: ${String(error)}`, nowMs, hold, Math.random);
    }
    const many = pending.samples + samples >= DIGEST_SAMPLES;
    await this.#arm(nowMs + (many ? 0 : this.#shelf.isEmpty() ? FIRST_DIGEST_AFTER_MS : DIGEST_AFTER_MS));
    return leader === null ? { ok: true } : { ok: true, leader };
  }

  /** Why it takes nothing of so many samples, exemplars or families now; null when it does, and they are counted. */
  #refused(
    nowMs: number,
    count: number,
    hashes: Uint32Array | null,
    limits: ShardLimits,
    pendingBytes: number,
  ): NotAppended | null {
    const pendingBytesMax = Math.min(limits.pendingBytesMax, this.#undigestedBytesMax);
    const room = { pendingBytes, storageBytes: this.#sql.size() };
    return this.#gate.admit(nowMs, count, hashes, { ...limits, pendingBytesMax }, room);
  }

  /** The series that are active, for the gate that has just got a limit to hold them to. */
  #recalled(seriesMax: number): ActiveSeries {
    const known = this.#storedSeries(seriesMax);
    if (known !== null) return known;
    const series = new ActiveSeries(seriesMax);
    // So that a digest that wakes up without a request knows that there is a limit, and counts what comes until then.
    this.#blobs.set(ACTIVE_SERIES, series.encode());
    this.#isSeriesForgotten = false;
    return series;
  }

  /** Those of the last digest, and of what came since, of which not more is read than a digest takes. Null when they were held to no limit, or another. */
  #storedSeries(seriesMax: number | null = null): ActiveSeries | null {
    const series = ActiveSeries.decode(this.#blobs.get(ACTIVE_SERIES));
    if (series === null || (seriesMax !== null && series.seriesMax !== seriesMax)) return null;
    let from = this.#log.consumer(DIGEST)!.cursor;
    for (let count = 0; count < DIGEST_SAMPLES;) {
      const { records, upTo } = this.#log.read(DIGEST, DIGEST_READ_BYTES, from);
      if (upTo === from) break;
      for (const { atMs, schema, body } of records) {
        try {
          const decoded = decodeWrite(schema, snappyUncompress(body, MESSAGE_BYTES_MAX));
          series.recall(atMs, seriesHashes(decoded, new Uint8Array(decoded.seriesCount).fill(1)));
          count += decoded.seriesCount;
        } catch (error) {
          // The digest sets it aside.
          if (!(error instanceof DecodeError || error instanceof SnappyError)) throw error;
        }
      }
      from = upTo;
    }
    return series;
  }

  /** There is no limit on them any more. */
  #forgetSeries(): void {
    if (this.#isSeriesForgotten) return;
    this.#blobs.delete(ACTIVE_SERIES);
    this.#isSeriesForgotten = true;
  }

  /** Before what was counted leaves the log. */
  #storeSeries(): void {
    if (this.#gate.series() === null) this.#gate.restoreSeries(this.#storedSeries());
    const series = this.#gate.series();
    if (series?.isChanged() === true) this.#blobs.set(ACTIVE_SERIES, series.encode());
  }

  /** A request of a replica is about to go to several shards, of which this is the first: who leads its cluster. */
  async elect(nowMs: number, replica: Replica): Promise<string> {
    const elections = this.#known();
    const leader = elections.elect(nowMs, replica);
    this.#write(elections, replica.cluster);
    return leader;
  }

  /** Who leads a cluster was told without an append: as often as Workers ask; written down every few seconds, and whenever another leads. */
  #write(elections: Elections, cluster: string): void {
    const [leader, seenMs] = elections.leaderOf(cluster)!;
    const stored = this.#storedElections();
    const [was, wasSeenMs] = stored.leaderOf(cluster) ?? ['', -Infinity];
    if (was === leader && seenMs - wasSeenMs < LEADER_CACHE_MS) return;
    try {
      this.#values.set('elections', JSON.stringify(stored.with(elections).leaders()));
    } catch (error) {
      // It is in memory too, and a full disk is told to whoever sends samples.
      if (!isFull(error)) throw error;
    }
  }

  /** What rides in the log, and what was told without an append. Without a memory of it, the gate goes on with what rides there too. */
  #known(): Elections {
    if (this.#elections !== null) return this.#elections;
    const { elections, bucket } = decodeRider(this.#log.rider());
    this.#gate.restore(bucket);
    return (this.#elections = elections.with(this.#storedElections()));
  }

  #storedElections(): Elections {
    const text = this.#values.get<string | null>('elections', null);
    return decodeRider(text === null ? null : new TextEncoder().encode(text)).elections;
  }

  override async takeForwardBaton(
    _nowMs: number,
    { remotes }: { configVersion: number; remotes: readonly string[] },
  ): Promise<{ epoch: number }> {
    return this.#sql.transaction(() => {
      this.#log.setConsumers([DIGEST, ...remotes]);
      return this.outbox.takeBaton();
    });
  }

  override async alarm(): Promise<void> {
    // No failure leaves here: an alarm that throws seven times is gone for good.
    const nowMs = Date.now();
    this.#alarmAtMs = null;
    let againMs = 0;
    try {
      await this.digest(nowMs);
    } catch (error) {
      this.#log.retried(nowMs, DIGEST, 1, 0, `digest failed: ${String(error)}`);
      againMs = DIGEST_RETRY_MS;
    }
    if (this.#log.pending(DIGEST).records > 0) await this.#arm(nowMs + againMs);
  }

  /**
   * Digests one batch of the log into segments. `more`: there are records up to `upTo` that are not digested yet. A batch takes about a
   * second of CPU, and requests should not wait that long: it goes in steps, and between two of them whoever waits is let in. Nothing is
   * written before the last.
   */
  async digest(nowMs: number, upTo = Infinity): Promise<{ more: boolean }> {
    this.#digesting ??= this.#digest(nowMs).finally(() => (this.#digesting = null));
    await this.#digesting;
    return { more: this.#isBehind(upTo) };
  }

  async #digest(nowMs: number): Promise<void> {
    const { cursor } = this.#log.consumer(DIGEST)!;
    const { segments } = this.#totals();
    const generation = this.#generation();
    // Whatever happens to this digest: only when its segments are on the shelf is it known what they define.
    const known = KNOWN.take(this.#keeper) ?? new Known(Math.random() * 2 ** 32);
    known.forgetClosed(generation, this.#watermark());
    const digest = new Digest(DIGEST_LIMITS, known, segments + 1);
    // Nearly all messages fit: memory that is new for each of them costs a tenth of the digest.
    const room = new Uint8Array(MESSAGE_BYTES_MOSTLY);
    let seq = cursor;
    let sent = 0;
    let unreadable = 0;
    let highestMs = -Infinity;
    for (let full = false; !full;) {
      const { records, upTo } = this.#log.read(DIGEST, DIGEST_READ_BYTES, seq);
      if (upTo === seq) break;
      for (const record of records) {
        full = !digest.hasRoomFor(record.samples);
        if (full) break;
        try {
          digest.add(record.schema, snappyUncompress(record.body, MESSAGE_BYTES_MAX, room));
          sent += record.samples;
          highestMs = Math.max(highestMs, record.maxT);
        } catch (error) {
          if (!(error instanceof DecodeError || error instanceof SnappyError)) throw error;
          this.#log.setAside(record.seq, error.message);
          unreadable += record.samples;
        }
        seq = record.seq;
        await nextTurn();
      }
      if (!full) seq = upTo;
    }
    if (seq === cursor) return KNOWN.keep(this.#keeper, known);
    const steps = digest.steps();
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) await nextTurn();
    const result = step.value;
    // Meanwhile the log's bounds may have taken from what was read: then it is digested anew, so that what is counted as dropped is. So it is when
    // segments that these refer to were closed.
    if (this.#log.consumer(DIGEST)?.cursor !== cursor || this.#generation() !== generation) return;
    this.#sql.transaction(() => {
      const totals = this.#totals();
      const watermarkMs = this.#watermark();
      for (const segment of result.segments) this.#shelf.add(segment, watermarkMs);
      const { metadata, exemplars } = result;
      const kept =
        metadata.families.length === 0
          ? { families: totals.families ?? 0, leftOut: 0 }
          : this.#metadata.put(nowMs, metadata.families);
      const evicted = this.#exemplars.put(exemplars.parts);
      const gathered = exemplars.parts.reduce((sum, { count }) => sum + count, 0);
      const dropped = totals.exemplarsDropped ?? NONE_DROPPED;
      this.#values.set('totals', {
        segments: segments + result.segments.length,
        duplicates: totals.duplicates + result.duplicates,
        conflicts: totals.conflicts + result.conflicts,
        conflictExample: result.conflictExample ?? totals.conflictExample,
        families: kept.families,
        familiesLeftOut: (totals.familiesLeftOut ?? 0) + metadata.leftOut + kept.leftOut,
        exemplarsIn: (totals.exemplarsIn ?? 0) + gathered + exemplars.duplicates + exemplars.leftOut,
        exemplarsDropped: {
          duplicate: dropped.duplicate + exemplars.duplicates,
          too_many: dropped.too_many + exemplars.leftOut,
          evicted: dropped.evicted + evicted,
        },
      } satisfies Totals);
      this.#storeSeries();
      this.#log.acknowledge(nowMs, DIGEST, cursor, seq, {
        sent,
        dropped: { unreadable },
        ...(sent > 0 ? { highestMs } : {}),
      });
    });
    this.#gate.series()?.stored();
    KNOWN.keep(this.#keeper, known);
  }

  /** Takes what a sender says of its metrics in a request without samples, which makes no record. */
  async describe(
    nowMs: number,
    families: readonly FamilyMetadata[],
    limits: ShardLimits = DEFAULT_SHARD_LIMITS,
  ): Promise<AppendResult> {
    const elections = this.#known();
    const refused = this.#refused(nowMs, families.length, null, limits, this.#log.pending(DIGEST).bytes);
    if (refused !== null) return refused;
    this.#sql.transaction(() => {
      const bucket = this.#gate.bucket();
      if (bucket !== null) this.#log.setRider(encodeRider({ elections, bucket })!);
      const totals = this.#totals();
      const kept = this.#metadata.put(nowMs, families);
      if (kept.leftOut === 0 && kept.families === totals.families) return;
      const familiesLeftOut = (totals.familiesLeftOut ?? 0) + kept.leftOut;
      this.#values.set('totals', { ...totals, families: kept.families, familiesLeftOut } satisfies Totals);
    });
    return { ok: true };
  }

  /** What is said of the metric family of this name, or of all. */
  async metadata(metric: string | null): Promise<readonly FamilyMetadata[]> {
    return this.#metadata.get(metric);
  }

  /** Messages with the exemplars of these times (Unix ms, both inclusive), and others beside them: selectExemplars reads them. */
  async exemplars(startMs: number, endMs: number): Promise<readonly Uint8Array[]> {
    return this.#exemplars.read(startMs, endMs);
  }

  /** The newest record: what was accepted until now. */
  async lastSeq(): Promise<number> {
    return this.#log.lastSeq();
  }

  /**
   * Moves the watermark behind every range that ended 30 minutes ago and closes what lies behind it. Everything up to `upTo` must be digested
   * before, so that no sample accepted until then becomes late by waiting: `more` says that it is not, and nothing was done. Not all of the
   * log: while requests come in, there is always something that is not digested yet.
   */
  async close(nowMs: number, upTo: number): Promise<{ more: boolean; cuts: readonly Cut[] }> {
    if (this.#isBehind(upTo)) return { more: true, cuts: [] };
    return this.#sql.transaction(() => {
      const watermarkMs = Math.max(this.#watermark(), rangeStart(nowMs - OPEN_AFTER_END_MS));
      if (!this.#shelf.hasClosable(watermarkMs)) return { more: false, cuts: [] };
      const generation = this.#generation() + 1;
      this.#values.set('generation', generation);
      this.#values.set('watermark', watermarkMs);
      return { more: false, cuts: this.#shelf.close(watermarkMs, generation) };
    });
  }

  /** What is on the shelf, as the blocks it would become. */
  async cuts(): Promise<readonly Cut[]> {
    return this.#shelf.cuts();
  }

  async part(segment: number, part: number): Promise<Uint8Array | null> {
    const bytes = this.#shelf.part(segment, part);
    return bytes === null ? null : owned(bytes);
  }

  /** What came twice in different batches is seen when they become a block, and counted in the turn in which they go. */
  async drop(cut: string, { duplicates, conflicts, conflictExample }: Repeats): Promise<void> {
    this.#sql.transaction(() => {
      if (!this.#shelf.drop(cut) || duplicates + conflicts === 0) return;
      const totals = this.#totals();
      this.#values.set('totals', {
        ...totals,
        duplicates: totals.duplicates + duplicates,
        conflicts: totals.conflicts + conflicts,
        conflictExample: conflictExample ?? totals.conflictExample,
      } satisfies Totals);
    });
  }

  async report(nowMs: number, tenant: string, shard: number): Promise<IngesterStatus> {
    const { log, consumers } = this.#log.status(nowMs);
    const totals = this.#totals();
    return {
      tenant,
      shard,
      log,
      digest: consumers.find(({ name }) => name === DIGEST)!,
      relays: consumers.filter(({ name }) => name !== DIGEST),
      watermarkMs: this.#watermark(),
      ranges: this.#shelf.status(),
      samplesDuplicate: totals.duplicates,
      samplesConflicting: totals.conflicts,
      conflictExample: totals.conflictExample,
      activeSeries: this.#gate.activeSeries(),
      metadataFamilies: totals.families ?? 0,
      metadataLeftOut: totals.familiesLeftOut ?? 0,
      exemplarsIn: totals.exemplarsIn ?? 0,
      exemplarsDropped: { ...(totals.exemplarsDropped ?? NONE_DROPPED) },
    };
  }

  /** Whether there are records up to `upTo` that are not digested yet. */
  #isBehind(upTo: number): boolean {
    return this.#log.consumer(DIGEST)!.cursor < Math.min(upTo, this.#log.lastSeq());
  }

  #totals(): Totals {
    return this.#values.get<Totals>('totals', { segments: 0, duplicates: 0, conflicts: 0, conflictExample: null });
  }

  /** How often segments were closed. */
  #generation(): number {
    return this.#values.get('generation', 0);
  }

  #watermark(): number {
    return this.#values.get('watermark', 0);
  }

  /**
   * A remote that the limits do not name any more stops holding the log. New ones come with a run, which knows whether they exist; but a log that is
   * new begins with all of them, so that a shard that takes over series relays them from the first.
   */
  #relayAtMost(names: readonly string[]): void {
    const have = this.#log.consumerNames();
    const wanted = have.filter((name) => name === DIGEST || names.includes(name));
    if (names.length >= wanted.length && this.#log.lastSeq() === 0) this.#log.setConsumers([DIGEST, ...names]);
    else if (wanted.length < have.length) this.#log.setConsumers(wanted);
  }

  /** Makes sure that the alarm fires at `atMs` or before. */
  async #arm(atMs: number): Promise<void> {
    this.#alarmAtMs ??= await this.ctx.storage.getAlarm();
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    await this.ctx.storage.setAlarm(atMs);
  }
}

/** Ends the turn: what has come in meanwhile goes first. */
const nextTurn = (): Promise<void> => scheduler.wait(0);
