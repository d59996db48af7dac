import type { Clock } from '../../src/model/doors.ts';

/**
 * A clock that only moves when everything that could happen at its time has happened. Doors that do real work (an object's call) are tracked, so
 * that time stands still while they are under way.
 */
export class SimClock implements Clock {
  #nowMs: number;
  readonly #turns: number;
  #busy = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  /** `turns` of the event loop must pass quietly before time goes on: one is enough where nothing leaves the process. */
  constructor(nowMs: number, turns = 3) {
    this.#nowMs = nowMs;
    this.#turns = turns;
  }

  now(): number {
    return this.#nowMs;
  }

  sleepUntil(atMs: number): Promise<void> {
    if (atMs <= this.#nowMs) return Promise.resolve();
    return new Promise((wake) => this.#sleepers.push({ atMs, wake }));
  }

  async track<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
    }
  }

  /** Lets time pass until `atMs`, waking every sleeper at its time. */
  async advanceTo(atMs: number): Promise<void> {
    for (;;) {
      await this.#settle();
      const next = this.#sleepers.reduce((min, sleeper) => Math.min(min, sleeper.atMs), Infinity);
      this.#nowMs = Math.min(next, atMs);
      if (next > atMs) return;
      const due = this.#sleepers.filter((sleeper) => sleeper.atMs <= next);
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.atMs > next);
      for (const sleeper of due) sleeper.wake();
    }
  }

  /** Waits until nothing is under way: several turns of the event loop in a row with no tracked work. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < this.#turns; quiet = this.#busy > 0 ? 0 : quiet + 1)
      await new Promise((resolve) => setImmediate(resolve));
  }
}
