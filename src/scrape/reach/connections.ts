/**
 * The connections of an invocation. Of those that it opens, six may wait for an answer's headers (Workers' limit); a seventh `fetch` would wait
 * where nobody sees it. So the queue is here. Live targets go first; those that hung last time share what is left, and one connection is always theirs.
 * Whoever keeps a connection waiting for longer than usual while a live target waits for one gives way, and is tried again.
 *
 * The one invariant: at most six requests wait for headers, so none waits in a queue that is not this one.
 */

import type { Clock, Fetch } from '../../model/doors.ts';

/** Connections of an invocation that may wait for headers. */
export const CONNECTIONS = 6;
/** Of these, at most so many are for targets that hung last time. */
export const HUNG_CONNECTIONS = 2;
/** A live target that is late gives way only when another has waited this long, ms, divided by how many are late: a burst, or one that is slow today, needs no victim. */
const GIVE_WAY_MS = 400;
/** One that hung has its connection at least this long while others that hung wait, ms. */
const LOOK_MS = 1_000;

/** Who asks for a connection, and what is known of them. */
export interface Claim {
  /** The last one hung, after it had kept a connection waiting. */
  readonly hung: boolean;
  /**
   * Of a live one: how often it gave way for this slot. After the first time it goes before all live ones, as others answer at once when they are asked again;
   * then it is looked at among those that hung.
   */
  readonly gaveWay: number;
  /** How long it may wait for headers before it gives way to a live one that waits, ms. */
  readonly patienceMs: number;
  /** When it had a connection for as long as it wanted, and when it had one at all; Unix ms. Of those that hung, the oldest goes first. */
  readonly triedMs: number;
  readonly lookedMs: number;
  /** When waiting is of no use any more, Unix ms, and how long it may take in all. */
  readonly untilMs: number;
  readonly timeoutMs: number;
}

interface Waiting {
  readonly turn: Turn;
  readonly sinceMs: number;
  readonly end: (granted: boolean) => void;
}

export class Connections {
  readonly #clock: Clock;
  readonly #spared: number;
  /** In the order of coming. */
  readonly #live: Waiting[] = [];
  readonly #hung: Waiting[] = [];
  readonly #held = new Set<Turn>();
  #armedMs = Infinity;

  /** So many that wait for longer than usual are `spared`, those that hung among them, whoever waits for their connections: where asking again costs more than a look. */
  constructor(clock: Clock, spared = 0) {
    this.#clock = clock;
    this.#spared = spared;
  }

  /** Waits for a connection; null when there was none in time. Whoever gets one must `end` the turn. */
  async take(claim: Claim): Promise<Turn | null> {
    const turn = new Turn(claim, this);
    return (await this.enter(turn, claim.gaveWay > 0)) ? turn : null;
  }

  /** For requests that are no scrapes: they wait like live targets and are never cut. */
  fetch(door: Fetch, timeoutMs: number): Fetch {
    return async (request) => {
      const untilMs = this.#clock.now() + timeoutMs;
      const turn = await this.take({
        hung: false,
        gaveWay: 0,
        patienceMs: Infinity,
        triedMs: 0,
        lookedMs: 0,
        untilMs,
        timeoutMs,
      });
      if (turn === null) throw new Error(`no free connection within ${timeoutMs / 1000} s`);
      return await turn.fetch(door)(request);
    };
  }

  /** Puts a turn in its queue, `first` when it had one already and needs another; false when there was none in time. */
  enter(turn: Turn, first: boolean): Promise<boolean> {
    return new Promise((end) => {
      const queue = turn.hangs ? this.#hung : this.#live;
      const waiting: Waiting = { turn, sinceMs: this.#clock.now(), end };
      if (first) queue.unshift(waiting);
      else queue.push(waiting);
      this.#settle();
      if (this.#held.has(turn)) return;
      void this.#clock.sleepUntil(turn.claim.untilMs).then(() => {
        const at = queue.indexOf(waiting);
        if (at < 0) return;
        queue.splice(at, 1);
        end(false);
      });
    });
  }

  holds(turn: Turn): boolean {
    return this.#held.has(turn);
  }

  /** The turn waits for headers no more. */
  leave(turn: Turn): void {
    if (!this.#held.delete(turn)) return;
    turn.heldMs += this.#clock.now() - turn.sinceMs;
    this.#settle();
  }

  /** Gives out what is free, takes back what is held too long while others wait, and comes again when the next one is. */
  #settle(): void {
    const nowMs = this.#clock.now();
    for (;;) {
      const victim = this.#victim(nowMs);
      if (victim !== undefined) {
        this.#held.delete(victim);
        victim.cut();
        continue;
      }
      const next = this.#held.size < CONNECTIONS ? this.#next() : undefined;
      if (next === undefined) break;
      next.turn.sinceMs = nowMs;
      this.#held.add(next.turn);
      next.end(true);
    }
    this.#arm(nowMs);
  }

  /** Who gets a connection that is free. Of those that hung, one may take all its time, before any live one; others have short looks. */
  #next(): Waiting | undefined {
    const hung = [...this.#held].filter((turn) => turn.hangs);
    if (hung.every((turn) => turn.short)) {
      const next = this.#nextHung('triedMs');
      if (next !== undefined) return next;
    }
    const isFull = hung.length >= HUNG_CONNECTIONS;
    if (!isFull && this.#live.length <= 1 && this.#hasNew) return this.#nextHung('lookedMs');
    return this.#live.shift() ?? (isFull ? undefined : this.#nextHung('lookedMs'));
  }

  /** Of those that hung, who has waited longest for a look; or for all its time, if most of that is left. One that gave way for this slot is only looked at. */
  #nextHung(key: 'triedMs' | 'lookedMs'): Waiting | undefined {
    const short = key === 'lookedMs';
    const nowMs = this.#clock.now();
    const hasTime = ({ turn: { claim } }: Waiting): boolean =>
      claim.hung && 2 * (claim.untilMs - nowMs) > claim.timeoutMs;
    let next: Waiting | undefined;
    for (const waiting of this.#hung)
      if ((short || hasTime(waiting)) && (next === undefined || waiting.turn.claim[key] < next.turn.claim[key]))
        next = waiting;
    if (next === undefined) return undefined;
    this.#hung.splice(this.#hung.indexOf(next), 1);
    next.turn.short = short;
    return next;
  }

  /** Who must give its connection back now: first whoever is only looked at, then the live one that keeps others waiting longest beyond what is usual for it. */
  #victim(nowMs: number): Turn | undefined {
    const held = [...this.#held];
    const hung = held.filter((turn) => turn.hangs);
    const looked = hung.filter((turn) => turn.short);
    const [first] = this.#live;
    if (first !== undefined && held.length >= CONNECTIONS) {
      const look = looked.find((turn) => turn.impatientMs <= nowMs);
      if (look !== undefined) return look;
      const late = held.filter((turn) => !turn.hangs && turn.impatientMs <= nowMs);
      if (first.sinceMs + GIVE_WAY_MS / late.length <= nowMs && hung.length + late.length > this.#spared)
        return late.reduce((worst, turn) => (turn.impatientMs < worst.impatientMs ? turn : worst));
    }
    if (this.#hung.length === 0) return undefined;
    const isBrief = this.#hasNew;
    return looked.find((turn) => (isBrief ? turn.impatientMs : turn.lookedAtMs) <= nowMs);
  }

  /** Whether one that gave way a moment ago waits for its first look: most of these answer, so looks are brief until it has had one. */
  get #hasNew(): boolean {
    return this.#hung.some(({ turn }) => turn.claim.gaveWay === 2);
  }

  #arm(nowMs: number): void {
    let atMs = Infinity;
    const consider = (ms: number): void => {
      if (ms > nowMs) atMs = Math.min(atMs, ms);
    };
    const [first] = this.#live;
    const late = [...this.#held].filter((turn) => !turn.hangs && turn.impatientMs <= nowMs).length;
    if (first !== undefined && late > 0) consider(first.sinceMs + GIVE_WAY_MS / late);
    for (const turn of this.#held) {
      const isLook = turn.hangs && turn.short;
      if ((first !== undefined && !turn.hangs) || isLook) consider(turn.impatientMs);
      if (isLook && this.#hung.length > 0) consider(turn.lookedAtMs);
    }
    if (atMs >= this.#armedMs) return;
    this.#armedMs = atMs;
    void this.#clock.sleepUntil(atMs).then(() => {
      if (this.#armedMs !== atMs) return;
      this.#armedMs = Infinity;
      this.#settle();
    });
  }
}

/** One try with a connection. It is given back when an answer's headers are there; another request of the same try waits for one again, in front. */
export class Turn {
  readonly claim: Claim;
  readonly #connections: Connections;
  #giveUp: (reason: Error) => void = () => undefined;
  /** Since when it holds its connection, Unix ms, and how long it held those before, ms. */
  sinceMs = 0;
  heldMs = 0;
  /** Of those that hung: it has a look, and not all its time. */
  short = false;
  /** It had to give way: what came of the try says nothing about the target. */
  wasCut = false;

  constructor(claim: Claim, connections: Connections) {
    this.claim = claim;
    this.#connections = connections;
  }

  /** Whether it is, or counts as, one that hung. */
  get hangs(): boolean {
    return this.claim.hung || this.claim.gaveWay > 1;
  }

  /** From when on it may be cut for a live one, Unix ms. */
  get impatientMs(): number {
    return this.sinceMs + this.claim.patienceMs;
  }

  /** Until when a look lasts while others that hung wait, Unix ms. */
  get lookedAtMs(): number {
    return this.sinceMs + Math.max(this.claim.hung ? LOOK_MS : 0, this.claim.patienceMs);
  }

  fetch(door: Fetch): Fetch {
    return async (request) => {
      if (!this.#connections.holds(this) && !(await this.#connections.enter(this, true)))
        throw new Error('no free connection within the timeout');
      const abort = new AbortController();
      const given = new Promise<never>((_, reject) => {
        this.#giveUp = (reason) => {
          abort.abort(reason);
          reject(reason);
        };
      });
      given.catch(() => undefined);
      const follow = (): void => abort.abort(request.signal.reason);
      if (request.signal.aborted) follow();
      request.signal.addEventListener('abort', follow);
      try {
        const asked = door(new Request(request, { signal: abort.signal }));
        asked.catch(() => undefined);
        return await Promise.race([asked, given]);
      } finally {
        request.signal.removeEventListener('abort', follow);
        this.end();
      }
    };
  }

  cut(): void {
    this.wasCut = true;
    this.#giveUp(new Error('gave way to others'));
  }

  end(): void {
    this.#connections.leave(this);
  }
}
