/**
 * The agent's side of moving targets: what it remembers of one goes over to another agent, page and journal, when the last slot before the change is in
 * its log. It is handed out until the other has it and says so, and taken as often as it comes: a step that is done twice is done once.
 *
 * The one invariant: of a target's scrapes, those in the log of the new agent are later than all in the log of the old one; and a remote gets them in that
 * order, by the barriers that the new one keeps.
 */

import { DEFAULT_LOG_LIMITS } from '../../log/limits.ts';
import type { Log } from '../../log/log.ts';
import type { Values } from '../../log/table.ts';
import type { Journal, TargetJournal } from '../journal.ts';
import { agentAt, agentOf, ALONE, type Placement } from './placement.ts';

/** Which agent one is, of what placement; `settled` is the last generation of which everything has come. */
export interface Place {
  readonly index: number;
  readonly placement: Placement;
}

/** What is remembered of one target. Plain data that owns its bytes: it crosses RPC. */
export interface Moved {
  readonly key: string;
  readonly page: Uint8Array<ArrayBuffer> | null;
  readonly last: TargetJournal | null;
}

export interface Released {
  readonly moved: readonly Moved[];
  /** The last record of the log: what is in front of it goes first. */
  readonly seq: number;
  /** Ask again at once: there is more than fits. And later: something is not ready. */
  readonly more: boolean;
  readonly waits: boolean;
}

/** Records of another agent's log that a remote must have before it gets those of this log after `at`. */
export interface Barrier {
  readonly generation: number;
  readonly from: number;
  readonly seq: number;
  readonly at: number;
  /** When it was put up, Unix ms; not known of those of an earlier version. */
  readonly sinceMs?: number;
}

/** A log keeps no record for longer: a barrier that old holds nothing up, wherever a remote is moved back to. */
const BARRIER_MS = DEFAULT_LOG_LIMITS.ageMaxMs;
/** Of barriers that all remotes have behind them so many are kept, for when one is moved back. */
const BARRIERS_KEPT = 512;

/** After the change, scrapes of slots before it may come for so long: ten seconds of a usual timeout, and a flush; and a slow target's own timeout. */
const LATE_MS = 20_000;
const INTERVAL_MS_MAX = 60_000;

/** The stored pages of an agent, whichever way they are stored. */
export interface StoredPages {
  keys(): string[];
  /** Owns its bytes. */
  whole(key: string): Uint8Array<ArrayBuffer>;
  set(key: string, whole: Uint8Array<ArrayBuffer>): void;
  delete(key: string): void;
}

export class Moving {
  readonly #values: Values;
  readonly #pages: StoredPages;
  readonly #log: Log;

  constructor(values: Values, pages: StoredPages, log: Log) {
    this.#values = values;
    this.#pages = pages;
    this.#log = log;
  }

  get place(): Place & { readonly settled: number } {
    return this.#values.get('place', { index: 0, placement: ALONE, settled: 0 });
  }

  /** Takes over a placement, when it is newer. False when it is older: what its run wants is no longer to be done. */
  enter({ index, placement }: Place): boolean {
    const known = this.place;
    if (placement.generation > known.placement.generation)
      this.#values.set('place', { index, placement, settled: known.settled });
    return placement.generation >= known.placement.generation;
  }

  get isSettled(): boolean {
    const { placement, settled } = this.place;
    return settled >= placement.generation;
  }

  settle(generation: number): void {
    if (this.place.settled < generation) this.#values.set('place', { ...this.place, settled: generation });
  }

  /** Whether a target is this agent's at that moment. */
  owns(atMs: number): (key: string) => boolean {
    const { index, placement } = this.place;
    return (key) => agentAt(placement, key, atMs) === index;
  }

  /** Whether a scrape belongs here. */
  takes(nowMs: number, journal: Journal): (key: string, slotMs: number) => boolean {
    const { index, placement } = this.place;
    const released = this.#keysOf('released');
    const isLate = nowMs >= placement.fromMs + LATE_MS;
    return (key, slotMs) => {
      if (agentAt(placement, key, slotMs) !== index) return false;
      if (agentOf(key, placement.count) === index) return true;
      return !released.has(key) && (journal.targets[key] !== undefined || !isLate);
    };
  }

  /** Targets of the last change. */
  #keysOf(name: 'released' | 'adopted'): ReadonlySet<string> {
    const nothing = { generation: 0, keys: [] };
    const { generation, keys } = this.#values.get<{ generation: number; keys: readonly string[] }>(name, nothing);
    return new Set(generation === this.place.placement.generation ? keys : []);
  }

  /** Hands out what has gone to the agent `to`: at most about `bytesMax` of pages. From then on nothing is logged of it here. */
  release(nowMs: number, to: number, journal: Journal, bytesMax: number): Released {
    const { index, placement } = this.place;
    const { generation, count, fromMs } = placement;
    const moved: Moved[] = [];
    if (to === index) return { moved, seq: 0, more: false, waits: false };
    if (nowMs < fromMs) return { moved, seq: 0, more: false, waits: true };
    let waits = nowMs < fromMs + LATE_MS;
    let more = false;
    let bytes = 0;
    const stored = new Set(this.#pages.keys());
    for (const key of new Set([...stored, ...Object.keys(journal.targets)])) {
      if (agentOf(key, count) !== to) continue;
      const last = journal.targets[key] ?? null;
      if (readyMs(last, fromMs) > nowMs) {
        waits = true;
        continue;
      }
      if (bytes >= bytesMax) {
        more = true;
        continue;
      }
      const page = stored.has(key) ? this.#pages.whole(key) : null;
      bytes += 500 + (page?.byteLength ?? 0);
      moved.push({ key, page, last });
    }
    if (moved.length > 0)
      this.#values.set('released', {
        generation,
        keys: [...new Set([...this.#keysOf('released'), ...moved.map(({ key }) => key)])],
      });
    return { moved, seq: this.#log.lastSeq(), more, waits };
  }

  /** The new agent has these: nothing is left of them here. The caller stores the journal. */
  forget(keys: readonly string[], journal: Journal): void {
    const { index, placement } = this.place;
    for (const key of keys) {
      if (agentOf(key, placement.count) === index) continue;
      this.#pages.delete(key);
      delete journal.targets[key];
    }
    const gone = new Set(keys);
    const left = [...this.#keysOf('released')].filter((key) => !gone.has(key));
    if (left.length > 0) this.#values.set('released', { generation: placement.generation, keys: left });
    else this.#values.delete('released');
  }

  /** Takes what another agent remembers, unless it is here already. The caller stores the journal. Returns the keys whose pages are others now. */
  adopt(nowMs: number, from: number, seq: number, moved: readonly Moved[], journal: Journal): string[] {
    const { index, placement } = this.place;
    const { generation, count } = placement;
    // Also of those that have gone since, with their markers: they must not come again.
    const adopted = this.#keysOf('adopted');
    const keys: string[] = [];
    for (const { key, page, last } of moved) {
      if (agentOf(key, count) !== index || adopted.has(key)) continue;
      if (page === null) this.#pages.delete(key);
      else this.#pages.set(key, page);
      if (last !== null) journal.targets[key] = last;
      keys.push(key);
    }
    if (keys.length > 0) this.#values.set('adopted', { generation, keys: [...adopted, ...keys] });
    if (keys.length > 0 && seq > 0) this.#addBarrier(nowMs, generation, from, seq);
    return keys;
  }

  #addBarrier(sinceMs: number, generation: number, from: number, seq: number): void {
    const barriers = this.#barriers;
    // Within one change nothing moves back, so the parts of it may be one barrier: the strictest of them.
    const same = barriers.find((barrier) => barrier.generation === generation && barrier.from === from);
    const at = same?.at ?? this.#log.lastSeq();
    const others = barriers.filter((barrier) => barrier !== same);
    this.#values.set('barriers', [...others, { generation, from, at, seq: Math.max(seq, same?.seq ?? 0), sinceMs }]);
  }

  get #barriers(): readonly Barrier[] {
    return this.#values.get<readonly Barrier[]>('barriers', []);
  }

  /** By remote and agent, how far that agent's log is known to have been sent to it. */
  get #passed(): Readonly<Record<string, Readonly<Record<number, number>>>> {
    return this.#values.get<Record<string, Record<number, number>>>('passed', {});
  }

  /** Until when each remote that is moved back is held at all barriers, Unix ms. */
  get #holds(): Readonly<Record<string, number>> {
    return this.#values.get<Record<string, number>>('barrier holds', {});
  }

  /** The barrier that a remote comes to first; null when none is in its way. */
  barrier(remote: string): Barrier | null {
    const barriers = this.#barriers;
    if (barriers.length === 0) return null;
    const passed: Readonly<Record<number, number>> = this.#passed[remote] ?? {};
    let first: Barrier | null = null;
    for (const barrier of barriers)
      if ((passed[barrier.from] ?? 0) < barrier.seq && (first === null || barrier.at < first.at)) first = barrier;
    return first;
  }

  /**
   * A remote is about to be moved back in several logs: until `untilMs`, or until this is called again, it passes no barrier here, so that what it is given again comes
   * in order, in whatever order the logs hear of it. It comes to all barriers once more.
   */
  hold(remote: string, untilMs: number): void {
    if (this.#barriers.length === 0) return;
    const { [remote]: _, ...others } = this.#passed;
    this.#values.set('passed', others);
    this.#values.set('barrier holds', { ...this.#holds, [remote]: untilMs });
  }

  /** A remote has the log of agent `from` up to `seq`. Barriers that all remotes have behind them go when no log can have anything of before them any more. */
  pass(nowMs: number, remote: string, from: number, seq: number): void {
    if ((this.#holds[remote] ?? 0) > nowMs) return;
    const passed = this.#passed;
    const now = { ...passed, [remote]: { ...passed[remote], [from]: Math.max(seq, passed[remote]?.[from] ?? 0) } };
    const remotes = this.#log.consumerNames();
    const isPassed = (barrier: Barrier): boolean =>
      remotes.every((name) => (now[name]?.[barrier.from] ?? 0) >= barrier.seq);
    const barriers = this.#barriers;
    let tooMany = barriers.filter(isPassed).length - BARRIERS_KEPT;
    const left = barriers.filter(
      (barrier) => !isPassed(barrier) || ((barrier.sinceMs ?? 0) > nowMs - BARRIER_MS && tooMany-- <= 0),
    );
    if (left.length === 0) {
      for (const name of ['barriers', 'passed', 'barrier holds']) this.#values.delete(name);
      return;
    }
    if (left.length < barriers.length) this.#values.set('barriers', left);
    this.#values.set('passed', now);
  }

  /** Whether there is nothing here any more for which an agent without targets must be kept. */
  isEmpty(nowMs: number): boolean {
    const { index, placement } = this.place;
    const { count, fromMs } = placement;
    return (
      index >= count &&
      nowMs >= fromMs + LATE_MS &&
      this.#pages.keys().length === 0 &&
      this.#log.consumerNames().every((name) => this.#log.pending(name).records === 0)
    );
  }
}

/** When what is remembered of a target may go: its last slot before the change is in the log, or cannot be any more. */
function readyMs(last: TargetJournal | null, fromMs: number): number {
  if (last?.intervalMs === undefined) return fromMs + LATE_MS;
  if (last.slotMs + last.intervalMs >= fromMs) return fromMs;
  return fromMs + Math.min(last.intervalMs, INTERVAL_MS_MAX) + LATE_MS;
}
