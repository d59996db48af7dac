import { CONNECTIONS } from '../../src/scrape/reach/connections.ts';
import type { SimClock } from './clock.ts';

/** What a host does with a request that comes now: headers after so many ms, or never. */
export type Host = (nowMs: number) => number;

/**
 * The network as one invocation has it: six requests may wait for headers, the seventh waits unseen until one of them is free (which is what must not
 * happen: it is counted). An aborted request is free at once.
 */
export class Network {
  readonly #clock: SimClock;
  readonly #hosts: (hostname: string) => Host;
  readonly #queue: (() => void)[] = [];
  readonly #underWay = new Set<Request>();
  readonly body: (hostname: string, nowMs: number) => string;
  /** When each host was asked, Unix ms. */
  readonly asked = new Map<string, number[]>();
  waiting = 0;
  queued = 0;
  requests = 0;

  constructor(
    clock: SimClock,
    hosts: (hostname: string) => Host,
    body: (hostname: string, nowMs: number) => string = () => 'metric 1\n',
  ) {
    this.#clock = clock;
    this.#hosts = hosts;
    this.body = body;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const { hostname } = new URL(request.url);
    this.requests++;
    if (this.waiting === CONNECTIONS) {
      this.queued++;
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.waiting++;
    // Node forgets the abortion of a request that nobody holds.
    this.#underWay.add(request);
    const free = (): void => {
      if (!this.#underWay.delete(request)) return;
      this.waiting--;
      this.#queue.shift()?.();
    };
    const aborted = new Promise<never>((_, reject) => {
      const abort = (): void => {
        free();
        reject(request.signal.reason as Error);
      };
      if (request.signal.aborted) abort();
      else request.signal.addEventListener('abort', abort, { once: true });
    });
    const nowMs = this.#clock.now();
    const times = this.asked.get(hostname);
    if (times === undefined) this.asked.set(hostname, [nowMs]);
    else times.push(nowMs);
    const afterMs = this.#hosts(hostname)(nowMs);
    const answered =
      afterMs === Infinity ? new Promise<never>(() => undefined) : this.#clock.sleepUntil(nowMs + afterMs);
    await Promise.race([answered, aborted]);
    free();
    return new Response(this.body(hostname, this.#clock.now()), {
      headers: { 'Content-Type': 'text/plain; version=0.0.4' },
    });
  };
}
