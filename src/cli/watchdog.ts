/**
 * Ends workerd when `start` has gone without doing so, as after `kill -9`. A process of its own, in a group of its own: it
 * holds the reading end of a pipe whose writing end only `start` has, so the end of the pipe is the end of `start`. Should
 * the watchdog itself be killed too, the next start ends what is left (`survivors.ts`).
 */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { end, identify, type ProcessId } from './process-id.ts';
import { isWorkerd } from './survivors.ts';

export interface Watchdog {
  readonly id: ProcessId | null;
  /** What is to be ended with `start`; it replaces what was told before. */
  watch(ids: readonly ProcessId[]): void;
  /** `start` ends in order: nothing is left to do. */
  dismiss(): void;
}

/** The name of the hidden command that the watchdog runs as. */
export const WATCHDOG_COMMAND = 'watchdog';

export function startWatchdog(): Watchdog {
  // `detached` makes a group (and a session) of its own: neither Ctrl-C nor `kill -9 -PGID` reaches it.
  const child = spawn(process.execPath, [process.argv[1]!, WATCHDOG_COMMAND], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a watchdog everything works, but for what the next start does anyway.
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.unref();
  const send = (ids: readonly ProcessId[]): void => {
    child.stdin.write(`${JSON.stringify(ids)}\n`);
  };
  return {
    id: child.pid === undefined ? null : identify(child.pid),
    watch: send,
    dismiss: () => {
      send([]);
      child.stdin.end();
    },
  };
}

/** The watchdog's whole life: lines of process ids until the end of the pipe, then ends those of the last line. */
export async function runWatchdog(input: NodeJS.ReadableStream): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  let watched: ProcessId[] = [];
  for await (const line of createInterface({ input })) {
    try {
      watched = JSON.parse(line) as ProcessId[];
    } catch {
      // `start` died while it wrote: the line before still says what to end.
    }
  }
  await Promise.all(watched.filter(isWorkerd).map((id) => end(id)));
}
