/**
 * A whole deployment in this process, on the simulated clock: the Worker as it is, its crons and objects, and what is around them. Objects are called as by
 * RPC: arguments and answers are copies, an idle one forgets after ten seconds, and now and then one forgets between any two calls, as at a deploy.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { serialize } from 'node:v8';
import { vi } from 'vitest';
import { SCRAPE_CRONS } from '../../../src/scrape/lanes.ts';
import { Rng } from '../../encoding/damage.ts';
import { SimClock } from '../clock.ts';
import { Storage, type Written } from './storage.ts';

const IDLE_MS = 10_000;
const FORWARD_CRON = '*/1 * * * *';
/** RPC's own bound. */
const CALL_BYTES_MAX = 32 * 1024 * 1024;
/** Calls whose arguments and answers are weighed: those of whole targets and pages. */
const WEIGHED: ReadonlySet<string> = new Set(['release', 'adopt', 'report', 'discoveries', 'discovered', 'takeBaton']);

/** The Worker, found at run time: its types are those of workerd, and these of Node. */
interface Worker {
  readonly default: {
    fetch(request: Request, env: object, context: object): Promise<Response>;
    scheduled(event: { cron: string }, env: object, context: object): Promise<void>;
  };
  readonly [object: string]: unknown;
}
const WORKER: string = '../../../src/worker.ts';
const worker = (await import(WORKER)) as Worker;
const CONTEXT = { waitUntil: () => undefined };

/** What one invocation asked for. */
interface Invocation {
  waiting: number;
  subrequests: number;
}

export interface Calls {
  count: number;
  /** µs of CPU, of those that do all their work at once. */
  cpu: number;
  /** Bytes of the largest, arguments or answer. */
  largest: number;
}

interface Thing {
  readonly storage: Storage;
  object: Record<string, (...args: unknown[]) => unknown> | null;
  calledMs: number;
}

export interface World {
  readonly seed: number;
  readonly startMs: number;
  readonly lanes: number;
  /** The network: what a host answers. */
  readonly network: (request: Request) => Promise<Response>;
}

export class Deployment {
  readonly clock: SimClock;
  /** As in wrangler.toml; may be changed, as by a deploy. */
  readonly vars: Record<string, string>;
  readonly calls = new Map<string, Calls>();
  readonly warnings: string[] = [];
  /** Of one invocation: subrequests, and requests that wait for headers. */
  subrequestsMax = 0;
  waitingMax = 0;
  readonly #things = new Map<string, Thing>();
  readonly #rng: Rng;
  readonly #invocations = new AsyncLocalStorage<Invocation>();
  readonly #runs: Promise<void>[] = [];
  readonly #bucket = new Map<string, string>();

  constructor({ seed, startMs, lanes, network }: World) {
    this.clock = new SimClock(startMs, 1);
    this.#rng = new Rng(seed);
    this.vars = { NARTHEX_SCRAPE_LANES: String(lanes), NARTHEX_TOKENS: '' };
    vi.spyOn(Date, 'now').mockImplementation(() => this.clock.now());
    vi.spyOn(Math, 'random').mockImplementation(() => this.#rng.next() / 2 ** 32);
    vi.stubGlobal('scheduler', { wait: (ms: number) => this.clock.sleepUntil(this.clock.now() + ms) });
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    vi.spyOn(console, 'warn').mockImplementation((line: string) => void this.warnings.push(line));
    vi.stubGlobal('fetch', async (request: Request) => {
      const invocation = this.#invocations.getStore()!;
      invocation.subrequests++;
      invocation.waiting++;
      this.waitingMax = Math.max(this.waitingMax, invocation.waiting);
      try {
        return await network(request);
      } finally {
        invocation.waiting--;
      }
    });
  }

  /** Fires the crons of the minute, the lanes some milliseconds apart. */
  minute(): void {
    const lanes = Number(this.vars['NARTHEX_SCRAPE_LANES']);
    for (const [i, cron] of [FORWARD_CRON, ...SCRAPE_CRONS.slice(0, lanes)].entries()) {
      const run = this.clock
        .sleepUntil(this.clock.now() + i * 137)
        .then(() => this.#invoke((env) => worker.default.scheduled({ cron }, env, CONTEXT)));
      run.catch(() => undefined);
      this.#runs.push(run);
    }
  }

  /** A request from outside. */
  async request(path: string): Promise<Response> {
    return await this.#invoke((env) =>
      worker.default.fetch(new Request(`http://127.0.0.1${path}`), { ...env, NARTHEX_OPEN: '127.0.0.1' }, CONTEXT),
    );
  }

  /** An object of that class and name, called as the Worker calls it. */
  object<T>(of: string, name: string): T {
    return this.#stub(of, name, { waiting: 0, subrequests: 0 }) as T;
  }

  async #invoke<T>(work: (env: object) => Promise<T>): Promise<T> {
    const invocation = { waiting: 0, subrequests: 0 };
    return await this.#invocations.run(invocation, async () => {
      try {
        return await work(this.#env(invocation));
      } finally {
        this.subrequestsMax = Math.max(this.subrequestsMax, invocation.subrequests);
      }
    });
  }

  /** The clock of the machine and its network are back. */
  close(): void {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  }

  /** Rejects when a run did. */
  async ended(): Promise<void> {
    await Promise.all(this.#runs);
  }

  names(of: string): string[] {
    return [...this.#things.keys()].filter((name) => name.startsWith(`${of}/`));
  }

  storage(name: string): Storage {
    return this.#things.get(name)!.storage;
  }

  /** What all objects of a class wrote until now, by table. */
  written(of: string): Map<string, Written> {
    const sums = new Map<string, Written>();
    for (const name of this.names(of))
      for (const [table, { rows, bytes, largest }] of this.storage(name).written) {
        const sum = sums.get(table) ?? { rows: 0, bytes: 0, largest: 0 };
        sums.set(table, {
          rows: sum.rows + rows,
          bytes: sum.bytes + bytes,
          largest: Math.max(sum.largest, largest),
        });
      }
    return sums;
  }

  #stub(of: string, name: string, invocation: Invocation): unknown {
    return new Proxy(
      {},
      {
        get: (_, method) =>
          typeof method === 'symbol' || method === 'then'
            ? undefined
            : (...args: unknown[]) => {
                invocation.subrequests++;
                return this.#call(of, name, method, args);
              },
      },
    );
  }

  #env(invocation: Invocation): object {
    const namespace = (of: string) => ({ getByName: (name: string) => this.#stub(of, name, invocation) });
    return {
      ...this.vars,
      BUCKET: {
        put: async (key: string, text: string) => (this.#bucket.has(key) ? null : this.#bucket.set(key, text)),
        list: async () => ({ objects: [] }),
      },
      DIRECTOR: namespace('Director'),
      AGENT: namespace('Agent'),
      INGESTER: namespace('Ingester'),
      CATALOGUE: namespace('Catalogue'),
      OUTPOST: namespace('Outpost'),
    };
  }

  async #call(of: string, name: string, method: string, args: unknown[]): Promise<unknown> {
    return await this.clock.track(async () => {
      const object = this.#awake(of, name);
      const calls = this.#callsOf(method);
      const given = structuredClone(args);
      calls.count++;
      const before = process.cpuUsage();
      const answer = object[method]!(...given);
      const { user, system } = process.cpuUsage(before);
      calls.cpu += user + system;
      const taken = structuredClone(await answer);
      if (WEIGHED.has(method)) {
        calls.largest = Math.max(calls.largest, serialize(args).byteLength, serialize(taken).byteLength);
        if (calls.largest >= CALL_BYTES_MAX) throw new Error(`${method} would take ${calls.largest} B over RPC`);
      }
      return taken;
    });
  }

  #callsOf(method: string): Calls {
    let calls = this.calls.get(method);
    if (calls === undefined) this.calls.set(method, (calls = { count: 0, cpu: 0, largest: 0 }));
    return calls;
  }

  #awake(of: string, name: string): NonNullable<Thing['object']> {
    const key = `${of}/${name}`;
    let thing = this.#things.get(key);
    if (thing === undefined) this.#things.set(key, (thing = { storage: new Storage(), object: null, calledMs: 0 }));
    const nowMs = this.clock.now();
    if (nowMs - thing.calledMs > IDLE_MS || this.#rng.below(1_000) === 0) thing.object = null;
    thing.calledMs = nowMs;
    const context = { storage: thing.storage, id: { name } };
    const made = worker[of] as new (context: unknown, env: object) => NonNullable<Thing['object']>;
    return (thing.object ??= new made(context, this.#env({ waiting: 0, subrequests: 0 })));
  }
}
