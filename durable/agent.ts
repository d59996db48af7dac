/**
 * Agent: some of the targets. It owns the baton, a page state a target, and a log with a cursor a remote.
 *
 *   when                     what                                              rows
 *   takeBaton                baton moves on; pages of gone targets end         2 (+ 1 record when a target is gone)
 *   alarm                    cron is silent: ask the Worker for a run          1
 *   release, forget          targets go to another agent, page and journal     1 a call; 1 a page, 1
 *   adopt, settle            targets come from another agent                   1 a page, 2; 1
 *   retarget                 targets vanish while a run goes on                0 (+ 1 record when one is gone)
 *   append (a flush)         parse → stale → encode → log                      1 a record; 1 for all pages that changed; 1 a page stored whole
 *   next / acknowledge       records after a cursor; the cursor moves          0 / 1
 *
 * It never waits on a target or a remote. Nothing that decides is only in memory: pages, journal and batons are read back after a sleep.
 */

import { RequestBuilder } from '../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../src/encoding/snappy.ts';
import { Outbox } from '../src/forward/outbox.ts';
import type { AgentStatus } from '../src/http/status.ts';
import { laneOf } from '../src/log/lanes.ts';
import { Log } from '../src/log/log.ts';
import { type NewRecord, RECORD_BYTES_MAX } from '../src/log/record.ts';
import { isFull, type Sql } from '../src/log/sql.ts';
import { Blobs, Values } from '../src/log/table.ts';
import type { Labels } from '../src/model/labels.ts';
import { REQUEST_LIMITS } from '../src/model/request.ts';
import { type Baton, newestEpoch, NO_BATON, ownedSlots, takeBaton } from '../src/scrape/baton.ts';
import { eachByLane } from '../src/scrape/by-lane.ts';
import { endOf, enter, type Journal, refuse } from '../src/scrape/journal.ts';
import { decodeJournal, encodeJournal } from '../src/scrape/journal-codec.ts';
import { type Load, noted } from '../src/scrape/load.ts';
import { MetadataTable, type TargetsMetadata } from '../src/scrape/page/metadata.ts';
import { type Moved, Moving, type Place, type Released } from '../src/scrape/placement/moving.ts';
import { type Change, ChangeRows } from '../src/scrape/page/change-rows.ts';
import { PageCache, type Pages } from '../src/scrape/page/page-cache.ts';
import { Page } from '../src/scrape/page/page.ts';
import { type Standing, standingOf } from '../src/scrape/standing.ts';
import type { GivingAgent, TakingAgent } from '../src/scrape/placement/takeover.ts';
import { type AgentDoor, type BatonPlan, type FlushAnswer, RUN_MS, type Scraped } from '../src/scrape/round.ts';
import { warn } from './doors.ts';
import { ForwardingObject } from './forwarding.ts';
import { type LogEnv, limitsOf } from './limits.ts';
import { sqlOf } from './sql.ts';

/** While cron is silent, the alarm asks this often for a run of about this length. */
const RESCUE_EVERY_MS = 25_000;

/** Pages in one answer; RPC ends at 32 MiB. */
const RELEASE_BYTES = 4_000_000;
/** More records than come in the minute between two batons. */
const RIDERS_LOOKED_AT = 1_000;

/** Decoded pages of all agents in this isolate, which has 128 MB: the rest is for bodies, of which a flush may bring 16 MB, and what is made of them. */
const PAGES = new PageCache(48_000_000);

/** What the agent tells of itself when the number of agents is decided. */
export interface AgentLoad {
  readonly bytesADay: number | null;
  readonly logBytesMax: number;
  readonly isSettled: boolean;
  readonly isEmpty: boolean;
}

/** What the agent tells of a target; the configuration knows the rest. */
export type AgentReport = Omit<AgentStatus, 'targets' | 'droppedTargets'> & { readonly journal: Journal };

export class Agent extends ForwardingObject implements AgentDoor, GivingAgent, TakingAgent {
  readonly #log: Log;
  readonly #values: Values;
  readonly #pages: Blobs;
  /** What became of pages since they were stored as a whole. */
  readonly #changes: ChangeRows;
  readonly #sql: Sql;
  readonly #moving: Moving;
  readonly #logBytesMax: number;
  protected override readonly outbox: Outbox;
  /** Decoded pages and journal: a cache of what is stored, dropped whenever a write fails. */
  #warm: { readonly pages: Pages; readonly journal: Journal } | null = null;

  constructor(state: DurableObjectState, env: LogEnv) {
    super(state, env);
    const sql = sqlOf(state.storage);
    this.#sql = sql;
    const limits = limitsOf(env);
    this.#log = new Log(sql, limits);
    this.#logBytesMax = limits.bytesMax;
    this.#values = new Values(sql);
    this.#pages = new Blobs(sql);
    this.#changes = new ChangeRows(sql, (key) => this.#pages.has(key), warn);
    this.#moving = new Moving(
      this.#values,
      {
        keys: () => this.#pages.names(),
        whole: (key) => this.#page(key).encode(),
        set: (key, whole) => this.#setWhole(key, whole),
        delete: (key) => this.#deletePage(key),
      },
      this.#log,
    );
    this.outbox = new Outbox(this.#log, this.#values, () => this.#config().wanted);
  }

  async takeBaton(
    nowMs: number,
    plan: BatonPlan,
  ): Promise<{ epoch: number; standings: Readonly<Record<string, Standing>>; isSettled: boolean }> {
    // The alarm starts a run should cron ever stop; each run puts it off.
    await this.ctx.storage.setAlarm(nowMs + RUN_MS);
    try {
      return this.#sql.transaction(() => {
        const baton = takeBaton(this.#baton(), nowMs);
        this.#values.set('scrape', baton);
        if (plan.place !== undefined) this.#moving.enter(plan.place);
        this.#log.dropOldRiders(RIDERS_LOOKED_AT);
        this.#noteLoad(nowMs);
        if (this.#apply(plan)) this.#retire(nowMs, new Set(plan.targets));
        const { targets } = this.#remembered().journal;
        const standings = Object.fromEntries(Object.entries(targets).map(([key, last]) => [key, standingOf(last)]));
        return { epoch: newestEpoch(baton), standings, isSettled: this.#moving.isSettled };
      });
    } catch (error) {
      this.#cool();
      throw error;
    }
  }

  override async alarm(): Promise<void> {
    const { index, placement } = this.#moving.place;
    // An agent without targets needs no runs of its own: others forward what is left in its log.
    if (index >= placement.count && Date.now() >= placement.fromMs) return;
    // Armed again before the work, and no failure leaves here: an alarm that throws seven times is gone for good.
    await this.ctx.storage.setAlarm(Date.now() + RESCUE_EVERY_MS);
    try {
      await (this.ctx.exports as unknown as { readonly Rescue: { run(agent: number): Promise<void> } }).Rescue.run(
        index,
      );
    } catch (error) {
      warn(`the run that the alarm asked for did not start: ${String(error)}`);
    }
  }

  async append(nowMs: number, epoch: number, external: Labels, scrapes: readonly Scraped[]): Promise<FlushAnswer> {
    const { fromMs, untilMs } = ownedSlots(this.#baton(), epoch);
    const { pages, journal } = this.#remembered();
    const builder = new RequestBuilder(REQUEST_LIMITS);
    const changed = new Map<string, Page>();
    const takes = this.#moving.takes(nowMs, journal);
    try {
      eachByLane(scrapes, builder, ({ key, target, intervalMs, result, hung }) => {
        if (result.slotMs < fromMs || result.slotMs >= untilMs) {
          refuse(journal, 'slot of another run');
          return;
        }
        if (result.slotMs <= (journal.targets[key]?.slotMs ?? -Infinity)) {
          refuse(journal, 'slot not newer');
          return;
        }
        if (!takes(key, result.slotMs)) {
          refuse(journal, 'target of another agent');
          return;
        }
        let page = pages.get(key);
        if (page === undefined) pages.set(key, (page = this.#page(key)));
        const scraped = page.scrape(target, external, result, builder, journal.targets[key]?.timestampMs);
        if (scraped.changed) changed.set(key, page);
        const { slotMs, timestampMs, durationMs } = result;
        const { samples, error, series } = scraped;
        const last = { slotMs, timestampMs, durationMs, intervalMs, samples, error, series };
        enter(journal, key, hung === undefined ? last : { ...last, hung }, scraped);
      });
      const stored = [...changed].map(([key, page]) => ({ key, ...page.store() }));
      this.#append(nowMs, builder, journal, () => {
        const changes: Change[] = [];
        for (const { key, whole, change } of stored) {
          if (whole === null) changes.push({ key, bytes: change });
          else this.#setWhole(key, whole);
        }
        this.#changes.set(changes);
      });
      pages.settle();
    } catch (error) {
      this.#cool();
      throw error;
    }
    return { ownedUntilMs: untilMs === Infinity ? null : untilMs, wantedVersion: this.#config().wanted };
  }

  async retarget(
    nowMs: number,
    epoch: number,
    configVersion: number,
    targets: readonly string[],
  ): Promise<FlushAnswer> {
    const { untilMs } = ownedSlots(this.#baton(), epoch);
    const { applied, wanted } = this.#config();
    // What an older run knows of targets, or one of an older configuration, must not take away those of the newest.
    if (untilMs === Infinity && configVersion >= applied) {
      try {
        this.#sql.transaction(() => this.#retire(nowMs, new Set(targets)));
      } catch (error) {
        this.#cool();
        throw error;
      }
    }
    return { ownedUntilMs: untilMs === Infinity ? null : untilMs, wantedVersion: wanted };
  }

  async release(nowMs: number, place: Place, to: number): Promise<Released> {
    return this.#sql.transaction(() => {
      if (!this.#moving.enter(place)) return { moved: [], seq: 0, more: false, waits: true };
      return this.#moving.release(nowMs, to, this.#remembered().journal, RELEASE_BYTES);
    });
  }

  async forget(place: Place, keys: readonly string[]): Promise<void> {
    this.#move(place, ({ journal, pages }) => {
      this.#moving.forget(keys, journal);
      for (const key of keys) pages.delete(key);
    });
  }

  async adopt(place: Place, from: number, seq: number, moved: readonly Moved[]): Promise<void> {
    this.#move(place, ({ journal, pages }) => {
      for (const key of this.#moving.adopt(Date.now(), from, seq, moved, journal)) pages.delete(key);
    });
  }

  async arrived(): Promise<readonly string[]> {
    return Object.keys(this.#remembered().journal.targets);
  }

  async settle(place: Place): Promise<void> {
    this.#moving.settle(place.placement.generation);
  }

  async load(nowMs: number, place: Place): Promise<AgentLoad> {
    return this.#sql.transaction(() => {
      this.#moving.enter(place);
      this.#noteLoad(nowMs);
      const { bytesADay } = this.#values.get<{ bytesADay: number | null }>('load', { bytesADay: null });
      return {
        bytesADay,
        logBytesMax: this.#logBytesMax,
        isSettled: this.#moving.isSettled,
        isEmpty: this.#moving.isEmpty(nowMs),
      };
    });
  }

  /** How far a remote is; null when there is no such consumer. */
  async cursor(remote: string): Promise<number | null> {
    return this.#log.consumer(remote)?.cursor ?? null;
  }

  async passed(remote: string, from: number, seq: number): Promise<void> {
    this.#sql.transaction(() => this.#moving.pass(Date.now(), remote, from, seq));
  }

  /** Before a remote is moved back in any log: what lies behind a barrier here waits until it has been in all. */
  async hold(remote: string, untilMs: number): Promise<void> {
    this.#sql.transaction(() => this.#moving.hold(remote, untilMs));
  }

  /** The next records, but for those that must wait for what another agent has of the same targets. */
  override async next(...call: Parameters<ForwardingObject['next']>): ReturnType<ForwardingObject['next']> {
    const answer = await super.next(...call);
    if (answer.kind !== 'records') return answer;
    const barrier = this.#moving.barrier(call[2]);
    if (barrier === null) return answer;
    const { from, seq, at } = barrier;
    const { batch, cursor, wantedVersion } = answer;
    const records = batch.records.filter((record) => record.seq <= at);
    const upTo = Math.min(batch.upTo, at);
    if (upTo <= (call[4] ?? cursor) || (records.length === 0 && batch.records.length > 0))
      return { kind: 'idle', wantedVersion, behind: { from, seq } };
    return { ...answer, batch: { records, upTo } };
  }

  /** A reload: runs of an older version end at their next flush or read. */
  async want(configVersion: number): Promise<void> {
    this.#values.set('config', { ...this.#config(), wanted: configVersion });
  }

  override async takeForwardBaton(
    _nowMs: number,
    plan: { configVersion: number; remotes: readonly string[] },
  ): Promise<{ epoch: number }> {
    return this.#sql.transaction(() => {
      this.#apply(plan);
      return this.outbox.takeBaton();
    });
  }

  async report(nowMs: number): Promise<AgentReport> {
    const baton = this.#baton();
    const { journal } = this.#remembered();
    const { log, consumers } = this.#log.status(nowMs);
    return {
      name: this.ctx.id.name ?? this.ctx.id.toString(),
      epoch: newestEpoch(baton),
      batonTakenAtMs: baton.runs.at(-1)?.fromMs ?? null,
      configVersion: this.#config().applied,
      log,
      remotes: consumers,
      highestMs: journal.highestMs,
      scrapes: journal.scrapes,
      scrapesRefused: journal.refused,
      scrapeCounts: journal.counts ?? {},
      intervals: journal.intervals ?? {},
      activeSeries: Object.values(journal.targets).reduce((sum, { series = 0 }) => sum + series, 0),
      journal,
    };
  }

  /** What targets say of their metric families: few targets a call, since a page that is not awake is read for it, and forgotten again. */
  async metadata(keys: readonly string[], metric: string | null): Promise<TargetsMetadata> {
    const { pages } = this.#remembered();
    const stored = new Set(this.#pages.names());
    const table = new MetadataTable(metric);
    for (const key of keys) {
      const page = pages.get(key) ?? (stored.has(key) ? this.#page(key) : null);
      if (page !== null) table.add(key, page.families);
    }
    return table.result();
  }

  /** A step of moving targets: what it changes and the journal, all or nothing. */
  #move(place: Place, step: (warm: { pages: Pages; journal: Journal }) => void): void {
    try {
      this.#sql.transaction(() => {
        if (!this.#moving.enter(place)) return;
        const warm = this.#remembered();
        step(warm);
        const rider = encodeJournal(warm.journal);
        if (!this.#log.setRider(rider)) this.#values.set('journal', warm.journal);
      });
    } catch (error) {
      this.#cool();
      throw error;
    }
  }

  #noteLoad(nowMs: number): void {
    const load = this.#values.get<Load | null>('load', null);
    const now = noted(load, nowMs, this.#log.bytesIn(), this.#moving.place.placement.generation);
    if (now !== load) this.#values.set('load', now);
  }

  #baton(): Baton {
    return this.#values.get('scrape', NO_BATON);
  }

  #config(): { applied: number; wanted: number } {
    return this.#values.get('config', { applied: 0, wanted: 0 });
  }

  /** Takes over the remotes of a configuration; false when a newer one was here, whose targets and remotes an older must not take away. */
  #apply({ configVersion, remotes }: { configVersion: number; remotes: readonly string[] }): boolean {
    const { applied, wanted } = this.#config();
    if (configVersion < applied) return false;
    if (configVersion > applied)
      this.#values.set('config', { applied: configVersion, wanted: Math.max(wanted, configVersion) });
    this.#log.setConsumers(remotes);
    return true;
  }

  #remembered(): { pages: Pages; journal: Journal } {
    if (this.#warm === null) {
      // Before the first record there is none to ride in: what came from another agent then stands by itself.
      const early = (): Uint8Array | null => {
        const journal = this.#values.get<Journal | null>('journal', null);
        return journal === null ? null : encodeJournal(journal);
      };
      this.#warm = { pages: PAGES.pages(), journal: decodeJournal(this.#log.rider() ?? early()) };
    }
    return this.#warm;
  }

  /** A write has failed: what is in memory may be ahead of what is stored. */
  #cool(): void {
    this.#warm?.pages.clear();
    this.#warm = null;
    this.#changes.forget();
  }

  #setWhole(key: string, whole: Uint8Array): void {
    this.#pages.set(key, whole);
    this.#changes.delete(key);
  }

  #deletePage(key: string): void {
    this.#pages.delete(key);
    this.#changes.delete(key);
  }

  /** A target's page as it was stored. One that cannot be read begins anew: its series that are gone get no markers, and the scrape goes on. */
  #page(key: string): Page {
    try {
      return Page.decode(this.#pages.get(key), this.#changes.get(key));
    } catch (error) {
      warn(`the page of target ${key} cannot be read and begins anew: ${String(error)}`);
      return Page.decode(null);
    }
  }

  /** Ends the series of targets that are gone for long enough: a stale marker each. The others have until a later baton to come back. */
  #retire(nowMs: number, targets: ReadonlySet<string>): void {
    const owns = this.#moving.owns(nowMs);
    // What goes to another agent, or has gone, ends there when it is gone for good.
    const missing = this.#pages.names().filter((key) => !targets.has(key) && owns(key));
    if (missing.length === 0) return;
    const { pages, journal } = this.#remembered();
    const gone = missing.filter((key) => endOf(journal.targets[key], nowMs).dueMs <= nowMs);
    if (gone.length === 0) return;
    const builder = new RequestBuilder(REQUEST_LIMITS);
    for (const key of gone) {
      builder.lane = laneOf(key);
      const page = pages.get(key) ?? this.#page(key);
      page.retire(endOf(journal.targets[key], nowMs).markerMs, builder);
      this.#deletePage(key);
      delete journal.targets[key];
      pages.delete(key);
    }
    this.#append(nowMs, builder, journal);
  }

  /** What was built, the journal and what `more` writes: all or nothing. */
  #append(nowMs: number, builder: RequestBuilder, journal: Journal, more: () => void = () => undefined): void {
    const records: NewRecord[] = [];
    for (const { message, ...about } of builder.finish()) {
      const body = snappyCompress(message);
      // A message is 640 KiB at most, but for a single series with labels of megabytes: it must not hold back all others.
      if (body.byteLength <= RECORD_BYTES_MAX) records.push({ schema: 2, ...about, body });
      else refuse(journal, 'series larger than a record');
    }
    const rider = encodeJournal(journal);
    const store = (): void =>
      this.#sql.transaction(() => {
        if (records.length > 0) this.#log.append(nowMs, records, rider);
        more();
      });
    try {
      store();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#changes.forget();
      // New samples are worth more than the oldest. When that is not enough, the run keeps its scrapes and comes again.
      warn(`the disk is full: the oldest records go (${String(error)})`);
      const bytes = records.reduce((sum, { body }) => sum + body.byteLength, rider.byteLength);
      this.#log.makeRoom(nowMs, bytes);
      store();
    }
  }
}
