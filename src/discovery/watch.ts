/**
 * Refreshes discoveries while a run goes on: each at its slots, and at once when nothing is known of it. It keeps nothing that must survive
 * the run: what was found is the store's, and a run that ends has another after it.
 *
 * The one invariant: groups are used by a run only after the store has them, so that every run and page sees the same.
 */

import { firstSlotAfter } from '../scrape/slots.ts';
import { keyOf } from '../scrape/target.ts';
import type { Discovered, Discovery } from './discoveries.ts';
import type { DiscoveryDoors } from './kind.ts';
import { kindOf } from './kinds.ts';
import { messageOf } from '../model/error.ts';

/** What came of one refresh. `groups` is null when they are those that the store has, or nothing could be found out. */
export interface Refresh {
  readonly fingerprint: string | null;
  /** JSON of the groups. */
  readonly groups: string | null;
  readonly targets: number;
  readonly error: string | null;
}

export interface DiscoveryStore {
  discovered(nowMs: number, key: string, refresh: Refresh): Promise<void>;
}

export interface WatchDoors {
  readonly store: DiscoveryStore;
  readonly discovery: DiscoveryDoors;
  readonly warn: (message: string) => void;
}

/** Groups of one discovery may have at most this many bytes as JSON: an object must hold them, and RPC ends at 32 MiB. */
const GROUPS_BYTES_MAX = 16_000_000;
/** At a time; scrapes need the other connections of a run. */
const CONCURRENT = 2;

/** Watches until told to stop; `changed` is called with what is known of all when one found something else. Never rejects. */
export function watch(
  discoveries: readonly Discovery[],
  known: ReadonlyMap<string, Discovered>,
  doors: WatchDoors,
  changed: (known: ReadonlyMap<string, Discovered>) => void,
): { stop: () => void; done: Promise<void> } {
  const now = new Map(known);
  let stopped = false;
  let stop: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (stop = resolve));
  const gate = new Gate(CONCURRENT);
  const { clock } = doors.discovery;

  const follow = async (discovery: Discovery): Promise<void> => {
    let atMs = now.has(discovery.key) ? firstSlotAfter(discovery, clock.now() - 1) : clock.now();
    for (;;) {
      await Promise.race([clock.sleepUntil(atMs), end]);
      if (stopped) return;
      await gate.pass(async () => {
        if (stopped) return;
        const fresh = await refresh(discovery, now.get(discovery.key), doors);
        if (fresh === null) return;
        now.set(discovery.key, fresh);
        if (!stopped) changed(new Map(now));
      });
      atMs = firstSlotAfter(discovery, Math.max(atMs, clock.now()));
    }
  };
  const done = Promise.all(discoveries.map(follow)).then(() => undefined);
  return {
    stop: () => {
      stopped = true;
      stop();
    },
    done,
  };
}

/** Asks once and hands in what came of it; the groups when they are others than before, and in the store now. */
export async function refresh(
  { key, job, config }: Discovery,
  known: Discovered | undefined,
  { store, discovery, warn }: WatchDoors,
): Promise<Discovered | null> {
  const nowMs = (): number => discovery.clock.now();
  let fresh: Discovered | null = null;
  let outcome: Refresh;
  try {
    const { groups, error } = await kindOf(config).refresh(config, discovery, known?.groups ?? []);
    const json = JSON.stringify(groups);
    if (json.length > GROUPS_BYTES_MAX)
      throw new Error(
        `${json.length} bytes of target groups, at most ${GROUPS_BYTES_MAX} are kept (narrow what is asked for)`,
      );
    const fingerprint = keyOf(json);
    const targets = groups.reduce((sum, group) => sum + group.targets.length, 0);
    const same = fingerprint === known?.fingerprint;
    if (!same) fresh = { fingerprint, groups };
    outcome = { fingerprint, groups: same ? null : json, targets, error };
  } catch (error) {
    outcome = {
      fingerprint: null,
      groups: null,
      targets: 0,
      error: messageOf(error),
    };
  }
  if (outcome.error !== null) warn(`discovery of job ${JSON.stringify(job)} (${config.kind}): ${outcome.error}`);
  try {
    await store.discovered(nowMs(), key, outcome);
    return fresh;
  } catch (error) {
    warn(`discovery of job ${JSON.stringify(job)} (${config.kind}) could not be stored: ${String(error)}`);
    return null;
  }
}

/** Lets so many through at a time. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
