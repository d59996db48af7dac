/** The log as a forwarding run sees it, whichever object holds it. */

import type { Batch } from '../log/record.ts';
import type { MetadataCounts, Outcome } from '../log/consumer.ts';

export type Next =
  | {
      readonly kind: 'records';
      /** The cursor to acknowledge from, and the records after it. */
      readonly cursor: number;
      readonly batch: Batch;
      readonly memo: Readonly<Record<string, number>>;
      /** False while the remote backs off after an error. */
      readonly healthy: boolean;
      readonly wantedVersion: number;
    }
  /** Nothing now. `behind`: there is something, which must wait until the remote has the log of agent `from` up to `seq`. */
  | {
      readonly kind: 'idle';
      readonly wantedVersion: number;
      readonly behind?: { readonly from: number; readonly seq: number };
    }
  /** The run before this one still waits for an answer to the same records: try again then. */
  | { readonly kind: 'busy'; readonly untilMs: number; readonly wantedVersion: number }
  | { readonly kind: 'superseded' };

export interface LogDoor {
  /** Makes the caller the one that forwards from this log. */
  takeForwardBaton(
    nowMs: number,
    plan: { configVersion: number; remotes: readonly string[] },
  ): Promise<{ epoch: number }>;
  /**
   * The next records for a remote: those after its cursor, or after the seq `from` for a caller that still holds the ones before.
   * `leaseMs`: how long the caller may hold them before another run tries.
   */
  next(nowMs: number, epoch: number, remote: string, leaseMs: number, from: number | null): Promise<Next>;
  /** Whether the caller is still the one to forward, with this configuration; if so it may hold its records for another `leaseMs`. */
  renew(
    nowMs: number,
    epoch: number,
    remote: string,
    leaseMs: number,
  ): Promise<{ goOn: boolean; wantedVersion: number }>;
  /**
   * What became of the records from the cursor `from` up to `seq`; `holds`: the caller has more of them under way. Whether it should go on: false when the
   * cursor was elsewhere, and nothing was done, or when a later run forwards.
   */
  acknowledge(
    nowMs: number,
    epoch: number,
    remote: string,
    from: number,
    seq: number,
    outcome: Outcome,
    holds: boolean,
  ): Promise<boolean>;
  /** Requests failed and will be tried again; `histograms` are among `samples`, `exemplars` besides. */
  retried(
    nowMs: number,
    remote: string,
    requests: number,
    samples: number,
    error: string,
    histograms: number,
    exemplars: number,
  ): Promise<void>;
  /** What became of metadata that was sent in requests of its own. */
  countMetadata(nowMs: number, remote: string, counts: MetadataCounts): Promise<void>;
  /** A record's body could not be decoded when it had to be encoded again. */
  setAside(seq: number, reason: string): Promise<void>;
}
