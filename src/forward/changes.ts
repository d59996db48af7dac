/**
 * Relaying from several logs between which series move: the shards of a tenant, whose number changes at known moments. What was appended up to such a
 * moment goes out of all logs before anything that was appended after it goes out of any, for each remote by itself; between two moments the logs
 * need not wait for each other.
 *
 * Invariant: a series that moved leaves in the order in which it came. What one run knows of it is found out anew by the next.
 */

import type { LogRecord } from '../log/record.ts';
import type { Clock } from '../model/doors.ts';
import type { LogDoor, Next } from './door.ts';

/** A request that was placed before a change may still be on its way to its log so long after. */
const SETTLE_MS = 30_000;

/** The doors of logs that heed the changes (Unix ms, ascending), for one run. */
export function inOrderOfChanges<T extends LogDoor>(
  logs: readonly T[],
  changesMs: readonly number[],
  clock: Pick<Clock, 'now'>,
): readonly LogDoor[] {
  if (logs.length < 2 || changesMs.length === 0) return logs;
  const changes = new Changes(logs.length, changesMs, clock);
  return logs.map((log, i) => changes.door(log, i));
}

class Changes {
  readonly #logs: number;
  readonly #changesMs: readonly number[];
  readonly #clock: Pick<Clock, 'now'>;
  /** By remote, of each log: how many changes lie before the first record that it has not sent. */
  readonly #reached = new Map<string, number[]>();

  constructor(logs: number, changesMs: readonly number[], clock: Pick<Clock, 'now'>) {
    this.#logs = logs;
    this.#changesMs = changesMs;
    this.#clock = clock;
  }

  door(log: LogDoor, i: number): LogDoor {
    return {
      takeForwardBaton: (...call) => log.takeForwardBaton(...call),
      renew: (...call) => log.renew(...call),
      acknowledge: (...call) => log.acknowledge(...call),
      retried: (...call) => log.retried(...call),
      countMetadata: (...call) => log.countMetadata(...call),
      setAside: (...call) => log.setAside(...call),
      next: async (nowMs, epoch, remote, leaseMs, from) => {
        const next = await log.next(nowMs, epoch, remote, leaseMs, from);
        return this.#heeded(next, i, remote, from);
      },
    };
  }

  #heeded(next: Next, i: number, remote: string, from: number | null): Next {
    if (next.kind !== 'records' && next.kind !== 'idle') return next;
    let reached = this.#reached.get(remote);
    if (reached === undefined) this.#reached.set(remote, (reached = Array.from({ length: this.#logs }, () => 0)));
    const settled = this.#before(this.#clock.now() - SETTLE_MS);
    if (next.kind === 'idle') {
      // Nothing waits; with `from`, what was read before may still be under way.
      if (from === null) reached[i] = Math.max(reached[i]!, settled);
      return next;
    }
    const { records } = next.batch;
    const isFirst = from === null || next.cursor === from;
    if (isFirst && records.length > 0) {
      reached[i] = Math.max(reached[i]!, Math.min(settled, this.#before(records[0]!.atMs)));
    }
    const allowed = Math.min(...reached);
    const stop = records.findIndex((record) => this.#before(record.atMs) > allowed);
    if (stop < 0) return next;
    if (stop === 0) return { kind: 'idle', wantedVersion: next.wantedVersion };
    const kept: readonly LogRecord[] = records.slice(0, stop);
    return { ...next, batch: { records: kept, upTo: kept.at(-1)!.seq } };
  }

  /** How many changes lie before a moment. A request at the moment itself is of the new number. */
  #before(atMs: number): number {
    return this.#changesMs.filter((changeMs) => changeMs <= atMs).length;
  }
}
