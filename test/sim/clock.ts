import type { Clock } from '../../src/model/doors.ts';

/**
 * A clock that only moves when everything that could happen at its time has happened. Doors that do real work (an object's call) are tracked, so
 * that time stands still while they are under way.
 */
export class SimClock implements Clock {
  #nowMs: number;
  readonly #turns: number;
  #busy = 0;
  /** Who sleeps until when, and those times as a binary heap: thousands may sleep. */
  readonly #sleepers = new Map<number, (() => void)[]>();
  readonly #times: number[] = [];

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
    return new Promise((wake) => {
      const others = this.#sleepers.get(atMs);
      if (others !== undefined) {
        others.push(wake);
        return;
      }
      this.#sleepers.set(atMs, [wake]);
      const times = this.#times;
      let i = times.push(atMs) - 1;
      for (let up = (i - 1) >> 1; i > 0 && times[up]! > atMs; i = up, up = (i - 1) >> 1) times[i] = times[up]!;
      times[i] = atMs;
    });
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
      const next = this.#times[0] ?? Infinity;
      this.#nowMs = Math.min(next, atMs);
      if (next > atMs) return;
      const due = this.#sleepers.get(next)!;
      this.#sleepers.delete(next);
      this.#dropFirst();
      for (const wake of due) wake();
    }
  }

  #dropFirst(): void {
    const times = this.#times;
    const last = times.pop()!;
    if (times.length === 0) return;
    let i = 0;
    for (let child = 1; child < times.length; child = 2 * i + 1) {
      if (child + 1 < times.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= last) break;
      times[i] = times[child]!;
      i = child;
    }
    times[i] = last;
  }

  /** Waits until nothing is under way: several turns of the event loop in a row with no tracked work. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < this.#turns; quiet = this.#busy > 0 ? 0 : quiet + 1)
      await new Promise((resolve) => setImmediate(resolve));
  }
}
