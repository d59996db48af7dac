/**
 * A forwarding run: one sender a remote, each reading its records from a log, posting them, and moving the remote's cursor. It keeps nothing
 * that must survive it: what was sent and not acknowledged is sent again, with the same values and timestamps.
 *
 * The one invariant: a remote's sender waits for nothing but that remote, and for a connection, of which those that hang have few.
 */

import type { RemoteWriteConfig } from '../config/model.ts';
import { CONNECTIONS } from '../scrape/reach/connections.ts';
import {
  deliver,
  type ForwardDoors,
  leaseMs,
  outdated,
  type Plan,
  planFor,
  type Run,
  type Sender,
  sendMetadata,
} from './deliver.ts';
import type { LogDoor, Next } from './door.ts';
import { MetadataOfRun } from './metadata.ts';
import { relabelerOf } from './relabel.ts';
import type { Terms } from './requests.ts';
import { Shards } from './shards.ts';
import { type Group, Window } from './window.ts';

export interface ForwardPlan {
  readonly configVersion: number;
  readonly remotes: readonly RemoteWriteConfig[];
  /** How long the run goes on when nobody relieves it, ms. */
  readonly runMs: number;
}

/** The host that means the deployment itself. */
const SELF = 'self';
/** How often an idle sender looks for new records: a flush comes every five seconds. */
const IDLE_MS = 2_500;
/** One read of the log, and as much as waits in memory at most: several records a call save calls when catching up. RPC ends at 32 MiB. */
export const READ_BYTES = 2_000_000;
/** Records that wait for longer are a backlog, ms: new ones come every five seconds. */
const BEHIND_MS = 10_000;
const MINUTE_MS = 60_000;

/**
 * Forwards from one log to all its remotes until a later run does, the configuration changed, or the time is up. Says whether the configuration
 * changed: then the caller begins again with the new one.
 */
export async function forwardRound(plan: ForwardPlan, log: LogDoor, doors: ForwardDoors): Promise<{ reload: boolean }> {
  const startMs = doors.clock.now();
  const { epoch } = await log.takeForwardBaton(startMs, {
    configVersion: plan.configVersion,
    remotes: plan.remotes.map((remote) => remote.name),
  });
  const run: Run = { epoch, endMs: startMs + plan.runMs, configVersion: plan.configVersion, reload: false };
  await Promise.all(plan.remotes.map((remote) => forward(remote, run, log, doors)));
  return { reload: run.reload };
}

async function forward(remote: RemoteWriteConfig, run: Run, log: LogDoor, doors: ForwardDoors): Promise<void> {
  const { clock } = doors;
  const startMs = clock.now();
  const sender = await sendAll(remote, run, log, doors);
  if (sender === null || remote.metadata === null) return;
  if (sendsMetadata(remote.metadata.intervalMs, startMs, clock.now())) await sendMetadata(sender);
}

/**
 * Whether a run sends what it gathered. Runs last a minute or so, and of an interval of n minutes one run sends, each time in the next of the n: always the
 * same would never see a target whose own interval comes to as much.
 */
function sendsMetadata(intervalMs: number, startMs: number, endMs: number): boolean {
  const minute = Math.floor(endMs / MINUTE_MS);
  const n = Math.max(1, Math.round(intervalMs / MINUTE_MS));
  return minute > Math.floor(startMs / MINUTE_MS) && minute % n === Math.floor(minute / n) % n;
}

/** Sends what is in the log until the run ends. What is known of the remote then; null when nothing was to be sent. */
async function sendAll(remote: RemoteWriteConfig, run: Run, log: LogDoor, doors: ForwardDoors): Promise<Sender | null> {
  const { clock } = doors;
  const terms: Terms = {
    relabeler: relabelerOf(remote.writeRelabelConfigs),
    without: { exemplars: !remote.sendExemplars, histograms: !remote.sendNativeHistograms },
    ...(remote.metadata === null ? {} : { metadata: new MetadataOfRun() }),
  };
  const isSelf = new URL(remote.url).hostname === SELF;
  const known = { healthy: true, hung: false, memo: {}, triedMs: 0, lookedMs: 0, reportAtMs: 0 };
  let sender: Sender | null = null;
  while (clock.now() < run.endMs) {
    let sleepMs = IDLE_MS;
    try {
      const next = await log.next(clock.now(), run.epoch, remote.name, leaseMs(remote), null);
      if (next.kind === 'superseded' || outdated(run, next.wantedVersion)) return sender;
      if (next.kind === 'busy') sleepMs = Math.min(IDLE_MS, Math.max(0, next.untilMs - clock.now()));
      if (next.kind === 'records') {
        const { healthy, memo } = next;
        // Whether one that failed hung is not known: it has to wait for its connection until it answers.
        sender ??= { ...known, remote, isSelf, terms, run, log, doors, healthy, hung: !healthy, memo };
        sender.memo = memo;
        doors.senders.add(sender);
        try {
          if (!(await new Session(next, sender).run())) return sender;
        } finally {
          doors.senders.delete(sender);
        }
        continue;
      }
    } catch (error) {
      doors.warn(`forwarding to ${remote.name}: the log did not answer: ${String(error)}`);
    }
    await clock.sleepUntil(Math.min(run.endMs, clock.now() + sleepMs));
  }
  return sender;
}

/** From the first records that wait until nothing does: reads on, sends as many groups at once as may be, acknowledges what is done in front. */
class Session {
  readonly #sender: Sender;
  readonly #window: Window;
  readonly #shards: Shards;
  #underWay = 0;
  /** False when nothing new is begun: the run ends, or the cursor is elsewhere. */
  #goOn = true;
  #runEnds = false;
  /** After the log did not answer; and before the end of the log was reached; Unix ms. */
  #pausedUntilMs = 0;
  #readAtMs: number;
  #wake: () => void = () => undefined;

  constructor({ cursor, batch, memo }: Extract<Next, { kind: 'records' }>, sender: Sender) {
    this.#sender = sender;
    this.#window = new Window(cursor);
    this.#window.add(batch);
    this.#shards = new Shards(sender.remote, memo);
    // A read that is less than half full has reached the end.
    this.#readAtMs = this.#window.bytesWaiting < READ_BYTES / 2 ? this.#nowMs + IDLE_MS : 0;
  }

  /** False when the run has no more time for this remote, or is not the newest. */
  async run(): Promise<boolean> {
    for (;;) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const { run, doors } = this.#sender;
      if (this.#nowMs >= run.endMs || run.reload) this.#goOn = false;
      await this.#acknowledge();
      await this.#read();
      await this.#begin();
      if (this.#underWay === 0 && (!this.#goOn || this.#window.isDone)) return !this.#runEnds;
      const againMs = this.#againMs();
      await (againMs === Infinity ? woken : Promise.race([woken, doors.clock.sleepUntil(againMs)]));
    }
  }

  get #nowMs(): number {
    return this.#sender.doors.clock.now();
  }

  /** When there is something to do if nothing comes of what is under way, Unix ms. */
  #againMs(): number {
    if (!this.#goOn) return Infinity;
    const nowMs = this.#nowMs;
    const times = [this.#sender.run.endMs, this.#pausedUntilMs, this.#wantsMore ? this.#readAtMs : 0];
    return Math.min(...times.filter((ms) => ms > nowMs));
  }

  async #acknowledge(): Promise<void> {
    const ready = this.#window.ready();
    if (ready === null || (this.#goOn && this.#nowMs < this.#pausedUntilMs)) return;
    const { remote, run, log, memo } = this.#sender;
    if (ready.seq === this.#window.end) this.#shards.drained();
    const outcome = { ...ready.outcome, memo: { ...memo, ...this.#shards.memo } };
    const { cursor } = this.#window;
    try {
      const holds = this.#underWay > 0;
      if (!(await log.acknowledge(this.#nowMs, run.epoch, remote.name, cursor, ready.seq, outcome, holds)))
        this.#goOn = false;
      this.#window.acknowledged(ready.seq);
    } catch (error) {
      // If it did so all the same, the next try finds the cursor elsewhere.
      this.#pause(error);
    }
  }

  get #wantsMore(): boolean {
    return this.#sender.healthy && !this.#window.isDone && this.#window.bytesWaiting < READ_BYTES / 2;
  }

  async #read(): Promise<void> {
    if (!this.#goOn || !this.#wantsMore || this.#nowMs < Math.max(this.#readAtMs, this.#pausedUntilMs)) return;
    const { remote, run, log } = this.#sender;
    try {
      const next = await log.next(this.#nowMs, run.epoch, remote.name, leaseMs(remote), this.#window.end);
      if (next.kind === 'superseded' || outdated(run, next.wantedVersion)) this.#goOn = false;
      else if (next.kind === 'records') this.#window.add(next.batch);
      else this.#readAtMs = this.#nowMs + IDLE_MS;
    } catch (error) {
      this.#pause(error);
    }
  }

  async #begin(): Promise<void> {
    const { remote, isSelf, doors } = this.#sender;
    while (this.#goOn && this.#nowMs >= this.#pausedUntilMs && (this.#sender.healthy || this.#underWay === 0)) {
      const records = this.#window.next();
      if (records.length === 0) return;
      const live = [...doors.senders].filter(({ hung }) => !hung).length;
      const share = isSelf ? 1 : Math.max(1, Math.floor(CONNECTIONS / live));
      if (this.#underWay >= Math.min(this.#shards.count, share)) {
        this.#shards.wanted = true;
        return;
      }
      try {
        const plan = await planFor(records, this.#sender);
        const group = this.#window.take(records.slice(0, plan.records));
        if ('outcome' in plan) {
          this.#window.done(group, plan.outcome);
          this.#wake();
        } else {
          this.#underWay++;
          void this.#deliver(group, plan);
        }
      } catch (error) {
        doors.warn(`forwarding to ${remote.name}: ${String(error)}`);
        this.#pause(error);
      }
    }
  }

  async #deliver(group: Group, plan: Extract<Plan, { requests: unknown }>): Promise<void> {
    try {
      const delivery = await deliver(group.records, plan, this.#sender);
      if (delivery === 'the run ends') {
        this.#goOn = false;
        this.#runEnds = true;
      } else if (delivery === 'again') {
        this.#window.again(group);
      } else if (delivery === 'apart') {
        this.#window.apart(group);
      } else {
        this.#window.done(group, delivery);
        if ((delivery.requestsFailed ?? 0) > 0) this.#shards.failed();
        else this.#shards.delivered((this.#window.waitingSinceMs ?? Infinity) < this.#nowMs - BEHIND_MS);
      }
    } catch (error) {
      this.#window.again(group);
      this.#pause(error);
    } finally {
      this.#underWay--;
      this.#wake();
    }
  }

  #pause(error: unknown): void {
    const { remote, doors } = this.#sender;
    doors.warn(`forwarding to ${remote.name}: the log did not answer: ${String(error)}`);
    this.#pausedUntilMs = this.#nowMs + IDLE_MS;
  }
}
