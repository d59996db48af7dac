/**
 * The doors to the outside. Nothing in `src/` reads a clock, draws a random number or talks to the network by itself: it is
 * handed one of these, so that a test can replay a whole system from one seed.
 */

/** Wall-clock time in Unix milliseconds, and waiting for it. In production time stands still during computation. */
export interface Clock {
  now(): number;
  /** Resolves at `atMs` or soon after; at once when that has passed. Never rejects. */
  sleepUntil(atMs: number): Promise<void>;
}

/** A number in [0, 1). */
export type Random = () => number;

/** `fetch`, as a target or a remote is reached: the network, an in-process dispatch, or a test's table. */
export type Fetch = (request: Request) => Promise<Response>;

/** Files that a configuration names: objects under `files/` in the bucket. Names are without that. */
export interface FilesDoor {
  /** Names that begin with `prefix`, in order; at most `max`. */
  list(prefix: string, max: number): Promise<readonly string[]>;
  /** Null when there is none of that name. */
  read(name: string): Promise<{ readonly size: number; bytes(): Promise<Uint8Array> } | null>;
}
