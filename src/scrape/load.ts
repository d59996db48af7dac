/** How many bytes a day a log takes in, measured over windows of hours: long enough for a burst to be none, short against the days that a log holds. */

export interface Load {
  /** When the window began, Unix ms, what the log had taken in by then, and of which generation of the placement it is. */
  readonly sinceMs: number;
  readonly bytesIn: number;
  readonly generation: number;
  /** Of the last window of this generation; null before its end. */
  readonly bytesADay: number | null;
}

const WINDOW_MS = 6 * 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

/** The load with what is known now; the same object when nothing is to be noted. */
export function noted(load: Load | null, nowMs: number, bytesIn: number, generation: number): Load {
  if (load === null || load.generation !== generation) return { sinceMs: nowMs, bytesIn, generation, bytesADay: null };
  const ms = nowMs - load.sinceMs;
  if (ms < WINDOW_MS) return load;
  return { sinceMs: nowMs, bytesIn, generation, bytesADay: ((bytesIn - load.bytesIn) * DAY_MS) / ms };
}
