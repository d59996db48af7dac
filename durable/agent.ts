/**
 * Agent: some of the targets. It owns the baton, a page state a target, and a log with a cursor a remote.
 *
 *   when                     what                                              rows
 *   takeBaton                baton moves on; pages of gone targets end         2 (+ 1 record when a target is gone)
 *   alarm                    cron is silent: ask the Worker for a run          1
 *   retarget                 targets vanish while a run goes on                0 (+ 1 record when one is gone)
 *   append (a flush)         parse → stale → encode → log                      1 a record; 1 a page whose series changed
 *   next / acknowledge       records after a cursor; the cursor moves          0 / 1
 *
 * It never waits on a target or a remote. Nothing that decides is only in memory: pages, journal and batons are read back after a sleep.
 */

import { RequestBuilder } from '../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../src/encoding/snappy.ts';
import { Outbox } from '../src/forward/outbox.ts';
import type { AgentStatus } from '../src/http/status.ts';
import { laneOf } from '../src/log/lanes.ts';
import { Log, type NewRecord, RECORD_BYTES_MAX } from '../src/log/log.ts';
import { isFull, type Sql } from '../src/log/sql.ts';
import { Blobs, Values } from '../src/log/table.ts';
import type { Labels } from '../src/model/labels.ts';
import { REQUEST_LIMITS } from '../src/model/request.ts';
import { type Baton, newestEpoch, NO_BATON, ownedSlots, takeBaton } from '../src/scrape/baton.ts';
import { eachByLane } from '../src/scrape/by-lane.ts';
import { decodeJournal, encodeJournal, endOf, enter, type Journal, refuse } from '../src/scrape/journal.ts';
import { MetadataTable, type TargetsMetadata } from '../src/scrape/metadata.ts';
import { Page } from '../src/scrape/page.ts';
import { type Standing, standingOf } from '../src/scrape/standing.ts';
import { type AgentDoor, type FlushAnswer, RUN_MS, type Scraped } from '../src/scrape/round.ts';
import { warn } from './doors.ts';
import { ForwardingObject } from './forwarding.ts';
import { type LogEnv, limitsOf } from './limits.ts';
import { sqlOf } from './sql.ts';

/** While cron is silent, the alarm asks this often for a run of about this length. */
const RESCUE_EVERY_MS = 25_000;

/** What the agent tells of a target; the configuration knows the rest. */
export type AgentReport = Omit<AgentStatus, 'targets' | 'droppedTargets'> & { readonly journal: Journal };

export class Agent extends ForwardingObject implements AgentDoor {
  readonly #log: Log;
  readonly #values: Values;
  readonly #pages: Blobs;
  /** What became of pages since they were stored as a whole. */
  readonly #changes: Blobs;
  readonly #sql: Sql;
  protected override readonly outbox: Outbox;
  /** Decoded pages and journal: a cache of what is stored, dropped whenever a write fails. */
  #warm: { readonly pages: Map<string, Page>; readonly journal: Journal } | null = null;

  constructor(state: DurableObjectState, env: LogEnv) {
    super(state, env);
    const sql = sqlOf(state.storage);
    this.#sql = sql;
    this.#log = new Log(sql, limitsOf(env));
    this.#values = new Values(sql);
    this.#pages = new Blobs(sql);
    this.#changes = new Blobs(sql, 'page_change');
    this.outbox = new Outbox(this.#log, this.#values, () => this.#config().wanted);
  }

  async takeBaton(
    nowMs: number,
    plan: { configVersion: number; targets: readonly string[]; remotes: readonly string[] },
  ): Promise<{ epoch: number; standings: Readonly<Record<string, Standing>> }> {
    // The alarm starts a run should cron ever stop; each run puts it off.
    await this.ctx.storage.setAlarm(nowMs + RUN_MS);
    try {
      return this.#sql.transaction(() => {
        const baton = takeBaton(this.#baton(), nowMs);
        this.#values.set('scrape', baton);
        if (this.#apply(plan)) this.#retire(nowMs, new Set(plan.targets));
        const { targets } = this.#remembered().journal;
        const standings = Object.fromEntries(Object.entries(targets).map(([key, last]) => [key, standingOf(last)]));
        return { epoch: newestEpoch(baton), standings };
      });
    } catch (error) {
      this.#warm = null;
      throw error;
    }
  }

  override async alarm(): Promise<void> {
    // Armed again before the work, and no failure leaves here: an alarm that throws seven times is gone for good.
    await this.ctx.storage.setAlarm(Date.now() + RESCUE_EVERY_MS);
    try {
      await (this.ctx.exports as unknown as { readonly Rescue: { run(): Promise<void> } }).Rescue.run();
    } catch (error) {
      warn(`the run that the alarm asked for did not start: ${String(error)}`);
    }
  }

  async append(nowMs: number, epoch: number, external: Labels, scrapes: readonly Scraped[]): Promise<FlushAnswer> {
    const { fromMs, untilMs } = ownedSlots(this.#baton(), epoch);
    const { pages, journal } = this.#remembered();
    const builder = new RequestBuilder(REQUEST_LIMITS);
    const changed = new Map<string, Page>();
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
        let page = pages.get(key);
        if (page === undefined) pages.set(key, (page = this.#page(key)));
        const scraped = page.scrape(target, external, result, builder);
        if (scraped.changed) changed.set(key, page);
        const { slotMs, timestampMs, durationMs } = result;
        const { samples, error, series } = scraped;
        const last = { slotMs, timestampMs, durationMs, intervalMs, samples, error, series };
        enter(journal, key, hung === undefined ? last : { ...last, hung }, scraped);
      });
      const stored = [...changed].map(([key, page]) => ({ key, ...page.store() }));
      this.#append(nowMs, builder, journal, () => {
        for (const { key, whole, change } of stored) {
          if (whole === null) {
            this.#changes.set(key, change);
          } else {
            this.#pages.set(key, whole);
            this.#changes.delete(key);
          }
        }
      });
    } catch (error) {
      this.#warm = null;
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
        this.#warm = null;
        throw error;
      }
    }
    return { ownedUntilMs: untilMs === Infinity ? null : untilMs, wantedVersion: wanted };
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

  #remembered(): { pages: Map<string, Page>; journal: Journal } {
    this.#warm ??= { pages: new Map(), journal: decodeJournal(this.#log.rider()) };
    return this.#warm;
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
    const missing = this.#pages.names().filter((key) => !targets.has(key));
    if (missing.length === 0) return;
    const { pages, journal } = this.#remembered();
    const gone = missing.filter((key) => endOf(journal.targets[key], nowMs).dueMs <= nowMs);
    if (gone.length === 0) return;
    const builder = new RequestBuilder(REQUEST_LIMITS);
    for (const key of gone) {
      builder.lane = laneOf(key);
      const page = pages.get(key) ?? this.#page(key);
      page.retire(endOf(journal.targets[key], nowMs).markerMs, builder);
      this.#pages.delete(key);
      this.#changes.delete(key);
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
      // New samples are worth more than the oldest. When that is not enough, the run keeps its scrapes and comes again.
      warn(`the disk is full: the oldest records go (${String(error)})`);
      const bytes = records.reduce((sum, { body }) => sum + body.byteLength, rider.byteLength);
      this.#log.makeRoom(nowMs, bytes);
      store();
    }
  }
}
