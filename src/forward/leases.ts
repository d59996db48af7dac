/**
 * Who forwards from a log: the newest run. The lease only saves work (two runs sending the same record); that nothing is counted twice is the
 * cursor's doing, which moves from a known place or not at all. So leases live in memory and may be forgotten.
 */

export class Leases {
  readonly #byRemote = new Map<string, { epoch: number; untilMs: number }>();

  /** When another run's hold on a remote's records ends, Unix ms; 0 when none holds them. */
  heldUntil(remote: string, epoch: number, nowMs: number): number {
    const lease = this.#byRemote.get(remote);
    return lease === undefined || lease.epoch === epoch || lease.untilMs <= nowMs ? 0 : lease.untilMs;
  }

  hold(remote: string, epoch: number, untilMs: number): void {
    this.#byRemote.set(remote, { epoch, untilMs });
  }

  /** A run holds nothing any more; the hold of another stays. */
  release(remote: string, epoch: number): void {
    if (this.#byRemote.get(remote)?.epoch === epoch) this.#byRemote.delete(remote);
  }
}
