/** Runs `narthex start` as a process of its own, from the sources, on the small worker of `fixture/`. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessId } from '../../src/cli/process-id.ts';
import { readRun, type Run } from '../../src/cli/run-file.ts';

export const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const FIXTURE = join(import.meta.dirname, 'fixture');
const started = new Set<Started>();
const dirs: string[] = [];

export interface Notes {
  readonly notes: string[];
  readonly keys: string[];
  readonly env: string[];
  readonly headers: string[];
}

export class Started {
  readonly dir: string;
  readonly child: ChildProcess;
  /** What was printed, stdout and stderr together. */
  output = '';

  constructor(dir: string, args: readonly string[]) {
    this.dir = dir;
    // In a group of its own, as a shell starts it.
    this.child = spawn(process.execPath, [MAIN, 'start', '--state', dir, ...args], {
      detached: true,
      env: { ...process.env, NARTHEX_WORKER_ROOT: FIXTURE },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    started.add(this);
  }

  get pid(): number {
    return this.child.pid!;
  }

  run(): Run {
    return readRun(this.dir)!;
  }

  port(): number {
    return this.run().port!;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port()}${path}`;
  }

  async printed(text: string): Promise<void> {
    await eventually(() => this.output.includes(text) || ended(this.child), `${text} in: ${this.output}`);
    if (!this.output.includes(text)) throw new Error(`it ended, and had printed: ${this.output}`);
  }

  async notes(): Promise<Notes> {
    return (await (await fetch(this.url('/notes'))).json()) as Notes;
  }

  /** The exit code; null when a signal ended it. */
  async exit(): Promise<number | null> {
    await eventually(() => ended(this.child), `the end of start, which had printed: ${this.output}`);
    return this.child.exitCode;
  }
}

/** Resolves when it serves. */
export async function startOn(dir: string, ...args: string[]): Promise<Started> {
  const process = new Started(dir, args);
  await process.printed('Ctrl-C stops it');
  return process;
}

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'narthex-test-'));
  dirs.push(dir);
  return dir;
}

/** Ends whatever a test left, process by process, and removes its directories. */
export async function cleanUp(): Promise<void> {
  // Who would start something again goes first.
  for (const { child } of started) if (!ended(child)) child.kill('SIGKILL');
  await eventually(() => [...started].every(({ child }) => ended(child)), 'the end of each start');
  const runs = [...started].map(({ dir }) => readRun(dir)).filter((run) => run !== null);
  const ids = runs.flatMap(({ workerd, watchdog }) => [...workerd, ...(watchdog === null ? [] : [watchdog])]);
  for (const id of ids) if (isAlive(id)) process.kill(id.pid, 'SIGKILL');
  await gone(ids);
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  started.clear();
}

export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(20);
  }
}

/** How long until all are gone, in ms. */
export async function gone(ids: readonly ProcessId[], timeoutMs = 20_000): Promise<number> {
  const sinceMs = Date.now();
  await eventually(() => !ids.some(isAlive), `the end of ${ids.map(({ pid }) => pid).join(', ')}`, timeoutMs);
  return Date.now() - sinceMs;
}

export async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(url)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
