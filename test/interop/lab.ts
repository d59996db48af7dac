/**
 * What a scenario and a benchmark need: a folder of their own, processes that they started and nobody else's, free ports, and
 * waiting with a limit. Invariant: when a lab is closed, nothing that was started in it is left, whatever happened in between.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The programs in the cache that `peers.sh` fills. */
export type Peer =
  | 'blackbox_exporter'
  | 'consul'
  | 'process_exporter'
  | 'pushgateway'
  | 'prometheus-2'
  | 'promtool-2'
  | 'prometheus-3'
  | 'promtool-3'
  | 'node_exporter'
  | 'victoria-metrics'
  | 'vmagent'
  | 'otelcol'
  | 'thanos';

/** Where a peer's program is. */
export function peer(name: Peer): string {
  const cache =
    process.env['NARTHEX_PEERS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'narthex-peers');
  return join(cache, 'bin', name);
}

export class Lab {
  readonly folder: string;
  readonly processes: Started[] = [];
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** A lab in a new folder, to be closed by whoever opened it. */
  static async open(name: string): Promise<Lab> {
    return new Lab(await mkdtemp(join(tmpdir(), `narthex-${name}-`)));
  }

  async dir(name: string): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(path, { recursive: true });
    return path;
  }

  async write(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, text);
    return path;
  }

  /** Starts a program as the leader of a process group of its own, its output in a file of the lab. */
  start(name: string, program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Started {
    const started = new Started(name, program, args, environment, join(this.folder, `${name}.log`));
    this.processes.push(started);
    return started;
  }

  /** What must be closed before the processes end, in reverse order. */
  defer(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await Promise.all(this.processes.map((started) => started.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class Started {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #log: string;

  constructor(name: string, program: string, args: readonly string[], environment: NodeJS.ProcessEnv, log: string) {
    this.name = name;
    this.#log = log;
    const output = openSync(log, 'a');
    this.#child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, ...environment },
    });
    closeSync(output);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', reject);
    });
    // A program that cannot be started is told by whoever waits for it to be ready.
    this.exited.catch(() => undefined);
    this.pid = this.#child.pid ?? -1;
  }

  get running(): boolean {
    return this.pid > 0 && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it as Ctrl-C would and, should that not help within 20 seconds, by force with its whole group. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.kill('SIGINT');
    const patience = new AbortController();
    const late = sleep(20_000, true, { signal: patience.signal }).catch(() => false);
    if (await Promise.race([this.exited.then(() => false), late])) {
      process.kill(-this.pid, 'SIGKILL');
      await this.exited;
    }
    patience.abort();
  }

  async tail(lines: number): Promise<string> {
    const text = await readFile(this.#log, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** A port that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether something accepts connections on the port. */
export async function listening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Thrown by an attempt that knows that waiting longer is of no use. */
export class GiveUp extends Error {}

/** Tries until the result is neither undefined nor false; a failed try is only remembered for the message at the end. */
export async function waitUntil<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  everyMs = 250,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await attempt();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      last = error;
    }
    if (Date.now() > deadline) {
      const reason = last === undefined ? '' : `; the last failure was: ${String(last)}`;
      throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}${reason}`);
    }
    await sleep(everyMs);
  }
}

/** GET that answers 2xx, or throws with what was answered. */
export async function get(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 300)}`);
  return text;
}

/** A process as the kernel knows it. The start time tells it from a later one with the same id. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: string;
  readonly command: string;
}

/** The process and all that descend from it, from /proc. */
export async function processTree(root: number): Promise<ProcessId[]> {
  const children = new Map<number, ProcessId[]>();
  const found: ProcessId[] = [];
  for (const name of await readdir('/proc')) {
    const entry = /^\d+$/.test(name) ? await processStat(Number(name)) : undefined;
    if (entry === undefined) continue;
    if (entry.pid === root) found.push(entry);
    children.set(entry.parent, [...(children.get(entry.parent) ?? []), entry]);
  }
  for (let i = 0; i < found.length; i++) found.push(...(children.get(found[i]!.pid) ?? []));
  return found;
}

/** Whether exactly this process still runs. One that has ended and was not yet waited for does not. */
export async function alive(id: ProcessId): Promise<boolean> {
  const now = await processStat(id.pid);
  return now?.startTime === id.startTime && now.state !== 'Z';
}

async function processStat(pid: number): Promise<(ProcessId & { parent: number; state: string }) | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // pid (command) state parent …; the command may hold spaces and parentheses.
  const match = /^\d+ \((.*)\) (\S) (\d+) (.*)$/s.exec(stat ?? '');
  if (match === null) return undefined;
  const [, command = '', state = '', parent = '', rest = ''] = match;
  // The start time is field 22; rest begins with field 5.
  return { pid, command, state, parent: Number(parent), startTime: rest.split(' ')[17] ?? '' };
}
