/**
 * The log's side of forwarding: hands records to the newest run and takes its acknowledgements. It is the same for every object that has a log; it
 * sends nothing itself.
 *
 * The one invariant: a cursor moves from where the sender saw it, or not at all, so two runs that overlap count nothing twice.
 */

import type { MetadataCounts, Outcome } from '../log/consumer.ts';
import type { Log } from '../log/log.ts';
import type { Values } from '../log/table.ts';
import type { LogDoor, Next } from './door.ts';
import { Leases } from './leases.ts';
import { READ_BYTES } from './round.ts';

export class Outbox implements Omit<LogDoor, 'takeForwardBaton'> {
  readonly #log: Log;
  readonly #values: Values;
  /** The version of the configuration that runs should use now. */
  readonly #wantedVersion: () => number;
  readonly #leases = new Leases();

  constructor(log: Log, values: Values, wantedVersion: () => number) {
    this.#log = log;
    this.#values = values;
    this.#wantedVersion = wantedVersion;
  }

  /** The caller is the newest run from now on; earlier ones end at their next call. */
  takeBaton(): { epoch: number } {
    const epoch = this.#epoch() + 1;
    this.#values.set('forward', epoch);
    return { epoch };
  }

  async next(nowMs: number, epoch: number, remote: string, leaseMs: number, from: number | null): Promise<Next> {
    // Who begins again is done with what it had: the run after it need not wait until the hold ends by itself.
    if (from === null) this.#leases.release(remote, epoch);
    const consumer = this.#log.consumer(remote);
    if (consumer === undefined || epoch !== this.#epoch()) return { kind: 'superseded' };
    const wantedVersion = this.#wantedVersion();
    const untilMs = this.#leases.heldUntil(remote, epoch, nowMs);
    if (untilMs > 0) return { kind: 'busy', untilMs, wantedVersion };
    // A remote that fails is tried with one record: reading many only to wait with them is for nothing.
    const { healthy, memo } = consumer.state;
    const after = from ?? consumer.cursor;
    const batch = this.#log.read(remote, healthy ? READ_BYTES : 0, after);
    if (batch.upTo === after) return { kind: 'idle', wantedVersion };
    this.#leases.hold(remote, epoch, nowMs + leaseMs);
    return { kind: 'records', cursor: consumer.cursor, batch, memo, healthy, wantedVersion };
  }

  async renew(
    nowMs: number,
    epoch: number,
    remote: string,
    leaseMs: number,
  ): Promise<{ goOn: boolean; wantedVersion: number }> {
    const goOn = epoch === this.#epoch();
    if (goOn) this.#leases.hold(remote, epoch, nowMs + leaseMs);
    else this.#leases.release(remote, epoch);
    return { goOn, wantedVersion: this.#wantedVersion() };
  }

  async acknowledge(
    nowMs: number,
    epoch: number,
    remote: string,
    from: number,
    seq: number,
    outcome: Outcome,
    holds: boolean,
  ): Promise<boolean> {
    // A run that was relieved may still say what became of its last records; then it holds nothing any more.
    if (epoch !== this.#epoch() && !holds) this.#leases.release(remote, epoch);
    return this.#log.acknowledge(nowMs, remote, from, seq, outcome) && epoch === this.#epoch();
  }

  async retried(...[nowMs, remote, ...failures]: Parameters<LogDoor['retried']>): Promise<void> {
    this.#log.retried(nowMs, remote, ...failures);
  }

  async countMetadata(nowMs: number, remote: string, counts: MetadataCounts): Promise<void> {
    this.#log.countMetadata(nowMs, remote, counts);
  }

  /** Moves a remote back in the log (log.ts); a run that has records of it under way finds the cursor elsewhere and begins again. */
  rewind(remote: string, sinceMs: number | null): { records: number; samples: number } | null {
    return this.#log.rewind(remote, sinceMs);
  }

  async setAside(seq: number, reason: string): Promise<void> {
    this.#log.setAside(seq, reason);
  }

  #epoch(): number {
    return this.#values.get('forward', 0);
  }
}
