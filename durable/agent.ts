/**
 * Agent: some of the targets. It owns the baton, a page state a target, and a log with a cursor a remote.
 *
 *   when                     what                                              rows
 *   takeBaton                baton moves on; pages of gone targets end         1 (+ 1 record when a target is gone)
 *   append (a flush)         parse → stale → encode → log                      1 a record; 1 a page whose series changed
 *   next / acknowledge       records after a cursor; the cursor moves          0 / 1
 *
 * It never waits on a target or a remote. Nothing that decides is only in memory: pages, journal and batons are read back after a sleep.
 */

import { DurableObject } from 'cloudflare:workers';
import { RequestBuilder } from '../src/encoding/remote-write/builder.ts';
import { snappyCompress } from '../src/encoding/snappy.ts';
import { Leases } from '../src/forward/baton.ts';
import type { LogDoor, Next } from '../src/forward/door.ts';
import { READ_BYTES } from '../src/forward/round.ts';
import type { AgentStatus } from '../src/http/status.ts';
import type { Outcome } from '../src/log/consumer.ts';
import { Log, type NewRecord } from '../src/log/log.ts';
import { Blobs, Values } from '../src/log/table.ts';
import type { Labels } from '../src/model/labels.ts';
import { type Baton, newestEpoch, NO_BATON, ownedSlots, takeBaton } from '../src/scrape/baton.ts';
import { decodeJournal, encodeJournal, enter, type Journal, refuse } from '../src/scrape/journal.ts';
import { Page } from '../src/scrape/page.ts';
import type { AgentDoor, FlushAnswer, Scraped } from '../src/scrape/round.ts';
import { sqlOf } from './sql.ts';

/** A record is sized to be a send. */
const RECORD_LIMITS = { samplesMax: 10_000, bytesMax: 512 * 1024 };

/** What the agent tells of a target; the configuration knows the rest. */
export type AgentReport = Omit<AgentStatus, 'targets'> & { readonly journal: Journal };

export class Agent extends DurableObject<unknown> implements AgentDoor, LogDoor {
  readonly #log: Log;
  readonly #values: Values;
  readonly #pages: Blobs;
  readonly #transaction: <T>(body: () => T) => T;
  readonly #leases = new Leases();
  /** Decoded pages and journal: a cache of what is stored, dropped whenever a write fails. */
  #warm: { readonly pages: Map<string, Page>; readonly journal: Journal } | null = null;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    const sql = sqlOf(state.storage);
    this.#log = new Log(sql);
    this.#values = new Values(sql);
    this.#pages = new Blobs(sql);
    this.#transaction = sql.transaction;
  }

  async takeBaton(
    nowMs: number,
    plan: { configVersion: number; targets: readonly string[]; remotes: readonly string[] },
  ): Promise<{ epoch: number }> {
    try {
      return this.#transaction(() => {
        const newest = this.#isNewest(plan.configVersion);
        const epoch = this.#take('scrape', nowMs, plan.configVersion);
        if (newest) this.#log.setConsumers(plan.remotes);
        if (newest) this.#retire(nowMs, new Set(plan.targets));
        return { epoch };
      });
    } catch (error) {
      this.#warm = null;
      throw error;
    }
  }

  async append(nowMs: number, epoch: number, external: Labels, scrapes: readonly Scraped[]): Promise<FlushAnswer> {
    const baton = this.#baton('scrape');
    const { fromMs, untilMs } = ownedSlots(baton, epoch);
    const { pages, journal } = this.#remembered();
    const builder = new RequestBuilder(RECORD_LIMITS);
    const changed = new Map<string, Page>();
    try {
      for (const { target, result } of scrapes) {
        if (result.slotMs < fromMs || result.slotMs >= untilMs) {
          refuse(journal, 'slot of another run');
          continue;
        }
        const last = journal.targets[target.key];
        if (last !== undefined && result.slotMs <= last.slotMs) {
          refuse(journal, 'slot not newer');
          continue;
        }
        let page = pages.get(target.key);
        if (page === undefined) pages.set(target.key, (page = Page.decode(this.#pages.get(target.key))));
        const scraped = page.scrape({ ...target.config, labels: target.labels }, external, result, builder);
        if (scraped.changed) changed.set(target.key, page);
        const { slotMs, timestampMs, durationMs } = result;
        enter(journal, target.key, { slotMs, timestampMs, durationMs, samples: scraped.samples, error: scraped.error });
      }
      this.#transaction(() => {
        this.#append(nowMs, builder, journal);
        for (const [key, page] of changed) this.#pages.set(key, page.encode());
      });
    } catch (error) {
      this.#warm = null;
      throw error;
    }
    return { ownedUntilMs: untilMs === Infinity ? null : untilMs, wantedVersion: baton.wantedVersion };
  }

  /** A reload: runs of an older version end at their next flush or read. */
  async want(configVersion: number): Promise<void> {
    this.#values.set('scrape', { ...this.#baton('scrape'), wantedVersion: configVersion });
  }

  async takeForwardBaton(
    nowMs: number,
    plan: { configVersion: number; remotes: readonly string[] },
  ): Promise<{ epoch: number }> {
    return this.#transaction(() => {
      const newest = this.#isNewest(plan.configVersion);
      const epoch = this.#take('forward', nowMs, plan.configVersion);
      if (newest) this.#log.setConsumers(plan.remotes);
      return { epoch };
    });
  }

  async next(nowMs: number, epoch: number, remote: string, leaseMs: number): Promise<Next> {
    const consumer = this.#log.consumer(remote);
    if (consumer === undefined || epoch !== newestEpoch(this.#baton('forward'))) return { kind: 'superseded' };
    const { wantedVersion } = this.#baton('scrape');
    const untilMs = this.#leases.heldUntil(remote, epoch, nowMs);
    if (untilMs > 0) return { kind: 'busy', untilMs, wantedVersion };
    const batch = this.#log.read(remote, READ_BYTES);
    if (batch.upTo === consumer.cursor) return { kind: 'idle', wantedVersion };
    this.#leases.hold(remote, epoch, nowMs + leaseMs);
    return { kind: 'records', cursor: consumer.cursor, batch, memo: consumer.state.memo, wantedVersion };
  }

  async renew(
    nowMs: number,
    epoch: number,
    remote: string,
    leaseMs: number,
  ): Promise<{ goOn: boolean; wantedVersion: number }> {
    const goOn = epoch === newestEpoch(this.#baton('forward'));
    if (goOn) this.#leases.hold(remote, epoch, nowMs + leaseMs);
    else this.#leases.release(remote);
    return { goOn, wantedVersion: this.#baton('scrape').wantedVersion };
  }

  async acknowledge(nowMs: number, remote: string, from: number, seq: number, outcome: Outcome): Promise<boolean> {
    return this.#log.acknowledge(nowMs, remote, from, seq, outcome);
  }

  async retried(nowMs: number, remote: string, requests: number, samples: number, error: string): Promise<void> {
    this.#log.retried(nowMs, remote, requests, samples, error);
  }

  async setAside(seq: number, reason: string): Promise<void> {
    this.#log.setAside(seq, reason);
  }

  async report(nowMs: number): Promise<AgentReport> {
    const baton = this.#baton('scrape');
    const { journal } = this.#remembered();
    const { log, consumers } = this.#log.status(nowMs);
    return {
      name: this.ctx.id.name ?? this.ctx.id.toString(),
      epoch: newestEpoch(baton),
      batonTakenAtMs: baton.runs.at(-1)?.fromMs ?? null,
      configVersion: baton.configVersion,
      log,
      remotes: consumers,
      highestMs: journal.highestMs,
      scrapes: journal.scrapes,
      scrapesRefused: journal.refused,
      journal,
    };
  }

  #baton(lane: 'scrape' | 'forward'): Baton {
    return this.#values.get(lane, NO_BATON);
  }

  #take(lane: 'scrape' | 'forward', nowMs: number, configVersion: number): number {
    const baton = takeBaton(this.#baton(lane), nowMs, configVersion);
    this.#values.set(lane, baton);
    return newestEpoch(baton);
  }

  /** Whether no run of a newer configuration was here: an older one must not take away the targets and remotes of a newer. */
  #isNewest(configVersion: number): boolean {
    return (
      configVersion >= this.#baton('scrape').configVersion && configVersion >= this.#baton('forward').configVersion
    );
  }

  #remembered(): { pages: Map<string, Page>; journal: Journal } {
    this.#warm ??= { pages: new Map(), journal: decodeJournal(this.#log.rider()) };
    return this.#warm;
  }

  /** Ends the series of targets that are gone: a stale marker each. */
  #retire(nowMs: number, targets: ReadonlySet<string>): void {
    const gone = this.#pages.names().filter((key) => !targets.has(key));
    if (gone.length === 0) return;
    const { pages, journal } = this.#remembered();
    const builder = new RequestBuilder(RECORD_LIMITS);
    for (const key of gone) {
      const page = pages.get(key) ?? Page.decode(this.#pages.get(key));
      page.retire(Math.max(nowMs, (journal.targets[key]?.timestampMs ?? 0) + 1), builder);
      this.#pages.delete(key);
      delete journal.targets[key];
      pages.delete(key);
    }
    this.#append(nowMs, builder, journal);
  }

  #append(nowMs: number, builder: RequestBuilder, journal: Journal): void {
    const records: NewRecord[] = builder
      .finish()
      .map(({ message, samples, maxT }) => ({ schema: 2, samples, maxT, body: snappyCompress(message) }));
    if (records.length > 0) this.#log.append(nowMs, records, encodeJournal(journal));
  }
}
