/**
 * The connections of an invocation. Of those that it opens, six may wait for an answer's headers (Workers' limit); a seventh `fetch` would wait
 * where nobody sees it. So the queue is here: targets that hung last time share two connections, the others have the rest.
 *
 * The one invariant: at most six requests wait for headers, so none waits in a queue that is not this one.
 */

import type { Clock, Fetch } from '../../model/doors.ts';

/** Connections of an invocation that may wait for headers. */
export const CONNECTIONS = 6;
/** Of these, for targets that hung last time. */
export const HUNG_CONNECTIONS = 2;
/** What waits for headers for longer than it should gives way only when another has waited this long, ms: a burst needs no victim. */
const GIVE_WAY_MS = 500;

/** Who asks for a connection, and what is known of them. */
export interface Claim {
  /** The last one hung, after it had kept a connection waiting. */
  readonly hung: boolean;
  /** How long it may wait for headers before it gives way to others, ms. */
  readonly patienceMs: number;
  /** When it had a connection for as long as it wanted, and when it had one at all; Unix ms. Of those that hung, the oldest goes first. */
  readonly triedMs: number;
  readonly lookedMs: number;
  /** When waiting is of no use any more, Unix ms. */
  readonly untilMs: number;
}

interface Waiting {
  readonly turn: Turn;
  readonly sinceMs: number;
  readonly end: (granted: boolean) => void;
}

export class Connections {
  readonly #clock: Clock;
  /** In the order of coming. */
  readonly #live: Waiting[] = [];
  readonly #hung: Waiting[] = [];
  readonly #held = new Set<Turn>();
  #armedMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for a connection; null when there was none in time. Whoever gets one must `end` the turn. */
  async take(claim: Claim): Promise<Turn | null> {
    const turn = new Turn(claim, this);
    return (await this.enter(turn, false)) ? turn : null;
  }

  /** For requests that are no scrapes: they wait like live targets and are never cut. */
  fetch(door: Fetch, timeoutMs: number): Fetch {
    return async (request) => {
      const untilMs = this.#clock.now() + timeoutMs;
      const turn = await this.take({ hung: false, patienceMs: Infinity, triedMs: 0, lookedMs: 0, untilMs });
      if (turn === null) throw new Error(`no free connection within ${timeoutMs / 1000} s`);
      return await turn.fetch(door)(request);
    };
  }

  /** Puts a turn in its queue, `first` when it had one already and needs another; false when there was none in time. */
  enter(turn: Turn, first: boolean): Promise<boolean> {
    return new Promise((end) => {
      const queue = turn.claim.hung ? this.#hung : this.#live;
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
      const hung = [...this.#held].filter((turn) => turn.claim.hung);
      const victim = this.#victim(hung, nowMs);
      if (victim !== undefined) {
        this.#held.delete(victim);
        victim.cut();
        continue;
      }
      if (this.#held.size >= CONNECTIONS) break;
      const next = this.#hung.length > 0 && hung.length < HUNG_CONNECTIONS ? this.#nextHung(hung) : this.#live.shift();
      if (next === undefined) break;
      next.turn.sinceMs = nowMs;
      this.#held.add(next.turn);
      next.end(true);
    }
    this.#arm(nowMs);
  }

  /** Of two connections one is for short looks, the other lets a target take all its time: so both kinds of dead ones are found alive again. */
  #nextHung(hung: readonly Turn[]): Waiting {
    const short = hung.some((turn) => !turn.short);
    const key = short ? 'lookedMs' : 'triedMs';
    let at = 0;
    for (let i = 1; i < this.#hung.length; i++)
      if (this.#hung[i]!.turn.claim[key] < this.#hung[at]!.turn.claim[key]) at = i;
    const [next] = this.#hung.splice(at, 1) as [Waiting];
    next.turn.short = short;
    return next;
  }

  /** Who must give its connection back now. */
  #victim(hung: readonly Turn[], nowMs: number): Turn | undefined {
    if (this.#hung.length > 0 && hung.length >= HUNG_CONNECTIONS) {
      const looked = hung.find((turn) => turn.short && turn.impatientMs <= nowMs);
      if (looked !== undefined) return looked;
    }
    const [first] = this.#live;
    if (first === undefined || this.#held.size < CONNECTIONS || first.sinceMs + GIVE_WAY_MS > nowMs) return undefined;
    // As many may hang as hung ones may: the rest is for those that answer.
    const hanging = [...this.#held].filter((turn) => !turn.claim.hung && turn.impatientMs <= nowMs);
    if (hung.length + hanging.length <= HUNG_CONNECTIONS) return undefined;
    return hanging.reduce<Turn | undefined>(
      (worst, turn) => (worst === undefined || turn.impatientMs < worst.impatientMs ? turn : worst),
      undefined,
    );
  }

  #arm(nowMs: number): void {
    let atMs = Infinity;
    const consider = (ms: number): void => {
      if (ms > nowMs) atMs = Math.min(atMs, ms);
    };
    const [first] = this.#live;
    if (first !== undefined) consider(first.sinceMs + GIVE_WAY_MS);
    for (const turn of this.#held)
      if (turn.claim.hung ? turn.short && this.#hung.length > 0 : first !== undefined) consider(turn.impatientMs);
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
  /** Of those that hung: it may be cut when it has had its patience. */
  short = false;
  /** It had to give way: what came of the try says nothing about the target. */
  wasCut = false;

  constructor(claim: Claim, connections: Connections) {
    this.claim = claim;
    this.#connections = connections;
  }

  /** From when on it may be cut, Unix ms. */
  get impatientMs(): number {
    return this.sinceMs + this.claim.patienceMs;
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
